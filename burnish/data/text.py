"""Raw text to token ids: truncation, windows over long rows, and the way from tokens back to words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from burnish.data.cells import whole
from burnish.data.features import Ragged

T = TypeVar("T")


class Tokenizer:
    """A saved tokenizer, opened without transformers, under the names that a tokenizer of transformers uses."""

    def __init__(self, folder: str | Path) -> None:
        from tokenizers import Tokenizer as Backend

        self.backend_tokenizer = Backend.from_file(str(Path(folder, "tokenizer.json")))
        path = Path(folder, "tokenizer_config.json")
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.do_lower_case = config.get("do_lower_case", False)
        self.pad_token_id, self.unk_token_id = self._id(config, "pad_token"), self._id(config, "unk_token")

    def __len__(self) -> int:
        """Tokens of the vocabulary, special ones included."""
        return int(self.backend_tokenizer.get_vocab_size())

    def _id(self, config: dict[str, Any], name: str) -> int | None:
        token = config.get(name)
        token = token["content"] if isinstance(token, dict) else token
        found: int | None = None if token is None else self.backend_tokenizer.token_to_id(token)
        return found


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
    tokenizer: Any, texts: Sequence[str], seconds: Sequence[str | None] | None, max_tokens: int
) -> tuple[list[list[int]], list[list[int]] | None]:
    """Token ids of texts, or of pairs of texts, cut to `max_tokens`; with pairs also the token type ids.

    Among pairs a text whose second is None stands alone.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_tokens)
    given: Any = [whole(text) for text in texts]
    if seconds is not None:
        pairs = zip(given, seconds, strict=True)
        given = [text if second is None else (text, whole(second)) for text, second in pairs]
    encoded = backend.encode_batch_fast(given)
    return [e.ids for e in encoded], [e.type_ids for e in encoded] if seconds is not None else None


def read_texts(
    tokenizer: Any, texts: Sequence[str], seconds: Sequence[str | None] | None, max_tokens: int
) -> dict[str, Ragged]:
    """What a model reads of texts, or of pairs of texts, a piece each: see `encode_texts`."""
    tokens, kinds = encode_texts(tokenizer, texts, seconds, max_tokens)
    found = {"input_ids": Ragged.build(tokens)}
    return found if kinds is None else found | {"token_type_ids": Ragged.build(kinds)}


def encode_words(
    tokenizer: Any,
    rows: Sequence[Sequence[str]],
    max_tokens: int,
    own: Sequence[tuple[int, int]] | None = None,
    context: int = 0,
) -> Iterator[tuple[int, Window]]:
    """Yield (row, window) for rows of words; a row longer than `max_tokens` becomes overlapping windows.

    Every word that has a token is answered for by exactly one window, away from a cut where there is room.

    Args:
        own: for each row its own words (first, after the last). Those around them are context: at most `context`
            tokens of them stay on each side, fewer where `max_tokens` leaves no room. `Window.words` counts own
            words, `Window.parts` all of the row.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    given = [[whole(word) for word in row] or [""] for row in rows]
    for index, encoding in enumerate(backend.encode_batch(given, is_pretokenized=True)):
        ids = encoding.ids
        parts = [-1 if part is None else part for part in encoding.word_ids]
        first = [part if part >= 0 and (i == 0 or parts[i - 1] != part) else -1 for i, part in enumerate(parts)]
        if own is not None and context:
            kept = _kept(parts, own[index], context, max_tokens)
            start, stop = own[index]
            ids, parts = [ids[i] for i in kept], [parts[i] for i in kept]
            first = [first[i] - start if start <= first[i] < stop else -1 for i in kept]
        if len(ids) <= max_tokens:
            yield index, Window(ids, first, parts)
        else:
            for window in _windows(ids, first, parts, max_tokens):
                yield index, window


def _kept(parts: list[int], own: tuple[int, int], context: int, max_tokens: int) -> list[int]:
    """Tokens to keep of a row with context: special ones, its own, and what fits around these."""
    inside = [i for i, part in enumerate(parts) if own[0] <= part < own[1]]
    low, high = (inside[0], inside[-1] + 1) if inside else (0, 0)
    room = max(0, max_tokens - parts.count(-1) - (high - low))
    side = min(context, room // 2)
    return [i for i, part in enumerate(parts) if part < 0 or low - side <= i < high + side]


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
