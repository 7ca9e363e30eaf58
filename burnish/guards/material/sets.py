"""The rows of each model of the default policy: material, and public sets where a folder holds them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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
_TWEETS, _COMMENTS, _CHINESE, _PERSONAL = 20_000, 900, 30_000, 4000
_BUSINESS = 800  # of the material, and as many of public sets
_SHORT = 400  # characters of a comment: long ones cost more than they teach
_COPIES = 2  # of a row with other people's names
T = TypeVar("T")
_DEV = 5  # dev has so many times fewer rows than train


@dataclass(frozen=True)
class Wanted:
    """Rows of one part, of the material and of public sets.

    Attributes:
        data: folder of the public sets; none are asked for without.
        splits: what of a public set counts as this part.
        share: of all rows.
    """

    part: Part
    data: Path | None
    splits: tuple[public.Split, ...]
    share: float

    def count(self, whole: int) -> int:
        return max(8, int(whole * self.share / (_DEV if self.part == "dev" else 1)))

    def of(self, read: Callable[[Path, public.Split], list[T]]) -> list[T]:
        """The rows of a public set."""
        return [row for split in self.splits for row in read(self.data, split)] if self.data else []

    def texts(self, read: Callable[[Path, public.Split], dict[str, list[str]]]) -> dict[str, list[str]]:
        """Harmless texts by public set."""
        found: dict[str, list[str]] = {}
        if self.data is None:
            return found
        for split in self.splits:
            for name, sentences in read(self.data, split).items():
                found.setdefault(name, []).extend(sentences)
        return found


def injection(wanted: Wanted) -> list[Row]:
    """Injection, jailbreak, harmful request or benign."""
    found = list(_material(_INJECTION, ("business", "requests", "attacks", "assistant"), wanted))
    return _mixed([*found, *_business("benign", wanted)])


def injection_zh(wanted: Wanted) -> list[Row]:
    """The same classes in Chinese."""
    found = list(_material(_CHINESE_ATTACKS, ("business", "chinese"), wanted))
    for sentences in wanted.texts(public.chinese).values():
        found += [Row(text, "benign", kind=BUSINESS) for text in sentences[: wanted.count(_BUSINESS // 2)]]
    return _mixed(found)


def harm_en(wanted: Wanted) -> list[Row]:
    """Hate, offensive or neither."""
    found = list(_material(_HARM, ("business", "harm"), wanted))
    comments = [row for row in wanted.of(public.jigsaw) if len(row[0]) <= _SHORT]
    public_rows = (*wanted.of(public.davidson)[: wanted.count(_TWEETS)], *comments[: wanted.count(_COMMENTS)])
    return _mixed([*found, *(Row(*row) for row in public_rows), *_business("neither", wanted)])


def harm_zh(wanted: Wanted) -> list[Row]:
    """Offensive or neither, in Chinese; there is no material of its own."""
    return _mixed(Row(*row) for row in wanted.of(public.cold)[: wanted.count(_CHINESE)])


def personal(wanted: Wanted) -> list[Row]:
    """Spans of personal data. Of a public row there are copies with other people's names for train."""
    given = sheet("business", "personal")
    rows = list(tagged(given, wanted.part, wanted.count(_PERSONAL)))
    known = wanted.of(public.presidio)
    known = known[: math.ceil(wanted.share * len(known))]
    rows += known
    if wanted.data and wanted.part == "train":
        news = public.news(wanted.data)
        news = news[: max(1, int(wanted.share * len(news)))]
        rows += [*news, *swapped(known * _COPIES + news, given, random.Random(0))]
    return _mixed(Row(row["text"], spans=tuple(row["spans"])) for row in rows)


SETS: dict[str, Callable[[Wanted], list[Row]]] = {
    "injection": injection,
    "harmful": injection,
    "harm": harm_en,
    "personal": personal,
    "harm-zh": harm_zh,
    "injection-zh": injection_zh,
}


def rows_of(model: str, data: Path | None = None, share: float = 1.0, held_out: bool = False) -> dict[Part, list[Row]]:
    """Rows for train and dev, in an order of their own; no text is in both, whatever its case.

    Args:
        held_out: leave the test rows of public sets out of train, so that they can measure.
    """
    splits: tuple[public.Split, ...] = ("train",) if held_out else ("train", "test")
    dev = SETS[model](Wanted("dev", data, ("dev",), share))
    known = {row.text.lower() for row in dev}
    train = SETS[model](Wanted("train", data, splits, share))
    return {"train": [row for row in train if row.text.lower() not in known], "dev": dev}


def _material(counts: Mapping[str, int], names: tuple[str, ...], wanted: Wanted) -> Iterator[Row]:
    harmless = list(counts)[-1]
    for label, count in counts.items():
        for group, text in texts(sheet(*names), label, wanted.part, wanted.count(count)):
            yield Row(text, label, kind=HARD if label == harmless else PLAIN, group=group)


def _business(label: str, wanted: Wanted) -> Iterator[Row]:
    count = wanted.count(_BUSINESS)
    for _, text in texts(sheet("business"), "business", wanted.part, count):
        yield Row(text, label, kind=BUSINESS)
    sets = wanted.texts(public.business)
    for found in sets.values():
        for text in found[: 1 + count // len(sets)]:
            yield Row(text, label, kind=BUSINESS)


def _mixed(rows: Iterable[Row]) -> list[Row]:
    """Each text once, in a random order that is always the same."""
    found = list({row.text.lower(): row for row in rows}.values())
    random.Random(0).shuffle(found)
    return found
