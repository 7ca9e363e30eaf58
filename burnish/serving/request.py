"""A request to predict on its way: what it waits for, and how it ends."""

from __future__ import annotations

import asyncio

from burnish.serving.errors import Problem


class Request:
    """Inputs that are answered together, or not at all."""

    __slots__ = ("answer", "deadline", "left", "milliseconds", "parts", "since", "started")

    def __init__(self, count: int, now: float, timeout: float) -> None:
        self.since, self.deadline, self.started = now, now + timeout, 0.0
        self.parts: list[bytes] = [b""] * count
        self.left, self.milliseconds = count, 0.0  # the milliseconds are those of the slowest of its batches
        self.answer: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        return self.answer.done()

    def put(self, place: int, part: bytes) -> None:
        if self.answer.done():
            return
        self.parts[place] = part
        self.left -= 1
        if not self.left:
            self.answer.set_result(self.parts)

    def fail(self, problem: Problem) -> None:
        if not self.answer.done():
            self.answer.set_exception(problem)
