"""Texts as a user names them: one itself, the lines of a file, or those of standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from burnish.data.cells import whole
from burnish.data.encoding import detect
from burnish.data.formats import TABLES
from burnish.errors import InputError


def texts_of(given: str, encoding: str = "auto") -> Iterator[str]:
    """The text itself, the lines of a file of that name, or those of standard input (`-`).

    Args:
        encoding: that of the file, where it cannot be told.

    Raises:
        InputError: for an empty file, one that is not text, a folder, or a name like that of a file where there is
            none.
    """
    path = Path(given)
    if given == "-":
        yield from _decoded(sys.stdin.buffer)
    elif os.path.isfile(given):
        yield from _lines(path, encoding)
    elif os.path.isdir(given):
        raise InputError(f"'{given}' is a folder; give a text, a file, or - for standard input")
    elif path.suffix.lower() in (*TABLES, ".txt") and len(given.split()) == 1:
        raise InputError(f"no file at '{given}'; if that is the text itself, give it by standard input (-)")
    else:
        yield whole(given)


def _lines(path: Path, stated: str) -> Iterator[str]:
    """Lines of a file in an encoding that can be told, or else in the one that the job stated for its rows."""
    if path.stat().st_size == 0:
        raise InputError(f"'{path}' is empty (0 bytes); give a file with a text a line")
    try:
        found = detect(path)
    except InputError:
        if stated == "auto":
            raise
        found = detect(path, stated)
    with path.open(encoding=found.name) as file:
        for line in file:
            yield line.rstrip("\n")


def _decoded(stream: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"standard input:line {number}: not valid UTF-8 ({error.reason}); "
                "convert it, or give the file by its name, whose encoding is then detected"
            ) from None
        yield text.rstrip("\r\n")
