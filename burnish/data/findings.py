"""What the checks share: the surveyed files, and how a finding about rows is worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from burnish.config import Job
from burnish.data.near import Pairs, Sketch, near_pairs
from burnish.data.readers import one_of
from burnish.data.survey import Survey
from burnish.results import Finding, Verdict

PLACES = 5
_NAMES = 5  # labels named in a message

Found = list[tuple[Survey, NDArray[np.int64]]]
"""Rows by file."""


@dataclass(frozen=True)
class Evidence:
    """All files, surveyed."""

    job: Job
    parts: tuple[Survey, ...]

    @property
    def train(self) -> Survey:
        return self.parts[0]

    @property
    def held_out(self) -> tuple[Survey, ...]:
        return self.parts[1:]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Rows of train with a text that no earlier row has."""
        keys, index = np.unique(self.train.texts, return_index=True)
        return np.sort(index[keys != 0])

    def near(self, other: Survey | None) -> Pairs:
        """Near pairs that are not exact ones: inside train, or of `other` with train."""
        first = Sketch(self.train.signatures, self.first, self.train.read)
        second = None
        if other is not None:
            new = np.flatnonzero((other.texts != 0) & ~np.isin(other.texts, self.train.texts))
            second = Sketch(other.signatures, new, other.read)
        return near_pairs(first, second, self.job.check.near_duplicate)


def about(name: str, verdict: Verdict, found: Found, said: str, advice: str) -> Finding:
    """Return a finding about rows: `212 of 14,041 rows (1.5 %) ...`, by file where there are several."""
    if verdict == "ok":
        return Finding(name, verdict, f"no rows {said}")
    shown = [(part, rows) for part, rows in found if len(rows)]
    if not shown:
        return Finding(name, verdict, f"no row of train has both {one_of(found[0][0].kind)} and a label", advice=advice)
    message = "; ".join(f"{part.name}: {share_of(len(rows), len(part))}" for part, rows in shown) + f" {said}"
    return Finding(name, verdict, message, total(found), places(found), advice)


def graded(count: int, rows: int, warn: float) -> Verdict:
    """Return ok for none, warn from this share of the rows on, else note."""
    return "ok" if not count else "warn" if count >= warn * rows else "note"


def total(found: Found) -> int:
    return sum(len(rows) for _, rows in found)


def share_of(count: int, rows: int) -> str:
    return f"{count:,} of {rows:,} rows ({percent(count / max(1, rows), 1)})"


def places(found: Found) -> tuple[str, ...]:
    return tuple(part.rows.where(int(row)) for part, rows in found for row in rows[:PLACES])[:PLACES]


def examples(part: Survey, labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.rows.where(part.example[name]) for name in list(labels)[:PLACES])


def quoted(label: str) -> str:
    return f"'{label[:40]}…'" if len(label) > 40 else f"'{label}'"


def named(labels: dict[str, int]) -> str:
    return listed([f"{quoted(name)} ({count:,})" for name, count in sorted(labels.items(), key=lambda item: -item[1])])


def listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else "")


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
