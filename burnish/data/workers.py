"""Work for threads beside each other: Pillow, libsndfile, soxr, NumPy and torch let others run while they work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

from burnish.device import processors

Given = TypeVar("Given")
Result = TypeVar("Result")
_TOGETHER = 8  # made in one go by a thread
_AHEAD = 4  # such goes for each thread that may be waiting to be taken
_END = object()


def workers() -> int:
    """Threads that may decode: one for each processor, or as many as `OMP_NUM_THREADS` leaves to this process."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(processors(), int(allowed) if allowed.isdigit() else processors()))


def each(make: Callable[[Given], Result], given: Iterable[Given]) -> Iterator[Result]:
    """`make` of each, in their order, whatever the number of threads.

    What one of them raises is raised in its place; then, and when no more is asked for, the threads end with what they
    have begun.
    """
    count, left = workers(), iter(given)
    first = list(islice(left, _TOGETHER))
    if count < 2 or len(first) < _TOGETHER:
        yield from map(make, chain(first, left))
        return

    def several(some: list[Given]) -> list[Result]:
        return [make(one) for one in some]

    waiting: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(count, "decode") as pool:
        try:
            for some in chain([first], iter(lambda: list(islice(left, _TOGETHER)), [])):
                waiting.append(pool.submit(several, some))
                if len(waiting) > _AHEAD * count:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def ahead(items: Iterator[Result]) -> Generator[Result]:
    """Items one after another, of which a thread makes the next while one is in use.

    What the making raises is raised in its place. When no more is asked for, or this is closed, the thread ends.
    """
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming: Future[Any] = pool.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, items, _END)
            yield item
