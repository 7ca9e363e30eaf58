"""Rows of several kinds of input, for networks that each read one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.config import Tune
from burnish.data.features import Batch, Features
from burnish.data.parts import Grid
from burnish.data.reader import Reader
from burnish.data.readers import READERS, TEXT
from burnish.data.rows import Row, Rows
from burnish.data.several import name_of, of_kind
from burnish.data.text import read_texts
from burnish.errors import InputError

_WITHOUT = "without_"
_LONGEST = 60  # characters of a text that an explanation names
_EXAMPLE = "The train from Rome to Paris was late again on Monday , said Anna ."


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
    verbs: ClassVar[frozenset[str]] = frozenset({"serve", "explain", "audit"})
    ways: ClassVar[Mapping[str, tuple[float, ...]]] = {f"{_WITHOUT}{kind}": (1.0,) for kind in (TEXT, *READERS)}
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
        with suppress(ValueError):  # an input of the command line is JSON
            given = json.loads(given) if isinstance(given, str) else given
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

    def fields(self) -> dict[str, dict[str, Any]]:
        return {kind: _field(kind, part) for kind, part in self.by_kind.items()}

    def from_request(self, given: str) -> Row:
        held = json.loads(given)
        if not isinstance(held, Mapping):
            raise InputError(f"an input is an object with any of {', '.join(self.by_kind)}")
        row: Row = dict(held)
        for kind, value in held.items():
            part = self.by_kind.get(kind)
            if value is None or not isinstance(part, Reader):
                continue
            inner = bool(part.fields())
            if not isinstance(value, Mapping if inner else str):
                raise InputError(f"'{kind}' takes {'an object of its columns' if inner else 'the base64 of a file'}")
            row[kind] = part.from_request(json.dumps(value) if inner else str(value))[kind]
        return self.row(row)

    def example(self) -> str:
        made = {kind: part.example() for kind, part in self.by_kind.items() if isinstance(part, Reader)}
        made = {kind: json.loads(one) if self.by_kind[kind].fields() else one for kind, one in made.items()}
        return json.dumps(({TEXT: _EXAMPLE} if TEXT in self.by_kind else {}) | made)

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

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """Each kind of input as its reader varies it."""
        for kind, part in self.by_kind.items():
            start = f"{kind}/"
            own = {name.removeprefix(start): value for name, value in batch.items() if name.startswith(start)}
            if isinstance(part, Reader) and len(own) > 1:  # more than where it is
                batch = batch | {f"{start}{name}": value for name, value in part.vary(own, draw).items()}
        return batch

    def parts(self, row: Row) -> Grid:
        """The inputs that the row has."""
        there = [kind for kind in self.by_kind if _given(row.get(kind))]

        def without(kept: NDArray[np.bool_]) -> Features:
            gone = [[kind for kind, stays in zip(there, one, strict=True) if not stays] for one in kept]
            return self.features([{**row, **dict.fromkeys(kinds)} for kinds in gone])

        nothing, cells = np.zeros(0, np.int64), tuple(_shown(kind, row[kind]) for kind in there)
        shape, names = (1, len(there)), tuple(there)
        more: dict[str, Any] = {"names": names, "cells": cells, "baseline": "prior", "smooth": False, "made": without}
        return Grid("", nothing, nothing, nothing, shape, 1, **more)

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        """The row without one of its inputs; it keeps its last one."""
        gone = way.removeprefix(_WITHOUT)
        stays = any(_given(row.get(kind)) for kind in self.by_kind if kind != gone)
        return {**row, gone: None} if stays and _given(row.get(gone)) else row

    def traits(self, rows: Sequence[Row]) -> Mapping[str, NDArray[Any]]:
        """Which inputs there are, and by what those of each kind differ."""
        there = {kind: np.array([_given(row.get(kind)) for row in rows]) for kind in self.by_kind}
        held = [name_of(kind for kind in there if there[kind][place]) for place in range(len(rows))]
        found: dict[str, NDArray[Any]] = {"inputs": np.array(held, dtype=object)}
        for kind, part in self.by_kind.items():
            chosen = np.flatnonzero(there[kind]).tolist()
            own = part.traits([of_kind(rows[place], kind) for place in chosen]) if isinstance(part, Reader) else {}
            for name, values in own.items():
                empty = np.full(len(rows), np.nan if values.dtype.kind == "f" else "", values.dtype)
                empty[chosen] = values
                found[name] = empty
        return found

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        raise InputError(f"{name_of(self.by_kind)}: there are no plain numbers of several kinds")

    def picture(self, row: Row) -> str:
        readers = ((kind, part) for kind, part in self.by_kind.items() if isinstance(part, Reader) and row.get(kind))
        return next((shown for kind, part in readers if (shown := part.picture({kind: row[kind]}))), "")


def _shown(kind: str, value: Any) -> str:
    if kind == TEXT:
        return str(value)[:_LONGEST]
    return READERS[kind].shown(value) if isinstance(value, str) else "…"


def _field(kind: str, part: Any) -> dict[str, Any]:
    if not isinstance(part, Reader):
        return {"type": "text"}
    inner = part.fields()
    return {"type": "object", "fields": inner} if inner else {"type": "file", "kind": kind}


def _given(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
