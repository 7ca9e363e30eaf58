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
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.batch.read import Portion
from burnish.data.cells import whole
from burnish.data.store import REAL, TEXT, TEXTS
from burnish.data.text import chunked
from burnish.tasks import Task
from burnish.tasks.embed import EmbedPrediction
from burnish.tasks.score import ScorePrediction
from burnish.tasks.tag import TagPrediction

_ENTITY = {"start": pa.int64(), "end": pa.int64(), "label": TEXT, "text": TEXT, "score": REAL}
_IN_A_GROUP = 16  # parts that make a row group of a Parquet file
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


class Parts:
    """The finished stretches of an output, a file each, in a hidden folder beside it.

    Names hold all there is to know of them: that of the folder what the output is made from, and that of a part the
    rows up to its end and how many of its own have no text.

    Args:
        key: what the output is made from; parts with another one are let be, and removed once this output is there.
    """

    def __init__(self, out: Path, key: str, say: Callable[[str], None]) -> None:
        self._out, self._folder = out, out.with_name(f".{out.name}.{key}.parts")
        alike = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{12}}\.parts")
        self._others = [p for p in out.parent.iterdir() if alike.fullmatch(p.name) and p != self._folder]
        if self._others and not self._folder.exists():
            listed = ", ".join(f"'{path}'" for path in self._others)
            say(f"note: {listed} is a partial result of another input, model or variant; begun anew")
        self._folder.mkdir(exist_ok=True)

    @property
    def done(self) -> int:
        """Rows that are finished."""
        return max((rows for rows, _ in self._counts()), default=0)

    @property
    def empty(self) -> int:
        """Finished rows without a text."""
        return sum(empty for _, empty in self._counts())

    def add(self, data: Any, done: int, empty: int) -> None:
        """Keep the next stretch, given in bytes, with which `done` rows are finished."""
        self._write(self._folder / f"{done:012d}-{empty}.part", lambda file: file.write(data))

    def join(self, format: Format) -> None:
        """Put the whole output in place in one step, and remove the parts."""
        self._write(self._out, lambda file: format.join(self._paths(), file))
        for folder in (self._folder, *self._others):
            shutil.rmtree(folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.part"))

    def _counts(self) -> list[tuple[int, int]]:
        parts = (path.stem.split("-") for path in self._paths())
        return [(int(rows), int(empty)) for rows, empty in parts]

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
    if value is None:
        return ""
    return _json(value) if isinstance(value, bool | int | float | list | dict) else _other(value)


def _fitting(value: Any, kind: Any) -> Any:
    """A JSON value as a column of `kind` takes it."""
    if kind != TEXT or value is None:
        return value
    return whole(value) if isinstance(value, str) else _json(value)
