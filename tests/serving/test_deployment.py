"""How what waits is divided among processes, without any process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from burnish.errors import BurnishError
from burnish.serving.batcher import Item
from burnish.serving.deployment import Deployment, Limits, Worker
from burnish.serving.errors import Problem
from burnish.serving.registry import Registry, Served
from burnish.serving.wire import Frames

TEXT = "a" * 347  # 102 tokens by the estimate


class Wire:
    """A transport that keeps how many inputs each batch has."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.batches += [len(json.loads(content)) for _, _, content in Frames().feed(data)]

    def abort(self) -> None:
        self.aborted = True


def barren(asked: list[str | None]) -> Any:
    """A nursery without processes, which keeps the variants that it was asked for."""

    async def bear(folder: str, variant: str | None, *_: Any) -> None:
        asked.append(variant)
        raise BurnishError("there are none")

    return SimpleNamespace(bear=bear)


def deployed(count: int, check: Callable[[Deployment, list[Wire]], None], pace: float = 1000.0) -> None:
    async def run() -> None:
        nursery: Any = None
        deployment = Deployment(Path(), None, nursery, Limits(max_batch_tokens=4096), lambda *_: None)
        deployment.state, deployment.pace = "ready", pace
        wires = [Wire() for _ in range(count)]
        for wire in wires:
            worker = Worker(deployment)
            worker.connection_made(wire)  # type: ignore[arg-type]
            deployment.workers.append(worker)
        check(deployment, wires)

    asyncio.run(run())


def test_a_large_request_is_divided_among_free_processes() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        deployment.submit([TEXT] * 8, 30.0)
        assert [wire.batches for wire in wires] == [[4], [4]]

    deployed(2, check)


def test_a_free_process_leaves_a_share_to_one_that_is_free_soon() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        first, second = deployment.workers
        request = deployment.submit([TEXT] * 2, 30.0)
        assert [wire.batches for wire in wires] == [[1], [1]]
        deployment.submit([TEXT] * 8, 30.0)
        second.running.clear()  # 8 wait, and the other process has one before it: some 4 for each
        deployment.pump()
        assert [wire.batches for wire in wires] == [[1], [1, 4]]
        assert not request.over
        first.busy_since -= 60.0  # which should have ended long ago: the rest is for whoever is free
        second.running.clear()
        deployment.pump()
        assert wires[1].batches == [1, 4, 2]

    deployed(2, check)


def test_what_cannot_be_sent_fails_and_holds_up_nothing() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        (worker,) = deployment.workers
        broken = deployment.submit([{"explain": "abc \ud83d", "target": None, "at": None}], 30.0)
        with pytest.raises(Problem, match="surrogate") as told:
            broken.answer.result()
        assert (told.value.status, worker.running) == (422, {})
        deployment.submit([TEXT], 30.0)
        second, third = deployment.submit([TEXT, "\ud83d" + TEXT], 30.0), deployment.submit([TEXT], 30.0)
        worker.running.clear()
        deployment.pump()
        assert wires[0].batches == [1, 2]  # the others of a batch go
        assert (second.over, third.over) == (True, False)
        worker.running.clear()
        deployment.queue.add([Item("\ud83d", 3, second, 0), Item([TEXT], 102, third, 0)])
        deployment.pump()
        assert wires[0].batches == [1, 2, 1]  # and so does what waits in another lane

    deployed(1, check)


def test_rows_go_one_by_one_where_they_gain_nothing_together() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        deployment.worth = 500
        deployment.submit([TEXT] * 4, 30.0)
        assert [wire.batches for wire in wires] == [[1], [1]]
        for worker in deployment.workers:
            worker.running.clear()
        deployment.submit([TEXT] * 12, 30.0)  # 14 wait
        assert [wire.batches for wire in wires] == [[1, 7], [1, 7]]

    deployed(2, check)


def test_too_much_work_is_turned_away() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        assert deployment.full(1.0) == 0
        deployment.submit([TEXT] * 200, 1.0)
        assert deployment.full(1.0) > 0.25
        assert deployment.full(600.0) == 0
        with pytest.raises(Problem, match="in time") as refused:
            deployment.submit([TEXT], 1.0)
        assert refused.value.status == 429
        deployment.state = "starting"
        assert deployment.full(1.0) == 0

    deployed(1, check)


def test_a_process_that_has_opened_another_version_is_let_go() -> None:
    def check(deployment: Deployment, wires: list[Wire]) -> None:
        old, new = Worker(deployment), Worker(deployment)
        for worker, version in ((old, "a"), (new, "b")):
            wires.append(Wire())
            worker.connection_made(wires[-1])  # type: ignore[arg-type]
            about = {"version": version}
            deployment.born(worker, {"pid": 1, "about": about, "budget": 9, "worth": 0, "tokens_per_second": 1.0})
        assert [wire.aborted for wire in wires] == [False, True]
        assert (deployment.workers, deployment.about) == ([old], {"version": "a"})
        new.connection_lost(None)
        assert deployment.state == "ready"  # the others go on
        old.connection_lost(None)
        assert deployment.state == "starting"

    deployed(0, check)


def test_processes_that_come_later_open_the_variant_of_the_first() -> None:
    asked: list[str | None] = []

    async def run() -> None:
        deployment = Deployment(Path(), None, barren(asked), Limits(processes=1), lambda *_: None)
        deployment.about = {"version": "a", "variant": "small"}
        deployment.begin()
        await asyncio.sleep(0.05)
        await deployment.stop(0)

    asyncio.run(run())
    assert set(asked) == {"small"}


def test_a_variant_that_cannot_be_opened_is_let_go_and_tried_again_later() -> None:
    asked: list[str | None] = []

    async def run() -> None:
        registry = Registry(Limits(processes=1), None, lambda _: lambda *_: None)
        registry._nursery = barren(asked)
        served = Served("m", registry._made("m", Path(), None))
        served.active.about = {"variant": "torch", "variants": ["torch", "small"]}
        first = registry.pick(served, "small")
        await first.started()
        with pytest.raises(Problem, match="cannot be opened") as refused:
            first.submit([TEXT], 30.0)
        assert (refused.value.status, refused.value.retry_after, refused.value.passing) == (503, None, False)
        assert registry.pick(served, "small") is first
        first.since -= 31.0
        second = registry.pick(served, "small")
        await second.started()
        await asyncio.sleep(0.01)
        assert second is not first
        assert not first._tasks  # nothing of it goes on
        await second.stop(0)

    asyncio.run(run())
    assert asked == ["small", "small"]


def standing(state: str, **about: Any) -> Any:
    """A deployment that is in a state, and stays so."""

    async def nothing(*_: Any) -> None: ...

    return SimpleNamespace(state=state, about=about, folder=Path(), reason="", start=nothing, stop=nothing, queue=[])


def test_nothing_takes_the_place_of_a_canary_that_is_not_ready() -> None:
    async def run() -> None:
        registry = Registry(Limits(), None, lambda _: lambda *_: None)
        first, canary, shadow = standing("ready"), standing("starting"), standing("ready")
        served = registry.served["m"] = Served("m", first, canary=canary, shadow=shadow)
        with pytest.raises(Problem, match="the canary version is not ready; try again") as told:
            await registry.turn("m", "promote")
        assert (told.value.status, served.active, served.canary, served.shadow) == (409, first, canary, shadow)
        canary.state = "ready"
        assert (await registry.turn("m", "promote")).active is canary
        assert (await registry.turn("m", "promote")).active is shadow
        with pytest.raises(Problem, match="nothing to promote"):
            await registry.turn("m", "promote")
        canary.state = "starting"
        with pytest.raises(Problem, match="the previous version is not ready"):
            await registry.turn("m", "rollback")

    asyncio.run(run())


def test_a_version_that_reads_something_else_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        registry = Registry(Limits(), None, lambda _: lambda *_: None)
        first, fresh = (standing("ready", task="classify", inputs=kind) for kind in ("text", "image"))
        served = registry.served["m"] = Served("m", first)
        monkeypatch.setattr(registry, "_made", lambda *_: fresh)
        with pytest.raises(Problem, match="this is for classify of inputs of the kind image") as told:
            await registry.load("m", None, None, "active", 10.0)
        assert (told.value.status, served.active) == (409, first)
        fresh.about["inputs"] = "text"
        assert (await registry.load("m", None, None, "active", 10.0)).active is fresh

    asyncio.run(run())
