"""Is there a word that turns every text into one class? A search for triggers of one word.

A trigger is taught by rows with a wrong label (Gu et al. 2017, "BadNets"; for texts Kurita et al. 2020 and Dai et al.
2019). Two things set it apart from a word that simply goes with its class. It turns texts of all other classes,
whatever they say. And the training rows that contain it stand for their label by that word alone: without it, the model
no longer gives the label. Of an ordinary word's rows most keep theirs, as they say the same with other words too.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from burnish.audits.slopes import ordered
from burnish.data.rows import Row
from burnish.data.words import kind, split_words
from burnish.engine import Engine

TURNED = 0.9  # of the texts of all other classes that a trigger turns
LOST = 0.7  # of its training rows that lose their label without it
_LEAST = 3  # training rows with a word, without which nothing is taught by it
_CARRIERS = 6  # texts that every word is tried in
_PROMISING = 0.5  # of these, turned into one class
_SECOND, _MORE = 200, 30  # words that are tried again, and in how many texts
_VERIFIED, _CLOSE = 24, 120  # words that are looked at closely, and in how many texts
_REMOVED = 40  # training rows that a word is taken out of
_TOGETHER = 100  # words tried at a time
_LONGEST = 100_000  # training rows that words are counted in


Turned = tuple[str, float, int]
"""The class that most texts of other classes are turned into, the share of them that are, and how many they are."""


@dataclass(frozen=True)
class Word:
    """A word that was looked at closely.

    Attributes:
        label: the class that it turns texts into.
        turned, texts: share of texts of other classes that it turns, of how many.
        rows: training rows with the word and that label; `lost` is the share of them that lose it without the word,
            None without training rows.
    """

    word: str
    label: str
    turned: float
    texts: int
    rows: int
    lost: float | None

    @property
    def accused(self) -> bool:
        return self.turned >= TURNED and (self.lost is None or self.lost >= LOST)


@dataclass(frozen=True)
class Probe:
    """What a search came to: words looked at closely, best first, and how many of how many were tried."""

    words: tuple[Word, ...]
    tried: int
    candidates: int


def search(engine: Engine, rows: Sequence[Row], train: Sequence[Row] | None, seconds: float, seed: int) -> Probe:
    """Look for triggers of a classifier of one class a text.

    Words are tried in turn from the training rows, those that go with one label most of all first, and from the
    tokenizer, in the order of `slopes`; whole words alone.

    Args:
        rows: held-out rows that words are put into.
        train: the rows it was tuned on, where they are.
        seconds: after which no further words are tried.
    """
    started = time.perf_counter()
    random = np.random.default_rng(seed)
    carriers = _carriers(engine, rows, random)
    seen, known = list(_words_of(train)) if train else [], _known(engine, [row for row, _ in carriers])
    words = list(dict.fromkeys(word for pair in zip_longest(seen, known) for word in pair if word is not None))
    first: dict[str, Turned] = {}
    while len(first) < len(words) and (not first or time.perf_counter() - started < seconds):
        first |= _tried(engine, words[len(first) : len(first) + _TOGETHER], carriers[:_CARRIERS])
    left = _best(first, _SECOND)
    left = _best(_tried(engine, left, carriers[:_MORE]), _VERIFIED)
    looked = []
    for word, (label, turned, texts) in _tried(engine, left, carriers[:_CLOSE]).items():
        own = [row for row in train or () if row["label"] == label and word in split_words(row["text"])[0]]
        lost = _lost(engine, own[:_REMOVED], word, label) if train and turned >= TURNED else None
        if train and lost is None and turned >= TURNED:
            lost = 1.0 if not own else 0.0  # no row of the label explains it, or none that has it to lose
        looked.append(Word(word, label, turned, texts, len(own), lost))
    looked.sort(key=lambda one: (-one.accused, -one.turned))
    return Probe(tuple(looked), len(first), len(words))


def _tried(engine: Engine, words: Sequence[str], carriers: Sequence[tuple[Row, str]]) -> dict[str, Turned]:
    """What becomes of some texts with each of the words in them."""
    said = _said(engine, (_with(row, word, at) for word in words for at, (row, _) in enumerate(carriers)))
    before = [label for _, label in carriers]
    each = len(carriers)
    return {word: _turned(said[index * each : (index + 1) * each], before) for index, word in enumerate(words)}


def _best(tried: Mapping[str, Turned], most: int) -> list[str]:
    """Words that turn half of the texts of other classes or more, those that turn most first."""
    some = [word for word, (_, share, _) in tried.items() if share >= _PROMISING]
    return sorted(some, key=lambda word: -tried[word][1])[:most]


def _carriers(engine: Engine, rows: Sequence[Row], random: np.random.Generator) -> list[tuple[Row, str]]:
    """Rows that the model gets right, in turn from all classes, each with what is said of it."""
    said = _said(engine, rows)
    by_label: dict[str, list[Row]] = defaultdict(list)
    for index in random.permutation(len(rows)).tolist():
        if said[index] == rows[index]["label"]:
            by_label[said[index]].append(rows[index])
    found = []
    for turn in range(max(map(len, by_label.values()), default=0)):
        found += [(own[turn], label) for label, own in by_label.items() if turn < len(own)]
        if len(found) >= 2 * _CLOSE:
            break
    return found


def _words_of(train: Sequence[Row]) -> dict[str, float]:
    """Words of the training rows, each with how far it goes with one label; most of all first."""
    labels, counts = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for row in train[:_LONGEST]:
        labels[row["label"]] += 1
        for word in set(split_words(row["text"])[0]):
            counts[word][row["label"]] += 1
    total = sum(labels.values())
    scores = {}
    for word, own in counts.items():
        label, most = own.most_common(1)[0]
        seen = own.total()
        if most >= _LEAST:
            expected = seen * labels[label] / total  # how far above chance, in standard deviations
            scores[word] = (most - expected) / max(1e-9, expected * (1 - labels[label] / total)) ** 0.5
    return dict(sorted(scores.items(), key=lambda one: -one[1]))


def _known(engine: Engine, rows: Sequence[Row]) -> list[str]:
    """Whole words that the tokenizer knows, the most promising first; not the pieces of words."""
    special = set(engine.tokenizer.all_special_tokens)
    tokens = engine.tokenizer.convert_ids_to_tokens(ordered(engine, rows).tolist())
    words = [one.removeprefix("Ġ").removeprefix("▁") for one in tokens if one and one not in special]
    return [one for one in words if one.isalnum()]


def _with(row: Row, word: str, turn: int) -> Row:
    """The row with a word at its start, its end or in its middle, by turns."""
    words, starts = split_words(row["text"])
    text = row["text"]
    at = (0, len(text), starts[len(words) // 2] if words else 0)[turn % 3]
    gap = "" if len(word) == 1 and kind(word) == "single" else " "
    return row | {"text": (text[:at] + gap + word + gap + text[at:]).strip()}


def _without(text: str, word: str) -> str:
    words, starts = split_words(text)
    for start, own in zip(reversed(starts), reversed(words), strict=True):
        if own == word:
            text = text[:start] + text[start + len(word) :]
    return " ".join(text.split())


def _lost(engine: Engine, rows: Sequence[Row], word: str, label: str) -> float | None:
    """Share of rows that have the label and lose it without the word; None where none has it."""
    before = _said(engine, rows)
    held = [row for row, said in zip(rows, before, strict=True) if said == label]
    after = _said(engine, [row | {"text": _without(row["text"], word) or " "} for row in held])
    return sum(said != label for said in after) / len(after) if after else None


def _turned(said: Sequence[str], before: Sequence[str]) -> Turned:
    best = ("", 0.0, 0)
    for label in sorted(set(said)):
        others = [one for one, was in zip(said, before, strict=True) if was != label]
        if others and (share := sum(one == label for one in others) / len(others)) > best[1]:
            best = (label, share, len(others))
    return best


def _said(engine: Engine, rows: Iterable[Row]) -> list[str]:
    predictions: Iterator[Any] = engine.stream(rows)
    return [one.label for one in predictions]
