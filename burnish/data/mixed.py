"""Rows of several kinds of input, for networks that each read one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from burnish.config import Tune
from burnish.data.features import Batch, Features
from burnish.data.reader import Reader
from burnish.data.readers import TEXT
from burnish.data.rows import Row, Rows
from burnish.data.several import name_of, of_kind
from burnish.data.text import read_texts
from burnish.errors import InputError


@dataclass(frozen=True)
class Mixed(Reader):
    """Reads each kind of input of a row with what reads that kind; a row may lack some of them.

    Attributes:
        by_kind: tokenizer or reader, in the order of the networks.
        max_tokens: longest text.
    """

    by_kind: Mapping[str, Any]
    max_tokens: int
    kind: ClassVar[str] = "mixed"
    about_numbers: ClassVar[str] = ""

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        raise InputError("each kind of input has a model of its own; see parts in the job")

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        raise InputError("each kind of input has a folder of its own")

    def save_pretrained(self, folder: str | Path) -> None:
        """Nothing: each part lies in the folder of its network."""

    @staticmethod
    def fault(path: Path) -> str | None:
        return None

    def is_one(self, given: Any) -> bool:
        return isinstance(given, Mapping)

    def row(self, given: Any) -> Row:
        if not isinstance(given, Mapping):
            raise InputError(
                f"one input is a mapping with any of {', '.join(self.by_kind)}, such as "
                f"{{'{next(iter(self.by_kind))}': ...}}, not {type(given).__name__}"
            )
        if wrong := [name for name in given if name not in self.by_kind]:
            raise InputError(f"an input holds '{wrong[0]}'; this model reads {', '.join(self.by_kind)}")
        row: Row = dict.fromkeys(self.by_kind)
        for kind in [kind for kind in self.by_kind if given.get(kind) is not None]:
            part, value = self.by_kind[kind], given[kind]
            if kind == TEXT and not isinstance(value, str):
                raise InputError(f"'{TEXT}' takes a text, not {type(value).__name__}")
            row[kind] = part.row({kind: value})[kind] if isinstance(part, Reader) else value
        if not any(map(_given, row.values())):
            raise InputError(f"an input holds none of {', '.join(self.by_kind)}")
        return row

    def features(self, rows: Sequence[Row]) -> Features:
        """Features of each kind for the rows that have it, and where in them each row stands."""
        parts, total = {}, np.zeros(len(rows), dtype=np.int64)
        for kind, part in self.by_kind.items():
            there = [index for index, row in enumerate(rows) if _given(row.get(kind))]
            own = [of_kind(rows[index], kind) for index in there]
            found = part.features(own) if isinstance(part, Reader) else self._text(part, own)
            places = np.full(len(rows), -1, dtype=np.int64)
            places[there] = np.arange(len(there))
            total[there] += found.lengths
            parts[kind] = found, places
        return Features({}, row=np.arange(len(rows)), parts=parts, cost=np.maximum(total, 1))

    def _text(self, tokenizer: Any, rows: Sequence[Row]) -> Features:
        ragged = read_texts(tokenizer, [row[TEXT] for row in rows], None, self.max_tokens)
        return Features(ragged, row=np.arange(len(rows)))

    def vary(self, batch: Batch) -> Batch:
        """Each kind of input as its reader varies it."""
        for kind, part in self.by_kind.items():
            start = f"{kind}/"
            own = {name.removeprefix(start): value for name, value in batch.items() if name.startswith(start)}
            if isinstance(part, Reader) and len(own) > 1:  # more than where it is
                batch = batch | {f"{start}{name}": value for name, value in part.vary(own).items()}
        return batch

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        raise InputError(f"{name_of(self.by_kind)}: there are no plain numbers of several kinds")

    def picture(self, row: Row) -> str:
        readers = ((kind, part) for kind, part in self.by_kind.items() if isinstance(part, Reader) and row.get(kind))
        return next((shown for kind, part in readers if (shown := part.picture({kind: row[kind]}))), "")


def _given(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
