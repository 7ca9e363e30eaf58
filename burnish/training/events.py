"""What the training loop tells the world; progress bars, files and trackers listen to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Begun:
    """The head was fitted to the vectors of so many rows before the first step."""

    step: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Step:
    """A weight update: its loss, and rows, tokens and training seconds since the start (resumed runs included)."""

    step: int
    steps: int
    epoch: int
    loss: float
    learning_rate: float
    rows: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    """A measurement on dev, and whether it is the best so far."""

    step: int
    value: float
    best: bool


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int


@dataclass(frozen=True)
class Resumed:
    """The run goes on from a checkpoint."""

    step: int


@dataclass(frozen=True)
class Skipped:
    """A step whose loss or gradient was not finite; the weights were left alone."""

    step: int


@dataclass(frozen=True)
class Shrunk:
    """Memory ran out: passes hold half as many tokens from here on."""

    step: int
    tokens_per_batch: int


@dataclass(frozen=True)
class Stopped:
    """No gain on dev for `patience` measurements."""

    step: int


Event = Begun | Step | Evaluated | Saved | Resumed | Skipped | Shrunk | Stopped
