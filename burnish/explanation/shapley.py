"""Shapley values: what a part adds, averaged over the orders in which the parts could come. No gradients are needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.engine import Engine
from burnish.explanation.gradients import Found
from burnish.explanation.occlusion import values_of
from burnish.explanation.piece import Cut, Kept
from burnish.explanation.target import Target

_FEW = 8  # parts of which every set is asked about
_PAIRS = 6  # of orders, each with its reverse, that stand for all orders of more parts
_MOST = 6000  # sets that are asked about; of many parts fewer orders are taken, one pair at least


def shapley(engine: Engine, piece: Cut, target: Target) -> Found:
    """Scores of the words or parts of a piece that add up to what the whole adds to none of them (Shapley 1953,
    Lundberg and Lee 2017).

    Of few parts every set is asked about. Of more, some orders are drawn, the same each time, and each is gone through
    forwards and backwards (Mitchell et al. 2022), so that a part comes as often early as late.
    """
    parts = len(piece.words)
    kept = _sets(parts) if parts <= _FEW else _along(_orders(parts))
    values = values_of(engine, piece, target, kept)
    scores = _exact(parts, values) if parts <= _FEW else _sampled(_orders(parts), values)
    none, whole = (int(np.flatnonzero(kept.sum(1) == count)[0]) for count in (0, parts))
    full, empty = float(values[whole]), float(values[none])
    return Found(scores, full, empty, full - empty - float(scores.sum()), len(kept))


def _sets(parts: int) -> Kept:
    """Every set of parts: that of number i has the parts whose bits are set in i."""
    found: Kept = (np.arange(2**parts)[:, None] >> np.arange(parts)) & 1 == 1
    return found


def _exact(parts: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    numbers = np.arange(len(values))
    sizes = _sets(parts).sum(1)
    orders = np.cumprod([1.0, *range(1, parts + 1)])  # factorials
    scores = np.empty(parts)
    for part in range(parts):
        without = numbers[numbers >> part & 1 == 0]
        share = orders[sizes[without]] * orders[parts - 1 - sizes[without]] / orders[parts]
        scores[part] = (share * (values[without | 1 << part] - values[without])).sum()
    return scores


def _orders(parts: int) -> NDArray[np.int64]:
    """Orders of the parts, (orders, parts)."""
    pairs = max(1, min(_PAIRS, _MOST // (2 * parts)))
    generator = np.random.default_rng(0)
    drawn = np.stack([generator.permutation(parts) for _ in range(pairs)])
    return np.concatenate([drawn, drawn[:, ::-1]])


def _along(orders: NDArray[np.int64]) -> Kept:
    """The sets that are met on the way from none to all, in each order, (orders * (parts + 1), parts)."""
    rank = np.argsort(orders, axis=1)
    return np.concatenate([one < np.arange(len(one) + 1)[:, None] for one in rank])


def _sampled(orders: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    added = np.diff(values.reshape(len(orders), -1), axis=1)
    rank = np.argsort(orders, axis=1)
    found: NDArray[np.float64] = np.take_along_axis(added, rank, axis=1).mean(0)
    return found
