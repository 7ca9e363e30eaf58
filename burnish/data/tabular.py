"""CSV and TSV files as rows of text."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from burnish.data.rows import Row
from burnish.data.store import LINE, NUMBER, TEXT, Content
from burnish.errors import InputError

Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Dialect:
    """How cells are set apart; None for `quote` takes quotes as they stand."""

    delimiter: str
    quote: str | None


TSV = Dialect("\t", None)
"""SST-2 and its like hold single quotation marks, which any quoting rule would tear rows apart by."""


AT = Dialect("@", None)


def csv_dialect(begin: str) -> Dialect:
    """Delimiter of a CSV file from its first lines: whichever of comma, semicolon, tab and bar the first has most of.

    Files of `text@class` are known by every line having one `@`, before a class that comes again.
    """
    if ends_in_classes(begin):
        return AT
    outside = "".join(re.split("[\r\n]", begin, maxsplit=1)[0].split('"')[::2])
    return Dialect(max(",;\t|", key=outside.count), '"')


def ends_in_classes(begin: str) -> bool:
    """Whether each full line is a text, one `@` and a word, of which there are few."""
    lines = [line.rstrip("\r") for line in begin.split("\n")[:1000]]
    lines = lines[:-1] if len(lines) > 1 and not begin.endswith("\n") else lines
    parts = [line.split("@") for line in lines if line]
    return (
        bool(parts)
        and all(len(part) == 2 and part[1].strip().isalpha() for part in parts)
        and len({part[1].strip() for part in parts}) <= max(2, len(parts) // 5)
    )


def read(path: Path, encoding: str, limit: int | None, dialect: Dialect, header: bool) -> Content:
    """Read a table whose cells are all text; an empty cell is None and nothing else is.

    Empty lines are passed over, but where there is one column: then each is an empty cell, unless no row follows.

    Without a header the columns are called 1, 2, 3, ...

    Raises:
        InputError: with file and line for a row whose number of cells differs, or an unclosed quote.
    """
    first = next(_full(_records(path, encoding, dialect)), None)
    if first is None:
        raise InputError(f"'{path}' holds no rows")
    names, notes = _names(path, first) if header else ([str(n + 1) for n in range(len(first[1]))], ["no header row"])
    if dialect.delimiter not in (",", TSV.delimiter):
        notes = [*notes, f"cells are set apart by {dialect.delimiter!r}"]

    def rows() -> Iterator[Row]:
        records = _records(path, encoding, dialect)
        if header:
            next(_full(records))
        records = _full(records) if len(names) > 1 else _to_the_last(records)
        for line, cells in islice(records, limit):
            if len(cells) != len(names):
                raise InputError(
                    f"{path}:line {line}: {len(cells)} cells where there are {len(names)} columns "
                    f"({', '.join(names)}); {_ragged_advice(dialect)}"
                )
            row: Row = {name: cell or None for name, cell in zip(names, cells, strict=True)}
            row[LINE] = line
            yield row

    fields = dict.fromkeys(names, TEXT) | {LINE: NUMBER}
    return Content(fields, rows(), tuple(notes), "tsv" if dialect == TSV else "csv")


def _ragged_advice(dialect: Dialect) -> str:
    if dialect == AT:
        return "here each line ends with '@' and a class"
    if dialect.quote is None:
        return f"here a cell must not hold {dialect.delimiter!r} or a line break"
    return f"put quotes around a cell that holds {dialect.delimiter!r}, or set data.format"


def _names(path: Path, first: Record) -> tuple[list[str], list[str]]:
    names = [cell.strip() or f"column {n}" for n, cell in enumerate(first[1], 1)]
    notes = [f"the header leaves a name empty: called '{n}'" for n, c in zip(names, first[1], strict=True) if not c]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{path}:line {first[0]}: two columns are called '{twice[0]}'; give each its own name, "
            "or columns by number (data.columns.text: '1') if this is no header"
        )
    return names, notes


def _full(records: Iterator[Record]) -> Iterator[Record]:
    """Those that are no empty lines."""
    return (record for record in records if record[1])


def _to_the_last(records: Iterator[Record]) -> Iterator[Record]:
    """All up to the last that is no empty line, with an empty cell for each line that is one."""
    waiting: list[Record] = []
    for line, cells in records:
        if cells:
            yield from waiting
            waiting.clear()
            yield line, cells
        else:
            waiting.append((line, [""]))


def _records(path: Path, encoding: str, dialect: Dialect) -> Iterator[Record]:
    """Yield (first line, cells); an empty line has no cells."""
    if dialect.quote is None:
        with path.open(encoding=encoding, newline="\n") as file:
            for line, text in enumerate(file, 1):
                text = text.rstrip("\r\n")  # a class holds no @, a text may
                cells = text.rsplit("@", 1) if dialect == AT else text.split(dialect.delimiter)
                yield line, cells if text else []
        return
    csv.field_size_limit(sys.maxsize)  # the default refuses a cell of 128 KB
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        line = 1
        try:
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{path}:line {line}: the row that begins here is not valid CSV ({error}); "
                "a quote inside a quoted cell is written twice"
            ) from None
