"""Whether a text belongs to any class at all, told from the probabilities of the classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from burnish.errors import InputError
from burnish.tasks.base import Task
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.score import Score

Floats = NDArray[np.float64]
_SHARES = np.linspace(0.0, 1.0, 101)


def has_scope(task: Task) -> TypeGuard[Classify]:
    """Whether a task gives a text one of some classes, so that another text may belong to none of them."""
    return isinstance(task, Classify) and not isinstance(task, Score) and not task.multi_label


def energies(task: Classify, predictions: Iterable[ClassPrediction]) -> Floats:
    """Free energy of the logits of each text (Liu et al. 2020), (n,); the higher, the less it looks like any class.

    Probabilities leave the logits open to a sum that is the same for all of a text. They are taken to have the mean
    nought, which those of a linear head keep of themselves. The temperature of the probabilities is taken back.
    """
    chances = np.array([list(one.probabilities.values()) for one in predictions], dtype=np.float64)
    logits = task.temperature * np.log(np.maximum(chances.reshape(-1, len(task.labels)), 1e-300))
    logits -= logits.mean(1, keepdims=True)
    top = logits.max(1, keepdims=True)
    found: Floats = -(top + np.log(np.exp(logits - top).sum(1, keepdims=True)))[:, 0]
    return found


def usual(found: Floats) -> tuple[float, ...]:
    """What energies of texts that belong to a class are like, as a task keeps it: their percentiles from 0 to 100."""
    return tuple(np.quantile(found, _SHARES).tolist())


def strange(task: Classify, predictions: Iterable[ClassPrediction]) -> Floats:
    """Share of the dev rows that look more like the classes than each text does, (n,), from 0 to 1.

    A limit of 0.95 takes one of twenty texts that do belong to a class for one that does not.

    Raises:
        InputError: for a model that keeps nothing to hold them against.
    """
    if not task.usual:
        raise InputError(
            "the model does not keep what its own texts look like; tune it again with dev rows, 100 or more, and one "
            "class a text"
        )
    found: Floats = np.interp(energies(task, predictions), task.usual, _SHARES)
    return found
