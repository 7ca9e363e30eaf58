"""What a row costs: errors out of decisions, so that a metric is a ratio of two sums; and what two answers differ by.

For accuracy and F1 the metric is one minus that ratio; for numbers it is the mean error in spreads of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.audits.subject import Subject
from burnish.tasks import Task
from burnish.tasks.classify import Classify
from burnish.tasks.score import Score

FAR = 0.5  # spreads of the labels by which a number has to move to count as another decision
_RESAMPLES = 500
_Z = 1.959964


@dataclass(frozen=True)
class Losses:
    """Errors and decisions of each row, shape (rows,); `name` is the metric that follows."""

    errors: NDArray[np.float64]
    decisions: NDArray[np.float64]
    name: str
    rising: bool  # whether the metric is one minus the ratio

    def value(self, chosen: NDArray[Any] | slice = slice(None)) -> float:
        """The metric of some rows."""
        ratio = self.errors[chosen].sum() / max(1e-12, self.decisions[chosen].sum())
        return float(1 - ratio if self.rising else ratio)

    def interval(self, chosen: NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
        """95 % interval of the metric of some rows: Wilson's where a row is one decision, else by bootstrap."""
        errors, decisions = self.errors[chosen], self.decisions[chosen]
        if self.rising and (decisions == 1).all() and np.isin(errors, (0.0, 1.0)).all():
            return wilson(len(errors) - errors.sum(), len(errors))
        drawn = np.random.default_rng(seed).integers(0, len(errors), (_RESAMPLES, len(errors)))
        ratios = errors[drawn].sum(1) / np.maximum(1e-12, decisions[drawn].sum(1))
        low, high = np.percentile(1 - ratios if self.rising else ratios, [2.5, 97.5])
        return float(low), float(high)

    @property
    def residuals(self) -> NDArray[np.float64]:
        """By how much each row errs more than it would at the ratio of all; they sum up to nought."""
        ratio = self.errors.sum() / max(1e-12, self.decisions.sum())
        found: NDArray[np.float64] = self.errors - ratio * self.decisions
        return found


def wilson(right: float, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, z = right / count, _Z**2 / count
    middle = (share + z / 2) / (1 + z)
    half = (_Z / (1 + z)) * np.sqrt(share * (1 - share) / count + z / (4 * count))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def losses(subject: Subject) -> Losses:
    """Errors and decisions of the rows of a subject."""
    task = subject.engine.task
    if isinstance(task, Score):
        true = np.array([task.reference(row) for row in subject.given], dtype=np.float64)
        said = np.array([one.value for one in subject.predictions], dtype=np.float64)
        return Losses(np.abs(said - true) / task.spread, np.ones(len(true)), "error", False)
    tallies = subject.tallies
    if isinstance(task, Classify) and not task.multi_label:
        return Losses(1 - tallies[:, 0], tallies[:, 1], task.metric, True)
    return Losses(tallies[:, 1] - 2 * tallies[:, 0], tallies[:, 1], task.metric, True)


def differing(task: Task, first: Sequence[Any], second: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Decisions of each row that differ, and all of its decisions: one a text, one a word for `tag`.

    A number decides nothing; one that moves by half a spread of the labels counts as another.
    """
    if isinstance(task, Score):
        moved = [int(abs(a.value - b.value) > FAR * task.spread) for a, b in zip(first, second, strict=True)]
        return np.array(moved, dtype=np.int64), np.ones(len(moved), dtype=np.int64)
    if isinstance(task, Classify):
        other = [int(set(a.labels) != set(b.labels)) for a, b in zip(first, second, strict=True)]
        return np.array(other, dtype=np.int64), np.ones(len(other), dtype=np.int64)
    pairs = [list(zip(a.tags, b.tags, strict=True)) for a, b in zip(first, second, strict=True)]
    flips = [sum(x != y for x, y in row) for row in pairs]
    return np.array(flips, dtype=np.int64), np.array([len(row) for row in pairs], dtype=np.int64)
