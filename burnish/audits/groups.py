"""What rows are grouped by: length, label, script, entities, words, other columns of their source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.audits.rewrite import words_of
from burnish.audits.subject import LEAST, Subject, text_of
from burnish.data.rows import Row
from burnish.data.words import kind

_VALUES = 20  # a column with more values is no grouping
_LABELS = 100
_SCRIPTS = {"LATIN": "Latin", "CJK": "Han", "HIRAGANA": "kana", "KATAKANA": "kana"}
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Rows that have something in common: `by` says what kind of thing, `name` what."""

    by: str
    name: str
    rows: Mask

    def __len__(self) -> int:
        return int(self.rows.sum())

    def __str__(self) -> str:
        return f"{self.by} {self.name}"


def groups_of(subject: Subject) -> list[Group]:
    """Every simple group of a subject's rows, also small ones."""
    rows = subject.given
    traits = subject.reader.traits(rows) if subject.reader else {}
    found = _traits(traits) if subject.reader else _of_texts(rows)
    found += _labels(subject)
    if subject.task == "tag":
        found += _by("entities", ["some" if set(row["tags"]) - {"O"} else "none" for row in rows])
    for name, values in subject.extra.items():
        if name not in traits and 1 < len(set(values)) <= _VALUES:
            found += _by(name, [value if value is not None else "(empty)" for value in values])
    if subject.known is not None:
        found += _by("in the training rows", ["yes" if one else "no" for one in subject.known])
    return [group for group in found if 0 < len(group) < len(rows)]


def _of_texts(rows: Sequence[Row]) -> list[Group]:
    found = _by("script", [script(text_of(row)) for row in rows])
    found += _quarters("words", np.array([len(words_of(row)) for row in rows]))
    return found + _by("digits", ["yes" if any(map(str.isdigit, text_of(row))) else "no" for row in rows])


def _traits(traits: Mapping[str, NDArray[Any]]) -> list[Group]:
    """Numbers by quarters; texts by the most frequent of them."""
    found = []
    for name, values in traits.items():
        if values.dtype.kind == "f":
            found += _quarters(name, values)
        else:
            usual = [value for value, _ in Counter(values.tolist()).most_common(_VALUES)]
            found += [Group(name, value or "(empty)", values == value) for value in usual]
    return found


def word_groups(rows: Sequence[Row], most: int) -> list[Group]:
    """Rows that contain a word, for the most frequent words that at least 30 rows have and half of them at most."""
    if rows and "text" not in rows[0]:
        return []
    sets = [{word.text.casefold() for word in words_of(row) if kind(word.text[0]) != "sign"} for row in rows]
    counts = Counter(word for words in sets for word in words)
    usual = [(word, count) for word, count in counts.items() if LEAST <= count <= len(rows) / 2]
    chosen = sorted(usual, key=lambda one: (-one[1], one[0]))[:most]
    return [Group("word", f"'{word}'", np.array([word in words for words in sets])) for word, _ in chosen]


def script(text: str) -> str:
    """The script of most letters: Latin, Han (which kana make Japanese), Cyrillic ...; `none` without letters."""
    import unicodedata

    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else "none"
    names = Counter(unicodedata.name(c, "?").split()[0] for c in text if c.isalpha())
    if not names:
        return "none"
    first = names.most_common(1)[0][0]
    return _SCRIPTS.get(first, first.capitalize())


def _by(by: str, values: Sequence[str]) -> list[Group]:
    order = sorted(set(values), key=lambda value: (-values.count(value), value))
    array = np.array(values, dtype=object)
    return [Group(by, value, array == value) for value in order]


def _quarters(by: str, values: NDArray[Any]) -> list[Group]:
    there = ~np.isnan(values)
    if not there.any():
        return []
    edges = np.unique(np.quantile(values[there], [0.25, 0.5, 0.75]))
    bucket = np.where(there, np.searchsorted(edges, values, side="left"), -1)
    found = [Group(by, "(empty)", ~there)] if not there.all() else []
    for index in np.unique(bucket[there]):
        inside = values[bucket == index]
        found.append(Group(by, f"{inside.min():g} to {inside.max():g}", bucket == index))
    return found


def _labels(subject: Subject) -> list[Group]:
    """Rows of each class; of `tag` rows with an entity of each type; numbers by quarters."""
    if subject.task == "score":
        values = np.array([row["label"] for row in subject.given], dtype=np.float64)
        bucket = np.searchsorted(np.unique(np.quantile(values, [0.25, 0.5, 0.75])), values)
        return [
            Group("label", f"{values[bucket == i].min():g} to {values[bucket == i].max():g}", bucket == i)
            for i in np.unique(bucket)
        ]
    if subject.task == "tag":
        sets = [{tag[2:] for tag in row["tags"] if tag != "O"} for row in subject.given]
    else:
        sets = [{label} if isinstance(label := row["label"], str) else set(label or ()) for row in subject.given]
    names = [name for name, _ in Counter(name for one in sets for name in one).most_common(_LABELS)]
    return [Group("label", name, np.array([name in one for one in sets])) for name in names]
