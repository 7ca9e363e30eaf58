"""Which columns a model reads, and its canonical row from their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from burnish.batch.read import Table
from burnish.config import Columns, Job
from burnish.data import files, names
from burnish.data.cells import as_cell, kind_of, whole
from burnish.data.reader import Reader
from burnish.data.readers import TEXT
from burnish.data.rows import Row
from burnish.data.table import Table as Cells
from burnish.data.words import join_words
from burnish.engine import Engine
from burnish.errors import InputError, nearest
from burnish.tasks import Task

_TOLD = 10  # files that cannot be read, by name


def inputs(table: Table, job: Job, source: str, kind: str = TEXT) -> tuple[str, ...]:
    """The columns that a model reads, those that `data.columns.canonical` takes: of words, of one text or two, of
    the names of files of a `kind`, or of numbers and categories.

    Raises:
        InputError: when one is missing, or two could each be it.
    """
    given, columns = job.data.columns, table.texts
    if kind == Cells.kind:
        return tuple(str(_stated(name, columns, source)) for name in given.table)
    if kind != TEXT:
        return (_file(given, columns, kind, source),)
    if job.task == "tag" and not given.spans:
        words = _stated(given.words, columns, source) or names.guess(columns, "words", source)
        if words in table.lists:
            return (str(words),)
        if given.words:
            raise InputError(f"'{source}': column '{words}' holds text, and the model reads lists of words from it")
    if job.task in ("pair", "score") and (pair := _pair(columns, given, source)):
        return pair
    if job.task == "pair":
        raise _missing("text_b", columns, source)
    if job.task == "embed":
        own = next((name for name in (given.text, given.text_b, "text", "text_b") if name in columns), None)
        if own:
            return (own,)
    if text := _stated(given.text, columns, source):
        return (text,)
    label = given.spans if job.task == "tag" else given.label
    taken = {label, *(name.strip() for name in (label or "").split(","))}
    rest = [name for name in columns if name not in taken]
    if text := names.guess(rest, "text", source):
        return (text,)
    if len(rest) > 1 and not label:
        label = names.guess(rest, {"tag": "spans", "score": "score"}.get(job.task, "label"), source)
        rest = [name for name in rest if name != label]
    if len(rest) != 1:
        raise _missing("text", columns, source)
    return (rest[0],)  # the only one beside the label is the text, whatever its name


def template(table: Table, job: Job, source: str, kind: str) -> str:
    """How the names of the files that a model of a `kind` reads are made of columns; empty where a column has them.

    Raises:
        InputError: when a column that they are made of is missing.
    """
    return "" if kind in (TEXT, Cells.kind) else files.template(getattr(job.data.columns, kind), table.texts, source)


def once(named: Sequence[str], table: Table, source: str) -> None:
    """Refuse what a model reads where several columns have its name.

    Raises:
        InputError: when they have.
    """
    if twice := next((name for name in named if table.texts.count(name) > 1), None):
        raise InputError(f"'{source}': two columns are called '{twice}', which the model reads; give each its own name")


def file_of(made: str, named: Sequence[str], cells: Mapping[str, Any]) -> Any:
    """The name of a row's file: by the template, or else what the one column holds."""
    return files.filled(made, {name: cells.get(name) for name in named}) if made else cells.get(named[0])


def _file(given: Columns, columns: Sequence[str], kind: str, source: str) -> str:
    """The stated column where the file has it, or else one that is called like the kind, or the only one."""
    stated = getattr(given, kind)
    if stated in columns:
        return str(stated)
    rest = [name for name in columns if name != given.label]
    if kind in rest or len(rest) == 1:
        return kind if kind in rest else rest[0]
    raise _missing(kind, columns, source)


def _pair(columns: Sequence[str], given: Columns, source: str) -> tuple[str, str] | None:
    usual = names.guess_pair(columns)
    if usual and given.text in (None, usual[0]) and given.text_b in (None, usual[1]):
        return usual
    second = _stated(given.text_b, columns, source)
    if second is None:
        return None
    first = _stated(given.text, columns, source)
    first = first or names.guess([name for name in columns if name != second], "text", source)
    if first is None:
        raise _missing("text", columns, source)
    return first, second


def _stated(name: str | None, columns: Sequence[str], source: str) -> str | None:
    if name and name not in columns:
        raise InputError(f"'{source}' has no column '{name}', which the model reads; {nearest(name, columns)}")
    return name


def _missing(part: str, columns: Sequence[str], source: str) -> InputError:
    what = {"text_b": "second text"}.get(part, part)
    listed = ", ".join(columns[:30])
    return InputError(f"'{source}' has no column that is clearly the {what} (columns: {listed}); call one '{part}'")


def row_of(task: Task, cells: Sequence[Any]) -> Row | None:
    """The canonical row of the cells that a model reads; None when one of them holds nothing."""
    given = [_text(cell, words=task.kind == "token") for cell in cells]
    if any(not one or (isinstance(one, str) and one.isspace()) for one in given):
        return None
    return task.row(given if len(given) > 1 else given[0])


class Inputs:
    """The canonical rows that a model reads of the cells of a file.

    Args:
        base: the folder from which rows name files.
        named: the columns that are read.
        made: how names of files are made of them, as `template` says.
        say: told of the first files that cannot be read.
    """

    def __init__(self, engine: Engine, base: Path, named: Sequence[str], made: str, say: Callable[[str], None]) -> None:
        self.task, self.base, self.named, self.made, self._say = engine.task, base, named, made, say
        self._reader = engine.tokenizer if isinstance(engine.tokenizer, Reader) else None
        self._told = 0

    def of(self, cells: Mapping[str, Any]) -> Row | None:
        """The row, or None where there is nothing to predict for."""
        if self._reader is None:
            return row_of(self.task, [cells.get(name) for name in self.named])
        row, fault = self._found(self._reader, cells)
        if fault and self._told < _TOLD:
            self._told += 1
            self._say(f"left empty: {fault}" + (" (no more are named)" if self._told == _TOLD else ""))
        return row

    def _found(self, reader: Reader, cells: Mapping[str, Any]) -> tuple[Row | None, str | None]:
        """The row, or why there is none."""
        if not isinstance(reader, Cells):
            path, _, fault = files.found(self.base, file_of(self.made, self.named, cells), reader.fault)
            return ({reader.kind: path} if path else None), fault
        try:
            return reader.row({name: cells.get(name) for name in self.named}), None
        except InputError as error:
            return None, str(error)


def _text(cell: Any, words: bool) -> str | list[str] | None:
    """What a model reads of a cell: its text, or the list of words that one of `tag` may hold."""
    if isinstance(cell, str):
        return whole(cell)
    kind = kind_of(cell)
    found: str | list[str] | None = as_cell(cell, "list" if kind == "empty" else kind)
    return found if words or isinstance(found, str | None) else join_words(found)[0]
