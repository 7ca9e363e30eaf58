"""Rows for the tagger of personal data: templates whose names in capitals become spans, and other people's rows with
other names in them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from burnish.guards.material.expand import TEMPLATES, Part, Sheet, fill, parted

Tagged = dict[str, Any]
"""`text` and `spans`: objects with `start`, `end` and `label`."""

_ENTITY = re.compile(r"\{([A-Z_]+)\}")
_PART_OF = dict.fromkeys(("STREET", "FLAT", "HOUSE", "CODE"), "STREET_ADDRESS") | {"TOWN": "GPE", "COUNTRY": "GPE"}
_TRIES = 40
_SWAPPED = 0.7  # chance of a span to get another value
_LOWER, _UPPER = 0.06, 0.02  # share of rows written in small letters and in capitals


def tagged(given: Sheet, part: Part, count: int, seed: int = 0) -> Iterator[Tagged]:
    """Up to `count` rows of different texts; groups take turns, and in each group its templates."""
    draw = random.Random(f"{seed} tagged {part}")
    turns = [list(parted(templates, TEMPLATES)[part]) for templates in given.classes["text"].values()]
    seen: set[str] = set()
    while turns:
        for group in list(turns):
            template = group.pop(0)
            for _ in range(_TRIES):
                row = _row(template, given, part, draw)
                if row["text"] not in seen:
                    seen.add(row["text"])
                    group.append(template)
                    yield row
                    break
            if len(seen) >= count:
                return
            if not group:
                turns.remove(group)


def swapped(rows: Sequence[Mapping[str, Any]], given: Sheet, draw: random.Random) -> Iterator[Tagged]:
    """Each row with other values in place of most of its spans; what a span is written as decides the kind of value."""
    for row in rows:
        text, spans, place = "", [], 0
        for span in sorted(row["spans"], key=lambda span: int(span["start"])):
            old = row["text"][span["start"] : span["end"]]
            text += row["text"][place : span["start"]]
            name = _name(span["label"], old)
            new = old if draw.random() > _SWAPPED or name not in given.lists else value(name, given, "train", draw)
            spans.append({"start": len(text), "end": len(text) + len(new), "label": span["label"]})
            text, place = text + new, span["end"]
        yield {"text": text + row["text"][place:], "spans": spans}


def value(name: str, given: Sheet, part: Part, draw: random.Random) -> str:
    """One value of an entity."""
    text = fill(draw.choice(given.lists[name][part]), given, part, draw)
    return re.sub("#", lambda _: draw.choice("0123456789"), text)


def _row(template: str, given: Sheet, part: Part, draw: random.Random) -> Tagged:
    text, spans, place = "", [], 0
    around = fill(template, given, part, draw)  # names in capitals stay
    for found in _ENTITY.finditer(around):
        text += around[place : found.start()]
        new = value(found[1], given, part, draw)
        spans.append({"start": len(text), "end": len(text) + len(new), "label": _PART_OF.get(found[1], found[1])})
        text, place = text + new, found.end()
    text += around[place:]
    chance = draw.random()
    if chance < _LOWER and len(text.lower()) == len(text):  # some letters get longer
        text = text.lower()
    elif chance < _LOWER + _UPPER and len(text.upper()) == len(text):
        text = text.upper()
    return {"text": text, "spans": spans}


def _name(label: str, old: str) -> str:
    """The list that a span of a public set takes its new value from."""
    if label == "GPE":
        return "COUNTRY" if len(old) == 2 else "GPE"
    if label != "STREET_ADDRESS" or "\n" in old or "," in old:
        return label
    if old.replace(" ", "").isdigit() or re.fullmatch(r"[A-Z0-9]{2,4} ?[A-Z0-9]{2,4}", old):
        return "HOUSE" if len(old) < 4 else "CODE"
    if old.startswith(("Apt", "Suite")):
        return "FLAT"
    return "STREET" if len(old.split()) < 5 else "STREET_ADDRESS"
