"""How sure a model is, how far that holds, and the temperature that mends it: log-probabilities against the truth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from burnish.data.rows import Row
from burnish.tasks.classify import Classify, ClassPrediction

Floats = NDArray[np.float64]
BINS = 15
_LEAST = 1e-37  # probability that is still told from nought in single precision


def believed(
    task: Classify, predictions: Iterable[ClassPrediction], rows: Iterable[Row]
) -> tuple[Floats, NDArray[np.int64]]:
    """Log-probabilities of decisions (n, labels), and the index of the right label, -1 for one the model does not have.

    Where a text may have several classes, each class is a decision between no and yes.
    """
    chances = np.array([list(one.probabilities.values()) for one in predictions], dtype=np.float64)
    logs = np.log(np.maximum(chances, _LEAST))
    if task.multi_label:
        due = np.array([[label in task.reference(row) for label in task.labels] for row in rows])
        both = np.stack([np.log(np.maximum(1 - chances, 1e-12)), logs], -1).reshape(-1, 2)
        return both, due.astype(np.int64).reshape(-1)
    ids = {label: index for index, label in enumerate(task.labels)}
    return logs, np.array([ids.get(task.reference(row)[0], -1) for row in rows])


def scaled(logs: Floats, warmth: float) -> Floats:
    """Log-probabilities at a temperature, shape (n, labels)."""
    moved = logs / warmth
    moved = moved - moved.max(-1, keepdims=True)
    found: Floats = moved - np.log(np.exp(moved).sum(-1, keepdims=True))
    return found


def certainty(logs: Floats, truth: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability of the most probable label of each decision, and whether it is right."""
    return np.exp(logs.max(-1)), logs.argmax(-1) == truth


def ece(sure: Floats, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins of as many decisions each (Nixon et al. 2019)."""
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(part) * abs(float(sure[part].mean()) - float(right[part].mean())) for part in parts]
    return float(sum(gaps) / max(1, len(order)))


def nll(logs: Floats, truth: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood of the truth, over decisions whose label the model knows."""
    known = truth >= 0
    return float(-logs[known, truth[known]].mean()) if known.any() else float("nan")


def temperature(logs: Floats, truth: NDArray[np.int64]) -> float:
    """The one that minimises the negative log-likelihood (Guo et al. 2017), between 0.05 and 20."""
    from scipy.optimize import minimize_scalar

    if not (truth >= 0).any():
        return 1.0
    found = minimize_scalar(
        lambda log: nll(scaled(logs, float(np.exp(log))), truth), bounds=(np.log(0.05), np.log(20.0)), method="bounded"
    )
    return float(np.exp(found.x))
