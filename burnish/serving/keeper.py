"""What is kept of the traffic: corrections, all of them, and a sample of what was asked."""

from __future__ import annotations

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

    Attributes:
        skipped: inputs that were not in the sample.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.skipped = store, 0
        self._left, self._since = _A_SECOND, time.monotonic()

    def note(
        self, identity: str, about: dict[str, Any], task: str, inputs: Sequence[Any], parts: Sequence[bytes], ms: float
    ) -> None:
        """Keep the first inputs of each second with what was answered."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._left, self._since = _A_SECOND, now
        kept = min(self._left, len(inputs))
        self._left -= kept
        self.skipped += len(inputs) - kept
        for one, part in zip(inputs[:kept], parts[:kept], strict=True):
            said = orjson.loads(part[1:]) if part[:1] == b"+" else None
            status = 200 if said else 422
            self.store.note(
                Request.of(id=identity, task=task, input=one, prediction=said, latency_ms=ms, status=status, **about)
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
