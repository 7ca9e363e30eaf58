"""Texts that are almost the same, found in time and memory that grow with the rows and not with their square.

MinHash: Broder, "On the resemblance and containment of documents" (1997); its low bits are enough to compare
signatures: Li and König, "b-Bit Minwise Hashing" (2010).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 64
_BANDS = ((4, 16), (6, 10), (8, 8), (12, 5), (16, 4), (32, 2))  # (values in a band, bands), ever more selective
_BUCKET = 8  # rows of one bucket that a row is compared with: a template repeated 100,000 times stays linear
_SLACK = 0.1  # about two standard deviations of an estimate from 64 permutations
_CHARACTERS = 1 << 18  # hashed at a time

_random = np.random.default_rng(1997)
_FACTORS = _random.integers(0, 1 << 31, PERMUTATIONS, dtype=np.uint32) * 2 + 1  # odd, so that each is a permutation
_SHIFTS = _random.integers(0, 1 << 32, PERMUTATIONS, dtype=np.uint32)
_POSITIONS = _random.integers(0, 1 << 31, 5, dtype=np.uint32) * 2 + 1


@dataclass(frozen=True)
class Sketch:
    """What is kept of a set of texts: 128 bytes each, and a way to read a few of them again.

    Attributes:
        signatures: shape (texts, 64), uint16.
        rows: indices of the texts that take part.
        read: gives the texts at some indices.
    """

    signatures: NDArray[np.uint16]
    rows: NDArray[np.int64]
    read: Callable[[list[int]], list[str]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Sketch:
        parts = [signatures(texts[i : i + 1000]) for i in range(0, len(texts), 1000)]
        joined = np.concatenate(parts) if parts else np.empty((0, PERMUTATIONS), dtype=np.uint16)
        return cls(joined, np.arange(len(texts)), lambda indices: [texts[i] for i in indices])


@dataclass(frozen=True)
class Pairs:
    """Rows that are near another: `second[n]` resembles `first[n]` with this Jaccard similarity."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)


def normal(text: str) -> str:
    """Return the form in which two texts count as the same: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def jaccard(a: str, b: str) -> float:
    """Return the share of character shingles that two texts have in common."""
    a, b = normal(a), normal(b)
    size = min(_shingle(a), _shingle(b))
    first, second = (
        {padded[i : i + size] for i in range(len(padded) - size + 1)} for padded in (a.ljust(size), b.ljust(size))
    )
    return len(first & second) / len(first | second)


def signatures(texts: Sequence[str]) -> NDArray[np.uint16]:
    """Return the MinHash signatures of texts, shape (texts, 64)."""
    result = np.empty((len(texts), PERMUTATIONS), dtype=np.uint16)
    prepared = [normal(text) for text in texts]
    for size in (3, 5):
        rows = [i for i, text in enumerate(prepared) if _shingle(text) == size]
        for part in _portions(rows, prepared):
            hashes, starts = _hashes([prepared[i].ljust(size) for i in part], size)
            permuted = np.empty_like(hashes)
            for k in range(PERMUTATIONS):
                np.multiply(hashes, _FACTORS[k], out=permuted)
                permuted += _SHIFTS[k]
                result[part, k] = np.minimum.reduceat(permuted, starts) & 0xFFFF
    return result


def near_pairs(first: Sketch, second: Sketch | None = None, threshold: float = 0.85) -> Pairs:
    """Return for each text of `second` the nearest one of `first`; without `second`, the nearest earlier text.

    A text has at most one pair, which bounds the memory. Candidates come from signatures, the similarity from the
    texts. Of a bucket with more than 8 texts only the first 8 are compared, so that in templated data a text can be
    reported with another neighbour than its nearest, or be missed.
    """
    partner = _candidates(first, second, threshold)
    other = second or first
    found = np.flatnonzero(partner >= 0)
    similarity = np.zeros(len(found))
    for start in range(0, len(found), 500):
        part = found[start : start + 500]
        texts = zip(first.read(partner[part].tolist()), other.read(part.tolist()), strict=True)
        similarity[start : start + len(part)] = [jaccard(a, b) for a, b in texts]
    kept = similarity >= threshold
    return Pairs(partner[found[kept]], found[kept], similarity[kept])


def _candidates(first: Sketch, second: Sketch | None, threshold: float) -> NDArray[np.int64]:
    """Index of the text of `first` whose signature agrees best with each text of `second`, -1 for none."""
    other = second or first
    partner = np.full(len(other.signatures), -1, dtype=np.int64)
    best = np.full(len(other.signatures), max(0.0, threshold - _SLACK), dtype=np.float32)
    if not len(first.rows) or not len(other.rows):
        return partner
    width, count = _banding(threshold)
    for band in range(count):
        columns = slice(band * width, (band + 1) * width)
        keys = _keys(first.signatures, columns)[first.rows]
        order = np.argsort(keys, kind="stable")
        keys, members = keys[order], first.rows[order]
        wanted = _keys(other.signatures, columns)[other.rows]
        left = np.searchsorted(keys, wanted)
        for step in range(_BUCKET):
            place = np.minimum(left + step, len(keys) - 1)
            hit = (keys[place] == wanted) & (left + step < len(keys))
            if not hit.any():
                break
            i, j = members[place[hit]], other.rows[hit]
            if second is None:
                earlier = i < j
                i, j = i[earlier], j[earlier]
            agreement = _agreement(first.signatures, i, other.signatures, j)
            better = agreement > best[j]
            best[j[better]], partner[j[better]] = agreement[better], i[better]
    return partner


def _banding(threshold: float) -> tuple[int, int]:
    """The most selective bands that still find 95 % of the pairs just at the threshold."""
    good = [(width, count) for width, count in _BANDS if 1 - (1 - threshold**width) ** count >= 0.95]
    return good[-1] if good else (2, 32)


def _keys(signature: NDArray[np.uint16], columns: slice) -> NDArray[np.uint64]:
    key = np.zeros(len(signature), dtype=np.uint64)
    for value in signature[:, columns].T:
        key = (key ^ value) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


def _agreement(
    first: NDArray[np.uint16], i: NDArray[np.int64], second: NDArray[np.uint16], j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Share of equal values in each pair of signatures: the estimate of their Jaccard similarity."""
    result = np.empty(len(i), dtype=np.float32)
    for start in range(0, len(i), 8192):
        part = slice(start, start + 8192)
        result[part] = (first[i[part]] == second[j[part]]).mean(axis=1)
    return result


def _shingle(text: str) -> int:
    """Characters in a shingle: 3 where most take three bytes (Chinese, Japanese, Korean, Thai), else 5."""
    return 3 if not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > 2 * len(text) else 5


def _portions(rows: list[int], texts: list[str]) -> Iterator[list[int]]:
    portion: list[int] = []
    characters = 0
    for row in rows:
        portion.append(row)
        characters += len(texts[row])
        if characters > _CHARACTERS:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


def _hashes(texts: list[str], size: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Hashes of all shingles of the texts, one after the other, and where each text starts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    hashes = np.zeros(len(codes) - size + 1, dtype=np.uint32)
    for position in range(size):
        hashes += codes[position : len(hashes) + position] * _POSITIONS[position]
        hashes ^= hashes >> np.uint32(15)
        hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths)
    whole = np.ones(len(hashes), dtype=bool)
    for back in range(1, size):  # the shingles that reach into the next text
        whole[ends[:-1] - back] = False
    counts = lengths - size + 1
    return hashes[whole], np.cumsum(counts) - counts
