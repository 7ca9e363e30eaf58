"""The rows of each model of the default policy: material, and public sets where a folder holds them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from burnish.guards.material import public
from burnish.guards.material.expand import Part, sheet, texts
from burnish.guards.material.tagged import swapped, tagged

HARD, BUSINESS, PLAIN = "hard", "business", "plain"


@dataclass(frozen=True)
class Row:
    """A text with its class, or with its spans.

    Attributes:
        kind: `hard` rows come from the material and are written to be mistaken, `business` is harmless text of
            everyday work, `plain` is all else.
        group: what the text does, of the material's rows.
    """

    text: str
    label: str = ""
    spans: tuple[Mapping[str, Any], ...] = ()
    kind: str = PLAIN
    group: str = ""


_INJECTION = {"injection": 1400, "jailbreak": 1400, "harmful": 1600, "benign": 2600}
_CHINESE_ATTACKS = {"injection": 700, "jailbreak": 500, "harmful": 700, "benign": 900}
_HARM = {"hate": 2200, "offensive": 950, "neither": 2800}
_TWEETS, _COMMENTS, _CHINESE, _PERSONAL = 15_000, 700, 23_000, 4000
_BUSINESS = 800  # of the material, and as many of public sets
_SHORT = 400  # characters of a comment: long ones cost more than they teach
_COPIES = 2  # of a row with other people's names
_DEV = 5  # dev has so many times fewer rows than train


def injection(part: Part, data: Path | None, share: float) -> list[Row]:
    """Injection, jailbreak, harmful request or benign."""
    found = list(_material(_INJECTION, ("business", "requests", "attacks", "assistant"), part, share))
    return _mixed([*found, *_business("benign", part, data, share)])


def injection_zh(part: Part, data: Path | None, share: float) -> list[Row]:
    """The same classes in Chinese."""
    found = list(_material(_CHINESE_ATTACKS, ("business", "chinese"), part, share))
    if data:
        for sentences in public.chinese(data, part).values():
            found += [Row(text, "benign", kind=BUSINESS) for text in sentences[: _count(_BUSINESS // 2, part, share)]]
    return _mixed(found)


def harm_en(part: Part, data: Path | None, share: float) -> list[Row]:
    """Hate, offensive or neither."""
    found = list(_material(_HARM, ("business", "harm"), part, share))
    if data:
        tweets = islice(public.davidson(data, part), _count(_TWEETS, part, share))
        comments = (row for row in public.jigsaw(data, part) if len(row[0]) <= _SHORT)
        found += [Row(*row) for row in (*tweets, *islice(comments, _count(_COMMENTS, part, share)))]
    return _mixed([*found, *_business("neither", part, data, share)])


def harm_zh(part: Part, data: Path | None, share: float) -> list[Row]:
    """Offensive or neither, in Chinese; there is no material of its own."""
    return _mixed(Row(*row) for row in islice(public.cold(data, part), _count(_CHINESE, part, share))) if data else []


def personal(part: Part, data: Path | None, share: float) -> list[Row]:
    """Spans of personal data. Of a public row there are copies with other people's names for train."""
    given = sheet("business", "personal")
    rows = list(tagged(given, part, _count(_PERSONAL, part, share)))
    if data:
        known = public.presidio(data, part)
        known = known[: max(1, int(share * len(known)))]
        rows += known
        if part == "train":
            news = public.news(data)
            news = news[: max(1, int(share * len(news)))]
            rows += [*news, *swapped(known * _COPIES + news, given, random.Random(0))]
    return _mixed(Row(row["text"], spans=tuple(row["spans"])) for row in rows)


SETS: dict[str, Callable[[Part, Path | None, float], list[Row]]] = {
    "injection": injection,
    "harmful": injection,
    "harm": harm_en,
    "personal": personal,
    "harm-zh": harm_zh,
    "injection-zh": injection_zh,
}


def rows_of(model: str, data: Path | None = None, share: float = 1.0) -> dict[Part, list[Row]]:
    """Rows for train and dev, in an order of their own; no text is in both, whatever its case."""
    dev = SETS[model]("dev", data, share)
    known = {row.text.lower() for row in dev}
    return {"train": [row for row in SETS[model]("train", data, share) if row.text.lower() not in known], "dev": dev}


def _material(counts: Mapping[str, int], names: tuple[str, ...], part: Part, share: float) -> Iterator[Row]:
    harmless = list(counts)[-1]
    for label, count in counts.items():
        for group, text in texts(sheet(*names), label, part, _count(count, part, share)):
            yield Row(text, label, kind=HARD if label == harmless else PLAIN, group=group)


def _business(label: str, part: Part, data: Path | None, share: float) -> Iterator[Row]:
    count = _count(_BUSINESS, part, share)
    for _, text in texts(sheet("business"), "business", part, count):
        yield Row(text, label, kind=BUSINESS)
    if data and (sets := public.business(data, part)):
        for found in sets.values():
            for text in found[: 1 + count // len(sets)]:
                yield Row(text, label, kind=BUSINESS)


def _count(count: int, part: Part, share: float) -> int:
    return max(8, int(count * share / (_DEV if part == "dev" else 1)))


def _mixed(rows: Iterable[Row]) -> list[Row]:
    """Each text once, in a random order that is always the same."""
    found = list({row.text.lower(): row for row in rows}.values())
    random.Random(0).shuffle(found)
    return found
