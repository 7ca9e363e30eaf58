"""Sounds as networks want them: the wave itself, or its energy in bands of pitch over time, in decibel-like steps.

Three ways to the bands are known: burnish's own, that of Kaldi (for the Audio Spectrogram Transformer, Gong et al.
2021) and that of Whisper (Radford et al. 2022). transformers' own extractors give the same; here all frames are made at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from burnish.data.sounds import Samples
from burnish.errors import InputError

OWN, WAVE, KALDI, WHISPER = (
    "BurnishMelExtractor", "Wav2Vec2FeatureExtractor", "ASTFeatureExtractor", "WhisperFeatureExtractor",
)  # fmt: skip
BANDS = 64
_STEP, _WINDOW = 0.01, 0.025  # seconds
DEEP = 78.0  # decibels: what is further below the loudest place counts as silence
_SPOKEN = 1.192092955078125e-07  # Kaldi's least energy
VOICE = 2  # columns behind the bands: height, in octaves above 128 Hz, and strength, 0 to 1, of a voice
_LOWEST, _HIGHEST, _MIDDLE = 60, 500, 7.0  # Hz of a voice, and the octave of 128 Hz
_ENOUGH, _LONG = 4000, 0.04  # samples a second that tell a voice's height, and seconds that are looked at for it
_FINER = 4  # lags than samples
_OCTAVE = 0.02  # of the strength: what an octave lower has to be stronger by


class Form(Protocol):
    """What becomes of a sound of so many samples at `rate`."""

    @property
    def rate(self) -> int: ...

    @property
    def bands(self) -> int:
        """Bands of a frame; 0 where a frame is a sample."""

    @property
    def cell(self) -> tuple[int, ...]:
        """Shape of a frame: (bands,), (bands + VOICE,), or () where a frame is a sample."""

    @property
    def fixed(self) -> int | None:
        """Frames that every sound is brought to; None where they are as many as it has."""

    @property
    def padding(self) -> float | None:
        """Value beyond the end of a sound; None for that of its last frame."""

    def frames(self, samples: int) -> int:
        """Frames with sound in them."""

    def rows(self, samples: int) -> int:
        """Frames that `of` gives."""

    def of(self, wave: Samples) -> NDArray[np.float32]:
        """Shape (rows, *cell)."""


def form_of(document: Mapping[str, Any]) -> Form:
    """The form that a `preprocessor_config.json` asks for.

    Raises:
        InputError: when it asks for one that is not known here.
    """
    kind, rate = document.get("feature_extractor_type"), int(document.get("sampling_rate") or 16_000)
    if kind == OWN:
        return Own(rate, float(document.get("top_db") or DEEP), bool(document.get("voice")))
    if kind == WAVE:
        return Wave(rate)
    if kind == KALDI:
        return Kaldi(rate, int(document.get("num_mel_bins") or 128), int(document.get("max_length") or 1024))
    if kind == WHISPER:
        return Whisper(rate, int(document.get("feature_size") or 80), int(document.get("chunk_length") or 30))
    raise InputError(f"it asks for '{kind}', and sounds are prepared as {OWN}, {WAVE}, {KALDI} or {WHISPER} want them")


@dataclass(frozen=True)
class Wave:
    """The samples themselves."""

    rate: int
    bands: int = 0
    cell: tuple[int, ...] = ()
    fixed: int | None = None
    padding: float | None = 0.0

    def frames(self, samples: int) -> int:
        return samples

    rows = frames

    def of(self, wave: Samples) -> NDArray[np.float32]:
        return wave


@dataclass(frozen=True)
class Own:
    """burnish's own: a frame each hundredth of a second, from 50 Hz up, as deep as `top_db` below the loudest place.
    Behind the bands stand height and strength of the voice, where they are asked for."""

    rate: int
    top_db: float = DEEP
    voice: bool = False
    bands: int = BANDS
    fixed: int | None = None
    padding: float | None = 0.0

    @property
    def cell(self) -> tuple[int, ...]:
        return (self.bands + VOICE * self.voice,)

    def frames(self, samples: int) -> int:
        return 1 + (samples - 1) // round(self.rate * _STEP)

    rows = frames

    def of(self, wave: Samples) -> NDArray[np.float32]:
        hop, width = round(self.rate * _STEP), round(self.rate * _WINDOW)
        whole = np.pad(wave, (width // 2, width))
        size = 1 << (2 * width - 1).bit_length()  # so fine that the lowest bands are not empty
        count = self.frames(len(wave))
        power = _power(_framed(whole, width, hop, count), np.hanning(width + 1)[:-1], size)
        found = np.log(np.maximum(_sums(power, self.bands, size, self.rate, 50.0), 1e-10))
        deep: NDArray[np.float32] = np.maximum(found, found.max() - self.top_db * np.float32(np.log(10) / 10))
        return np.concatenate([deep, voice_of(wave, self.rate, count)], 1) if self.voice else deep


@dataclass(frozen=True)
class Kaldi:
    """Kaldi's bands, brought to one length with zeros, as the Audio Spectrogram Transformer wants them."""

    rate: int
    bands: int
    longest: int
    padding: float | None = 0.0

    @property
    def cell(self) -> tuple[int, ...]:
        return (self.bands,)

    @property
    def fixed(self) -> int:
        return self.longest

    def frames(self, samples: int) -> int:
        return min(self.longest, 1 + max(0, samples - 400) // 160)

    rows = frames

    def of(self, wave: Samples) -> NDArray[np.float32]:
        whole = np.pad(wave, (0, max(0, 400 - len(wave))))
        frames = _framed(whole, 400, 160, self.frames(len(whole)))
        frames = frames - frames.mean(1, keepdims=True)
        sharper = frames - np.float32(0.97) * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
        power = _power(sharper, np.hanning(400), 512)
        found: NDArray[np.float32] = np.log(np.maximum(_sums(power, self.bands, 512, self.rate, 20.0), _SPOKEN))
        return found


@dataclass(frozen=True)
class Whisper:
    """Whisper's bands of so many `seconds`, silence after the end."""

    rate: int
    bands: int
    seconds: int
    padding: float | None = None

    @property
    def cell(self) -> tuple[int, ...]:
        return (self.bands,)

    @property
    def fixed(self) -> int:
        return self.seconds * self.rate // 160

    def frames(self, samples: int) -> int:
        return min(self.fixed, -(-samples // 160))

    def rows(self, samples: int) -> int:
        return min(self.fixed, samples // 160 + 4)  # the last one is of silence alone, as all after it are

    def of(self, wave: Samples) -> NDArray[np.float32]:
        count, longest = self.rows(len(wave)), self.seconds * self.rate
        whole = np.pad(wave[:longest], (0, max(0, longest - len(wave)) if count == self.fixed else 800))
        whole = np.pad(whole, 200, mode="reflect")
        power = _power(_framed(whole, 400, 160, count), np.hanning(401)[:-1], 400)
        found = np.log10(np.maximum(_sums(power, self.bands, 400, self.rate, 0.0, slaney=True), 1e-10))
        deep: NDArray[np.float32] = np.maximum(found, found.max() - 8.0)
        return (deep + np.float32(4.0)) / np.float32(4.0)


def voice_of(wave: Samples, rate: int, count: int) -> NDArray[np.float32]:
    """Height and strength of the voice in `count` frames, (count, VOICE): where a frame is most like itself a little
    later, by its autocorrelation over that of the window (Boersma 1993)."""
    from scipy.fft import irfft

    every = max(1, rate // _ENOUGH)
    rate, wave = rate // every, wave[: len(wave) // every * every].reshape(-1, every).mean(1)
    hop, width = round(rate * _STEP), round(rate * _LONG)
    frames = _framed(np.pad(wave, (width // 2, width + hop)), width, hop, count)
    size = 1 << (2 * width - 1).bit_length()
    window, own, lower, first = _lags(rate, width, size)
    found = irfft(_power(frames - frames.mean(1, keepdims=True), window, size), size * _FINER)
    alike = found[:, first : first + len(own)] / own / (found[:, :1] + np.float32(1e-8))
    best = (alike - lower).argmax(1)
    strength = alike[np.arange(len(alike)), best]
    height = np.log2(rate * _FINER / (first + best)) - _MIDDLE
    return np.stack([height, np.clip(strength, 0, 1)], 1).astype(np.float32)


@lru_cache(maxsize=4)
def _lags(
    rate: int, width: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32], int]:
    """The window, its own autocorrelation over the lags of a voice, what lower voices are taken for less by, and the
    first lag. Lags lie between samples, too, as a high voice has few samples a period."""
    from scipy.fft import irfft

    window = np.hanning(width + 2)[1:-1]
    first, last = rate * _FINER // _HIGHEST, rate * _FINER // _LOWEST + 1
    own = irfft(_power(window[None].astype(np.float32), np.ones(width), size), size * _FINER)[0]
    lower = _OCTAVE * np.log2(np.arange(first, last) / first)
    return window, own[first:last] / own[0], lower.astype(np.float32), first


def _framed(wave: Samples, width: int, hop: int, count: int) -> NDArray[np.float32]:
    return np.lib.stride_tricks.sliding_window_view(wave, width)[::hop][:count]


def _power(frames: NDArray[np.float32], window: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    from scipy.fft import rfft  # several frames at once, which NumPy's own does not do

    found: NDArray[np.complex64] = rfft(frames * window.astype(np.float32), size)
    return np.square(found.real) + np.square(found.imag)


def _sums(
    power: NDArray[np.float32], bands: int, size: int, rate: int, low: float, slaney: bool = False
) -> NDArray[np.float32]:
    """Energy in each band, (frames, bands)."""
    return np.ascontiguousarray((_filters(bands, size, rate, low, slaney) @ power.T).T)


@lru_cache(maxsize=16)
def _filters(bands: int, size: int, rate: int, low: float, slaney: bool) -> Any:
    """Triangles that overlap by halves, sparse, of shape (bands, size // 2 + 1): of equal widths on the mel scale and
    drawn on it, or by Slaney's scale, drawn over frequencies, and each of the same area."""
    from scipy.sparse import csr_array  # a hundredth of it is not zero

    bins = np.linspace(0, rate / 2, size // 2 + 1) if slaney else np.arange(size // 2 + 1) * rate / size
    ends = _mels(np.array([low, min(rate / 2, 8000.0) if slaney else rate / 2]), slaney)
    edges = np.linspace(float(ends[0]), float(ends[1]), bands + 2)
    places = bins if slaney else _mels(bins, False)
    if slaney:
        edges = np.where(edges < 15, edges * 200 / 3, 1000 * np.exp((edges - 15) * np.log(6.4) / 27))
    rising = (places[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - places[:, None]) / np.diff(edges)[1:]
    found: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return csr_array((found * (2 / (edges[2:] - edges[:-2]) if slaney else 1)).astype(np.float32).T)


def _mels(hertz: NDArray[np.float64], slaney: bool) -> NDArray[np.float64]:
    if not slaney:
        return 1127 * np.log1p(hertz / 700)
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))
