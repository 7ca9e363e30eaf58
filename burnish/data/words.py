"""Text to words and back: every word keeps the place of its first character in the original text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal

Span = tuple[int, int, str]
"""First character, character after the last, label; in code points of the original text."""

_SINGLE = (  # scripts written without spaces: each character is a word
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3021, 0x3029),  # Suzhou numerals
    (0x3041, 0x309F),  # hiragana
    (0x30A1, 0x30FA),  # katakana
    (0x30FC, 0x312F),  # prolonged sound, bopomofo
    (0x31A0, 0x31FF),  # bopomofo and katakana extensions, strokes
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # compatibility forms
    (0xFF66, 0xFF9F),  # half-width katakana
    (0x1B000, 0x1B16F),  # kana supplements
    (0x20000, 0x3FFFF),  # Han extensions B and later
)

_ASCII = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9\x00-\x20\x7f]")  # the words of a text that has no other characters


@lru_cache(maxsize=1 << 16)
def kind(character: str) -> Literal["space", "single", "letter", "mark", "sign"]:
    """Role of a character: separator, a word alone, part of a word, attached to what precedes, or punctuation."""
    code = ord(character)
    category = unicodedata.category(character)
    if character.isspace() or code in (0x200B, 0xFEFF) or category == "Cc":
        return "space"
    if category[0] == "M" or category == "Cf":
        return "mark"
    if any(low <= code <= high for low, high in _SINGLE):
        return "single"
    return "letter" if character.isalnum() else "sign"


def split_words(text: str) -> tuple[list[str], list[int]]:
    """Split a text into words and the places where they start.

    White space (also U+3000) separates; Han characters and kana are one word each; letters and digits, full-width
    ones too, stay together; every other sign is a word. `text[start : start + len(word)] == word` always holds.
    """
    if text.isascii():  # the same, faster
        found = list(_ASCII.finditer(text))
        return list(map(re.Match.group, found)), list(map(re.Match.start, found))
    return _pieces(text, frozenset())


def _pieces(text: str, cuts: frozenset[int]) -> tuple[list[str], list[int]]:
    """Words of `text`, with a border at each place in `cuts`."""
    borders: list[tuple[int, int]] = []
    start, before = 0, "space"
    for place, character in enumerate(text):
        now = kind(character)
        if now == "mark" and before == "space":
            now = "sign"  # nothing to attach to
        attached = now == "mark" or (now == "letter" and before == "letter")
        if before != "space" and (not attached or place in cuts):
            borders.append((start, place))
        if not attached or place in cuts:
            start = place
        if now != "mark":
            before = now
    if before != "space":
        borders.append((start, len(text)))
    return [text[a:b] for a, b in borders], [a for a, _ in borders]


def join_words(words: Sequence[str]) -> tuple[str, list[int]]:
    """Put words together as a text and say where each starts.

    A space goes between words, except between two Han characters or kana, and in a sentence that is written
    one character a word throughout.
    """
    if (text := " ".join(words)).isascii():
        return text, list(accumulate((len(w) + 1 for w in words[:-1]), initial=0)) if words else []
    alone = [len(w) == 1 and kind(w) == "single" for w in words]
    characters = any(alone) and all(len(w) == 1 for w in words)
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for index, word in enumerate(words):
        if index and not characters and not (alone[index - 1] and alone[index]):
            parts.append(" ")
            length += 1
        starts.append(length)
        parts.append(word)
        length += len(word)
    return "".join(parts), starts


def disjoint(spans: Sequence[Span], length: int) -> list[Span]:
    """Spans that lie within a text of `length` characters; of overlapping ones the longest, then the first."""
    kept: list[Span] = []
    taken = bytearray(length)
    for start, end, label in sorted(spans, key=lambda s: (s[0] - s[1], s[0])):
        if 0 <= start < end <= length and not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append((start, end, label))
    return sorted(kept)


def tag_words(text: str, spans: Sequence[Span]) -> tuple[list[str], list[int], list[str]]:
    """Split a text into words with IOB2 tags; a word is cut where a span begins or ends inside it."""
    kept = disjoint(spans, len(text))
    words, starts = _pieces(text, frozenset(border for start, end, _ in kept for border in (start, end)))
    tags = ["O"] * len(words)
    index = 0
    for start, end, label in kept:
        while index < len(words) and starts[index] < start:
            index += 1
        prefix = "B-"
        while index < len(words) and starts[index] < end:
            tags[index] = prefix + label
            prefix = "I-"
            index += 1
    return words, starts, tags


def entities_of(tags: Sequence[str], starts: Sequence[int], words: Sequence[str]) -> list[Span]:
    """Read IOB2 tags back as spans; an `I-` without a matching beginning begins a span."""
    found: list[Span] = []
    open_label: str | None = None
    for tag, start, word in zip(tags, starts, words, strict=True):
        if tag == "O":
            open_label = None
            continue
        prefix, _, label = tag.partition("-")
        end = start + len(word)
        if prefix == "I" and label == open_label:
            found[-1] = (found[-1][0], end, label)
        else:
            found.append((start, end, label))
        open_label = label
    return found
