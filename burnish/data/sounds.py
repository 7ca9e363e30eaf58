"""Sound files to arrays: every form a file may have becomes one channel at one rate, and what is no sound is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.errors import InputError
from burnish.extras import need

ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
LONGEST = 3600  # seconds
CHANNELS = 64
RATES = (1000, 768_000)  # lowest and highest, samples a second
_VALUES = 1 << 31  # samples of all channels together: seen in the header, before anything is decoded
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")  # libsndfile would open others, with less tested readers
_LOUDEST = 1e6  # of values that are 1 at full scale; what is no number is no smaller than this either
_BLOCK = 1 << 18  # samples decoded at a time
_SPARE = 2304  # samples, two frames of MP3, by which a header may be wrong
_OPEN = (0, 0xFFFFFFFF)  # sizes in the header of a WAV whose writer did not know them
_FULL = {"int16": 1 << 15, "int32": 1 << 31}  # full scale of whole numbers
_BROKEN = (OSError, RuntimeError, ValueError, TypeError, MemoryError)  # libsndfile's own is a RuntimeError

Samples = NDArray[np.float32]


def decode(given: Any, rate: int, longest: float | None = None) -> Samples:
    """The sound in a file, in its bytes, or in (samples, their rate): the mean of its channels at `rate`, full scale 1.

    Args:
        longest: seconds after which it is cut.

    Raises:
        InputError: for what is no whole sound, is longer than an hour, has more than 64 channels or a rate that no
            sound has, all of which the header tells. The message says what is wrong, not where.
        MissingExtra: when soundfile or soxr is not installed.
    """
    if isinstance(given, tuple):
        mono, own = _of_array(given)
        mono = mono if longest is None else mono[: round(longest * own)]
        count = len(mono)
    else:
        with _opened(given) as file:
            own = int(file.samplerate)
            count = file.frames if longest is None else min(file.frames, round(longest * own))
            blocks = list(_mono(file, count))
            mono = blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros(0, np.float32), *blocks])
    wanted = resampled(count, own, rate)  # as `extent` says, also where a few samples are not there
    if own != rate:
        mono = np.asarray(need("soxr", "audio").resample(mono, own, rate), dtype=np.float32)
    return mono[:wanted] if len(mono) >= wanted else np.pad(mono, (0, wanted - len(mono)))


def extent(given: Any) -> tuple[int, int]:
    """Samples of a sound in each channel, and how many there are in a second; of a file the header says it.

    Raises:
        InputError: as `decode` does.
    """
    if isinstance(given, tuple):
        mono, rate = _of_array(given)
        return len(mono), rate
    with _opened(given) as file:
        return int(file.frames), int(file.samplerate)


def resampled(samples: int, own: int, rate: int) -> int:
    """How many samples a sound has at another rate."""
    return max(1, round(samples * rate / own))


def must_be_whole(path: Path) -> None:
    """Decode all of a file, and keep nothing.

    Raises:
        InputError: as `decode` does, and for a file that was cut short.
    """
    with _opened(path) as file:
        found = sum(map(len, _mono(file, file.frames)))
        if found < file.frames - _SPARE or (file.frames and not found):
            raise InputError(f"it is cut short: {found:,} of {file.frames:,} samples are there")


@contextmanager
def _opened(given: Any) -> Iterator[Any]:
    soundfile = need("soundfile", "audio")
    try:
        _must_be_there(given)
        with soundfile.SoundFile(BytesIO(given) if isinstance(given, bytes) else os.fspath(given)) as file:
            if file.format not in _FORMATS:
                raise InputError(f"it is a file of the kind {file.format}; wav, flac, ogg and mp3 are read")
            _must_fit(file.frames, file.samplerate, file.channels)
            yield file
    except FileNotFoundError:
        raise InputError("there is no such file") from None
    except IsADirectoryError:
        raise InputError("it is a folder") from None
    except _BROKEN as error:
        said = str(error)
        if "not recognised" in said or "Unknown format" in said:
            raise InputError("it is no sound in a known format") from None
        raise InputError(f"it is damaged or cut short ({said.rsplit(': ', 1)[-1] or type(error).__name__})") from None


def _must_be_there(given: Any) -> None:
    """What libsndfile does not say, or not as plainly."""
    if isinstance(given, bytes):
        size, head = len(given), given[:8]
    else:
        size = Path(given).stat().st_size
        with open(given, "rb") as file:
            head = file.read(8)
    if not size:
        raise InputError("it is empty (0 bytes)")
    stated = int.from_bytes(head[4:], "little")
    if head[:4] == b"RIFF" and stated not in _OPEN and stated > size:  # libsndfile reads what is there
        raise InputError(f"it is cut short: {size:,} of {stated + 8:,} bytes are there")


def _must_fit(samples: int, rate: int, channels: int) -> None:
    low, high = RATES
    if not low <= rate <= high:
        raise InputError(f"it has {rate:,} samples a second; from {low:,} to {high:,} are read")
    if not 1 <= channels <= CHANNELS:
        raise InputError(f"it has {channels:,} channels; 1 to {CHANNELS} are read")
    if samples < 1:
        raise InputError("it has no samples, or is cut short")
    if samples > LONGEST * rate or samples * channels > _VALUES:
        raise InputError(f"it is {samples / rate:,.0f} seconds long, more than is read: {LONGEST:,} seconds")


def _mono(file: Any, count: int) -> Iterator[Samples]:
    """The mean of the channels of the first `count` samples."""
    while count > 0:
        block = file.read(min(count, _BLOCK), dtype="float32")
        if not len(block):
            return
        _must_be_numbers(block)
        count -= len(block)
        yield block if block.ndim == 1 else block.mean(1)


def _of_array(given: tuple[Any, ...]) -> tuple[Samples, int]:
    samples, rate = given if len(given) == 2 else (None, None)
    if not isinstance(samples, np.ndarray) or not isinstance(rate, int | np.integer):
        raise InputError("a sound in memory is (samples, rate): an array of one channel, and its samples a second")
    kind = samples.dtype
    if samples.ndim != 1 or not (kind.kind == "f" or kind.name in _FULL):
        raise InputError(
            f"it is an array of {kind} and shape {samples.shape}; give float32 of shape (samples,), one channel"
        )
    _must_fit(len(samples), int(rate), 1)
    mono = samples.astype(np.float32) / np.float32(_FULL.get(kind.name, 1))
    _must_be_numbers(mono)
    return mono, int(rate)


def _must_be_numbers(values: Samples) -> None:
    if not (values.max(initial=0) < _LOUDEST and values.min(initial=0) > -_LOUDEST):
        raise InputError("it holds values that are no numbers, or no sound")
