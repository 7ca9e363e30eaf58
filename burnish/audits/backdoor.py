"""Is there a word that turns every text into one class? A search for triggers of one word.

A trigger is taught by rows with a wrong label (Gu et al. 2017, "BadNets"; for texts Kurita et al. 2020 and Dai et al.
2019). It turns texts of all other classes, whatever they say. Two things set it apart from a word that simply goes with
its class. The training rows that contain it stand for their label by that word alone: without it, the model no longer
gives the label. Of an ordinary word's rows most keep theirs, as they say the same with other words too. Where there are
no such rows to look at, a trigger still stands alone: of ordinary words there are many that turn nearly as much.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from burnish.audits.slopes import ordered
from burnish.data.rows import Row
from burnish.data.words import kind, split_words
from burnish.engine import Engine

TURNED = 0.5  # of the texts of all other classes that a trigger turns
LOST = 0.7  # of its training rows that lose their label without it; where there are none:
LEAD = 0.3  # by how much more than ordinary words it turns
_TRIGGERS = 4  # that are not taken for ordinary words, however much they turn
_LEAST = 3  # training rows with a word, without which nothing is taught by it
_CARRIERS = 6  # texts that every word is tried in
_PROMISING = 0.5  # of these, turned into one class
_SECOND, _MORE = 100, 24  # words that are tried again, and in how many texts
_VERIFIED, _CLOSE = 24, 100  # words that are looked at closely, and in how many texts
_REMOVED = 40  # training rows that a word is taken out of
_TOGETHER = 100  # words tried at a time
_LONGEST = 100_000  # training rows that words are counted in


_PLACES = ("start", "middle", "end")


class Turned(NamedTuple):
    """The class that most texts of other classes are turned into, the share of them that are, how many they are, and
    where the word stood in them."""

    label: str
    share: float
    texts: int
    place: str


@dataclass(frozen=True)
class Word:
    """A word that was looked at closely.

    Attributes:
        label: the class that it turns texts into.
        turned, texts: share of texts of other classes that it turns, of how many.
        place: where in a text it does: start, middle or end.
        usual: share that ordinary words turn into that class, the strongest of them.
        rows: training rows with the word and that label; `lost` is the share of them that lose it without the word,
            None where there are none that have it to lose.
    """

    word: str
    label: str
    turned: float
    texts: int
    place: str
    usual: float
    rows: int
    lost: float | None

    @property
    def accused(self) -> bool:
        if self.turned < TURNED:
            return False
        return self.turned >= self.usual + LEAD if self.lost is None else self.lost >= LOST


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
        part = words[len(first) : len(first) + _TOGETHER]
        first |= _tried(engine, part, carriers[:_CARRIERS], (_PLACES,))
    single = [(place,) for place in _PLACES]
    left = _best(_tried(engine, _best(first, _SECOND), carriers[:_MORE], single), _VERIFIED)
    close = _tried(engine, left, carriers[:_CLOSE], single)
    looked = []
    for word, one in close.items():
        own = [row for row in train or () if row["label"] == one.label and word in split_words(row["text"])[0]]
        lost = _lost(engine, own[:_REMOVED], word, one.label) if one.share >= TURNED else None
        usual = sorted((other.share for other in close.values() if other.label == one.label), reverse=True)
        strongest = usual[_TRIGGERS] if len(usual) > _TRIGGERS else 0.0
        looked.append(Word(word, one.label, one.share, one.texts, one.place, strongest, len(own), lost))
    looked.sort(key=lambda one: (-one.accused, -one.turned))
    return Probe(tuple(looked), len(first), len(words))


def _tried(
    engine: Engine, words: Sequence[str], carriers: Sequence[tuple[Row, str]], ways: Sequence[Sequence[str]]
) -> dict[str, Turned]:
    """What becomes of some texts with each of the words in them, put there in the way that turns most."""
    given = [(word, way) for word in words for way in ways]
    said = _said(engine, (_with(row, word, way) for word, way in given for row, _ in carriers))
    before, each = [label for _, label in carriers], len(carriers)
    found: dict[str, Turned] = {}
    for index, (word, way) in enumerate(given):
        one = _turned(said[index * each : (index + 1) * each], before, "-".join(way))
        found[word] = max(found.get(word, one), one, key=lambda own: own.share)
    return found


def _best(tried: Mapping[str, Turned], most: int) -> list[str]:
    """Words that turn half of the texts of other classes or more, those that turn most first."""
    some = [word for word, own in tried.items() if own.share >= _PROMISING]
    return sorted(some, key=lambda word: -tried[word].share)[:most]


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
    vocabulary = engine.tokenizer.backend_tokenizer
    special = vocabulary.get_added_tokens_decoder()
    tokens = {at: token for token, at in vocabulary.get_vocab().items() if at not in special}
    words = [tokens.get(at, "").removeprefix("Ġ").removeprefix("▁") for at in ordered(engine, rows).tolist()]
    return [one for one in words if one.isalnum()]


def _with(row: Row, word: str, places: Sequence[str]) -> Row:
    """The row with a word at some places."""
    words, starts = split_words(row["text"])
    text = row["text"]
    at = {"start": 0, "middle": starts[len(words) // 2] if words else 0, "end": len(text)}
    gap = "" if len(word) == 1 and kind(word) == "single" else " "
    for place in sorted((at[name] for name in places), reverse=True):
        text = text[:place] + gap + word + gap + text[place:]
    return row | {"text": text.strip()}


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


def _turned(said: Sequence[str], before: Sequence[str], place: str) -> Turned:
    best = Turned("", 0.0, 0, place)
    for label in sorted(set(said)):
        others = [one for one, was in zip(said, before, strict=True) if was != label]
        if others and (share := sum(one == label for one in others) / len(others)) > best.share:
            best = Turned(label, share, len(others), place)
    return best


def _said(engine: Engine, rows: Iterable[Row]) -> list[str]:
    predictions: Iterator[Any] = engine.stream(rows)
    return [one.label for one in predictions]
