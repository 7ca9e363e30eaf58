"""What embeddings are measured beside: words in common of two texts, or a linear model from one kind to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.words import kind, split_words

_SATURATION, _LENGTH = 1.5, 0.75  # k1 and b, as usual
_WORDS = 20_000  # of TF-IDF
_PENALTY = 10.0


def terms(text: str) -> list[str]:
    """Words in small letters; of Han characters and kana that follow each other, each and each two of them."""
    words, starts = split_words(text.lower())
    kinds = [kind(word[0]) for word in words]
    found = [word for word, role in zip(words, kinds, strict=True) if role in ("letter", "single")]
    for place in range(1, len(words)):
        if kinds[place - 1 : place + 1] == ["single"] * 2 and starts[place] == starts[place - 1] + 1:
            found.append(words[place - 1] + words[place])
    return found


class Bm25:
    """BM25 (Robertson and Zaragoza 2009) over some texts, with the rarity of words among these."""

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_matrix

        counted = [Counter(terms(text)) for text in texts]
        self._place = {word: place for place, word in enumerate(sorted(set().union(*counted)))}
        lengths = np.array([count.total() for count in counted], dtype=np.float64)
        within = Counter(word for count in counted for word in count)
        rarity = np.array([np.log(1 + (len(texts) - within[w] + 0.5) / (within[w] + 0.5)) for w in self._place])
        rows = np.repeat(np.arange(len(texts)), [len(count) for count in counted])
        columns = np.array([self._place[word] for count in counted for word in count], dtype=np.int64)
        often = np.array([number for count in counted for number in count.values()], dtype=np.float64)
        long = _SATURATION * (1 - _LENGTH + _LENGTH * lengths / max(lengths.mean(), 1e-9))
        values = rarity[columns] * often * (_SATURATION + 1) / (often + long[rows]) if len(rows) else often
        self._weights = csr_matrix((values, (rows, columns)), (len(texts), max(1, len(self._place))))

    def scores(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Of each text for each query, (queries, texts)."""
        from scipy.sparse import csr_matrix

        asked = [Counter(word for word in terms(query) if word in self._place) for query in queries]
        rows = np.repeat(np.arange(len(asked)), [len(count) for count in asked])
        columns = np.array([self._place[word] for count in asked for word in count], dtype=np.int64)
        often = np.array([number for count in asked for number in count.values()], dtype=np.float64)
        matrix = csr_matrix((often, (rows, columns)), (len(asked), self._weights.shape[1]))
        found: NDArray[np.float64] = np.asarray((matrix @ self._weights.T).todense())
        return found


class Linear:
    """A ridge regression from numbers of one side to numbers of the other, fitted to training rows."""

    def __init__(self, sides: Sequence[Sequence[Row]], readers: Sequence[Reader | None]) -> None:
        from sklearn.linear_model import Ridge

        firsts, seconds = zip(*sides, strict=True)
        self._numbers = [_Numbers(reader, own) for reader, own in zip(readers, (firsts, seconds), strict=True)]
        given, wanted = (numbers.of(own) for numbers, own in zip(self._numbers, (firsts, seconds), strict=True))
        self._model = Ridge(_PENALTY, solver="lsqr").fit(given, wanted)

    def unit(self, sides: Sequence[Sequence[Row]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What is foretold of the second sides, and the second sides, as vectors of length 1."""
        firsts, seconds = zip(*sides, strict=True)
        return _unit(self._model.predict(self._numbers[0].of(firsts))), _unit(self._numbers[1].of(seconds))


class _Numbers:
    """Plain numbers of inputs: TF-IDF of texts, or what a reader gives, each with mean 0 and spread 1 in training."""

    def __init__(self, reader: Reader | None, rows: Sequence[Row]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.preprocessing import StandardScaler

        self._reader = reader
        if reader is None:
            self._model: Any = TfidfVectorizer(analyzer=terms, sublinear_tf=True, max_features=_WORDS)
            self._model.fit([row["text"] for row in rows])
        else:
            self._model = StandardScaler().fit(reader.numbers(rows))

    def of(self, rows: Sequence[Row]) -> Any:
        given = [row["text"] for row in rows] if self._reader is None else self._reader.numbers(rows)
        return self._model.transform(given)


def _unit(vectors: Any) -> NDArray[np.float32]:
    dense = vectors.toarray() if hasattr(vectors, "toarray") else np.asarray(vectors)
    found: NDArray[np.float32] = dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    return found
