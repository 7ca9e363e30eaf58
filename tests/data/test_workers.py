"""Threads that decode give what one would give, in order, and leave nothing half done."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from burnish.data import images, store, workers
from burnish.data.pixels import SCRATCH, Pixels
from burnish.data.workers import ahead, each
from burnish.errors import InputError
from tests import tiny_images


@pytest.fixture(params=["1", "3"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(workers, "processors", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", request.param)
    return int(request.param)


def test_order_is_kept_and_threads_are_as_many_as_allowed(threads: int) -> None:
    seen = set()

    def slowly(number: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.002 if number % 3 else 0.0)
        return number * number

    assert list(each(slowly, range(200))) == [number * number for number in range(200)]
    assert len(seen) <= threads
    assert (threading.get_ident() in seen) == (threads == 1)


def test_what_is_raised_comes_in_its_place(threads: int) -> None:
    def make(number: int) -> int:
        if number in (30, 31):
            raise InputError(str(number))
        return number

    taken: list[int] = []
    with pytest.raises(InputError, match="30"):
        taken.extend(each(make, range(100)))
    assert taken == list(range(30))[: len(taken)]
    assert len(taken) >= 24  # all that came before those it was made together with


def test_no_more_is_made_than_is_asked_for(threads: int) -> None:
    made: list[int] = []
    some = each(lambda number: made.append(number), range(10_000))
    next(some)
    some.close()  # type: ignore[attr-defined]
    count = len(made)
    time.sleep(0.05)
    assert len(made) == count < 1000


def test_an_interrupted_cache_leaves_no_file(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path / "cache"))
    tiny_images.folder(tmp_path / "data", 20)
    files = sorted(str(file) for file in (tmp_path / "data").rglob("*.png"))
    reader = Pixels({**SCRATCH, "size": {"height": 16, "width": 16}})
    rows = [{"image": file, "digest": store.digest(Path(file))} for file in files]
    original, calls = Pixels.array, []

    def interrupted(self: Pixels, given: str) -> np.ndarray:
        calls.append(given)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return original(self, given)

    monkeypatch.setattr(Pixels, "array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reader.features(rows).kept()
    assert not list((tmp_path / "cache" / "pixels").iterdir())
    kept = reader.features(rows).kept().dense["pixels"]
    assert np.array_equal(kept, np.stack([original(reader, file) for file in files]))


def test_warnings_are_as_before_when_the_last_thread_is_done() -> None:
    before, inside, leave = list(warnings.filters), threading.Event(), threading.Event()

    def longer() -> None:
        with images._quiet():
            inside.set()
            leave.wait(5)

    other = threading.Thread(target=longer)
    with images._quiet():
        other.start()
        assert inside.wait(5)
    assert warnings.filters != before  # the other one is still at work
    leave.set()
    other.join()
    assert warnings.filters == before


def test_one_is_made_while_the_one_before_is_in_use() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            made.append(threading.get_ident())
            if number == 15:
                raise InputError("fifteen")
            yield number

    coming, taken = ahead(numbers()), []
    for number in coming:
        taken.append(number)
        while len(made) < min(16, number + 2):
            time.sleep(0.001)
        assert len(made) <= number + 2
        if number == 14:
            break
    assert set(made) != {threading.get_ident()}
    assert taken == list(range(15))
    with pytest.raises(InputError, match="fifteen"):
        next(coming)


def test_the_thread_ends_when_no_more_is_asked_for() -> None:
    before = threading.active_count()
    coming = ahead(iter(range(100)))
    assert next(coming) == 0
    assert threading.active_count() == before + 1
    coming.close()
    assert threading.active_count() == before
    assert list(ahead(iter(()))) == []
