"""What waits for a model, and which of it goes next: inputs of similar length together, by a budget of tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

_SHORTEST, _WIDER = 64, 4  # tokens of the first lane, and how much wider each further one is
_LATE = 0.5  # an input that has waited this share of its time goes before all others
_BYTES = 3.5  # of a token, about
_EXPLAINED = 20  # times as much as to predict takes to explain, about


class Owner(Protocol):
    """Whose inputs are waiting.

    Attributes:
        since, deadline: seconds on the clock of the event loop.
        over: whether it has its answer, so that nothing of it needs to be computed.
    """

    since: float
    deadline: float
    over: bool


@dataclass(frozen=True, slots=True)
class Item:
    """An input of a request: its value, about how many tokens it has, whose it is, and its place there."""

    value: Any
    tokens: int
    owner: Any
    place: int


def estimate(value: Any, each: int = 0) -> int:
    """About how many tokens an input has: it decides on neighbours in a batch, and not on right or wrong.

    Args:
        each: tokens of every input, of a model to which all are of one size; 0 where they differ.
    """
    if isinstance(value, dict):
        return _EXPLAINED * estimate(value["explain"], each)
    if each:
        return each
    if isinstance(value, str):
        return 3 + int((len(value) if value.isascii() else len(value.encode(errors="replace"))) / _BYTES)
    return 2 + sum(1 + estimate(one) - 2 for one in value)


class Batcher:
    """Inputs in lanes by length.

    A short input does not wait behind long ones: the lane goes next whose first input has waited longest for its
    length. An input that is near its deadline goes before all others.

    Attributes:
        tokens: of all that wait.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._lanes: dict[tuple[int, type], deque[Item]] = {}  # by tokens at most, and what the inputs are

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            width = _SHORTEST
            while width < item.tokens:
                width *= _WIDER
            self._lanes.setdefault((width, type(item.value)), deque()).append(item)
            self.tokens += item.tokens

    def take(self, budget: int, now: float) -> list[Item]:
        """The next batch: at least one input where any waits, and no more than `budget` tokens."""
        while self._lanes:
            lane = max(self._lanes, key=lambda key: _urgency(self._lanes[key][0], key[0], now))
            waiting, batch, left = self._lanes[lane], list[Item](), budget
            while waiting and (not batch or waiting[0].tokens <= left):
                item = waiting.popleft()
                self.tokens -= item.tokens
                if not item.owner.over:
                    batch.append(item)
                    left -= item.tokens
            if not waiting:
                del self._lanes[lane]
            if batch:
                return batch
        return []


def _urgency(item: Item, width: int, now: float) -> tuple[bool, float]:
    owner: Owner = item.owner
    waited = now - owner.since
    return waited > _LATE * (owner.deadline - owner.since), waited / width
