"""Sounds as arrays of one length a batch: decoded when they are asked for, or kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data import store
from burnish.data.sounds import Samples
from burnish.data.spectrogram import Form
from burnish.data.workers import each

_VERSION = 2  # part of the key of kept arrays


class _Sounds:
    """Pieces of as many frames as each has, brought to one length when they are asked for."""

    def __init__(self, form: Form, counts: NDArray[np.int64]) -> None:
        self._form, self._counts = form, counts
        self.dtype = np.float16 if form.cell else np.float32  # half a thousandth of an e-fold is heard by none

    def __len__(self) -> int:
        return len(self._counts)

    def __getitem__(self, pieces: NDArray[np.int64]) -> NDArray[Any]:
        """Shape (pieces, frames) of waves or (pieces, frames, bands)."""
        form = self._form
        width = form.fixed or int(self._counts[pieces].max(initial=1))
        found = np.full((len(pieces), width, *form.cell), form.padding or 0, dtype=self.dtype)
        for place, one in enumerate(self._each(pieces)):
            found[place, : len(one)] = one
            if form.padding is None:
                found[place, len(one) :] = one[-1]
        return found

    def _each(self, pieces: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        return map(self._one, pieces.tolist())

    def _one(self, piece: int) -> NDArray[Any]:
        raise NotImplementedError


class Heard(_Sounds):
    """Decoded when they are asked for, by `wave`.

    Args:
        document: what their form follows from.
    """

    def __init__(
        self,
        given: list[Any],
        digests: list[str | None],
        counts: NDArray[np.int64],
        form: Form,
        wave: Callable[[Any], Samples],
        document: Mapping[str, Any],
    ) -> None:
        super().__init__(form, counts)
        self._given, self._digests, self._wave, self._document = given, digests, wave, document

    def _one(self, piece: int) -> NDArray[Any]:
        return self._form.of(self._wave(self._given[piece])).astype(self.dtype)

    def _each(self, pieces: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        return each(self._one, pieces.tolist())

    def kept(self) -> Kept:
        """All of them in a memory-mapped file, made once for the same contents and the same form.

        Raises:
            InputError: when the cache folder cannot be written.
        """
        every = self._each(np.arange(len(self)))
        if not all(self._digests):
            return Kept(np.concatenate(list(every)), self._form, self._counts)
        document = json.dumps(dict(self._document), sort_keys=True)
        key = store.fingerprint(_VERSION, document, store.together(self._digests))
        shape = (int(self._counts.sum()), *self._form.cell)
        return Kept(store.array("sounds", key, shape, self.dtype, every), self._form, self._counts)


class Kept(_Sounds):
    """Read from one array of all frames, one piece after another."""

    def __init__(self, values: NDArray[Any], form: Form, counts: NDArray[np.int64]) -> None:
        super().__init__(form, counts)
        self._values, self._ends = values, np.cumsum(counts)

    def _one(self, piece: int) -> NDArray[Any]:
        end = int(self._ends[piece])
        return self._values[end - int(self._counts[piece]) : end]

    def kept(self) -> Kept:
        return self
