"""Entities given by character offsets: the common JSON shapes, read into one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_START = ("start", "start_position", "start_offset", "begin")
_END = ("end", "end_position", "end_offset", "stop")
_LABEL = ("label", "entity_type", "type", "tag", "entity_group", "entity", "name")
_MENTION = ("text", "mention", "entity_value", "value", "word")


@dataclass(frozen=True)
class Entity:
    """Characters `start` up to, not including, `end`.

    Attributes:
        fits: the span lies inside the text and covers the mention it was written down with, if any.
    """

    start: int
    end: int
    label: str
    fits: bool


def parse(cell: str | None) -> Any:
    """Return the JSON value of a cell that holds spans; None when it is no JSON list or object."""
    if not cell or cell[0] not in "[{":
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return None


def looks_like_spans(value: Any) -> bool:
    """Whether a JSON value has one of the known shapes and at least one entity."""
    return any(start >= 0 for start, *_ in _raw(value))


def entities(text: str, value: Any) -> list[Entity]:
    """Read the entities of one row.

    Shapes: a list of objects with start, end (exclusive) and label under their usual names; a list of
    `[start, end, label]`; CLUENER's `{type: {mention: [[start, end inclusive], ...]}}`.
    A span that cannot be right is returned with `fits` False instead of raising, so that the check can count them.
    """
    return [
        Entity(start, end, label, 0 <= start < end <= len(text) and mention in (None, text[start:end]))
        for start, end, label, mention in _raw(value)
    ]


_UNREADABLE = (-1, -1, "", None)


def _raw(value: Any) -> Iterator[tuple[int, int, str, str | None]]:
    """Start, exclusive end, label and mention of every entity in `value`."""
    if isinstance(value, dict):
        yield from _cluener(value)
    elif isinstance(value, list):
        yield from map(_listed, value)


def _listed(item: Any) -> tuple[int, int, str, str | None]:
    if isinstance(item, dict):
        start, end, label, mention = (_first(item, names) for names in (_START, _END, _LABEL, _MENTION))
    elif isinstance(item, list) and len(item) == 3:
        (start, end, label), mention = item, None
    else:
        return _UNREADABLE
    if not (_is_place(start) and _is_place(end) and isinstance(label, str) and label):
        return _UNREADABLE
    return start, end, label, mention if isinstance(mention, str) else None


def _cluener(value: dict[str, Any]) -> Iterator[tuple[int, int, str, str | None]]:
    for label, mentions in value.items():
        for mention, places in mentions.items() if isinstance(mentions, dict) else [("", [None])]:
            for place in places if isinstance(places, list) else [None]:
                if isinstance(place, list) and len(place) == 2 and all(map(_is_place, place)):
                    yield place[0], place[1] + 1, label, mention
                else:
                    yield _UNREADABLE


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
