"""Rows that hold several kinds of input each, such as a title and a picture: one table, and the part of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from burnish.config import Columns, Job
from burnish.data.columns import canonical
from burnish.data.readers import READERS, TEXT
from burnish.data.rows import Row, Rows
from burnish.data.source import Source, label_of
from burnish.data.table import Table
from burnish.errors import InputError

_ABOUT = ("digest", "fault")  # of a file; each kind has its own
_TOGETHER = "+"


def kinds_of(columns: Columns) -> tuple[str, ...]:
    """Kinds of input that a job names columns for, where these are several; else none."""
    named = tuple(kind for kind in (TEXT, *READERS) if getattr(columns, kind))
    return named if len(named) > 1 else ()


def kinds_in(columns: Iterable[str]) -> tuple[str, ...]:
    """Kinds of input that canonical rows of these columns hold."""
    there = set(columns)
    return tuple(kind for kind in (TEXT, *READERS) if kind in there)


def name_of(kinds: Iterable[str]) -> str:
    """Several kinds in one word, as `text+image`."""
    return _TOGETHER.join(kinds)


def parts_of(name: str) -> tuple[str, ...]:
    """The kinds of such a word; none where it names a single one."""
    return tuple(name.split(_TOGETHER)) if _TOGETHER in name else ()


def part(job: Job, kind: str, out: str = "") -> Job:
    """The job for one kind of input alone."""
    kinds = kinds_of(job.data.columns)
    own = job.parts.get(kind)
    model = own.model if own and own.model else job.model if kind == TEXT else "scratch"
    columns = job.data.columns.without([name for name in kinds if name != kind])
    data = job.data.model_copy(update={"columns": columns})
    changed = {"model": model, "tune": (own and own.tune) or job.tune, "data": data, "parts": {}, "gates": {}}
    return job.model_copy(update=changed | {"out": out or job.out, "compress": None})


def joined(rows: Rows, job: Job, *, labelled: bool = True) -> Rows:
    """The canonical columns of each kind beside each other; those that tell of a file have its kind before their name.

    Raises:
        InputError: as `canonical` does.
    """
    from datasets import concatenate_datasets

    kinds = kinds_of(job.data.columns)
    job = _with_label(rows, job, labelled)
    parts = [canonical(rows, part(job, kind), labelled=labelled) for kind in kinds]
    tables, taken = [], set[str]()
    for kind, one in zip(kinds, parts, strict=True):
        names = {name: f"{kind}_{name}" for name in _ABOUT if name in one.columns}
        table = one.table.rename_columns(names).remove_columns([name for name in one.columns if name in taken])
        taken |= set(table.column_names)
        tables.append(table)
    notes = tuple(dict.fromkeys(note for one in parts for note in one.notes))
    found = replace(parts[0], table=concatenate_datasets(tables, axis=1), notes=notes)
    return _complete(found, kinds) if labelled and job.data.incomplete == "skip" else found


def _with_label(rows: Rows, job: Job, labelled: bool) -> Job:
    """The job with the column of the label, which no kind by itself can tell from the inputs of the others."""
    columns = job.data.columns
    if job.task == "embed":
        return job
    files = (getattr(columns, kind) for kind in kinds_of(columns) if kind != Table.kind)
    label = label_of(Source(rows, job, labelled), (*columns.table, *files))
    if columns.label or not label:
        return job
    data = job.data.model_copy(update={"columns": columns.model_copy(update={"label": label[0]})})
    return job.model_copy(update={"data": data})


def _complete(rows: Rows, kinds: Sequence[str]) -> Rows:
    """The rows that lack no kind of input.

    Raises:
        InputError: when none is left.
    """
    whole = [all(cells) for batch in rows.batches() for cells in zip(*(batch[kind] for kind in kinds), strict=True)]
    if not any(whole):
        raise InputError(f"'{rows.source}' has no row with {' and '.join(kinds)}; see data.columns and data.incomplete")
    note = f"{whole.count(False):,} rows that lack one of {', '.join(kinds)} are left out"
    kept = rows.select(np.flatnonzero(whole))
    return replace(kept, notes=(*kept.notes, note)) if not all(whole) else rows


def only(rows: Rows, kind: str) -> Rows:
    """The same rows as a job for one kind of input sees them."""
    others = [name for name in kinds_in(rows.columns) if name != kind]
    dropped = [*others, *(f"{name}_{about}" for name in others for about in _ABOUT)]
    table = rows.table.remove_columns([name for name in dropped if name in rows.columns])
    own = {f"{kind}_{about}": about for about in _ABOUT if f"{kind}_{about}" in rows.columns}
    return replace(rows, table=table.rename_columns(own))


def of_kind(row: Row, kind: str) -> Row:
    """What a row holds of one kind of input, as `only` names it."""
    return {kind: row.get(kind), "digest": row.get(f"{kind}_digest")}
