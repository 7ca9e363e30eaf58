"""From which score on a guard acts: as low as the false positives allow, with recall and precision beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Span = tuple[int, int, str]
UNJUDGED = frozenset({"TITLE", "AGE", "NRP"})  # of the tagger: found, but no matter of privacy by themselves


@dataclass(frozen=True)
class Point:
    """A threshold and what it comes to.

    Attributes:
        recall: share of what was to be found; of the classes asked for, together.
        precision: share of what was found that is right.
        false_positives: share of harmless rows that are taken for harmful, by kind of row.
        rows: measured rows.
        groups: share of rows that something is found in, by what the material's rows do ("neither: counter").
    """

    threshold: float
    recall: float
    precision: float
    false_positives: Mapping[str, float]
    rows: int
    groups: Mapping[str, float] = field(default_factory=dict)


def point(
    scores: Sequence[float],
    wanted: Sequence[bool],
    kinds: Sequence[str],
    limits: Mapping[str, float],
    groups: Sequence[str] = (),
) -> Point:
    """The lowest threshold, of four decimals, whose false positives stay within `limits`, a share by kind of row.

    Kinds without a limit do not decide. Where no threshold below one does it, it is 0.9999. `groups` says what each
    row does, "" for rows of no group.
    """
    values, truth, kind = np.asarray(scores), np.asarray(wanted, dtype=bool), np.asarray(kinds)
    harmless = {name: values[(kind == name) & ~truth] for name in limits}
    within = (
        step / 10_000
        for step in range(10, 10_000)
        if all(not len(of) or float((of >= step / 10_000).mean()) <= limits[name] for name, of in harmless.items())
    )
    chosen = next(within, 0.9999)
    return measured(chosen, values, truth, kind, groups)


def measured(threshold: float, values: Any, truth: Any, kind: Any, groups: Sequence[str] = ()) -> Point:
    """What a threshold comes to on rows: arrays of scores, of bools and of kinds, all (rows,)."""
    found = values >= threshold
    right = int((found & truth).sum())
    false = {
        str(name): float(found[(kind == name) & ~truth].mean())
        for name in np.unique(kind)
        if ((kind == name) & ~truth).any()
    }
    own = np.asarray(groups)
    by = {name: float(found[own == name].mean()) for name in dict.fromkeys(groups) if name}
    return Point(threshold, right / max(1, int(truth.sum())), right / max(1, int(found.sum())), false, len(values), by)


def spans_point(rows: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> Point:
    """What a tagger comes to, from the spans found and the true ones of each row, without those of `UNJUDGED`.

    A span counts as right when it overlaps one of its type by half of the longer of the two, each used once; the
    threshold is zero, and the false positives are the rows without any true span in which one is found.
    """
    right = found = true = clean = false = count = 0
    for given, known in rows:
        said = [span for span in given if span[2] not in UNJUDGED]
        left = [span for span in known if span[2] not in UNJUDGED]
        count += 1
        found, true = found + len(said), true + len(left)
        clean, false = clean + (not left), false + (not left and bool(said))
        for span in said:
            match = next((one for one in left if _half(span, one)), None)
            if match:
                left.remove(match)
                right += 1
    return Point(0.0, right / max(1, true), right / max(1, found), {"without any": false / max(1, clean)}, count)


def _half(first: Span, second: Span) -> bool:
    shared = min(first[1], second[1]) - max(first[0], second[0])
    return first[2] == second[2] and 2 * shared >= max(first[1] - first[0], second[1] - second[0])
