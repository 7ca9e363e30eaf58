"""Scores of the words of one text, by one of three methods, on any engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.parts import Grid
from burnish.data.readers import READERS, shown
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.errors import InputError, nearest
from burnish.explained import METHODS, Baseline, Explanation, Method, Span
from burnish.explanation.faithful import Scorer, chances_of
from burnish.explanation.gradients import Found, integrated_gradients
from burnish.explanation.occlusion import occlusion, values_of
from burnish.explanation.piece import Cut, Piece
from burnish.explanation.rollout import rollout
from burnish.explanation.shapley import shapley
from burnish.explanation.target import Target, aim


class NoSuchWay(InputError):
    """A method that there is none of, or none for what the model reads: another row would not help."""


@dataclass(frozen=True)
class Explained:
    """An explanation with what its faithfulness is measured on.

    Attributes:
        weights: scores of the words of the piece, (words,).
    """

    explanation: Explanation
    piece: Cut
    target: Target
    weights: NDArray[np.float64]


def explained(
    engine: Engine,
    row: Row,
    *,
    target: str | None = None,
    against: str | None = None,
    at: tuple[int, int] | None = None,
    method: str | None = None,
) -> Explained:
    """Explain what the model says of a row; arguments as for `burnish.explain`."""
    (prediction,) = engine.predict_rows([row])
    aimed, piece = aim(engine, row, prediction, target, against, at)
    chosen = _usual(piece) if method is None else _known(method)
    found = _METHODS[chosen](engine, piece, aimed)
    through_twin = chosen not in _WITHOUT_GRADIENTS and not isinstance(engine.runtime, Eager)
    (chance,) = chances_of(engine, piece, aimed, np.ones((1, len(piece.words)), bool)).tolist()
    grid, words = (piece, ()) if isinstance(piece, Grid) else (None, piece.words)
    explanation = Explanation(
        text=_shown(row),
        second=(row["text_b"] or "") if "text_b" in row else None,
        target=aimed.label,
        against=aimed.against,
        at=aimed.at,
        scores=tuple(
            Span(word.start, word.end, score, word.second)
            for word, score in zip(words, found.scores.tolist(), strict=False)
        ),
        method=chosen,
        form="twin" if through_twin else "itself",
        value=found.value,
        probability=chance if aimed.scale is None else chance * aimed.scale + aimed.shift,
        baseline=Baseline(grid.baseline if grid else _BASELINES[chosen], found.baseline),
        delta=found.delta,
        points=found.points,
        unread=piece.unread,
        grid=tuple(map(tuple, found.scores.reshape(grid.shape).tolist())) if grid else (),
        picture=grid.picture if grid else "",
        names=grid.names if grid else (),
        cells=grid.cells if grid else (),
        unsaid=aimed.unsaid,
    )
    return Explained(explanation, piece, aimed, found.scores)


def _shown(row: Row) -> str:
    """The text of a row, or the name of its file where it has one; of a file in memory, what it is."""
    return next((kind for kind in READERS if not isinstance(row.get(kind), str | None)), "") or shown(row)


def scores_by(method: Method) -> Scorer:
    """The method as a function of an engine, a piece and a target that gives scores of words alone."""
    return lambda engine, piece, target: _METHODS[method](engine, piece, target).scores


def _known(name: str) -> Method:
    for method in METHODS:
        if method == name:
            return method
    raise NoSuchWay(f"--method: '{name}' is no way to explain; {nearest(name, METHODS)}")


def _usual(piece: Cut) -> Method:
    """What has a name is worth an account that adds up; of pixels and words it would take too long."""
    return "shapley" if isinstance(piece, Grid) and piece.names else "occlusion"


def _by_gradients(engine: Engine, piece: Cut, target: Target) -> Found:
    if isinstance(piece, Grid) and not piece.smooth:
        raise NoSuchWay("--method: gradients need inputs that can change little by little; take shapley or occlusion")
    return integrated_gradients(engine.twin, piece, target, engine.pad_id)


def _by_rollout(engine: Engine, piece: Cut, target: Target) -> Found:
    if not isinstance(piece, Piece):
        raise NoSuchWay("--method: rollout follows the attention between words; take occlusion or gradients")
    scores = rollout(engine.twin, piece, engine.pad_id)
    (value,) = values_of(engine, piece, target, np.ones((1, len(piece.words)), bool)).tolist()
    return Found(scores, value, nan, nan, 1)


_METHODS: dict[Method, Callable[[Engine, Cut, Target], Found]] = {
    "gradients": _by_gradients,
    "occlusion": occlusion,
    "shapley": shapley,
    "rollout": _by_rollout,
}
_BASELINES: dict[Method, Any] = {
    "gradients": "padding",
    "occlusion": "nothing",
    "shapley": "nothing",
    "rollout": "uniform",
}
_WITHOUT_GRADIENTS = ("occlusion", "shapley")
