"""Column files: a word a line, an empty line between sentences; read with bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from burnish.data.rows import Row
from burnish.data.schemes import Scheme, stripped, to_iob2
from burnish.data.store import LINE, NUMBER, TEXTS, Content
from burnish.data.words import kind
from burnish.errors import InputError, nearest

_DOCUMENT = "-DOCSTART-"
_NUMBERED = re.compile(r"(.|\ufffd+)\d{1,2}", re.DOTALL)  # U+FFFD: emoji that were lost on the way
_BLANKS = re.compile(r"[ \t]+")
_NAMES_OF_FOUR = {"pos": 2, "chunk": 3, "ner": 4, "tag": 4, "tags": 4}


@dataclass(frozen=True)
class _Sentence:
    line: int
    document: int
    lines: list[list[str]]


@dataclass(frozen=True)
class _Survey:
    width: int
    numbered: bool
    documents: bool
    scheme: Scheme


def read(path: Path, encoding: str, limit: int | None, tag_column: str | None) -> Content:
    """Read sentences as `words`, `tags` (IOB2), `document` and the line they begin on.

    `tag_column` is a number from 1; the last column when None. A file with one column has no tags.

    Raises:
        InputError: with file and line where the number of columns changes or a tag is empty, or where tags are numbers.
    """
    survey = _look(path, encoding, limit, tag_column)
    place = _place(path, survey.width, tag_column)
    survey.scheme.must_be_names(str(path))
    notes = [survey.scheme.note] if place else ["one column: words without tags"]
    if survey.numbered:
        notes.append("every token is a character and a number, as in Weibo NER: number dropped")
    if not survey.documents:
        notes.append(f"no {_DOCUMENT} lines: the file counts as one document")

    def rows() -> Iterator[Row]:
        for sentence in islice(_sentences(path, encoding), limit):
            words = [
                cells[0].rstrip("0123456789") or cells[0][0] if survey.numbered else cells[0]
                for cells in sentence.lines
            ]
            row: Row = {"words": words, "document": sentence.document, LINE: sentence.line}
            if place:
                row["tags"] = to_iob2(_tags(path, sentence, place))
            yield row

    tags = {"tags": TEXTS} if place else {}
    return Content({"words": TEXTS} | tags | {"document": NUMBER, LINE: NUMBER}, rows(), tuple(notes), "conll")


def _look(path: Path, encoding: str, limit: int | None, tag_column: str | None) -> _Survey:
    """A first pass: what must be known of the whole file before its first row can be written."""
    scheme = Scheme()
    width, place, document = 0, 0, 0
    numbered, chinese = True, False
    for sentence in islice(_sentences(path, encoding), limit):
        if not width:
            width = len(sentence.lines[0])
            place = _place(path, width, tag_column)
        for offset, cells in enumerate(sentence.lines):
            if len(cells) != width:
                raise InputError(
                    f"{path}:line {sentence.line + offset}: {len(cells)} columns where the lines before have {width}; "
                    "a line is a word and its tags, with the same number of columns throughout, "
                    "and an empty line ends a sentence"
                )
            numbered = numbered and _NUMBERED.fullmatch(cells[0]) is not None
            chinese = chinese or kind(cells[0][:1] or " ") == "single"
        if place:
            scheme.add(_tags(path, sentence, place))
        document = max(document, sentence.document)
    return _Survey(width, numbered and chinese, document > 0, scheme)


def _tags(path: Path, sentence: _Sentence, place: int) -> list[str]:
    return stripped([cells[place] for cells in sentence.lines], lambda offset: f"{path}:line {sentence.line + offset}")


def _place(path: Path, width: int, tag_column: str | None) -> int:
    """Index of the tag's column; 0, where the word stands, means that there is none."""
    if tag_column is None or width == 1:
        return max(0, width - 1)
    number = _NAMES_OF_FOUR.get(tag_column) if width == 4 else None
    if tag_column.isdecimal():
        number = int(tag_column)
    if number is None or not 2 <= number <= width:
        names = _NAMES_OF_FOUR if width == 4 else [str(n) for n in range(2, width + 1)]
        raise InputError(
            f"data.columns.tags: '{path}' has {width} columns, the word first, and no tags in '{tag_column}'; "
            f"{nearest(tag_column, names)}"
        )
    return number - 1


def _sentences(path: Path, encoding: str) -> Iterator[_Sentence]:
    document, begin = 0, 1
    lines: list[list[str]] = []
    with path.open(encoding=encoding, newline="\n") as file:
        for line, text in enumerate(file, 1):
            cells = split_line(text)
            opens = bool(cells) and cells[0] == _DOCUMENT
            if cells and not opens:
                begin = begin if lines else line
                lines.append(cells)
                continue
            if lines:
                yield _Sentence(begin, document, lines)
                lines = []
            document += opens
    if lines:
        yield _Sentence(begin, document, lines)


def split_line(text: str) -> list[str]:
    """Cells of a line; none for an empty one. Only spaces and tabs separate: U+3000 can be a word."""
    text = text.strip("\r\n")
    if not text.strip(" \t"):
        return []
    return text.split("\t") if "\t" in text else _BLANKS.split(text.strip(" "))
