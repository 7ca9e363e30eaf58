"""Rows with some of their words changed: labels stay with their words, and nothing else moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from burnish.data.rows import Row
from burnish.data.words import join_words, split_words


@dataclass(frozen=True)
class Word:
    """A word of a row: the column that it stands in, its first character there, and itself."""

    column: str
    start: int
    text: str


@dataclass(frozen=True)
class Match:
    """Words of a row, `first` up to `last` (exclusive), that are a member of a list."""

    first: int
    last: int
    member: str


def words_of(row: Row) -> list[Word]:
    """Words of a row in their order; of a row with two texts those of the first, then those of the second."""
    if "words" in row:
        return [Word("words", start, word) for start, word in zip(row["starts"], row["words"], strict=True)]
    found = []
    for column in ("text", "text_b"):
        if row.get(column):
            found += [Word(column, start, word) for word, start in zip(*split_words(row[column]), strict=True)]
    return found


def replaced(row: Row, words: Sequence[Word], edits: Mapping[int, str]) -> Row:
    """The row with other words at some indices of `words_of(row)`; a row of words keeps their number and tags."""
    if not edits:
        return row
    if "words" in row:
        new = [edits.get(index, word) or "_" for index, word in enumerate(row["words"])]
        text, starts = join_words(new)
        return row | {"words": new, "starts": starts, "text": text}
    changed: Row = {}
    for index in sorted(edits, reverse=True):
        word = words[index]
        text = str(changed.get(word.column, row[word.column]))
        changed[word.column] = text[: word.start] + edits[index] + text[word.start + len(word.text) :]
    return row | changed


def swapped(row: Row, words: Sequence[Word], swaps: Sequence[tuple[Match, str]]) -> Row:
    """The row with other members of a list in place of matches; what stands in an entity stays in it.

    Args:
        swaps: matches that do not overlap, each with what takes its place.
    """
    if "words" not in row:
        changed: Row = {}
        for match, new in sorted(swaps, key=lambda swap: -swap[0].first):
            first, last = words[match.first], words[match.last - 1]
            text = str(changed.get(first.column, row[first.column]))
            changed[first.column] = text[: first.start] + new + text[last.start + len(last.text) :]
        return row | changed
    kept, tags = list(row["words"]), list(row["tags"]) if "tags" in row else None
    for match, new in sorted(swaps, key=lambda swap: -swap[0].first):
        parts = split_words(new)[0]
        kept[match.first : match.last] = parts
        if tags is not None:
            begin = tags[match.first]
            inside = "O" if begin == "O" else f"I-{begin[2:]}"
            tags[match.first : match.last] = [begin, *[inside] * (len(parts) - 1)]
    text, starts = join_words(kept)
    return row | {"words": kept, "starts": starts, "text": text} | ({} if tags is None else {"tags": tags})


def before(row: Row, written: str) -> Row:
    """The row with something written before it; its words are in no entity."""
    if "words" not in row:
        space = "" if not written[-1].isascii() else " "
        return row | {"text": written + space + row["text"]}
    parts = split_words(written)[0]
    kept = [*parts, *row["words"]]
    text, starts = join_words(kept)
    tags = {"tags": ["O"] * len(parts) + list(row["tags"])} if "tags" in row else {}
    return row | {"words": kept, "starts": starts, "text": text} | tags
