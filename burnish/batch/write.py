"""Rows with their predictions: how each format has them, and the finished stretches of an output."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.batch.read import Portion
from burnish.data.cells import whole
from burnish.data.store import REAL, TEXT, TEXTS
from burnish.data.text import chunked
from burnish.errors import InputError
from burnish.lock import locked
from burnish.tasks import Task
from burnish.tasks.embed import EmbedPrediction
from burnish.tasks.score import ScorePrediction
from burnish.tasks.tag import TagPrediction

_ENTITY = {"start": pa.int64(), "end": pa.int64(), "label": TEXT, "text": TEXT, "score": REAL}
_IN_A_GROUP = 16  # parts that make a row group of a Parquet file
_PARTS, _GONE = ".parts", ".gone"  # ends of the names of folders: with parts, and of those about to be removed
_BREAK = re.compile(r"[\t\r\n]")


def types(task: Task) -> dict[str, Any]:
    """Names of what is predicted and their Arrow types."""
    if task.name == "tag":
        return {"prediction": pa.list_(pa.struct(_ENTITY))}
    if task.name == "score":
        return {"prediction": REAL}
    if task.name == "embed":
        return {"embedding": pa.list_(pa.float32())}
    if getattr(task, "multi_label", False):
        return {"prediction": TEXTS, "probability": pa.list_(REAL)}
    return {"prediction": TEXT, "probability": REAL}


def answer(task: Task, prediction: Any) -> tuple[Any, ...]:
    """The values of a prediction, in the order of `types`."""
    if isinstance(prediction, TagPrediction):
        return ([vars(entity) for entity in prediction.entities],)
    if isinstance(prediction, EmbedPrediction):
        return (prediction.embedding,)
    if isinstance(prediction, ScorePrediction):
        return (prediction.value,)
    chances = [prediction.probabilities[label] for label in prediction.labels]
    if getattr(task, "multi_label", False):
        return list(prediction.labels), chances
    return prediction.label, chances[0]


def free(wanted: Mapping[str, Any], taken: Sequence[str]) -> dict[str, Any]:
    """The same under names that are not taken: `prediction`, `prediction_2` and so on."""
    found = {}
    for name, value in wanted.items():
        number, new = 1, name
        while new in taken:
            number += 1
            new = f"{name}_{number}"
        found[new] = value
    return found


@dataclass(frozen=True)
class Format:
    """How an output is written.

    Attributes:
        suffix: .csv, .tsv, .jsonl or .parquet.
        columns: Arrow schema of the input.
        added: names of the predicted values and their Arrow types.
    """

    suffix: str
    columns: Any
    added: dict[str, Any]

    def encode(self, portion: Portion, found: Sequence[Sequence[Any]]) -> Any:
        """Bytes of a portion with the predicted values of each of its rows."""
        if self.suffix == ".parquet":
            return self._arrow(portion, found)
        if self.suffix == ".jsonl":
            added = [dict(zip(self.added, values, strict=True)) for values in found]
            if isinstance(portion.kept, list):  # the line itself, so that no number in it is written in another way
                lines = zip(portion.kept, portion.rows, map(_json, added), strict=True)
                return "".join(f"{line[:-1]}{', ' if row else ''}{more[1:]}\n" for line, row, more in lines).encode()
            return "".join(f"{_json(row | more)}\n" for row, more in zip(portion.rows, added, strict=True)).encode()
        names = self.columns.names
        rows = zip(portion.rows, found, strict=True)
        return self._lines([*map(cells.get, names), *values] for cells, values in rows)

    def join(self, parts: Iterable[Path], file: IO[bytes]) -> None:
        """Write the whole output from its parts."""
        if self.suffix == ".parquet":
            tables = (
                pa.concat_tables([pq.ParquetFile(part).read() for part in some]) for some in chunked(parts, _IN_A_GROUP)
            )
            first = next(tables)
            with pq.ParquetWriter(file, first.schema) as writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)
            return
        if self.suffix != ".jsonl":
            file.write(self._lines([[*self.columns.names, *self.added]]))
        for part in parts:
            with part.open("rb") as one:
                shutil.copyfileobj(one, file)

    def _lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """Rows as lines of CSV, or of TSV, where nothing is quoted."""
        if self.suffix == ".tsv":
            return "".join("\t".join(_BREAK.sub(" ", _cell(cell)) for cell in row) + "\n" for row in rows).encode()
        text = io.StringIO(newline="")
        csv.writer(text).writerows(map(_cell, row) for row in rows)
        return text.getvalue().encode()

    def _arrow(self, portion: Portion, found: Sequence[Sequence[Any]]) -> Any:
        """A Parquet file of its own."""
        if isinstance(portion.kept, pa.RecordBatch):
            arrays = portion.kept.columns
        else:
            kinds = zip(self.columns.names, self.columns.types, strict=True)
            arrays = [pa.array([_fitting(row.get(n), k) for row in portion.rows], k, safe=False) for n, k in kinds]
        values = zip(*found, strict=True)
        arrays += [pa.array(column, kind) for column, kind in zip(values, self.added.values(), strict=True)]
        schema = self.columns
        for name, kind in self.added.items():
            schema = schema.append(pa.field(name, kind))
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink)
        return sink.getvalue()


class Part(NamedTuple):
    """A finished stretch: its rows from `start` up to, not including, `end`, and how many of them have no text."""

    start: int
    end: int
    empty: int
    path: Path


class Parts:
    """The finished stretches of an output, a file each, in a hidden folder beside it, for one run at a time.

    Names hold all there is to know of them: that of the folder what the output is made from, and that of a part which
    rows it has and how many of them have no text. A part behind a gap is none.

    Args:
        key: what the output is made from; parts with another one are let be, and removed once this output is there.

    Raises:
        InputError: when another run writes them.
    """

    def __init__(self, out: Path, key: str, say: Callable[[str], None]) -> None:
        self._out, self._folder = out, out.with_name(f".{out.name}.{key}{_PARTS}")
        alike = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{12}}({_PARTS}|{_GONE})")
        self._others = [p for p in out.parent.iterdir() if alike.fullmatch(p.name) and p != self._folder]
        if (partial := [p for p in self._others if p.suffix == _PARTS]) and not self._folder.exists():
            listed = ", ".join(f"'{path}'" for path in partial)
            say(f"note: {listed} is a partial result of another input, model or variant; begun anew")
        lock = locked(self._folder)
        if lock is None:
            raise InputError(f"OUT: another run writes '{out}'; let it end, or choose another name")
        self._lock = lock
        kept = {part.path for part in self._parts()}
        for path in self._folder.glob("*.part"):
            if path not in kept:
                path.unlink()

    def close(self) -> None:
        """Let another run write."""
        self._lock.close()

    @property
    def done(self) -> int:
        """Rows that are finished."""
        return max((part.end for part in self._parts()), default=0)

    @property
    def empty(self) -> int:
        """Finished rows without a text."""
        return sum(part.empty for part in self._parts())

    def add(self, data: Any, start: int, end: int, empty: int) -> None:
        """Keep the next stretch, given in bytes: rows from `start` up to, not including, `end`."""
        self._write(self._folder / f"{start:012d}-{end:012d}-{empty}.part", lambda file: file.write(data))

    def join(self, format: Format, rows: int) -> None:
        """Put the whole output, of so many rows, in place in one step, and remove the parts.

        Raises:
            InputError: when rows are missing.
        """
        parts = self._parts()
        if self.done != rows:
            raise InputError(
                f"OUT: '{self._folder}' holds {self.done:,} of {rows:,} rows, so that '{self._out}' is not written; "
                "the same command goes on from there"
            )
        self._write(self._out, lambda file: format.join([part.path for part in parts], file))
        _remove(self._folder)
        for folder in self._others:
            if folder.suffix == _GONE:
                shutil.rmtree(folder, ignore_errors=True)
            elif lock := locked(folder):  # nobody is about to go on with it
                with lock:
                    _remove(folder)

    def _parts(self) -> list[Part]:
        """Those that follow each other from the first row on."""
        there: dict[int, Part] = {}
        for path in self._folder.glob("*-*-*.part"):
            start, end, empty = map(int, path.stem.split("-"))
            there[start] = Part(start, end, empty, path)
        found: list[Part] = []
        while part := there.get(found[-1].end if found else 0):
            found.append(part)
        return found

    def _write(self, path: Path, fill: Callable[[IO[bytes]], object]) -> None:
        fresh = self._folder / f"{os.getpid()}.writing"
        try:
            with fresh.open("wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _remove(folder: Path) -> None:
    """Remove a folder, which has from the first moment a name under which nobody goes on with it."""
    gone = folder.with_suffix(_GONE)
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except OSError:  # Windows does not while a file in it is open
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


def _other(value: Any) -> str:
    """Values that Parquet has and JSON does not: bytes in base 64, the rest (dates, decimals) as Python writes them."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_other).encode


def _json(value: Any) -> str:
    try:
        return whole(_encode(value))
    except ValueError:
        return whole(_encode(_finite(value)))


def _finite(value: Any) -> Any:
    """The value with None for what is no number, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return whole(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return _json(value) if isinstance(value, bool | int | float | list | dict) else _other(value)


def _fitting(value: Any, kind: Any) -> Any:
    """A JSON value as a column of `kind` takes it."""
    if kind != TEXT or value is None:
        return value
    return whole(value) if isinstance(value, str) else _json(value)
