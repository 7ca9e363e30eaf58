"""Any source of rows, read into a memory-mapped table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from burnish.config import Columns, Data
from burnish.data import conll, files, formats, jsonrows, parquet, store, tabular
from burnish.data.encoding import Detected, detect
from burnish.data.rows import Rows
from burnish.errors import InputError

HUB = "hub:"


def read(source: str, config: Data, *, columns: Columns | None = None, role: str = "train") -> Rows:
    """Read a file, a folder of Parquet files or a set of the Hugging Face hub.

    Every cell is text (None where it is empty) or a list of text, so that a class `01` stays `01` and the word
    "null" stays a word. Tables are parsed here and not by the builders of `datasets`, which guess types, take "NA"
    for missing and do not know lines; `datasets` memory-maps them.

    Args:
        source: path, or `hub:owner/name[:config][@split]`.
        columns: in place of `config.columns`.
        role: train, dev or test: which split of a hub set is meant when the source names none.

    Raises:
        InputError: for anything that cannot be read, with place and way out.
    """
    columns = columns or config.columns
    if source.startswith(HUB):
        return parquet.read_hub(source.removeprefix(HUB), role, config.limit)
    path = Path(source).expanduser()
    _must_hold_something(path, source)
    try:
        if config.format == "auto" and files.is_folder_of_files(path):
            key = store.fingerprint("folder", str(path.resolve()), config.limit, files.listing(path))
            return _rows(store.keep(key, partial(files.read_folder, path, config.limit)), source, None)
        if config.format == "parquet" or (config.format == "auto" and formats.is_parquet(path)):
            return _rows(parquet.read_files(path, config.limit), source, None)
        if path.is_dir():
            raise InputError(f"'{source}' is a folder, which only data.format: parquet can read; name a file")
        found = detect(path, config.encoding)
        return _rows(_text_file(path, config, columns, found), source, found)
    except PermissionError as error:
        raise InputError(f"cannot read '{source}': {error.strerror}") from None


def _must_hold_something(path: Path, source: str) -> None:
    if not path.exists():
        there = sorted(p.name for p in path.parent.iterdir())[:200] if path.parent.is_dir() else []
        hint = f"; {nearest_file(path.name, there)}" if there else ""
        raise InputError(f"no file at '{source}' (from the folder '{Path.cwd()}'){hint}")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"'{source}' is empty (0 bytes); give a file with rows in it")


def nearest_file(name: str, there: list[str]) -> str:
    """A short hint at what lies beside a missing file."""
    import difflib

    close = difflib.get_close_matches(name, there, n=1)
    return f"did you mean '{close[0]}'?" if close else "there: " + ", ".join(there[:10])


def _text_file(path: Path, config: Data, columns: Columns, found: Detected) -> store.Stored:
    form = config.format if config.format != "auto" else formats.guess(path, found.name, columns.tags)
    make: Callable[[], store.Content]
    detail: object = None
    if form == "conll":
        detail = columns.tags
        make = partial(conll.read, path, found.name, config.limit, columns.tags)
    elif form in ("csv", "tsv"):
        with path.open(encoding=found.name, newline="") as file:
            begin = file.read(formats.PEEK)
        dialect = tabular.TSV if form == "tsv" else tabular.csv_dialect(begin)
        header = not _by_number(columns)
        detail = (dialect, header)
        make = partial(tabular.read, path, found.name, config.limit, dialect, header)
    else:
        make = partial(jsonrows.read, path, found.name, config.limit)
    # The path is no part of the key: the same content in another place is the same table.
    return store.keep(store.fingerprint(store.digest(path), form, found.name, config.limit, detail), make)


def _by_number(columns: Columns) -> bool:
    """Columns named by number mean a table without a header row."""
    single = (columns.text, columns.text_b, columns.spans, columns.group, columns.time)
    given = [name for name in (*single, *(columns.label or "").split(",")) if name]
    return bool(given) and all(name.strip().isdecimal() for name in given)


def _rows(stored: store.Stored, source: str, found: Detected | None) -> Rows:
    if len(stored.table) == 0:
        raise InputError(f"'{source}' holds no rows, only a header or blank lines; give a file with rows in it")
    notes = ((f"encoding: {found.note}",) if found else ()) + stored.notes
    lines = store.LINE if store.LINE in stored.table.column_names else None
    return Rows(stored.table, source, stored.format, found.name if found else None, notes, lines)
