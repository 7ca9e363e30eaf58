"""JSON files as rows: one object a line, an array of objects, or objects one after another."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from burnish.data.cells import as_cell, kind_of, settle
from burnish.data.rows import Row
from burnish.data.spans import looks_like_spans
from burnish.data.store import LINE, NUMBER, TEXT, TEXTS, Content
from burnish.errors import InputError

_CHUNK = 1 << 16
_LONGEST = 1 << 26  # characters of one object; what is longer is a broken file
_GAP = re.compile(r"[\s,]*")
_SAMPLE = 200


def read(path: Path, encoding: str, limit: int | None) -> Content:
    """Read objects as rows; cells become text, lists of scalars lists of text, and deeper values JSON text.

    Raises:
        InputError: where the file is not valid JSON, with its line.
    """
    kinds = _survey(path, encoding, limit)
    names = list(kinds)
    spans = [name for name, kind in kinds.items() if kind == "nested" and _has_spans(path, encoding, name)]
    fields = {name: TEXTS if kinds[name] == "list" else TEXT for name in names} | {LINE: NUMBER}

    def rows() -> Iterator[Row]:
        for line, value in objects(path, encoding, limit):
            row: Row = {name: as_cell(value.get(name), kinds[name]) for name in names}
            row[LINE] = line
            yield row

    return Content(fields, rows(), format="spans" if spans else "json")


def _survey(path: Path, encoding: str, limit: int | None) -> dict[str, str]:
    """Kind of every key: text, list or nested."""
    seen: dict[str, set[str]] = defaultdict(set)
    for _, value in objects(path, encoding, limit):
        for name, cell in value.items():
            seen[name].add(kind_of(cell))
    return {name: settle(kinds) for name, kinds in seen.items()}


def _has_spans(path: Path, encoding: str, name: str) -> bool:
    return any(looks_like_spans(value.get(name)) for _, value in objects(path, encoding, _SAMPLE))


def objects(path: Path, encoding: str, limit: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line of its first character, object) with memory for one object at a time."""
    with path.open(encoding=encoding, newline="") as stream:
        yield from islice(_Scanner(stream, str(path)), limit)


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


class _Scanner:
    def __init__(self, stream: TextIO, source: str) -> None:
        self.stream, self.source = stream, source
        self.buffer, self.at, self.line = "", 0, 1
        # Numbers with a fraction stay as they are written: a class "1.50" must not become "1.5".
        # A bare NaN is what tables write where a value is missing.
        self.decode = json.JSONDecoder(parse_float=str, parse_constant=_constant).raw_decode

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        first = self._next()
        array = first == "["
        if array:
            self._pass(self.at + 1)
            first = self._next()
        while first == "{":
            line = self.line
            yield line, self._object()
            first = self._next()
        if array and first == "":
            raise InputError(f"{self.source}:line {self.line}: the array has no closing bracket; is the file cut off?")
        if array and first == "]":
            self._pass(self.at + 1)
            first = self._next()
        if first:
            raise InputError(
                f"{self.source}:line {self.line}: expected an object {{...}} and found '{first}'; "
                "a row is an object with a key for each column"
            )

    def _pass(self, to: int) -> None:
        self.line += self.buffer.count("\n", self.at, to)
        self.at = to

    def _more(self) -> bool:
        """Read on; each time as much as is waiting, so that a long object is not scanned over and over."""
        piece = self.stream.read(max(_CHUNK, len(self.buffer) - self.at))
        self.buffer, self.at = self.buffer[self.at :] + piece, 0
        return bool(piece)

    def _next(self) -> str:
        """Pass the gap and return the character after it; empty at the end of the file."""
        while True:
            gap = _GAP.match(self.buffer, self.at)
            assert gap is not None
            self._pass(gap.end())
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._more():
                return ""

    def _object(self) -> dict[str, Any]:
        while True:
            try:
                value, end = self.decode(self.buffer, self.at)
            except RecursionError:
                raise InputError(f"{self.source}:line {self.line}: values are nested too deeply to be a row") from None
            except json.JSONDecodeError as error:
                # A value may simply not have been read to its end yet.
                place, message = error.pos - self.at, error.msg  # counted from `at`, which moves with the buffer
            except ValueError as error:
                raise InputError(f"{self.source}:line {self.line}: {error}") from None  # a number of 4300 digits
            else:
                self._pass(end)
                return dict(value)
            if len(self.buffer) - self.at >= _LONGEST or not self._more():
                line = self.line + self.buffer.count("\n", self.at, self.at + place)
                raise InputError(f"{self.source}:line {line}: not valid JSON: {message} (object from line {self.line})")
