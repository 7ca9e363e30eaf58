"""The sample of the traffic: at most so many a second, and not the first of them alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from burnish.serving import keeper
from burnish.serving.keeper import Keeper

SAID = b'+{"label":"a","labels":["a"],"probabilities":{"a":1.0}}'
ABOUT = {"model": "m", "version": "1", "variant": "torch"}


class Noted:
    def __init__(self) -> None:
        self.inputs: list[Any] = []

    def note(self, record: Any) -> None:
        self.inputs.append(record.input)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    return now


def test_the_sample_is_bounded_and_spread_over_a_second(clock: list[float]) -> None:
    store = Noted()
    kept = Keeper(store)  # type: ignore[arg-type]
    for second in range(4):
        clock[0] = 100.0 + second * 1.001
        del store.inputs[:]
        for number in range(100):
            inputs = [f"{number} {one}" for one in range(10)]
            kept.note("id", ABOUT, "classify", inputs, [SAID] * 10, 1.0)
        assert len(store.inputs) <= 50
    late = [one for one in store.inputs if int(one.split()[0]) >= 50]
    assert len(store.inputs) >= 20  # 50 of 1,000 are expected
    assert len(late) >= 5


@pytest.mark.parametrize("status", [413, 422, 503])
def test_a_failed_input_is_kept_with_its_own_status(clock: list[float], status: int) -> None:
    records: list[Any] = []
    store = SimpleNamespace(note=records.append)
    part = b'-{"status":%d,"detail":"no"}' % status
    Keeper(store).note("id", ABOUT, "classify", ["a", "b"], [SAID, part], 1.0)  # type: ignore[arg-type]
    assert [(record.status, record.labels) for record in records] == [(200, ("a",)), (status, ())]


def test_little_traffic_is_kept_whole(clock: list[float]) -> None:
    store = Noted()
    kept = Keeper(store)  # type: ignore[arg-type]
    for second in range(20):
        clock[0] = 100.0 + second * 0.5
        kept.note("id", ABOUT, "classify", [f"text {second}"], [SAID], 1.0)
    assert len(store.inputs) == 20
