"""Rows of videos as a few frames each, of one size: how they are taken, and changed in training."""

from __future__ import annotations

import base64
import io
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from burnish.config import Tune
from burnish.data import corrupt, video
from burnish.data.features import Batch
from burnish.data.images import png
from burnish.data.parts import Grid
from burnish.data.pixels import Pixels, coarse
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

FRAMES = "num_frames"  # of a document: frames of a clip
_FRAMES = 8  # where neither job nor model says
_SHOWN, _STRIP = 48, 4  # pixels of the side of a frame in a report, and how many are shown there


@dataclass(frozen=True)
class Clips(Pixels):
    """Takes frames from the middle of equal stretches of a video, and brings them to one size.

    Attributes:
        document: as for `Pixels`, of the image processor for VideoMAE or of one for images, with `num_frames`.
    """

    kind: ClassVar[str] = "video"
    verbs: ClassVar[frozenset[str]] = frozenset({"export", "batch", "explain", "audit"})
    about_numbers: ClassVar[str] = "coarse pixels, colours and their change"
    given: ClassVar[str] = "clips"

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        reader = super().start(place, tune, train)
        fixed = _of_model(place) if place else None
        if fixed and tune.frames not in (None, fixed):
            raise InputError(f"tune.frames: this model reads {fixed} frames; leave tune.frames out")
        count = fixed or tune.frames or reader.document.get(FRAMES) or _FRAMES
        return replace(reader, document={**reader.document, FRAMES: count})

    def must_be_complete(self) -> None:
        super().must_be_complete()
        if self.frames < 1:
            raise InputError(f"{FRAMES} must be at least 1")

    @property
    def frames(self) -> int:
        """How many are taken of a video."""
        return int(self.document[FRAMES])

    @property
    def form(self) -> tuple[int, ...]:
        return (self.frames, *super().form)

    @staticmethod
    def fault(path: Path) -> str | None:
        try:
            video.must_be_whole(path)
        except InputError as error:
            return str(error)
        return None

    @staticmethod
    def size_of(given: Any) -> tuple[int, int]:
        return video.extent(given)[1]

    def is_one(self, given: Any) -> bool:
        whole = isinstance(given, str | bytes | os.PathLike | Mapping)
        return whole or (isinstance(given, np.ndarray) and given.ndim < 5)

    def row(self, given: Any) -> Row:
        clip = given.get(self.kind) if isinstance(given, Mapping) else given
        if isinstance(clip, os.PathLike):
            clip = os.fspath(clip)
        if not isinstance(clip, str | bytes | np.ndarray):
            raise InputError(
                "a video is a path, the bytes of a file, an array (frames, height, width, 3) of bytes or "
                f"{{'video': one of these}}, not {type(clip).__name__}"
            )
        return {self.kind: clip}

    def example(self) -> str:
        frames = self.made_up(1, np.random.default_rng(0)).dense[self.given][np.arange(1)][0]
        first, *others = (Image.fromarray(frame) for frame in frames)
        written = io.BytesIO()
        first.save(written, "GIF", save_all=True, append_images=others)
        return base64.b64encode(written.getvalue()).decode()

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        clip = self.array(row[self.kind])
        seeds = seed, zlib.crc32(clip.tobytes())
        frames = [corrupt.WAYS[way][0](frame, strength, np.random.default_rng(seeds)) for frame in clip]
        return {**row, self.kind: np.stack(frames)}

    def traits(self, rows: Sequence[Row]) -> dict[str, NDArray[np.float64]]:
        """Seconds, pixels of the shorter side as the file has it, and mean brightness, 0 to 255."""
        found = np.empty((len(rows), 3))
        for place, row in enumerate(rows):
            seconds, size = video.extent(row[self.kind])
            found[place] = seconds, min(size), self.array(row[self.kind]).mean()
        return {"seconds": found[:, 0], "shorter side": found[:, 1], "brightness": found[:, 2]}

    def parts(self, row: Row) -> Grid:
        """The frames, in rows of about as many as there are rows; where one has gone, the clip has its mean colour."""
        clip = self.array(row[self.kind])
        columns = next(n for n in range(1, len(clip) + 1) if n * n >= len(clip) and len(clip) % n == 0)
        lines = clip.reshape(-1, columns, *clip.shape[1:])
        sheet = np.concatenate([np.concatenate(list(line), 1) for line in lines])
        mean = np.broadcast_to(clip.mean((0, 1, 2)).round().astype(np.uint8), clip.shape)
        shown = f"data:image/png;base64,{png(Image.fromarray(sheet))}"
        return Grid(self.given, clip, mean, np.arange(len(clip)), (len(lines), columns), self._cost, shown)

    @property
    def _cost(self) -> int:
        return super()._cost * -(-self.frames // 2)

    def array(self, given: Any) -> NDArray[np.uint8]:
        """The frames of one video at the network's size, shape (frames, height, width, 3).

        Raises:
            InputError: when it cannot be read; names the file.
        """
        if given is None:
            raise InputError("a row has no video that can be read; see broken_files of: burnish check")
        try:
            return np.stack([self.fitted(frame) for frame in video.frames(given, self.frames)])
        except InputError as error:
            named = f"'{given}'" if isinstance(given, str) else "the video"
            raise InputError(f"{named} cannot be read: {error}") from None

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """As for images, and alike for all frames of a clip."""
        if self.vary_by == "none" or self.given not in batch:
            return batch
        return {**batch, self.given: self.varied(batch[self.given].movedim(1, 3), draw).movedim(3, 1)}

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Means over the frames of coarse pixels and of how often each of 64 colours occurs, and their mean change from
        one frame to the next."""
        return np.stack([_course(self.array(row[self.kind])) for row in rows])

    def picture(self, row: Row) -> str:
        frames = list(video.frames(row[self.kind], _STRIP))
        strip = Image.new("RGB", (_STRIP * _SHOWN, _SHOWN), "white")
        for place, frame in enumerate(frames):
            frame.thumbnail((_SHOWN, _SHOWN))
            strip.paste(frame, (place * _SHOWN, 0))
        return f"data:image/png;base64,{png(strip)}"


def _course(clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    each = np.stack([coarse(frame) for frame in clip])
    change = np.abs(np.diff(each, axis=0, append=each[-1:])).mean(0)
    return np.concatenate([each.mean(0), change])


def _of_model(place: str) -> int | None:
    """How many frames a model of videos reads; None of one of images, which takes any number one by one."""
    from transformers import PretrainedConfig

    try:
        found = PretrainedConfig.get_config_dict(place)[0].get(FRAMES)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0][:200]
        raise InputError(f"model '{place}' is no folder here, and the hub did not give it ({first})") from None
    return int(found) if found else None
