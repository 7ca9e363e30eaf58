"""Ways to disturb a text, a word at a time and by chance: the number of words and what they are labelled with stay."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from burnish.audits.rewrite import Word, replaced, words_of
from burnish.data.rows import Row

Change = Callable[[Sequence[Word], int, np.random.Generator], str | None]
"""What takes the place of the word at an index; None where it stays."""

_FULL = 0xFEE0  # from ASCII to full-width forms
_LONG = 4  # letters from which on a word gets typos
_GAPS = ("  ", "\t", "\u00a0", "\u3000")


@cache
def lists() -> dict[str, Any]:
    """The packaged lists."""
    return dict(yaml.safe_load((Path(__file__).parent / "noise.yaml").read_text(encoding="utf-8")))


def typo(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """A letter twice, left out, or in the place of its neighbour; in Chinese a character for one like it."""
    word = words[index].text
    if like := _confusable().get(word):
        return like[int(chance.integers(len(like)))]
    if len(word) < _LONG or not word.isalpha():
        return None
    at, way = int(chance.integers(1, len(word) - 1)), int(chance.integers(3))
    if way == 0:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1 :] if way == 1 else word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def keyboard(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """A letter becomes one beside it on the keyboard."""
    word = words[index].text
    places = [place for place, c in enumerate(word) if c.lower() in _beside()]
    if len(word) < _LONG or not places:
        return None
    at = places[int(chance.integers(len(places)))]
    near = _beside()[word[at].lower()]
    new = near[int(chance.integers(len(near)))]
    return word[:at] + (new.upper() if word[at].isupper() else new) + word[at + 1 :]


def homoglyph(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """Every second letter, about, becomes one of another script that looks the same."""
    word, alike = words[index].text, lists()["homoglyphs"]
    new = "".join(alike[c] if c in alike and chance.random() < 0.5 else c for c in word)
    return new if new != word else None


def casing(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """All letters large, or all small."""
    word = words[index].text
    new = word.upper() if chance.random() < 0.5 else word.lower()
    return new if new != word and len(new) == len(word) else None


def whitespace(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """Two spaces, a tab or a wide space before the word; not where words come as a list."""
    word = words[index]
    return None if word.column == "words" else _GAPS[int(chance.integers(len(_GAPS)))] + word.text


def full_width(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """Letters, digits and signs in the width of Chinese characters."""
    word = words[index].text
    new = "".join(chr(ord(c) + _FULL) if "!" <= c <= "~" else c for c in word)
    return new if new != word else None


def synonym(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """A word of much the same meaning; of lists of words only where it is one word too."""
    word = words[index].text
    found = [one for one in _synonyms().get(word.lower(), ()) if words[index].column != "words" or " " not in one]
    if not found:
        return None
    new = found[int(chance.integers(len(found)))]
    return new.capitalize() if word[:1].isupper() else new


def negation(words: Sequence[Word], index: int, chance: np.random.Generator) -> str | None:
    """`not` behind an auxiliary verb, 不 or 没 before a Chinese one; what is meant changes, and a label may."""
    word, given = words[index], lists()["negations"]
    if word.column == "words":
        return None
    if word.text.lower() in given["behind"]:
        return f"{word.text} {given['word']}"
    alone = not index or words[index - 1].text not in "不没"
    return given["before"].get(word.text) if alone else None


WAYS: dict[str, tuple[Change, float]] = {
    "typos": (typo, 0.15),
    "keyboard": (keyboard, 0.15),
    "homoglyphs": (homoglyph, 0.15),
    "casing": (casing, 0.5),
    "whitespace": (whitespace, 0.15),
    "full_width": (full_width, 0.15),
    "synonyms": (synonym, 1.0),
    "negation": (negation, 1.0),
}
"""Each way with the share of words that it is tried on."""


def disturbed(row: Row, way: str, seed: int) -> Row:
    """The row with a share of its words changed in one way, the same for the same text and seed; at least one word is
    tried, and of two-word synonyms in Chinese both characters go."""
    change, rate = WAYS[way]
    words = words_of(row)
    if not words:
        return row
    given = zlib.crc32(f"{way}\0{row['text']}".encode("utf-8", "surrogatepass"))
    chance = np.random.default_rng((seed, given))
    tried = chance.random(len(words)) < rate
    tried[int(chance.integers(len(words)))] = True
    if way == "synonyms":
        return _two_characters(row, words, chance)
    if way == "negation":
        return _negated(row, words, chance)
    found = {int(i): new for i in np.flatnonzero(tried) if (new := change(words, int(i), chance)) is not None}
    return replaced(row, words, found)


def _two_characters(row: Row, words: Sequence[Word], chance: np.random.Generator) -> Row:
    found: dict[int, str] = {}
    for i in range(len(words)):
        if (new := synonym(words, i, chance)) is not None:
            found[i] = new
        elif i + 1 < len(words) and len(words[i].text) == len(words[i + 1].text) == 1:
            pair = _synonyms().get(words[i].text + words[i + 1].text)
            if pair and len(pair[0]) == 2 and i not in found:
                found |= {i: pair[0][0], i + 1: pair[0][1]}
    return replaced(row, words, found)


def _negated(row: Row, words: Sequence[Word], chance: np.random.Generator) -> Row:
    """One negation a row: two would cancel out."""
    for index in range(len(words)):
        if (new := negation(words, index, chance)) is not None:
            return replaced(row, words, {index: new})
    return row


@cache
def _confusable() -> dict[str, str]:
    return {c: one.replace(c, "") for one in lists()["confusable"] for c in one}


@cache
def _beside() -> dict[str, str]:
    rows = lists()["keyboard"]
    found = {c: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in rows for i, c in enumerate(row)}
    for upper, lower in pairwise(rows):
        for a, b in zip(upper, lower, strict=False):
            found[a], found[b] = found[a] + b, found[b] + a
    return found


@cache
def _synonyms() -> dict[str, list[str]]:
    return {word: [other for other in group if other != word] for group in lists()["synonyms"] for word in group}
