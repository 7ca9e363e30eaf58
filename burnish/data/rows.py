"""Rows: a table that lives on disk, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """An Arrow table in a memory-mapped file, so that memory does not grow with the rows.

    Attributes:
        table: the rows; canonical columns once `data.columns.canonical` has been applied.
        source: the file or hub name the rows came from.
        format: csv, tsv, json, parquet, conll, spans or hub.
        encoding: text encoding the file was read with; None where that has no meaning.
        notes: what the reader decided on its own (encoding, dialect, tag scheme), for the report.
        lines: column that holds the first source line of each row, if the reader keeps one.
        places: where each row stands among all that were read; None where these are all of them.
    """

    table: Dataset
    source: str
    format: str
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    lines: str | None = None
    places: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Row:
        return dict(self.table[index])

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            names = list(batch)
            for values in zip(*batch.values(), strict=True):
                yield dict(zip(names, values, strict=True))

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)

    def batches(self, size: int = 1000) -> Iterator[dict[str, list[Any]]]:
        """Yield column -> values for `size` rows at a time."""
        table, chosen = self.table.data.table, self.table._indices
        for start in range(0, len(self), size):
            if chosen is None:
                part = table.slice(start, size)
            else:  # datasets would gather such rows one by one, ten times as slowly
                places = chosen.column(0).slice(start, size).to_numpy()
                first = int(places.min())
                part = table.slice(first, int(places.max()) + 1 - first).take(places - first)
            yield part.to_pydict()

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Rows:
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(self, table=self.table.select(chosen), places=self.among_all[chosen])

    @property
    def among_all(self) -> NDArray[np.int64]:
        """Where each row stands among all that were read from its source."""
        return np.arange(len(self)) if self.places is None else self.places

    def where(self, index: int) -> str:
        """Name the place of a row for an error message, as `file:line 12` or `file:row 12`."""
        if self.lines and self.lines in self.columns:
            return f"{self.source}:line {self.table[index][self.lines]}"
        place = index if self.places is None else self.places[index]
        return f"{self.source}:row {place + 1}"
