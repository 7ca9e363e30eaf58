"""Rows of numbers and categories, the columns of a table: how cells are read, and what a network is given of them."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.config import Tune
from burnish.data.cells import as_text
from burnish.data.features import Batch, Features
from burnish.data.parts import Grid
from burnish.data.reader import Described
from burnish.data.rows import Row, Rows
from burnish.errors import InputError, nearest

UNSEEN, EMPTY, FIRST = 0, 1, 2  # ids: of no category that training taught, of no category given, and the first known
NO_NUMBER = -1.0  # in place of where a number stands among those of training
_NOTHING = {"", "na", "n/a", "nan", "null", "none", "-", "--", "?", "无"}  # how tables say that there is no number
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")  # 1,234.5
_BINS = 32  # of a number; few values get one each
_RARE = 2  # rows that a category must have to be one of its own; the others teach what an unseen one is
_MOST = 10_000  # categories of a column
_STEPS, _BATCH = 16, 256  # an epoch of a small table has about so many steps, of so many rows at most
_SHOWN = 30  # most frequent categories that a baseline sees one by one
_LONGEST = 40  # characters of a cell in a message
_OFFERED = 100  # most frequent categories that a form offers
_NOISE, _MISSING = "noise", "missing"
_HIDDEN = 0.1  # share of made-up cells that are missing


def number(cell: Any) -> float | None:
    """The number in a cell, which may have commas between thousands; None where there is none.

    Raises:
        ValueError: when it holds something else, or a number without end.
    """
    text = as_text(cell).strip().replace("，", ",") if cell is not None else ""
    if text.lower() in _NOTHING:
        return None
    value = float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def category(cell: Any) -> str | None:
    """The category in a cell; None where it is empty."""
    return (as_text(cell).strip() or None) if cell is not None else None


def cells(row: Mapping[str, Any], numbers: Sequence[str], categories: Sequence[str]) -> tuple[str | None, str]:
    """The columns of a row as one JSON text, or why there is none."""
    found: dict[str, Any] = {}
    for name in numbers:
        try:
            found[name] = number(row[name])
        except ValueError:
            return None, f"'{as_text(row[name])[:_LONGEST]}' in column '{name}' is no number"
    found |= {name: category(row[name]) for name in categories}
    if all(value is None for value in found.values()):
        return None, "every column is empty"
    return json.dumps(found, ensure_ascii=False), ""


@dataclass(frozen=True)
class Table(Described):
    """Turns each cell into a number: where a value stands among those of training, or the id of a category.

    Attributes:
        document: `preprocessor_config.json`: `numbers`, column -> ascending values of training between which others
            are placed; `categories`, column -> known ones, the most frequent first; `cost`, tokens that a row counts
            as, more where there are few rows; `typical`, column -> the middle number or most frequent category, None
            where most rows have nothing.
    """

    kind: ClassVar[str] = "table"
    verbs: ClassVar[frozenset[str]] = frozenset({"export", "compress", "serve", "batch", "explain", "audit"})
    ways: ClassVar[Mapping[str, tuple[float, ...]]] = {_NOISE: (0.05, 0.2), _MISSING: (0.1, 0.3)}
    about_numbers: ClassVar[str] = "the columns"
    baseline: ClassVar[str] = "trees"

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        if tune.vary not in ("auto", "none"):
            raise InputError(f"tune.vary: {tune.vary} is for images and sounds; leave it out")
        if place:
            return cls.open(place)
        given = list(map(_read, (row[cls.kind] for row in train if row[cls.kind])))
        if not given:
            raise InputError(
                f"'{train.source}' has no row whose numbers can be read; see broken_cells of: burnish check"
            )
        numbers, categories, typical = {}, {}, dict[str, float | str | None]()
        for name in given[0]:
            values = [row[name] for row in given if row[name] is not None]
            scarce = 2 * len(values) < len(given)
            if all(isinstance(value, str) for value in values):  # also of a column without any
                counts = Counter(values).most_common(_MOST)
                categories[name] = [value for value, count in counts if count >= _RARE]
                typical[name] = None if scarce or not counts else counts[0][0]
            else:
                numbers[name] = _places(values)
                typical[name] = None if scarce else float(np.median(values))
        cost = max(1, min(16, _STEPS * _BATCH // len(given)))
        return cls({"numbers": numbers, "categories": categories, "cost": cost, "typical": typical})

    def must_be_complete(self) -> None:
        _ = self.columns, self.spans, self.sizes, int(self.document["cost"])

    @property
    def columns(self) -> list[str]:
        """Names of the numbers, then of the categories."""
        return [*self.document["numbers"], *self.document["categories"]]

    @property
    def spans(self) -> list[int]:
        """How many spans between two values the numbers of each column can lie in."""
        return [max(0, len(places) - 1) for places in self.document["numbers"].values()]

    @property
    def sizes(self) -> list[int]:
        """How many ids the categories of each column have."""
        return [FIRST + len(known) for known in self.document["categories"].values()]

    @staticmethod
    def fault(path: Path) -> str | None:
        return None

    @staticmethod
    def shown(given: Any) -> str:
        return ", ".join(f"{name} {value}" for name, value in _read(given).items() if value is not None)

    def is_one(self, given: Any) -> bool:
        return isinstance(given, Mapping | str)

    def row(self, given: Any) -> Row:
        held = given.get(self.kind, given) if isinstance(given, Mapping) else given
        try:
            held = json.loads(held) if isinstance(held, str) else held
        except ValueError:
            held = None
        if not isinstance(held, Mapping):
            raise InputError("a row of a table is a mapping of column to value, or a JSON object of them")
        if wrong := [name for name in held if name not in self.columns]:
            raise InputError(f"this model knows no column '{wrong[0]}'; {nearest(str(wrong[0]), self.columns)}")
        if deep := [name for name, value in held.items() if isinstance(value, list | tuple | Mapping)]:
            raise InputError(f"column '{deep[0]}' takes one number or text")
        full = dict.fromkeys(self.columns) | dict(held)
        text, fault = cells(full, list(self.document["numbers"]), list(self.document["categories"]))
        if text is None:
            raise InputError(f"a row of a table cannot be read: {fault}")
        return {self.kind: text}

    def features(self, rows: Sequence[Row]) -> Features:
        return self._featured(self._coded(rows))

    def _featured(self, coded: NDArray[np.float32]) -> Features:
        cost = int(self.document["cost"])
        return Features({}, row=np.arange(len(coded)), dense={self.kind: coded}, cost=cost)

    def fields(self) -> dict[str, dict[str, Any]]:
        typical = self._typical
        found: dict[str, dict[str, Any]] = {}
        for name, places in self.document["numbers"].items():
            ends = {"low": places[0], "high": places[-1]} if places else {}
            usual = None if typical[name] is None else float(f"{typical[name]:.6g}")
            found[name] = {"type": "number", **ends, "typical": usual}
        for name, known in self.document["categories"].items():
            most = typical[name] if typical[name] in known else None
            found[name] = {"type": "category", "values": known[:_OFFERED], "of": len(known), "typical": most}
        return found

    def from_request(self, given: str) -> Row:
        return self.row(given)

    def example(self) -> str:
        numbers, categories = self.document["numbers"], self.document["categories"]
        cells = {name: places[len(places) // 2] if places else 0.0 for name, places in numbers.items()}
        return json.dumps(cells | {name: known[0] if known else "-" for name, known in categories.items()})

    def made_up(self, count: int, draw: np.random.Generator) -> Features:
        """Numbers anywhere among those of training, some missing, and any categories."""
        at = draw.random((count, len(self.spans))) * self.spans
        at[draw.random(at.shape) < _HIDDEN] = NO_NUMBER
        ids = draw.integers(0, np.array(self.sizes, dtype=np.int64), (count, len(self.sizes)))
        return self._featured(np.concatenate([at, ids], axis=1, dtype=np.float32))

    def parts(self, row: Row) -> Grid:
        """Columns; where one has gone, it has the middle number or the most frequent category of training."""
        held = _read(row[self.kind])
        (full,) = self._coded([row])
        (empty,) = self._coded([{self.kind: json.dumps(self._typical)}])
        cells = [_written(held.get(name)) for name in self.columns]
        return Grid(
            self.kind,
            full,
            empty,
            owner=np.arange(len(full)),
            shape=(1, len(full)),
            cost=int(self.document["cost"]),
            names=tuple(self.columns),
            cells=tuple(cells),
            baseline="typical",
            smooth=False,  # there is nothing between two categories
        )

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        """Numbers moved, by a normal error whose deviation is so large a share of the spans that they can lie in; or
        cells emptied, each with so large a chance, but never all of them."""
        held = _read(row[self.kind])
        chance = np.random.default_rng((seed, zlib.crc32(row[self.kind].encode())))
        if way == _MISSING:
            there = [name for name, value in held.items() if value is not None]
            gone = [name for name in there if chance.random() < strength]
            changed = held | dict.fromkeys(gone[: len(there) - 1])
        else:
            changed = dict(held)
            for name, places in self.document["numbers"].items():
                if held.get(name) is not None and len(places) > 1:
                    steps = np.arange(len(places))
                    moved = np.interp(held[name], places, steps) + strength * steps[-1] * chance.standard_normal()
                    changed[name] = float(np.interp(moved, steps, places))
        return row if changed == held else {**row, self.kind: json.dumps(changed, ensure_ascii=False)}

    def traits(self, rows: Sequence[Row]) -> Mapping[str, NDArray[Any]]:
        """The columns."""
        given = [_read(row[self.kind]) for row in rows]
        numbers = {name: _floats(name, given) for name in self.document["numbers"]}
        categories = self.document["categories"]
        return numbers | {name: np.array([row.get(name) or "" for row in given], dtype=object) for name in categories}

    @property
    def _typical(self) -> dict[str, Any]:
        return dict.fromkeys(self.columns) | dict(self.document.get("typical", {}))  # older folders have none

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """Each row as often as it has tokens, so that it teaches as many members of the network at once."""
        times = int(self.document["cost"])
        return {name: one.repeat_interleave(times, 0) for name, one in batch.items()} if times > 1 else batch

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Places and ids, which follow the frequency of a category, and the most frequent categories one by one."""
        coded, first = self._coded(rows), len(self.document["numbers"])
        single = [
            coded[:, [first + place]] == np.arange(EMPTY, min(size, FIRST + _SHOWN))
            for place, size in enumerate(self.sizes)
        ]
        return np.concatenate([coded, *single], axis=1, dtype=np.float32)

    def _coded(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """What the network reads, (rows, columns)."""
        given = [_read(row[self.kind]) for row in rows]
        coded = np.empty((len(rows), len(self.columns)), dtype=np.float32)
        numbers = self.document["numbers"]
        for place, (name, places) in enumerate(numbers.items()):
            values = _floats(name, given)
            at = np.interp(values, places, np.arange(len(places))) if places else values
            coded[:, place] = np.where(np.isnan(values) | np.isnan(at), NO_NUMBER, at)
        for place, (name, known) in enumerate(self.document["categories"].items(), len(numbers)):
            ids = {None: EMPTY} | {value: FIRST + index for index, value in enumerate(known)}
            coded[:, place] = [ids.get(row.get(name), UNSEEN) for row in given]
        return coded


def _read(text: Any) -> dict[str, Any]:
    if not text:
        raise InputError("a row of the table cannot be read; see broken_cells of: burnish check")
    found: dict[str, Any] = json.loads(text)
    return found


def _floats(name: str, given: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """The numbers of a column, NaN where there is none."""
    return np.array([math.nan if row.get(name) is None else row[name] for row in given], dtype=np.float64)


def _written(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _places(values: Sequence[float]) -> list[float]:
    """Values at equal shares of the rows, each once; all of them where they are few."""
    places = np.unique(values)
    if len(places) > _BINS + 1:
        places = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)))
    return [float(value) for value in places]
