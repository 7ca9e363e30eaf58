"""Where the right one stands among candidates: ranks of both sides of pairs, and what they add up to."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.tasks.counts import Counts

FIRST = (1, 5, 10)  # places among which the right one is looked for
_TOGETHER = 500  # sides that are compared with all candidates at a time

Ints = NDArray[np.int64]
Scores = Callable[[Ints], Callable[[Ints], NDArray[np.floating]]]
"""Of the places of some candidates: a function of the places of sides that gives a matrix (sides, candidates)."""


@dataclass(frozen=True)
class Ranked:
    """Where the other side of a row stands among all candidates, 1 for the first, and what stands first.

    Attributes:
        forward: of the second sides, asked for with the first one.
        back: of the first sides, asked for with the second one.
        candidates: distinct second sides, and distinct first ones.
        sides, best: what a report shows of both sides, and of what stands first forward and back.
    """

    forward: int
    back: int
    candidates: tuple[int, int]
    sides: tuple[str, str]
    best: tuple[str, str]


def ranked(keys: tuple[Ints, Ints], shown: Sequence[tuple[str, str]], scores: tuple[Scores, Scores]) -> list[Ranked]:
    """Rank both sides of n rows, each among all distinct ones of its kind.

    Args:
        keys: what tells contents apart, (n,) of the first sides and of the second ones.
        scores: of first sides against second ones, and the other way round; more is nearer.
    """
    forward, nearest, ahead = _ranks(keys[0], keys[1], scores[0])
    back, nearest_back, behind = _ranks(keys[1], keys[0], scores[1])
    return [
        Ranked(int(forward[row]), int(back[row]), (ahead, behind), own, (shown[best][1], shown[best_back][0]))
        for row, (own, best, best_back) in enumerate(zip(shown, nearest, nearest_back, strict=True))
    ]


def _ranks(asked: Ints, held: Ints, scores: Scores) -> tuple[Ints, Ints, int]:
    """Ranks (n,), the places of what stands first, and how many candidates there are.

    A candidate that is right as well, as it stands beside the same content in another row, is passed over (Bordes et
    al. 2013). One with the same score as the right one stands before it: scores that are all alike gain nothing.
    """
    _, places, own = np.unique(held, return_index=True, return_inverse=True)
    right: dict[int, set[int]] = defaultdict(set)
    for key, candidate in zip(asked.tolist(), own.tolist(), strict=True):
        right[key].add(candidate)
    score, found, best = scores(places), np.empty(len(asked), np.int64), np.empty(len(asked), np.int64)
    for start in range(0, len(asked), _TOGETHER):
        rows = np.arange(start, min(start + _TOGETHER, len(asked)))
        values = score(rows)
        best[rows] = places[values.argmax(1)]
        mine = values[np.arange(len(rows)), own[rows]].copy()
        for line, row in enumerate(rows.tolist()):
            if len(right[int(asked[row])]) > 1:
                values[line, sorted(right[int(asked[row])] - {int(own[row])})] = -np.inf
        found[rows] = (values >= mine[:, None]).sum(1)
    return found, best, len(places)


class RankCounts(Counts):
    """Ranks of all rows, 16 bytes a row."""

    def __init__(self) -> None:
        self.forward, self.back = array("q"), array("q")
        self.candidates = (0, 0)

    def add(self, prediction: Ranked, reference: None) -> None:
        self.forward.append(prediction.forward)
        self.back.append(prediction.back)
        self.candidates = prediction.candidates

    def metrics(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for way, ranks in (("forward", self.forward), ("back", self.back)):
            places = np.asarray(ranks)
            found |= {f"{way}_recall@{k}": float((places <= k).mean()) for k in FIRST}
            found[f"{way}_mrr"] = float((1 / places).mean())
        return {"mrr": (found["forward_mrr"] + found["back_mrr"]) / 2, **found}

    def note(self) -> str:
        ahead, behind = self.candidates
        return (
            f"Forward, the second side of each row is looked for among the {ahead:,} distinct second sides of these "
            f"rows; back, the first side among the {behind:,} distinct first ones; mrr is the mean of both ways."
        )
