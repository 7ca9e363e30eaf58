"""What the model reads of a row, cut into the words that scores are given to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.cells import whole
from burnish.data.features import Features, Ragged
from burnish.data.parts import Grid
from burnish.data.rows import Row
from burnish.data.shape import shape_id
from burnish.data.text import encode_words
from burnish.data.words import kind, split_words
from burnish.errors import InputError

Kept = NDArray[np.bool_]
"""Which words stay, (texts, words)."""


@dataclass(frozen=True)
class Word:
    """Where a word stands in the text, or in the second text."""

    start: int
    end: int
    second: bool = False


@dataclass(frozen=True)
class Piece:
    """A row, or a window of it, as the model reads it.

    Attributes:
        inputs: arrays (tokens,) by name, as in `Features`; `words` marks the places that are looked at.
        owner: for each token its word, -1 for special tokens, (tokens,).
        words: in the order of the text.
        fixed: tokens that stay in their place when their word goes, as the answer is read there; (tokens,).
        mask_id: stands in for these.
        unread: code points behind the last word that is read, or outside of the window.
    """

    inputs: dict[str, NDArray[np.int32]]
    owner: NDArray[np.int64]
    words: tuple[Word, ...]
    fixed: NDArray[np.bool_]
    mask_id: int
    unread: int = 0

    def looking_at(self, words: Sequence[int]) -> Piece:
        """The piece of a tagger with only the first tokens of these words looked at."""
        found = self.inputs["words"]
        chosen = np.isin(found, words)
        return replace(self, inputs=self.inputs | {"words": np.where(chosen, found, -1)}, fixed=chosen)

    def features(self, kept: Kept) -> Features:
        """The piece once for each row of `kept`, without the words that do not stay."""
        gone = ~kept[:, self.owner] & (self.owner >= 0)
        left = ~gone | self.fixed
        offsets = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(left.sum(1), out=offsets[1:])
        ragged = {}
        for name, values in self.inputs.items():
            full = np.broadcast_to(values, left.shape)
            if name in ("input_ids", "shapes"):
                full = np.where(gone, self.mask_id if name == "input_ids" else 0, full)
            ragged[name] = Ragged(np.ascontiguousarray(full[left], dtype=np.int32), offsets)
        return Features(ragged, row=np.arange(len(kept)))


Cut = Piece | Grid
"""What can be taken apart: a text into words, or another input into the parts that its reader knows."""


def pieces(row: Row, tokenizer: Any, max_tokens: int) -> list[Piece]:
    """What the model reads of a row of text: one piece, or for a row of words a window each.

    Raises:
        InputError: when there is no word in it.
    """
    found = _of_words(row, tokenizer, max_tokens) if "words" in row else [_of_texts(row, tokenizer, max_tokens)]
    if not any(piece.words for piece in found):
        raise InputError("there is no word in the text, so there is nothing to explain")
    return found


def mask_id_of(tokenizer: Any) -> int:
    """The token that stands for a hidden word: the mask, where the tokenizer has one, else the unknown or empty one."""
    backend = tokenizer.backend_tokenizer
    for token in (backend.token_to_id("[MASK]"), backend.token_to_id("<mask>"), tokenizer.unk_token_id):
        if token is not None:
            return int(token)
    return int(tokenizer.pad_token_id or 0)


def _of_texts(row: Row, tokenizer: Any, max_tokens: int) -> Piece:
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_tokens)
    texts = [row["text"] or "", *([row["text_b"] or ""] if "text_b" in row else [])]
    given = tuple(whole(text) for text in texts)
    encoding = backend.encode(*given)
    sequence = encoding.sequence_ids
    owner = np.full(len(encoding.ids), -1, np.int64)
    words: list[Word] = []
    unread = 0
    for part, text in enumerate(given):
        reach = {i: _trimmed(text, *encoding.offsets[i]) for i, of in enumerate(sequence) if of == part}
        tokens = [i for i, (start, end) in reach.items() if start < end]
        spans, placed = joined(text, [reach[i] for i in tokens])
        owner[tokens] = [len(words) + place for place in placed]
        words += [Word(start, end, bool(part)) for start, end in spans]
        unread += len(text[spans[-1][1] if spans else 0 :].strip())
    inputs = {"input_ids": np.asarray(encoding.ids, np.int32)}
    if len(given) > 1:
        inputs["token_type_ids"] = np.asarray(encoding.type_ids, np.int32)
    return Piece(inputs, owner, tuple(words), np.zeros(len(owner), bool), mask_id_of(tokenizer), unread)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters of a token without white space before them, which some tokenizers count in."""
    while start < end and kind(text[start]) == "space":
        start += 1
    return start, end


def joined(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[int]]:
    """Words of a text that have tokens, and for each token its word.

    A token that reaches over several words, as some tokenizers have for Chinese, makes one of them; and so does one
    whose word was taken apart by a character that the tokenizer does not see.
    """
    written, starts = split_words(text)
    word_at = np.zeros(len(text) + 1, np.int64)  # for each character the last word that has begun
    word_at[starts] = 1
    word_at = np.maximum(np.cumsum(word_at) - 1, 0)
    reach = [(int(word_at[start]), int(word_at[end - 1])) for start, end in offsets]
    spans: list[tuple[int, int]] = []
    placed: list[int] = []
    last = -1  # the last word of the span that is open
    for (first, final), (start, end) in zip(reach, offsets, strict=True):
        if first > last:
            begin = min(starts[first], start) if written else start
            spans.append((begin, max(end, _end(written, starts, final))))
        elif final > last:
            spans[-1] = (spans[-1][0], max(end, _end(written, starts, final)))
        last = max(last, final)
        placed.append(len(spans) - 1)
    return spans, placed


def _end(written: list[str], starts: list[int], word: int) -> int:
    return starts[word] + len(written[word]) if written else 0


def _of_words(row: Row, tokenizer: Any, max_tokens: int) -> list[Piece]:
    words, starts = row["words"], row["starts"]
    found = []
    for _, window in encode_words(tokenizer, [words], max_tokens):
        parts = [part if part < len(words) else -1 for part in window.parts]  # an empty row is one empty word
        there = sorted({part for part in parts if part >= 0})
        place = {word: index for index, word in enumerate(there)}
        inputs = {
            "input_ids": np.asarray(window.input_ids, np.int32),
            "words": np.asarray([word if word < len(words) else -1 for word in window.words], np.int32),
            "shapes": np.asarray([shape_id(words[part]) if part >= 0 else 0 for part in parts], np.int32),
        }
        owner = np.asarray([place.get(part, -1) for part in parts], np.int64)
        spans = tuple(Word(starts[word], starts[word] + len(words[word])) for word in there)
        outside = sum(len(word) for index, word in enumerate(words) if index not in place)
        found.append(Piece(inputs, owner, spans, np.zeros(len(owner), bool), mask_id_of(tokenizer), outside))
    return found
