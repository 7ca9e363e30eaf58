"""Sounds made worse in ways that happen: noise, another speed, a room that echoes. What is said stays the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from burnish.data.sounds import Samples

_DRY = 0.5  # of the energy that comes without an echo


def noise(wave: Samples, rate: int, decibels: float, chance: np.random.Generator) -> Samples:
    """White noise, so many decibels below the sound as a whole (its signal-to-noise ratio)."""
    strength = np.sqrt(np.square(wave).mean() / 10 ** (decibels / 10))
    found: Samples = wave + (strength * chance.standard_normal(len(wave))).astype(np.float32)
    return found


def speed(wave: Samples, rate: int, factor: float, chance: np.random.Generator) -> Samples:
    """So many times as fast, and higher by as much."""
    places = np.arange(max(1, round(len(wave) / factor))) * factor
    found: Samples = np.interp(places, np.arange(len(wave)), wave).astype(np.float32)
    return found


def echo(wave: Samples, rate: int, seconds: float, chance: np.random.Generator) -> Samples:
    """As in a room whose echo falls by 60 dB in so many seconds: half of the energy comes directly."""
    time = np.arange(1, max(2, round(seconds * rate))) / rate
    tail = chance.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail *= np.sqrt((1 - _DRY) / np.square(tail).sum())
    size = 1 << (len(wave) + len(tail)).bit_length()
    room = np.fft.rfft(np.concatenate([[np.sqrt(_DRY)], tail]), size)
    return np.fft.irfft(np.fft.rfft(wave, size) * room, size)[: len(wave)].astype(np.float32)


Change = Callable[[Samples, int, float, np.random.Generator], Samples]
WAYS: dict[str, tuple[Change, tuple[float, ...]]] = {
    "noise": (noise, (20.0, 5.0)),
    "speed": (speed, (0.85, 1.15)),
    "echo": (echo, (0.3, 1.0)),
}
"""Each way with its strengths."""
