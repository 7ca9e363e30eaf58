"""Features: what a model reads, kept as flat integer arrays so that rows cost bytes and not objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

IGNORED = -100  # label of positions that no loss and no metric counts


class Ragged:
    """Rows of different lengths in one array with offsets: a number a token, or several, as logits are."""

    def __init__(self, values: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        self.values, self.offsets = values, offsets

    @classmethod
    def build(cls, rows: Iterable[Sequence[int]]) -> Ragged:
        chunks: list[NDArray[np.int32]] = []
        lengths: list[int] = []
        buffer: list[int] = []
        for row in rows:
            buffer.extend(row)
            lengths.append(len(row))
            if len(buffer) > 1 << 16:
                chunks.append(np.asarray(buffer, dtype=np.int32))
                buffer = []
        chunks.append(np.asarray(buffer, dtype=np.int32))
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(np.asarray(lengths, dtype=np.int64), out=offsets[1:])
        return cls(np.concatenate(chunks), offsets)

    @classmethod
    def join(cls, parts: list[Ragged]) -> Ragged:
        """Put the rows of several together. The list is emptied on the way, so that no row is held twice."""
        if not parts:
            return cls.build(())
        if len(parts) == 1:
            return parts.pop()
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        values = np.empty(offsets[-1], dtype=np.int32)
        end = len(values)
        while parts:
            part = parts.pop().values
            values[end - len(part) : end] = part
            end -= len(part)
        return cls(values, offsets)

    def zeros(self) -> Ragged:
        """As long rows of zeros."""
        return Ragged(np.zeros_like(self.values), self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)


class Dense(Protocol):
    """Inputs of one shape, made when they are asked for, as an array gives them by index.

    Those that differ in length are brought to that of the longest piece asked for.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, pieces: NDArray[np.int64]) -> NDArray[Any]:
        """Those of some pieces, shape (pieces, ...)."""

    def kept(self) -> Dense | NDArray[Any]:
        """All of them, for reading again and again."""


class Uneven:
    """Pieces of different lengths in one array, one after another; zeros bring those asked for to one length."""

    def __init__(self, values: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        self.values, self.lengths = values, lengths
        self._ends = np.cumsum(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, pieces: NDArray[np.int64]) -> NDArray[Any]:
        lengths = self.lengths[pieces]
        found = np.zeros((len(pieces), int(lengths.max(initial=1)), *self.values.shape[1:]), self.values.dtype)
        for place, (end, length) in enumerate(zip(self._ends[pieces], lengths, strict=True)):
            found[place, :length] = self.values[end - length : end]
        return found

    def kept(self) -> Uneven:
        return self


@dataclass
class Features:
    """Model inputs of n pieces. A piece is a row, or a window of a row that is too long.

    Attributes:
        ragged: per-token inputs by name; `input_ids` always where there is text, `labels` for `tag`, others as the task
            needs.
        targets: per-piece labels by name: shape (n,) or (n, classes).
        row: index of the row each piece belongs to, ascending.
        cut: tokens that did not fit, in all.
        dense: per-piece inputs of one shape by name, such as pixels.
        cost: tokens that these count as in the budget of a batch, of all pieces alike or of each.
        parts: for rows of several kinds of input, by kind: features of rows that have it, and for each row its place
            in them, -1 without one.
    """

    ragged: dict[str, Ragged]
    targets: dict[str, NDArray[Any]] = field(default_factory=dict)
    row: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    cut: int = 0
    dense: Mapping[str, Dense | NDArray[Any]] = field(default_factory=dict)
    cost: int | NDArray[np.int64] = 0
    parts: Mapping[str, tuple[Features, NDArray[np.int64]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ragged["input_ids"]) if self.ragged else len(self.row)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """What each piece takes of the budget of a batch: its tokens, and the cost of its dense inputs."""
        if not self.ragged:
            return np.zeros(len(self.row), dtype=np.int64) + self.cost
        own = self.ragged["input_ids"].lengths
        return own + self.cost if np.any(self.cost) else own

    def kept(self) -> Features:
        """The same with all inputs at hand, for reading again and again."""
        dense = {name: one if isinstance(one, np.ndarray) else one.kept() for name, one in self.dense.items()}
        parts = {kind: (part.kept(), places) for kind, (part, places) in self.parts.items()}
        return replace(self, dense=dense, parts=parts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it in arrays by name, for a file; `of` is the way back."""
        ragged = {f"ragged {name}": rows.values for name, rows in self.ragged.items()}
        targets = {f"target {name}": target for name, target in self.targets.items()}
        uneven = {name: one for name, one in self.dense.items() if isinstance(one, Uneven)}
        dense = {f"dense {name}": np.ascontiguousarray(one) for name, one in self.dense.items() if name not in uneven}
        dense |= {f"uneven {name}": one.values for name, one in uneven.items()}
        dense |= {f"lengths {name}": one.lengths for name, one in uneven.items()}
        offsets = {"offsets": self.ragged["input_ids"].offsets} if self.ragged else {}
        return ragged | targets | dense | offsets | {"row": self.row, "cost": np.atleast_1d(self.cost)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """Features from their arrays."""
        kinds = ("ragged", "target", "dense", "uneven", "lengths")
        parts: dict[str, dict[str, NDArray[Any]]] = {kind: {} for kind in kinds}
        for name, values in arrays.items():
            kind, _, inner = name.partition(" ")
            if inner:
                parts[kind][inner] = values
        ragged = {name: Ragged(values, arrays["offsets"]) for name, values in parts["ragged"].items()}
        uneven = {name: Uneven(values, parts["lengths"][name]) for name, values in parts["uneven"].items()}
        cost = arrays["cost"] if len(arrays["cost"]) > 1 else int(arrays["cost"][0])
        return cls(ragged, parts["target"], arrays["row"], dense={**parts["dense"], **uneven}, cost=cost)


Batch = dict[str, torch.Tensor]


def rows_in(batch: Batch) -> int:
    """How many pieces a batch holds."""
    return len(next(iter(batch.values())))


_PADDING = {"labels": IGNORED, "words": -1}


def collate(features: Features, pieces: Sequence[int] | NDArray[np.int64], pad_id: int) -> Batch:
    """Pad the named pieces to the longest of them: tensors of shape (pieces, tokens, ...), or (pieces, ...) of dense
    inputs and targets."""
    chosen = np.asarray(pieces)
    batch = _padded(features, chosen, pad_id) if features.ragged else {}
    for kind, (part, places) in features.parts.items():
        own = places[chosen]
        batch[f"{kind}/there"] = torch.from_numpy(own >= 0)
        inner = collate(part, own[own >= 0], pad_id) if (own >= 0).any() else {}
        batch |= {f"{kind}/{name}": value for name, value in inner.items()}
    for name, dense in features.dense.items():
        batch[name] = torch.from_numpy(np.asarray(dense[chosen]))
    for name, target in features.targets.items():
        batch[name] = torch.from_numpy(target[chosen])
    return batch


def _padded(features: Features, chosen: NDArray[np.int64], pad_id: int) -> Batch:
    lengths = features.ragged["input_ids"].lengths[chosen]
    width = max(int(lengths.max()), 1)
    inside = np.arange(width)[None, :] < lengths[:, None]
    batch: Batch = {"attention_mask": torch.from_numpy(inside.astype(np.int64))}
    # The places of all tokens of the pieces, one piece after another.
    starts = features.ragged["input_ids"].offsets[chosen]
    places = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    for name, rows in features.ragged.items():
        padding = pad_id if name == "input_ids" else _PADDING.get(name, 0)
        kind = np.int64 if rows.values.dtype == np.int32 else rows.values.dtype
        padded = np.full((len(chosen), width, *rows.values.shape[1:]), padding, dtype=kind)
        padded[inside] = rows.values[places]
        batch[name] = torch.from_numpy(padded)
    return batch


def by_length(lengths: NDArray[np.int64], budget: int, each: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield pieces longest first, each batch at most `budget` padded tokens: least padding, memory peak at once.

    Args:
        each: tokens that a batch costs by itself; one whose padding costs more is divided. 0 divides none.
    """
    for group in _fill(np.argsort(-lengths, kind="stable"), lengths, budget):
        yield from _divided(group, lengths, each) if each else (group,)


def shuffled(
    lengths: NDArray[np.int64], budget: int, generator: np.random.Generator, pool: int = 100
) -> list[NDArray[np.int64]]:
    """Return one epoch of batches: rows are shuffled, sorted inside pools of about `pool` batches, cut by `budget`
    padded tokens, and the batches shuffled again.

    What is left of a pool goes into the next one, so that all batches but one are full: each width then comes with one
    number of rows, and a runtime that compiles for a shape sees few of them.
    """
    order = generator.permutation(len(lengths))
    size = max(1, int(pool * budget / max(1.0, float(lengths.mean()))))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), size):
        left = batches.pop() if batches else order[:0]
        part = np.concatenate([left, order[start : start + size]])
        batches += _fill(part[np.argsort(-lengths[part], kind="stable")], lengths, budget)
    return [batches[i] for i in generator.permutation(len(batches))]


def _divided(group: NDArray[np.int64], lengths: NDArray[np.int64], each: int) -> list[NDArray[np.int64]]:
    """A batch, longest piece first, in the parts that together cost least: padded tokens, and `each` for every part."""
    widths, starts = np.unique(-lengths[group], return_index=True)
    if (-widths[0] * len(group) - int(lengths[group].sum())) <= each:
        return [group]
    wide, ends = (-widths).tolist(), [*starts.tolist()[1:], len(group)]
    begins = starts.tolist()
    best, cut = [0], [0]  # cost of the pieces up to a width, and the width at which the last part of these begins
    for last in range(len(wide)):
        costs = [best[first] + wide[first] * (ends[last] - begins[first]) + each for first in range(last + 1)]
        first = min(range(last + 1), key=costs.__getitem__)
        best.append(costs[first])
        cut.append(first)
    parts, last = [], len(wide)
    while last:
        parts.append(group[begins[cut[last]] : ends[last - 1]])
        last = cut[last]
    return parts[::-1]


def _fill(order: NDArray[np.int64], lengths: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
    start = 0
    while start < len(order):
        # The first of a descending run is the longest, so it sets the width of the batch.
        count = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + count]
        start += count
