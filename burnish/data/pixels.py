"""Rows of images as arrays of bytes of one size: how they are brought to it, kept on disk, and changed in training."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from burnish.config import Tune
from burnish.data import corrupt, store
from burnish.data.features import Batch, Features
from burnish.data.images import decode, png, size
from burnish.data.parts import Grid
from burnish.data.reader import FILE, Described
from burnish.data.rows import Row, Rows
from burnish.data.workers import each
from burnish.errors import InputError

PATCH = 16  # pixels: an image counts as many tokens as patches of this size cover it
_LOOKED_AT = 200  # images whose sizes decide
_SIZES = range(32, 97, 16)  # to choose from; larger ones cost more than most sets give back on a CPU
_VERSION = 1  # part of the key of kept arrays
_GREY, _COVERED, _SHIFT = 128, 0.5, 8  # value and share of rows of a covered patch; a shift is 1/8 of a side
_SHOWN = 64  # pixels: side of a picture in a report
_PATCHES = 8  # along the longer side, of an explanation
_COARSE, _LEVELS = 12, 4  # of the numbers for a linear model: side in pixels, and steps of each colour


@dataclass(frozen=True)
class Pixels(Described):
    """Brings images to one size.

    Attributes:
        document: `preprocessor_config.json`. With a `size` of height and width the whole image is scaled to it,
            whatever its form; with a `shortest_edge` that side is scaled to it and the middle, `crop_size`, is cut out.
            `any_size` is burnish's own word for a network that reads other sizes just as well.
    """

    kind: ClassVar[str] = "image"
    verbs: ClassVar[frozenset[str]] = frozenset({"export", "compress", "serve", "batch", "explain", "audit"})
    ways: ClassVar[Mapping[str, tuple[float, ...]]] = {way: strengths for way, (_, strengths) in corrupt.WAYS.items()}
    about_numbers: ClassVar[str] = "coarse pixels and colours"
    usual_way: ClassVar[str] = "mirror"
    given: ClassVar[str] = "pixels"  # name of what a network is given

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        if tune.vary == "speed":
            raise InputError(
                "tune.vary: speed is for sounds; images and videos know auto, mirror, flip, shift and none"
            )
        vary_by = cls.way(tune)
        found = of_model(place) if place else None
        if found is not None and not found.get("any_size"):
            if tune.image_size:
                raise InputError("tune.image_size: this model reads images of one size; leave tune.image_size out")
            return cls(found, vary_by)
        side = tune.image_size or cls._usual_size(train)
        return cls({**(found or SCRATCH), "size": {"height": side, "width": side}}, vary_by)

    def must_be_complete(self) -> None:
        _ = self.shape, self._shortest

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what the network reads."""
        size = self.document["size"]
        if isinstance(size, Mapping) and "shortest_edge" in size:
            size = (self.document.get("crop_size") if self.document.get("do_center_crop", True) else None) or size
        if isinstance(size, int):
            return size, size
        if "shortest_edge" in size:
            return int(size["shortest_edge"]), int(size["shortest_edge"])
        return int(size["height"]), int(size["width"])

    @property
    def form(self) -> tuple[int, ...]:
        """Shape of one input of the network."""
        return (*self.shape, 3)

    @property
    def _shortest(self) -> int | None:
        """What the shorter side is scaled to before the middle is cut out; None where the whole image is scaled."""
        size = self.document["size"]
        if not isinstance(size, Mapping) or "shortest_edge" not in size:
            return None
        return round(int(size["shortest_edge"]) / float(self.document.get("crop_pct") or 1.0))

    @staticmethod
    def fault(path: Path) -> str | None:
        try:
            decode(path)
        except InputError as error:
            return str(error)
        return None

    def is_one(self, given: Any) -> bool:
        whole = isinstance(given, str | bytes | os.PathLike | Mapping | Image.Image)
        return whole or (isinstance(given, np.ndarray) and given.ndim < 4)

    def row(self, given: Any) -> Row:
        image = given.get(self.kind) if isinstance(given, Mapping) else given
        if isinstance(image, os.PathLike):
            image = os.fspath(image)
        if not isinstance(image, str | bytes | Image.Image | np.ndarray):
            raise InputError(
                "an image is a path, the bytes of a file, a Pillow image, an array (height, width, 3) of bytes or "
                f"{{'image': one of these}}, not {type(given).__name__}"
            )
        return {self.kind: image}

    def features(self, rows: Sequence[Row]) -> Features:
        return self._featured(Made([row[self.kind] for row in rows], [row.get("digest") for row in rows], self))

    def example(self) -> str:
        pixels = self.made_up(1, np.random.default_rng(0)).dense[self.given][np.arange(1)]
        return png(Image.fromarray(pixels[0]))

    def made_up(self, count: int, draw: np.random.Generator) -> Features:
        """Images of noise, whose means and spreads differ."""
        low, spread = draw.integers(0, 128, (2, count, *[1] * (len(self.form) - 1), 3))
        return self._featured((low + spread * draw.random((count, *self.form))).astype(np.uint8))

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        pixels = self.array(row[self.kind])
        chance = np.random.default_rng((seed, zlib.crc32(pixels.tobytes())))
        return {**row, self.kind: corrupt.WAYS[way][0](pixels, strength, chance)}

    def traits(self, rows: Sequence[Row]) -> Mapping[str, NDArray[Any]]:
        """Pixels of the shorter side as the file has it, and mean brightness, 0 to 255."""
        found = np.empty((len(rows), 2))
        for place, row in enumerate(rows):
            image = decode(row[self.kind])
            shade = np.asarray(image.resize((1, 1), Image.Resampling.BOX), float).mean()
            found[place] = min(image.size), shade.round()
        return {"shorter side": found[:, 0], "brightness": found[:, 1]}

    def parts(self, row: Row) -> Grid:
        """Patches, eight along the longer side; where one has gone, the image has its mean colour."""
        pixels = self.array(row[self.kind])
        height, width = self.shape
        side = max(1, -(-max(height, width) // _PATCHES))
        down, across = np.arange(height) // side, np.arange(width) // side
        shape = int(down[-1]) + 1, int(across[-1]) + 1
        owner = down[:, None] * shape[1] + across[None, :]
        mean = np.broadcast_to(pixels.mean((0, 1)).round().astype(np.uint8), pixels.shape)
        shown = f"data:image/png;base64,{png(Image.fromarray(pixels))}"
        return Grid("pixels", pixels, mean, owner, shape, self._cost, shown)

    def _featured(self, pixels: Made | NDArray[np.uint8]) -> Features:
        return Features({}, row=np.arange(len(pixels)), dense={self.given: pixels}, cost=self._cost)

    @property
    def _cost(self) -> int:
        height, width = self.shape
        return -(-height // PATCH) * -(-width // PATCH)

    def array(self, given: Any) -> NDArray[np.uint8]:
        """One image at the network's size, shape (height, width, 3).

        Raises:
            InputError: when it cannot be read; names the file.
        """
        if given is None:
            raise InputError("a row has no image that can be read; see broken_files of: burnish check")
        height, width = self.shape
        try:
            image = decode(given, draft=2 * max(self._shortest or 0, height, width))
        except InputError as error:
            named = f"'{given}'" if isinstance(given, str) else "the image"
            raise InputError(f"{named} cannot be read: {error}") from None
        return self.fitted(image)

    def fitted(self, image: Image.Image) -> NDArray[np.uint8]:
        """An image at the network's size, shape (height, width, 3)."""
        height, width = self.shape
        how = Image.Resampling(int(self.document.get("resample") or Image.Resampling.BILINEAR))
        if self._shortest is None:
            return np.asarray(image if image.size == (width, height) else image.resize((width, height), how))
        short = min(image.size)
        sides = [self._shortest if side == short else int(self._shortest * side / short) for side in image.size]
        across, down = (sides[0] - width) // 2, (sides[1] - height) // 2
        return np.asarray(image.resize((sides[0], sides[1]), how).crop((across, down, across + width, down + height)))

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """Shift, cover a patch in half of them (Zhong et al. 2020), and mirror or flip half, as `tune.vary` says."""
        if self.vary_by == "none" or self.given not in batch:
            return batch
        return {**batch, self.given: self.varied(batch[self.given], draw)}

    def varied(self, pixels: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        """The same for bytes of shape (n, height, width, ...)."""
        n, height, width = pixels.shape[:3]
        place = pixels.device

        def drawn(high: int) -> torch.Tensor:
            return torch.randint(high, (n, 1), generator=draw).to(place)

        down, across = torch.arange(height, device=place), torch.arange(width, device=place)
        top, left = drawn(2 * (height // _SHIFT) + 1), drawn(2 * (width // _SHIFT) + 1)
        lines = (down + top - height // _SHIFT).clamp(0, height - 1)  # beyond the edge, the edge goes on
        columns = (across + left - width // _SHIFT).clamp(0, width - 1)
        if self.vary_by in ("mirror", "flip"):
            columns = torch.where(drawn(2) == 1, columns.flip(1), columns)
        if self.vary_by == "flip":
            lines = torch.where(drawn(2) == 1, lines.flip(1), lines)
        changed = pixels[torch.arange(n, device=place)[:, None, None], lines[:, :, None], columns[:, None, :]]
        side, hidden = max(1, min(height, width) // 3), torch.rand(n, 1, generator=draw).to(place) < _COVERED
        above, before = drawn(height) - side // 2, drawn(width) - side // 2
        rows = (down >= above) & (down < above + side) & hidden
        covered = rows[:, :, None] & ((across >= before) & (across < before + side))[:, None, :]
        return changed.masked_fill_(covered.view(*covered.shape, *[1] * (pixels.dim() - 3)), _GREY)

    def gathered(self, batches: Iterable[Batch]) -> Features:
        return self._featured(np.concatenate([batch[self.given].numpy() for batch in batches]))

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Coarse pixels, and how often each of 64 colours occurs."""
        return np.stack([coarse(self.array(row[self.kind])) for row in rows])

    @classmethod
    def _usual_size(cls, train: Rows) -> int:
        """The size, of those to choose from, nearest to the median of the shorter sides of some inputs."""
        chosen = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(int))
        sides = []
        for row in train.select(chosen):
            if row[cls.kind]:
                with suppress(InputError):
                    sides.append(min(cls.size_of(row[cls.kind])))
        middle = float(np.median(sides)) if sides else _SIZES[0]
        return min(_SIZES, key=lambda size: abs(size - middle))

    @staticmethod
    def size_of(given: Any) -> tuple[int, int]:
        """Width and height of one input as its file has it."""
        return size(given)

    def picture(self, row: Row) -> str:
        image = decode(row[self.kind], draft=2 * _SHOWN)
        image.thumbnail((_SHOWN, _SHOWN))
        return f"data:image/png;base64,{png(image)}"


class Outlined(Pixels):
    """Images of classes: burnish's own network for them may have a summary beside it (`models/summary.py`)."""

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        reader = super().start(place, tune, train)
        return reader if place else replace(reader, document={**reader.document, "outlines": True})


SCRATCH: dict[str, Any] = {
    "image_processor_type": "ViTImageProcessor",
    "any_size": True,
    "do_resize": True,
    "resample": int(Image.Resampling.BILINEAR),
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


class Made:
    """Images of one size, made when they are asked for."""

    def __init__(self, given: list[Any], digests: list[str | None], reader: Pixels) -> None:
        self._given, self._digests, self._reader = given, digests, reader

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, pieces: NDArray[np.int64]) -> NDArray[Any]:
        """Bytes of shape (pieces, height, width, 3), or (pieces, frames, height, width, 3)."""
        found = np.empty((len(pieces), *self._reader.form), dtype=np.uint8)
        for place, one in enumerate(self._each(pieces)):
            found[place] = one
        return found

    def _each(self, pieces: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        return each(self._reader.array, [self._given[int(piece)] for piece in pieces])

    def kept(self) -> NDArray[Any]:
        """All of them as an array: a memory-mapped file, made once for the same contents and the same size.

        Raises:
            InputError: when the cache folder cannot be written.
        """
        if not all(self._digests):
            return self[np.arange(len(self))]
        parts = (one[None] for one in self._each(np.arange(len(self))))
        document = json.dumps(dict(self._reader.document), sort_keys=True)
        key = store.fingerprint(_VERSION, document, store.together(self._digests))
        return store.array(self._reader.given, key, (len(self), *self._reader.form), np.uint8, parts)


def coarse(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Coarse pixels of an image, 0 to 1, and roots of the shares of 64 colours."""
    image = Image.fromarray(pixels)
    cells = np.asarray(image.resize((_COARSE, _COARSE), Image.Resampling.BOX), dtype=np.float32) / 255
    steps = pixels.astype(np.int64).reshape(-1, 3) * _LEVELS // 256
    colours = np.bincount(steps @ [_LEVELS**2, _LEVELS, 1], minlength=_LEVELS**3) / len(steps)
    return np.concatenate([cells.ravel(), np.sqrt(colours)], dtype=np.float32)


def of_model(place: str) -> dict[str, Any] | None:
    """How a pretrained model wants its images, or what its `config.json` lets conclude; None where neither says."""
    if not Path(place).is_dir():
        from transformers.image_processing_base import ImageProcessingMixin

        try:
            found: dict[str, Any] = ImageProcessingMixin.get_image_processor_dict(place)[0]
        except (OSError, ValueError) as error:
            first = str(error).strip().split("\n")[0][:200]
            raise InputError(f"model '{place}' is no folder here, and the hub did not give it ({first})") from None
        return found
    if Path(place, FILE).is_file():
        return dict(Pixels.open(place).document)
    config = json.loads(Path(place, "config.json").read_text(encoding="utf-8"))
    size = config.get("image_size") if isinstance(config, dict) else None
    if isinstance(size, int):
        return {**SCRATCH, "any_size": False, "image_std": [0.5] * 3, "size": {"height": size, "width": size}}
    return None
