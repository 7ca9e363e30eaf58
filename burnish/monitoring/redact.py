"""Take personal data out of a text: what has a form of its own (`data/personal.py`); names and addresses stay."""

from __future__ import annotations

from collections.abc import Sequence
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
    first = last = 0  # by how much each border shifts
    for move in moves:
        if move.start <= start < move.end:
            first = move.new_start - start
        elif move.end <= start:
            first = move.new_end - move.end
        if move.start < end <= move.end:
            last = move.new_end - end
        elif move.end < end:
            last = move.new_end - move.end
    return start + first, end + last
