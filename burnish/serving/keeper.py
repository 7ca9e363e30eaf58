"""What is kept of the traffic: corrections, all of them, and a sample of what was asked."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import orjson

from burnish.errors import InputError
from burnish.monitoring.records import Feedback, Request, checked
from burnish.monitoring.store import Store
from burnish.serving.errors import Problem

_A_SECOND = 50  # inputs at most: enough to see a drift by, and next to nothing beside the answers


class Keeper:
    """Writes to a store.

    Of the inputs of a second each has the same chance to be kept, which follows from how many came in the second
    before: the first alone would be those of whoever sends when a second begins.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._random = random.Random()
        self._seen, self._left, self._since = 0, _A_SECOND, time.monotonic()
        self._chance = 1.0

    def note(
        self, identity: str, about: dict[str, Any], task: str, inputs: Sequence[Any], parts: Sequence[bytes], ms: float
    ) -> None:
        """Keep a sample of the inputs with what was answered."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._chance = min(1.0, _A_SECOND * (now - self._since) / max(1, self._seen))
            self._seen, self._left, self._since = 0, _A_SECOND, now
        self._seen += len(inputs)
        for one, part in zip(inputs, parts, strict=True):
            if not self._left or self._random.random() >= self._chance:
                continue
            self._left -= 1
            said, failed = orjson.loads(part[1:]), part[:1] == b"-"
            status = said["status"] if failed else 200
            said.pop("embedding", None)  # it follows from the input
            told = None if failed else said
            self.store.note(
                Request.of(id=identity, task=task, input=one, prediction=told, latency_ms=ms, status=status, **about)
            )

    def feedback(self, given: dict[str, Any]) -> str:
        """Keep a correction; its id.

        Raises:
            Problem: 422 when it does not go with the task.
            InputError: when the store does not take it.
        """
        record = Feedback(**given)
        try:
            checked(record)
        except InputError as error:
            raise Problem(422, str(error)) from None
        return self.store.feedback(record)
