"""What is audited: one form of a model, and the rows that it is held against."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.artifact import Artifact
from burnish.data.near import Pairs, Sketch, near_pairs, normal
from burnish.data.reader import Reader
from burnish.data.readers import TEXT, kind_of
from burnish.data.rows import Row, Rows
from burnish.engine import Engine

QUICK_SECONDS, FULL_SECONDS = 15.0, 200.0  # that the audits of one form may ask its model for, together
LEAST = 30  # rows that a group needs to be concluded about
NEAR = 0.85  # Jaccard similarity of character shingles, as in the check of the data
_READ, _READ_QUICK = 200_000, 10_000  # training rows that are read for what they say
_TIMED = 64  # rows that the pace is measured on


@dataclass(frozen=True)
class Subject:
    """One form of a model with labelled rows.

    Attributes:
        artifact: the model folder.
        engine: of the form that is audited.
        form: its name; `torch` is the tuned model.
        rows: labelled rows that the model was not tuned on, sampled where there are many.
        split: what these rows are, in words.
        train: the rows it was tuned on, or None where they are gone.
        train_missing: why, in a sentence; empty where they are there.
        extra: further columns of the source of `rows`, by name, in the order of `rows`.
        sensitive: the column whose groups are compared; one of `extra`.
        foreign: rows of the same source whose label the model does not have; they are not among `rows`.
        quick, deep: how much time may be taken.
        pace: rows that the engine predicts in a second.
    """

    artifact: Artifact
    engine: Engine
    form: str
    rows: Rows
    split: str
    train: Rows | None = None
    train_missing: str = ""
    extra: dict[str, Sequence[str | None]] = field(default_factory=dict)
    sensitive: str | None = None
    quick: bool = False
    deep: bool = False
    seed: int = 0
    pace: float = 1000.0
    foreign: Sequence[Row] = ()

    @property
    def task(self) -> str:
        return self.engine.task.name

    @property
    def reader(self) -> Reader | None:
        """What reads the rows, where they hold no text."""
        found: Reader | None = None if kind_of(self.rows.columns) == TEXT else self.engine.tokenizer
        return found

    @cached_property
    def given(self) -> list[Row]:
        """The rows, read."""
        return list(self.rows)

    @cached_property
    def predictions(self) -> list[Any]:
        """What the engine says of each of `rows`."""
        return self.engine.predict_rows(self.given)

    @cached_property
    def foreign_predictions(self) -> list[Any]:
        """What the engine says of each of `foreign`."""
        return self.engine.predict_rows(self.foreign)

    @cached_property
    def tallies(self) -> NDArray[np.float64]:
        """Numbers of each row whose sums give the task's metric, shape (rows, k)."""
        return tallies(self.engine, self.predictions, self.given)

    @cached_property
    def known(self) -> NDArray[np.bool_] | None:
        """Which rows stand in the training rows too, or nearly (exactly, if quick); None where these are gone."""
        if self.train is None:
            return None
        exact = {normal(text_of(row)) for row in self.train}
        found = np.array([normal(text_of(row)) in exact for row in self.given])
        if not self.quick:
            found[self.twins.second] = True
        return found

    @cached_property
    def twins(self) -> Pairs:
        """Pairs of a training row, of those drawn by `read`, and one of `rows` that nearly say the same."""
        assert self.train is not None
        theirs = [text_of(row) for row in self.train.select(self.read)]
        return near_pairs(Sketch.of(theirs), Sketch.of([text_of(row) for row in self.given]), NEAR)

    @cached_property
    def read(self) -> NDArray[np.int64]:
        """Indices of the training rows that are read where all would take too long."""
        return drawn(len(self.train or ()), _READ_QUICK if self.quick else _READ, self.seed)

    def metric(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The task's metric of summed tallies, shape (..., k) -> (...)."""
        return self.engine.task.score(sums)

    def affordable(self, share: float, passes: float) -> int:
        """How many rows may be predicted `passes` times with a share of the time; 30 at the least."""
        seconds = share * (QUICK_SECONDS if self.quick else FULL_SECONDS)
        return max(LEAST, int(seconds * self.pace / max(passes, 1.0)))

    def sample(self, count: int, salt: int = 0) -> NDArray[np.int64]:
        """Indices of at most `count` rows, in their order, the same for the same seed."""
        return drawn(len(self.rows), count, self.seed + salt)


def text_of(row: Row) -> str:
    """The text of a row, or both with a tab between them; where it has none, the digest of its file. Of several
    kinds of input all of them."""
    if "digest" in row:
        return str(row["digest"])
    digests = [value for name, value in row.items() if name.endswith("_digest")]
    return "\t".join(str(one) for one in (row.get("text"), row.get("text_b"), *digests) if one)


def tallies(engine: Engine, predictions: Sequence[Any], rows: Sequence[Row]) -> NDArray[np.float64]:
    """Tallies of predictions against the labels of their rows, shape (rows, k)."""
    task = engine.task
    found = [task.tally(said, task.reference(row)) for said, row in zip(predictions, rows, strict=True)]
    return np.asarray(found, dtype=np.float64).reshape(len(found), -1)


def drawn(rows: int, count: int, seed: int) -> NDArray[np.int64]:
    """Indices of at most `count` of `rows`, in their order."""
    if count >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))


def pace_of(engine: Engine, rows: Rows, seed: int) -> float:
    """Rows that the engine predicts in a second, measured on a few after a first call that does not count."""
    some = [rows[int(index)] for index in drawn(len(rows), _TIMED, seed)]
    engine.predict_rows(some)
    started = time.perf_counter()
    engine.predict_rows(some)
    return len(some) / max(1e-9, time.perf_counter() - started)
