"""Rows as a source has them: which of its columns plays which part, and what their labels are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from burnish.config import Job
from burnish.data import names, store
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

_ON, _OFF = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}


@dataclass(frozen=True)
class Source:
    """What the plans look at."""

    rows: Rows
    job: Job
    labelled: bool

    @property
    def columns(self) -> list[str]:
        own = (store.LINE, "document") if self.rows.format == "conll" else (store.LINE,)  # of the reader
        return [c for c in self.rows.columns if c not in own]

    def pick(self, part: str, kind: str | None = None, taken: tuple[str, ...] = ()) -> str | None:
        """The configured column of a part, else the guessed one."""
        name: str | None = getattr(self.job.data.columns, part)
        if name and part in ("tags", "spans") and not self.labelled and name not in self.columns:
            return None
        if name:
            return names.stated(self.columns, part, name, self.rows.source)
        return names.guess([c for c in self.columns if c not in taken], kind or part, self.rows.source, part)

    def is_list(self, name: str) -> bool:
        return bool(type(self.rows.table.features[name]).__name__ in ("List", "LargeList"))


def label_of(source: Source, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of the label: one, several with one 0/1 column a class, or none where that is allowed.

    Args:
        taken: columns of inputs.

    Raises:
        InputError: when none is clearly the label, or it is an input too.
    """
    task, given, columns = source.job.task, source.job.data.columns.label, source.columns
    inputs = {*taken, source.job.data.columns.text}
    if given and not source.labelled and not set(_several(given, columns)) <= set(columns):
        return ()
    if given:
        several = _several(given, columns)
        if len(several) > 1 and not source.job.data.multi_label:
            raise InputError(f"data.columns.label names {len(several)} columns; that goes with data.multi_label: true")
        if source.labelled and (both := inputs.intersection(several)):
            raise InputError(f"data.columns.label: '{both.pop()}' is an input as well; name the column of the answers")
        return tuple(names.stated(columns, "label", name, source.rows.source) for name in several)
    left = [c for c in columns if c not in inputs]
    if not source.labelled and len(left) + len(taken) < 2:
        return ()  # the only column is the text, whatever its name
    part = {"score": "score", "transcribe": "transcript"}.get(task, "label")
    found = names.guess(left, part, source.rows.source, "label")
    if found is None and source.labelled:
        raise names.missing(columns, "label", source.rows.source)
    return (found,) if found else ()


def _several(given: str, columns: list[str]) -> list[str]:
    return [given] if given in columns else [name.strip() for name in given.split(",")]


def reader_of_labels(source: Source, label: tuple[str, ...]) -> tuple[Callable[[Row, int], Any], Any]:
    """Function that reads the label of a row, and the type it returns."""
    data, where = source.job.data, source.rows.where
    if source.job.task == "score":

        def number(row: Row, index: int) -> float | None:
            cell = row[label[0]]
            try:
                value = None if cell is None else float(cell)
            except (TypeError, ValueError):
                value = math.nan
            if value is not None and not math.isfinite(value):
                raise InputError(f"{where(index)}: the label {cell!r} in column '{label[0]}' is not a finite number")
            return value

        return number, store.REAL
    if not data.multi_label:

        def one(row: Row, index: int) -> str | None:
            cell = row[label[0]]
            if isinstance(cell, list):
                raise InputError(
                    f"{where(index)}: column '{label[0]}' holds a list of classes; set data.multi_label: true"
                )
            return cell.strip() or None if cell else None

        return one, store.TEXT

    def many(row: Row, index: int) -> list[str]:
        if len(label) > 1:
            return [name for name in label if _on(row[name], name, lambda: where(index))]
        cell = row[label[0]] or []
        parts = cell.split(data.separator) if isinstance(cell, str) else cell
        return list(dict.fromkeys(p.strip() for p in parts if p.strip()))

    return many, store.TEXTS


def _on(cell: str | None, name: str, where: Callable[[], str]) -> bool:
    value = (cell or "0").lower()
    if value not in _ON | _OFF:
        raise InputError(f"{where()}: column '{name}' of data.columns.label holds {cell!r} where 0 or 1 is expected")
    return value in _ON
