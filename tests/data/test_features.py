"""Batches: every row once, full ones, and no wider than the budget."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from burnish.data.features import by_length, shuffled


@given(st.lists(st.integers(1, 40), min_size=1, max_size=300), st.integers(16, 200), st.integers(1, 5))
def test_an_epoch_holds_every_row_once_in_full_batches(lengths: list[int], budget: int, pool: int) -> None:
    sizes = np.array(lengths)
    batches = shuffled(sizes, budget, np.random.default_rng(0), pool)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    full = [len(batch) == max(1, budget // sizes[batch].max()) for batch in batches]
    assert full.count(False) <= 1
    assert all(len(batch) == 1 or len(batch) * sizes[batch].max() <= budget for batch in batches)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 80))
def test_a_batch_is_divided_where_padding_costs_more(lengths: list[int], each: int) -> None:
    sizes = np.sort(np.array(lengths))[::-1]
    batches = list(by_length(sizes, 10_000, each))
    assert np.concatenate(batches).tolist() == list(range(len(lengths)))

    def least(start: int) -> int:
        """Cost of the pieces from `start` on, however they are cut."""
        costs = (sizes[start] * (end - start) + each + least(end) for end in range(start + 1, len(sizes) + 1))
        return int(min(costs)) if start < len(sizes) else 0

    found = sum(int(sizes[batch].max()) * len(batch) + each for batch in batches)
    assert found == least(0) or (len(batches) == 1 and found <= least(0) + each)
