"""Rows of sounds as waves or as bands over time: how they are made, kept on disk, and changed in training."""

from __future__ import annotations

import json
import os
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from burnish.config import Tune
from burnish.data.acoustics import WAYS
from burnish.data.disturb import Disturb
from burnish.data.features import Batch, Features, Uneven
from burnish.data.heard import Heard
from burnish.data.images import png
from burnish.data.parts import Grid
from burnish.data.reader import FILE, Described
from burnish.data.rows import Row, Rows
from burnish.data.sounds import Samples, decode, extent, must_be_whole, resampled
from burnish.data.spectrogram import BANDS, OWN, WAVE, WHISPER, Form, Own, form_of
from burnish.data.transcripts import TRANSCRIPT
from burnish.data.workers import each
from burnish.errors import InputError
from burnish.extras import need

TOKEN = 0.04  # seconds of sound that count as a token
_TOGETHER = 16  # tokens: lengths this near to each other are mixed in a batch, as classes and speakers differ in length
_LOOKED_AT = 200  # sounds whose rates decide
_RATES = (8000, 16_000)  # to choose from; speech has little above
_FRAMES = 100  # of bands in a second
_PITCHES = 0.86, 0.93, 1.07, 1.14  # of vocal tracts that a network is asked about beside the own
_PARTS, _COEFFICIENTS = 4, 20  # of the numbers for a linear model: stretches of time, and terms of a cosine series
_MADE_UP = 0.5, 2.0  # seconds of made-up sounds
_GRID, _STRETCHES = (8, 12), 24  # bands and stretches of time of an explanation; of a wave stretches alone
_SHOWN = (64, 128)  # bands and frames at most of a picture in a report


@dataclass(frozen=True)
class Waves(Described):
    """Brings sounds to one rate, and to the form that a network reads.

    Attributes:
        document: `preprocessor_config.json`: of transformers' extractor for Wav2Vec2 and its kin, for the Audio
            Spectrogram Transformer or for Whisper, or burnish's own for a network that learns from random weights.
            `longest`, in seconds, is burnish's own word: what comes later is not heard.
    """

    kind: ClassVar[str] = "audio"
    verbs: ClassVar[frozenset[str]] = frozenset({"export", "compress", "serve", "batch", "explain", "audit"})
    ways: ClassVar[Mapping[str, tuple[float, ...]]] = {way: strengths for way, (_, strengths) in WAYS.items()}
    about_numbers: ClassVar[str] = "bands of pitch and their course"
    usual_way: ClassVar[str] = "speed"

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        if tune.vary in ("mirror", "flip"):
            raise InputError(f"tune.vary: {tune.vary} is for images; sounds know auto, speed, shift and none")
        found = _of_model(place) if place else {**_SCRATCH, "sampling_rate": _usual_rate(train)}
        document = {**found, "longest": tune.max_tokens * TOKEN}
        form_of(document)
        vary_by = cls.way(tune)
        if not place and vary_by == "speed":
            document["pitches"] = _PITCHES
        return cls(document, vary_by)

    def must_be_complete(self) -> None:
        _ = self.form, self.longest

    @property
    def form(self) -> Form:
        return form_of(self.document)

    @property
    def bands(self) -> int:
        """Bands that the network reads; 0 where it reads waves."""
        return self.form.bands

    @property
    def longest(self) -> float:
        """Seconds of a sound that are heard."""
        return float(self.document["longest"])

    @staticmethod
    def fault(path: Path) -> str | None:
        try:
            must_be_whole(path)
        except InputError as error:
            return str(error)
        return None

    def is_one(self, given: Any) -> bool:
        return isinstance(given, str | bytes | os.PathLike | Mapping | np.ndarray) or (
            isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], np.ndarray)
        )

    def row(self, given: Any) -> Row:
        sound = given.get(self.kind) if isinstance(given, Mapping) else given
        if isinstance(sound, os.PathLike):
            sound = os.fspath(sound)
        if not isinstance(sound, str | bytes | tuple):
            raise InputError(
                "a sound is a path, the bytes of a file, (samples, rate) with an array of one channel and its samples "
                f"a second, or {{'audio': one of these}}, not {type(sound).__name__}"
            )
        return {self.kind: sound}

    def features(self, rows: Sequence[Row]) -> Features:
        form, given = self.form, [row[self.kind] for row in rows]
        samples = np.array(list(each(self._samples, given)), dtype=np.int64)
        frames = np.array([form.frames(int(one)) for one in samples], dtype=np.int64)
        counts = np.array([form.rows(int(one)) for one in samples], dtype=np.int64)
        heard = self._heard(given, [row.get("digest") for row in rows], counts)
        return Features(
            {}, row=np.arange(len(rows)), dense={"sound": heard, "frames": frames}, cost=self._cost(samples)
        )

    def _heard(self, given: list[Any], digests: list[str | None], counts: NDArray[np.int64]) -> Heard:
        return Heard(given, digests, counts, self.form, self.wave, self.document)

    def _cost(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of each sound, rounded up so that those of about one length have one number; of all where all are
        brought to one length."""
        fixed = self.form.fixed
        seconds = samples / self.form.rate if fixed is None else np.full(len(samples), fixed * 160 / self.form.rate)
        return np.ceil(seconds / (TOKEN * _TOGETHER)).astype(np.int64) * _TOGETHER

    def _samples(self, given: Any) -> int:
        """Samples of a sound, at the rate of the network, that are heard."""
        with _named(given):
            count, own = extent(given)
        return resampled(min(count, round(self.longest * own)), own, self.form.rate)

    def is_whole(self, row: Row) -> bool:
        with _named(row[self.kind]):
            count, own = extent(row[self.kind])
        return count <= round(self.longest * own)

    def wave(self, given: Any) -> Samples:
        """A sound at the rate of the network, shape (samples,).

        Raises:
            InputError: when it cannot be read; names the file.
        """
        with _named(given):
            return decode(given, self.form.rate, self.longest)

    def example(self) -> str:
        written = BytesIO()
        wave, rate = self._made_up(_MADE_UP[0], np.random.default_rng(0))
        need("soundfile", "audio").write(written, wave, rate, format="WAV")
        return b64encode(written.getvalue()).decode()

    def made_up(self, count: int, draw: np.random.Generator) -> Features:
        """Noise, from half a second to two."""
        seconds = draw.uniform(*_MADE_UP, count)
        return self.features([{self.kind: self._made_up(min(self.longest, one), draw)} for one in seconds])

    def _made_up(self, seconds: float, draw: np.random.Generator) -> tuple[Samples, int]:
        rate = self.form.rate
        return (0.1 * draw.standard_normal(max(1, round(seconds * rate)))).astype(np.float32), rate

    def parts(self, row: Row) -> Grid:
        """Stretches of time, and of bands where the network reads bands, high ones first; where one has gone, there is
        the mean of the whole, or silence."""
        form, wave = self.form, self.wave(row[self.kind])
        (full,) = self._heard([(wave, form.rate)], [None], np.array([form.rows(len(wave))]))[np.array([0])]
        frames, bands = min(form.rows(len(wave)), len(full)), self.bands
        shape = min(_GRID[0], bands or 1), min(_GRID[1] if bands else _STRETCHES, frames)
        across = np.minimum(np.arange(len(full)), frames - 1) * shape[1] // frames
        down = (bands - 1 - np.arange(bands)) * shape[0] // bands if bands else np.zeros(1, np.int64)
        owner = down * shape[1] + across[:, None]
        if full.ndim > 1 and full.shape[1] > bands:  # a voice goes with the loudest band of its moment
            loudest = np.take_along_axis(owner, full[:, :bands].argmax(1)[:, None], 1)
            owner = np.concatenate([owner, loudest.repeat(full.shape[1] - bands, 1)], 1)
        empty = np.zeros_like(full)
        if bands:
            empty[:, :bands] = full[:frames, :bands].mean()
        empty[frames:] = full[frames:]
        return Grid(
            "sound",
            full,
            empty,
            owner if bands else owner[:, 0],
            shape,
            int(self._cost(np.array([len(wave)]))[0]),
            self.picture(row),
            also={"frames": form.frames(len(wave))},
        )

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        wave, rate = self.wave(row[self.kind]), self.form.rate
        chance = np.random.default_rng((seed, zlib.crc32(wave.tobytes())))
        return {**row, self.kind: (WAYS[way][0](wave, rate, strength, chance), rate)}

    def traits(self, rows: Sequence[Row]) -> Mapping[str, NDArray[Any]]:
        """Seconds of the file, and decibels below full scale of what is heard, on the mean."""
        found = np.empty((len(rows), 2))
        for place, row in enumerate(rows):
            count, own = extent(row[self.kind])
            power = float(np.square(self.wave(row[self.kind])).mean())
            found[place] = count / own, 10 * np.log10(max(power, 1e-10))
        seconds, loudness = found.round(1).T
        return {"seconds": seconds, "loudness": loudness}

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """Ends cut off, stretches of time and pitch hidden, noise, louder or softer, other speed and pitch: as
        `tune.vary` says. Where a transcript is learnt, nothing is left out and only moments are hidden."""
        if self.vary_by == "none" or "sound" not in batch:
            return batch
        unit = 1 / (4 * np.log(10)) if self.document.get("feature_extractor_type") == WHISPER else 1.0
        fixed, strong = self.form.fixed is not None, self.vary_by == "speed"
        second, highest = _FRAMES if self.form.cell else self.form.rate, min(8000.0, self.form.rate / 2)
        disturb = Disturb(float(unit), fixed, strong, highest, second, TRANSCRIPT in batch)
        given = batch["sound"][..., : self.bands] if self.bands else batch["sound"]  # in training no voice is read
        sound, frames = disturb(given, batch["frames"], draw)
        return {**batch, "sound": sound, "frames": frames}

    def gathered(self, batches: Iterable[Batch]) -> Features:
        """The same without the voice, which no training reads."""
        sounds: list[NDArray[Any]] = []
        for batch in batches:
            given = batch["sound"][..., : self.bands] if self.bands else batch["sound"]
            sounds += [one[: int(count)].half().numpy() for one, count in zip(given, batch["frames"], strict=True)]
        frames = np.array([len(one) for one in sounds], dtype=np.int64)
        return Features(
            {},
            row=np.arange(len(sounds)),
            dense={"sound": Uneven(np.concatenate(sounds), frames), "frames": frames},
            cost=self._cost(frames * self.form.rate // _FRAMES),
        )

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Mean, spread and change of each band, and a cosine series over the bands in each quarter of the time."""
        terms = np.cos(np.pi / BANDS * np.outer(np.arange(BANDS) + 0.5, np.arange(_COEFFICIENTS)))
        found = np.empty((len(rows), 3 * BANDS + _PARTS * _COEFFICIENTS), dtype=np.float32)
        for place, row in enumerate(rows):
            bands = Own(self.form.rate).of(self.wave(row[self.kind]))
            level = bands - bands.mean()
            change = np.abs(np.diff(bands, axis=0, append=bands[-1:])).mean(0)
            edges = np.linspace(0, len(level), _PARTS + 1).astype(int)
            parts = [level[min(a, len(level) - 1) : max(b, a + 1)].mean(0) for a, b in pairwise(edges)]
            found[place] = np.concatenate([level.mean(0), level.std(0), change, (np.stack(parts) @ terms).ravel()])
        return found

    def picture(self, row: Row) -> str:
        bands = Own(self.form.rate).of(self.wave(row[self.kind])).T[::-1]
        grey = 255 * (bands - bands.min()) / max(1e-6, float(np.ptp(bands)))
        image = Image.fromarray(grey.astype(np.uint8))
        image.thumbnail(_SHOWN[::-1])
        return f"data:image/png;base64,{png(image)}"


class Voiced(Waves):
    """Sounds of classes: the voice in them is followed as well, for what burnish's own network has beside it
    (`models/summary.py`)."""

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        reader = super().start(place, tune, train)
        return reader if place else replace(reader, document={**reader.document, "voice": True})


_SCRATCH: dict[str, Any] = {"feature_extractor_type": OWN, "feature_size": BANDS, "top_db": 40, "band_mean": 0.5}


@contextmanager
def _named(given: Any) -> Iterator[None]:
    """Name the file of a sound in what is wrong with it."""
    if given is None:
        raise InputError("a row has no sound that can be read; see broken_files of: burnish check")
    try:
        yield
    except InputError as error:
        said = f"'{given}'" if isinstance(given, str) else "the sound"
        raise InputError(f"{said} cannot be read: {error}") from None


def _of_model(place: str) -> dict[str, Any]:
    """How a pretrained model wants its sounds, or what its `config.json` lets conclude."""
    config: dict[str, Any] = {}
    if not Path(place).is_dir():
        from transformers.feature_extraction_utils import FeatureExtractionMixin

        try:
            return dict(FeatureExtractionMixin.get_feature_extractor_dict(place)[0])
        except (OSError, ValueError) as error:
            first = str(error).strip().split("\n")[0][:200]
            raise InputError(f"model '{place}' is no folder here, and the hub did not give it ({first})") from None
    with suppress(OSError, ValueError, TypeError):
        return dict(json.loads(Path(place, FILE).read_text(encoding="utf-8")))
    with suppress(OSError, ValueError, TypeError):
        config = dict(json.loads(Path(place, "config.json").read_text(encoding="utf-8")))
    if "conv_kernel" not in config:
        raise InputError(f"'{Path(place, FILE)}' is missing, and tells how the model wants its sounds; copy it as well")
    masked = config.get("feat_extract_norm") == "layer"
    return {"feature_extractor_type": WAVE, "sampling_rate": 16_000, "return_attention_mask": masked}


def _usual_rate(train: Rows) -> int:
    """The rate, of those to choose from, next below the median of those of some sounds."""
    chosen = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(int))
    rates = []
    for row in train.select(chosen):
        if row[Waves.kind]:
            with suppress(InputError):
                rates.append(extent(row[Waves.kind])[1])
    return max([rate for rate in _RATES if rate <= np.median(rates or [0])], default=_RATES[0])
