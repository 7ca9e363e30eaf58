"""Files of rows, read a portion at a time: every cell as the file has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.config import Columns, Job
from burnish.data import files, store, tabular
from burnish.data.encoding import detect
from burnish.data.formats import PEEK
from burnish.data.text import chunked
from burnish.engine.run import PORTION
from burnish.errors import InputError

_BYTES, _FEWEST = 2 << 20, 256  # of a portion: bytes of the input, and rows however long they are
_EXACT = 1 << 53  # decimals hold every integer up to it


@dataclass(frozen=True)
class Portion:
    """Rows that follow each other.

    Attributes:
        rows: their cells by column.
        kept: the same as the file has them: lines of JSON or an Arrow batch; None where they are no more than `rows`.
    """

    rows: list[dict[str, Any]]
    kept: Any = None


@dataclass(frozen=True)
class Table:
    """A file that was looked through once.

    Attributes:
        schema: its columns with the types that they have in Parquet.
        texts: the columns that may hold text.
        lists: those among them that hold lists.
        rows: how many.
        size: bytes of the rows, before compression.
        read: takes the rows to pass over, the rows of a portion, and the columns wanted (None: all).
    """

    schema: Any
    texts: tuple[str, ...]
    lists: frozenset[str]
    rows: int
    size: int
    read: Callable[[int, int, Sequence[str] | None], Iterator[Portion]]

    def portions(self, done: int, wanted: Sequence[str] | None = None) -> Iterator[Portion]:
        """All rows but the first `done`: some thousand at a time, fewer where they are long."""
        return self.read(done, min(PORTION, max(_FEWEST, _BYTES * self.rows // max(1, self.size))), wanted)


def look_through(path: Path, job: Job, to: str) -> Table:
    """Read a file to its end, so that what is wrong with a row is known before the first is predicted.

    Args:
        to: ending of the output: all but .parquet take names for columns, and no types.

    Raises:
        InputError: when it cannot be read, with the line, or holds no rows.
    """
    table = FORMATS[path.suffix.lower()](path, job, to)
    if not table.rows:
        raise InputError(f"IN: '{path}' holds no rows; give a file with rows in it")
    return table


def listed(folder: Path, kind: str) -> Table:
    """The files below a folder as rows with a column of their names."""
    found = ["/".join(parts) for parts in files.listing(folder)]

    def read(done: int, size: int, wanted: Sequence[str] | None) -> Iterator[Portion]:
        for chunk in chunked(found[done:], size):
            yield Portion([{kind: name} for name in chunk])

    size = sum(map(len, found))
    return Table(pa.schema([(kind, store.TEXT)]), (kind,), frozenset(), len(found), size, read)


def _cells(path: Path, job: Job, to: str) -> Table:
    """A CSV or TSV file."""
    encoding = _encoding(path, job)
    with path.open(encoding=encoding, newline="") as file:
        dialect = tabular.TSV if path.suffix.lower() == ".tsv" else tabular.csv_dialect(file.read(PEEK))
    header = not _by_number(job.data.columns)
    content = tabular.read(path, encoding, None, dialect, header)
    columns = tuple(name for name in content.fields if name != store.LINE)

    def read(done: int, size: int, wanted: Sequence[str] | None) -> Iterator[Portion]:
        rows = tabular.read(path, encoding, None, dialect, header).rows
        for chunk in chunked(islice(rows, done, None), size):
            for row in chunk:
                del row[store.LINE]
            yield Portion(chunk)

    schema = pa.schema([(name, store.TEXT) for name in columns])
    return Table(schema, columns, frozenset(), sum(1 for _ in content.rows), path.stat().st_size, read)


def _by_number(columns: Columns) -> bool:
    """Columns named by number mean a table without a header row."""
    given = [name for name in (columns.text, columns.text_b, columns.spans, *(columns.label or "").split(",")) if name]
    return bool(given) and all(name.strip().isdecimal() for name in given)


def _lines(path: Path, job: Job, to: str) -> Table:
    """JSON lines; a key has the type that Arrow finds for its values, where that is asked for."""
    encoding = _encoding(path, job)

    def objects() -> Iterator[tuple[dict[str, Any], str]]:
        with path.open(encoding=encoding, newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line := line.strip():
                    yield _object(line, f"{path}:line {number}"), line

    def read(done: int, size: int, wanted: Sequence[str] | None) -> Iterator[Portion]:
        for chunk in chunked(islice(objects(), done, None), size):
            yield Portion([row for row, _ in chunk], [line for _, line in chunk])

    types: dict[str, Any] = {}
    lists: set[str] = set()
    large: set[str] = set()
    rows = 0
    for chunk in _bounded(objects()):
        rows += len(chunk)
        columns: dict[str, list[Any]] = {}
        for row in chunk:
            for name, cell in row.items():
                columns.setdefault(name, []).append(cell)
        lists.update(name for name, cells in columns.items() if any(isinstance(cell, list) for cell in cells))
        if to != ".parquet":
            types |= dict.fromkeys(columns, store.TEXT)
            continue
        for name, cells in columns.items():
            if _is_large(cells):
                large.add(name)
            types[name] = _joint_type(types.get(name, pa.null()), cells, name in large)
    # Parquet has no objects without keys.
    schema = pa.schema([(name, store.TEXT if "struct<>" in str(kind) else kind) for name, kind in types.items()])
    return Table(schema, tuple(types), frozenset(lists), rows, path.stat().st_size, read)


def _bounded(items: Iterator[tuple[dict[str, Any], str]]) -> Iterator[list[dict[str, Any]]]:
    """Lists of rows, of which no more are held at a time than one portion has, nor much more than its bytes."""
    chunk: list[dict[str, Any]] = []
    length = 0
    for row, line in items:
        chunk.append(row)
        length += len(line)
        if len(chunk) >= PORTION or length >= _BYTES:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON: {error}; a .jsonl file holds an object a line") from None
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected an object {{...}} with a key for each column and found {line[:20]!r}")
    return found


def _joint_type(known: Any, cells: list[Any], large: bool) -> Any:
    """The Arrow type of a column so far and of more cells; text where they have none in common.

    Args:
        large: whether integers are among them that decimals do not hold.
    """
    try:
        kinds = known, pa.array(cells).type
        both = [pa.schema([("", kind)]) for kind in kinds]
        joint = pa.unify_schemas(both, promote_options="permissive").field(0).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return store.TEXT
    return store.TEXT if large and any(_become_decimals(kind, joint) for kind in kinds) else joint


def _is_large(value: Any) -> bool:
    """Whether an integer in it is larger than a decimal holds."""
    if isinstance(value, int):
        return abs(value) > _EXACT
    if isinstance(value, dict):
        return any(map(_is_large, value.values()))
    return isinstance(value, list) and any(map(_is_large, value))


def _become_decimals(kind: Any, joint: Any) -> bool:
    """Whether integers of one Arrow type are decimals in another that it was joined into."""
    if pa.types.is_integer(kind):
        return bool(pa.types.is_floating(joint))
    if pa.types.is_list(kind):
        return _become_decimals(kind.value_type, joint.value_type)
    inner = kind if pa.types.is_struct(kind) else ()
    return any(_become_decimals(field.type, joint.field(field.name).type) for field in inner)


def _parquet(path: Path, job: Job, to: str) -> Table:
    def read(done: int, size: int, wanted: Sequence[str] | None) -> Iterator[Portion]:
        at = 0
        try:
            with pq.ParquetFile(path) as file:
                for found in file.iter_batches(size):
                    passed = min(max(0, done - at), len(found))
                    kept = found.slice(passed)
                    if len(kept):
                        chosen = kept if wanted is None else kept.select(list(wanted))
                        yield Portion(_values(chosen, f"IN: '{path}'", at + passed), kept)
                    at += len(found)
        except (pa.ArrowException, OSError) as error:
            raise _broken(path, error) from None

    try:
        with pq.ParquetFile(path) as file:
            schema, about = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from None
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice and to != ".parquet":
        raise InputError(f"IN: '{path}': two columns are called '{twice}'; give each its own name, or write .parquet")
    of = pa.types
    texts = tuple(field.name for field in schema if not (of.is_binary(field.type) or of.is_large_binary(field.type)))
    lists = frozenset(field.name for field in schema if of.is_list(field.type) or of.is_large_list(field.type))
    size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    return Table(schema, texts, lists, about.num_rows, size, read)


def _values(batch: Any, where: str, start: int) -> list[dict[str, Any]]:
    """Rows of an Arrow batch.

    Raises:
        InputError: with column and row for a value that Python cannot hold.
    """
    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for row, value in enumerate(column, start + 1):
                try:
                    value.as_py()
                except (ValueError, OverflowError) as error:
                    raise InputError(
                        f"{where}: row {row:,} of column '{name}' cannot be read: {error}; correct it, or leave the "
                        "column out"
                    ) from None
        raise


def _broken(path: Path, error: Exception) -> InputError:
    return InputError(f"IN: '{path}' does not read as Parquet: {error}")


FORMATS: dict[str, Callable[[Path, Job, str], Table]] = {
    ".csv": _cells,
    ".tsv": _cells,
    ".jsonl": _lines,
    ".parquet": _parquet,
}


def _encoding(path: Path, job: Job) -> str:
    """The encoding that can be told, or else the one that the job stated for its rows."""
    try:
        return detect(path).name
    except InputError:
        if job.data.encoding == "auto":
            raise
        return detect(path, job.data.encoding).name
