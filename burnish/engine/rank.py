"""Search by vectors: which of some candidates are nearest to a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.engine import Engine
from burnish.errors import InputError
from burnish.tasks.embed import EmbedPrediction

_TOGETHER = 500  # queries that are compared with all candidates at a time


@dataclass(frozen=True)
class Hit:
    """A candidate that was found: its place in the list of candidates, and the cosine."""

    place: int
    similarity: float


def rank(engine: Engine, queries: Sequence[Any], candidates: Sequence[Any], top: int = 10) -> list[list[Hit]]:
    """The candidates that are nearest to each query, the nearest first.

    Args:
        queries, candidates: one side each, as `Engine.predict` takes it, or vectors, shape (n, width), of length 1.
        top: at most so many of each query.

    Raises:
        InputError: when the model gives no vectors, or there are no candidates.
    """
    if not len(candidates):
        raise InputError("there are no candidates to search in")
    asked, held = (vectors(engine, given) for given in (queries, candidates))
    found = []
    for start in range(0, len(asked), _TOGETHER):
        for row in asked[start : start + _TOGETHER] @ held.T:
            best = np.argsort(-row, kind="stable")[:top]
            found.append([Hit(int(place), float(row[place])) for place in best])
    return found


def vectors(engine: Engine, given: Sequence[Any]) -> NDArray[np.float32]:
    """Vectors of inputs of one side each, (n, width); those that are vectors already stay as they are."""
    if isinstance(given, np.ndarray):
        return given.astype(np.float32, copy=False)
    said = engine.predict(list(given))
    if not all(isinstance(one, EmbedPrediction) for one in said):
        raise InputError("rank takes a model of the task embed, and inputs of one side each")
    return np.array([one.embedding for one in said], dtype=np.float32).reshape(len(said), engine.task.outputs)
