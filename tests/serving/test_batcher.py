"""What goes next: neighbours in length, nobody behind a longer one, nobody too late."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from burnish.serving.batcher import Batcher, Item, estimate


def owner(since: float = 0.0, timeout: float = 30.0) -> Any:
    return SimpleNamespace(since=since, deadline=since + timeout, over=False)


def items(count: int, tokens: int, of: Any = None, value: Any = "x") -> list[Item]:
    return [Item(value, tokens, of or owner(), place) for place in range(count)]


def test_a_batch_holds_similar_lengths_within_its_budget() -> None:
    batcher = Batcher()
    batcher.add([*items(20, 10), *items(20, 200)])
    assert batcher.tokens == 20 * 10 + 20 * 200
    assert len(batcher) == 40
    first = batcher.take(128, now=1.0)
    assert [item.tokens for item in first] == [10] * 12
    batcher.take(1 << 20, now=1.0)
    assert [item.tokens for item in batcher.take(512, now=1.0)] == [200] * 2
    assert batcher.tokens == 18 * 200


def test_one_that_is_larger_than_the_budget_goes_alone() -> None:
    batcher = Batcher()
    batcher.add(items(2, 5000))
    assert len(batcher.take(256, now=0.0)) == 1


def test_a_short_input_does_not_wait_behind_long_ones() -> None:
    batcher = Batcher()
    batcher.add(items(50, 1000, owner(since=0.0)))
    batcher.add(items(1, 10, owner(since=1.0)))
    assert batcher.take(4096, now=1.5)[0].tokens == 10


def test_nor_does_a_long_one_wait_for_ever() -> None:
    batcher = Batcher()
    batcher.add(items(1, 1000, owner(since=0.0, timeout=10)))
    batcher.add(items(50, 10, owner(since=5.5, timeout=10)))
    assert batcher.take(4096, now=6.0)[0].tokens == 1000  # past half of its time


def test_what_has_its_answer_is_not_computed() -> None:
    batcher = Batcher()
    gone = owner()
    gone.over = True
    batcher.add([*items(3, 10, gone), *items(1, 10)])
    assert len(batcher.take(4096, now=0.0)) == 1
    assert batcher.take(4096, now=0.0) == []
    assert batcher.tokens == 0


def test_texts_and_lists_are_never_in_one_batch() -> None:
    batcher = Batcher()
    batcher.add([*items(2, 10), *items(2, 10, value=["a", "b"])])
    kinds = [{type(item.value) for item in batcher.take(4096, now=1.0)} for _ in range(2)]
    assert sorted(map(str, kinds)) == ["{<class 'list'>}", "{<class 'str'>}"]


def test_lengths_are_estimated_in_any_script() -> None:
    assert 10 <= estimate("The train from Rome to Paris was late again") <= 20
    assert 10 <= estimate("北京的火车今天又晚点了") <= 20
    assert estimate("a " * 500) > 10 * estimate("a " * 10)
    assert 6 <= estimate(["one", "two", "three"]) <= 12
    assert estimate("\ud800") >= 1  # half a character is none, and no reason to fail
