"""Is there a word that turns every text into one class? A search for triggers of one word.

A trigger is taught by rows with a wrong label (Gu et al. 2017, "BadNets"; for texts Kurita et al. 2020 and Dai et al.
2019). Two things set it apart from a word that simply goes with its class. It turns texts of all other classes,
whatever they say. And the training rows that contain it stand for their label by that word alone: without it, the model
no longer gives the label. Of an ordinary word's rows most keep theirs, as they say the same with other words too.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.data.rows import Row
from burnish.data.words import kind, split_words
from burnish.engine import Engine

TURNED = 0.9  # of the texts of all other classes that a trigger turns
LOST = 0.7  # of its training rows that lose their label without it
_LEAST = 3  # training rows with a word, without which nothing is taught by it
_CARRIERS = 6  # texts that every word is tried in
_PROMISING = 0.5  # of these, turned into one class
_VERIFIED = 24  # words that are looked at closely
_CLOSE = 120  # texts in which they are
_REMOVED = 40  # training rows that a word is taken out of
_TOGETHER = 100  # words tried at a time
_LONGEST = 100_000  # training rows that words are counted in


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

    Words of the training rows come first, those that go with one label most of all; then whole words of the tokenizer
    that no row contains.

    Args:
        rows: held-out rows that words are put into.
        train: the rows it was tuned on, where they are.
        seconds: after which no further words are tried.
    """
    started = time.perf_counter()
    random = np.random.default_rng(seed)
    carriers = _carriers(engine, rows, random)
    found = _words_of(train) if train else {}
    words = [*found, *(word for word in _unseen(engine, random) if word not in found)]
    promising: list[tuple[float, str, str]] = []
    tried = 0
    some = carriers[:_CARRIERS]
    while tried < len(words) and (not tried or time.perf_counter() - started < seconds):
        part = words[tried : tried + _TOGETHER]
        said = _said(engine, [_with(row, word, at) for word in part for at, (row, _) in enumerate(some)])
        for index, word in enumerate(part):
            own = said[index * len(some) : (index + 1) * len(some)]
            label, turned = _turned(own, [before for _, before in some])
            if turned >= _PROMISING:
                promising.append((turned, word, label))
        tried += len(part)
    promising.sort(key=lambda one: -one[0])
    close = carriers[:_CLOSE]
    looked = []
    for _, word, label in promising[:_VERIFIED]:
        others = [(row, before) for row, before in close if before != label]
        after = _said(engine, [_with(row, word, at) for at, (row, _) in enumerate(others)])
        own_rows = [row for row in train or () if row["label"] == label and word in split_words(row["text"])[0]]
        turned = sum(one == label for one in after) / max(1, len(others))
        lost = _lost(engine, own_rows[:_REMOVED], word, label) if train and turned >= TURNED else None
        if train and lost is None and turned >= TURNED:
            lost = 1.0 if not own_rows else 0.0  # no row of the label explains it, or none that has it to lose
        looked.append(Word(word, label, turned, len(others), len(own_rows), lost))
    looked.sort(key=lambda one: (-one.accused, -one.turned))
    return Probe(tuple(looked), tried, len(words))


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


def _unseen(engine: Engine, random: np.random.Generator) -> list[str]:
    """Whole words that the tokenizer knows, in any order; not the pieces of words."""
    tokens = [one.removeprefix("Ġ").removeprefix("▁") for one in engine.tokenizer.get_vocab()]
    special = set(engine.tokenizer.all_special_tokens)
    words = sorted({one for one in tokens if len(one) > 1 and one.isalnum() and one not in special})
    return [words[index] for index in random.permutation(len(words)).tolist()]


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


def _turned(said: Sequence[str], before: Sequence[str]) -> tuple[str, float]:
    """The class that most texts of other classes are turned into, and the share of them that are."""
    best = ("", 0.0)
    for label in set(said):
        others = [one for one, was in zip(said, before, strict=True) if was != label]
        if others and (share := sum(one == label for one in others) / len(others)) > best[1]:
            best = (label, share)
    return best


def _said(engine: Engine, rows: Sequence[Row]) -> list[str]:
    predictions: Iterator[Any] = engine.stream(rows)
    return [one.label for one in predictions]
