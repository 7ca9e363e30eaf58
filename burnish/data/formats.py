"""Which format a file has, from its name and its first characters."""

from __future__ import annotations

from pathlib import Path

from burnish.data.conll import split_line
from burnish.data.schemes import is_tag
from burnish.data.tabular import ends_in_classes
from burnish.errors import InputError

PEEK = 1 << 16
_JSON = (".json", ".jsonl", ".ndjson")
_CONLL = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".bmes")
TABLES = (".csv", ".tsv", ".tab", ".parquet", *_JSON, *_CONLL)  # endings that say that a file holds more than lines


def format_elsewhere(place: str, stated: str) -> str:
    """The format that a job states for its rows, for a file whose ending names none of its own; else auto."""
    return "auto" if Path(place).is_dir() or Path(place).suffix.lower() in TABLES else stated


def is_parquet(path: Path) -> bool:
    """Whether a path is a Parquet file or a folder, which is then taken for one of Parquet files."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def guess(path: Path, encoding: str, tag_column: str | None = None) -> str:
    """Return csv, tsv, json or conll.

    Raises:
        InputError: when the content gives no hint.
    """
    with path.open(encoding=encoding, newline="") as file:
        text = file.read(PEEK)
    suffix = path.suffix.lower()
    start = text.lstrip()[:1]
    if suffix in _JSON or (start and start in "{[" and suffix not in (".csv", ".tsv", *_CONLL)):
        return "json"
    if suffix in _CONLL or (suffix != ".csv" and _is_conll(text, tag_column)):
        return "conll"
    first_line = text.partition("\n")[0]
    if suffix in (".tsv", ".tab"):
        return "tsv"
    if suffix == ".csv":
        return "csv"
    if "\t" in first_line:
        return "tsv"
    if "," in first_line or ends_in_classes(text):
        return "csv"
    raise InputError(
        f"cannot tell the format of '{path}' from its name or its first line; "
        "set data.format to one of csv, tsv, jsonl, json, parquet, conll, spans"
    )


def _is_conll(text: str, tag_column: str | None) -> bool:
    """Whether every full line that is not empty has a tag in its last (or the given) column."""
    lines = text.split("\n")
    complete = lines[:-1] if len(text) == PEEK else lines
    rows = [cells for cells in map(split_line, complete) if cells and cells[0] != "-DOCSTART-"]
    place = int(tag_column) - 1 if tag_column and tag_column.isdecimal() else -1
    width = len(rows[0]) if rows else 0
    if width < 2:
        return False
    place = place if place < width else -1  # a wrong number is for the reader to name
    # A line or two may be ragged: the reader then says which, instead of calling the file something else.
    return sum(len(r) == width and is_tag(r[place]) for r in rows) >= max(1, 0.9 * len(rows))
