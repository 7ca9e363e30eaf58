"""Raw text to token ids: truncation, windows over long rows, and the way from tokens back to words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from burnish.data.cells import SURROGATE

T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """A stretch of a row that fits the model.

    Attributes:
        input_ids: token ids with the special tokens.
        words: for each token the index of the word it begins, or -1 (special tokens, later pieces of a word, and
            words that another window answers for).
        parts: for each token the index of the word it belongs to, or -1 for special tokens.
    """

    input_ids: list[int]
    words: list[int]
    parts: list[int]


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def encode_texts(
    tokenizer: Any, texts: Sequence[str], seconds: Sequence[str] | None, max_tokens: int
) -> tuple[list[list[int]], list[list[int]] | None]:
    """Token ids of texts, or of pairs of texts, cut to `max_tokens`; with pairs also the token type ids."""
    encoded = tokenizer(
        [_whole(text) for text in texts],
        [_whole(text) for text in seconds] if seconds is not None else None,
        truncation=True,
        max_length=max_tokens,
        return_attention_mask=False,
        return_token_type_ids=seconds is not None,
    )
    return encoded["input_ids"], encoded["token_type_ids"] if seconds is not None else None


def _whole(text: str) -> str:
    """The text with U+FFFD for half a surrogate pair, which no tokenizer takes; places stay as they are."""
    return text if text.isascii() or text.isprintable() else SURROGATE.sub("\ufffd", text)


def encode_words(tokenizer: Any, rows: Sequence[Sequence[str]], max_tokens: int) -> Iterator[tuple[int, Window]]:
    """Yield (row, window) for rows of words; a row longer than `max_tokens` becomes overlapping windows.

    Every word that has a token is answered for by exactly one window, away from a cut where there is room.
    """
    encoded = tokenizer(
        [[_whole(word) for word in row] or [""] for row in rows], is_split_into_words=True, return_attention_mask=False
    )
    for index, ids in enumerate(encoded["input_ids"]):
        parts = [-1 if part is None else part for part in encoded.word_ids(index)]
        first = [part if part >= 0 and (i == 0 or parts[i - 1] != part) else -1 for i, part in enumerate(parts)]
        if len(ids) <= max_tokens:
            yield index, Window(ids, first, parts)
        else:
            for window in _windows(ids, first, parts, max_tokens):
                yield index, window


def _windows(ids: list[int], first: list[int], parts: list[int], max_tokens: int) -> Iterator[Window]:
    head = next(i for i, part in enumerate(parts) if part >= 0)
    tail = len(parts) - next(i for i, part in enumerate(reversed(parts)) if part >= 0)
    room = max(max_tokens - head - (len(ids) - tail), 2)
    overlap = room // 4
    start = head
    while True:
        end = min(start + room, tail)
        # Half of an overlap is answered for by the window before, half by the one after.
        low = start if start == head else start + overlap // 2
        high = tail if end == tail else end - (overlap - overlap // 2)
        words = [word if low <= i < high else -1 for i, word in enumerate(first[start:end], start)]
        edge_head, edge_tail = [-1] * head, [-1] * (len(ids) - tail)
        yield Window(
            ids[:head] + ids[start:end] + ids[tail:],
            edge_head + words + edge_tail,
            edge_head + parts[start:end] + edge_tail,
        )
        if end == tail:
            return
        start = end - overlap
