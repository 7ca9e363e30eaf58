"""The steps of a run and its curve, in memory that grows neither with the epochs nor with the steps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Batches = list[NDArray[np.int64]]
_POINTS = 2000  # of the curve of the loss; a report draws fewer


class Plan:
    """All steps of a run. Those of one epoch are held; another one is made anew, always the same, when it is due."""

    def __init__(self, epoch: Callable[[int], list[Batches]], epochs: int) -> None:
        self._epoch = epoch
        self._ends = list(accumulate(len(epoch(number)) for number in range(epochs)))
        self._held: tuple[int, list[Batches]] = (-1, [])

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, step: int) -> Batches:
        number = bisect_right(self._ends, step)
        if self._held[0] != number:
            self._held = number, self._epoch(number)
        return self._held[1][step - (self._ends[number - 1] if number else 0)]


@dataclass
class Losses:
    """Loss by step in at most 2,000 points, each the mean of `stretch` steps that ends with the step it is filed under.

    Steps whose loss is not finite are left out.
    """

    points: list[tuple[int, float]] = field(default_factory=list)
    stretch: int = 1
    sum: float = 0.0
    count: int = 0

    def add(self, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            return
        self.sum += loss
        self.count += 1
        if self.count < self.stretch:
            return
        self.points.append((step, self.sum / self.count))
        self.sum, self.count = 0.0, 0
        if len(self.points) == _POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [(last, (a + b) / 2) for (_, a), (last, b) in pairs]
            self.stretch *= 2
