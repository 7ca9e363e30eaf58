"""How many texts a sender has sent of late."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

_SENDERS = 10_000  # that are remembered at a time


class Rate:
    """Counts texts of each sender in a window of time that moves on."""

    def __init__(self, at_most: int, seconds: float) -> None:
        self.at_most, self.seconds = at_most, seconds
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def over(self, sender: str, now: float | None = None) -> bool:
        """Count a text, and say whether it is one too many; what is too many is not counted."""
        now = time.monotonic() if now is None else now
        times = self._seen.setdefault(sender, deque())
        self._seen.move_to_end(sender)
        if len(self._seen) > _SENDERS:
            self._seen.popitem(last=False)
        while times and times[0] <= now - self.seconds:
            times.popleft()
        if len(times) >= self.at_most:
            return True
        times.append(now)
        return False
