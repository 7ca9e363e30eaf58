"""Words to token ids where each word is tokenized by itself, as in BERT: every word once, however often it comes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.cells import whole
from burnish.data.features import Ragged
from burnish.data.shape import shape_id

_SIZE = 1 << 17  # words held at most, some 30 MB
_RUN = 64  # new words that are handed to the tokenizer as one row; it spreads rows over threads


class Lexicon:
    """Token ids and written shapes of the words met so far. Places 0 and 1 stand for the tokens around a row."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_padding()
        self._backend.no_truncation()
        self._edges = _edges(tokenizer)
        self._places: dict[Any, int]
        self._ids: Ragged
        self._shapes: NDArray[np.int32]
        self._forget()

    @staticmethod
    def fits(tokenizer: Any) -> bool:
        """Whether the tokens of a word do not depend on the words around it."""
        backend = tokenizer.backend_tokenizer
        kinds = type(backend.pre_tokenizer).__name__, type(backend.model).__name__
        return kinds == ("BertPreTokenizer", "WordPiece")

    def encode(self, rows: Sequence[Sequence[str]], max_tokens: int) -> dict[str, Ragged] | None:
        """Inputs of rows of words: token ids, for each token the index of the word it begins or -1, and the shape of
        the word it belongs to or 0. None where a row has more than `max_tokens`."""
        if len(self._places) > _SIZE:
            self._forget()
        self._learn(rows)
        places = self._places
        chosen = array("i")
        for row in rows:
            chosen.append(0)
            chosen.extend([places[word] for word in row])
            chosen.append(1)
        at = np.frombuffer(chosen, dtype=np.int32)
        numbers = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        ends = np.cumsum(numbers + 2)
        # The index of each word in its row; -1 for the places around it.
        index = np.arange(len(at)) - np.repeat(ends - numbers - 1, numbers + 2)
        index[ends - 1] = -1
        counts = self._ids.lengths[at]
        offsets = np.concatenate([[0], np.cumsum(counts)[ends - 1]]) if len(rows) else np.zeros(1, np.int64)
        firsts = np.cumsum(counts) - counts  # of the tokens of each word
        if len(rows) and np.diff(offsets).max() > max_tokens:
            return None
        tokens = np.repeat(self._ids.offsets[at] - firsts, counts) + np.arange(int(counts.sum()))
        words = np.full(len(tokens), -1, dtype=np.int32)
        real = counts > 0
        words[firsts[real]] = index[real]
        inputs = {
            "input_ids": self._ids.values[tokens],
            "words": words,
            "shapes": np.repeat(self._shapes[at], counts),
        }
        return {name: Ragged(values, offsets) for name, values in inputs.items()}

    def _learn(self, rows: Sequence[Sequence[str]]) -> None:
        new = [word for word in {word for row in rows for word in row} if word not in self._places]
        if not new:
            return
        ids: list[list[int]] = [[] for _ in new]
        runs = [[whole(word) for word in new[start : start + _RUN]] for start in range(0, len(new), _RUN)]
        for run, encoding in enumerate(
            self._backend.encode_batch(runs, is_pretokenized=True, add_special_tokens=False)
        ):
            for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
                ids[run * _RUN + word].append(token)
        self._places.update(zip(new, range(len(self._places), len(self._places) + len(new)), strict=True))
        self._ids = Ragged.join([self._ids, Ragged.build(ids)])
        self._shapes = np.concatenate([self._shapes, np.asarray([shape_id(word) for word in new], dtype=np.int32)])

    def _forget(self) -> None:
        self._places = {None: 0, False: 1}
        self._ids = Ragged.build(self._edges)
        self._shapes = np.zeros(2, dtype=np.int32)


@lru_cache(maxsize=8)
def _edges(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids of the tokens before and after a row, of a tokenizer that neither pads nor cuts."""
    around = tokenizer.backend_tokenizer.encode(["a"], is_pretokenized=True)
    inside = [i for i, special in enumerate(around.special_tokens_mask) if not special]
    return around.ids[: inside[0]], around.ids[inside[-1] + 1 :]
