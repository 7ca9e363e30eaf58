"""Take personal data out of a text: what has a form of its own (`data/personal.py`); names and addresses stay."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from burnish.data.personal import FORMS, find


class Move(NamedTuple):
    """Characters `start` to `end` of the original became `new_start` to `new_end`: a placeholder such as <EMAIL>."""

    start: int
    end: int
    new_start: int
    new_end: int


def redact(text: str) -> tuple[str, tuple[Move, ...]]:
    """Return the text with placeholders in place of personal data, and where they are, in order.

    Time grows linearly with the text.
    """
    parts: list[str] = []
    moves: list[Move] = []
    at = length = 0
    for start, end, kind, _ in find(text, FORMS):
        placeholder = f"<{kind.upper()}>"
        begin = length + start - at
        moves.append(Move(start, end, begin, begin + len(placeholder)))
        parts += text[at:start], placeholder
        at, length = end, begin + len(placeholder)
    return "".join([*parts, text[at:]]), tuple(moves)


def moved(start: int, end: int, moves: Sequence[Move]) -> tuple[int, int]:
    """Where characters `start` up to `end` of the original are now; a placeholder is covered whole or not at all."""
    begins = attrgetter("start")
    before, ahead = bisect_right(moves, start, key=begins), bisect_left(moves, end, key=begins)
    new_start, new_end = start, end
    if before:
        move = moves[before - 1]
        new_start = move.new_start if start < move.end else start + move.new_end - move.end
    if ahead:
        move = moves[ahead - 1]
        new_end = move.new_end if end <= move.end else end + move.new_end - move.end
    return new_start, new_end
