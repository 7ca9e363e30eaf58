"""One test for many looks at once: the largest statistic under random orders (Westfall and Young 1993, maxT).

The p-value of each look is the share of orders in which any look is as extreme: it is corrected for all of them,
whatever they have in common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 24  # numbers held at a time


def worst_subsets(
    members: NDArray[np.bool_], residuals: NDArray[np.float64], orders: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much more than the rest each subset of rows errs: z values and corrected one-sided p-values.

    Args:
        members: rows of each subset, shape (subsets, rows).
        residuals: of each row, centred, shape (rows,).
    """
    count = members.sum(1).astype(np.float64)
    rows = len(residuals)
    scale = np.sqrt(np.maximum(1e-12, count * (1 - count / rows) * residuals.var() * rows / max(1, rows - 1)))
    generator = np.random.default_rng(seed)
    mixed = np.stack([residuals, *(generator.permutation(residuals) for _ in range(orders))], 1).astype(np.float32)
    z = np.empty(len(members))
    top = np.full(orders, -np.inf)
    step = max(1, _CHUNK // max(1, rows))
    for start in range(0, len(members), step):
        part = slice(start, start + step)
        found = members[part].astype(np.float32) @ mixed / scale[part, None]
        z[part] = found[:, 0]
        top = np.maximum(top, found[:, 1:].max(0, initial=-np.inf))
    return z, (1 + (top[None, :] >= z[:, None]).sum(1)) / (orders + 1)


def group_shifts(
    values: NDArray[np.float64], orders: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each group's values are from the mean of the others, and corrected two-sided p-values.

    Under the null hypothesis the groups of a row could be exchanged, so they are, row by row.

    Args:
        values: shape (rows, groups, outcomes).

    Returns:
        Both of shape (groups, outcomes).
    """
    rows, groups, _ = values.shape
    centred = (values - values.mean(1, keepdims=True)) * (groups / max(1, groups - 1))
    generator = np.random.default_rng(seed)

    def statistic(moved: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = moved.std(0) / np.sqrt(rows)
        found: NDArray[np.float64] = np.abs(moved.mean(0)) / np.maximum(spread, 1e-9)
        return found

    own = statistic(centred)
    beaten = np.zeros(own.shape)
    for _ in range(orders):
        order = generator.permuted(np.tile(np.arange(groups), (rows, 1)), axis=1)
        beaten += statistic(np.take_along_axis(centred, order[:, :, None], 1)).max() >= own
    return centred.mean(0), (1 + beaten) / (orders + 1)
