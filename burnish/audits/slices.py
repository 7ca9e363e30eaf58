"""Where a model is worse than elsewhere: by what rows have in common, and by a search for the worst such groups.

The search is for conjunctions of up to two simple predicates, as in SliceLine (Sagadeeva and Boehm 2021); instead of a
score of size and error, each is tested against the rest of the rows, corrected for all that were looked at.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from burnish.audited import Section, Table
from burnish.audits.groups import Group, groups_of, word_groups
from burnish.audits.loss import Losses, losses
from burnish.audits.permute import worst_subsets
from burnish.audits.subject import LEAST, Subject

SIGNIFICANT = 0.05
_WORDS = (40, 120)  # frequent words that are looked at: quick, and else
_ORDERS = (200, 500)
_PAIRS = 20_000
_SHOWN = 10
_ALIKE = 0.6  # two slices that share this much of their rows are shown as one


def slices(subject: Subject) -> Section:
    """The metric by group with 95 % intervals, and the slices that are worse than the rest by more than chance."""
    lost, groups = losses(subject), groups_of(subject)
    whole = lost.value()
    listed, small = [g for g in groups if len(g) >= LEAST], [g for g in groups if len(g) < LEAST]
    rows = []
    for group in listed:
        chosen = np.flatnonzero(group.rows)
        rows.append((group.by, group.name, len(group), lost.value(chosen), *lost.interval(chosen, subject.seed)))
    tables = [Table("By group", ("by", "group", "rows", lost.name, "low", "high"), tuple(rows), "95 % intervals")]
    found, tried = search(subject, lost, [g for g in listed if g.by != "in the training rows"])
    gaps = [abs(lost.value(~g.rows) - lost.value(g.rows)) for g, p in found if p < SIGNIFICANT]  # the first of `found`
    worst = gaps.index(max(gaps)) if gaps else 0
    shown = unlike(found[worst : worst + 1] + found)
    tables.append(
        Table(
            "Worst slices",
            ("slice", "rows", lost.name, "the rest", "p"),
            tuple((str(g), len(g), lost.value(g.rows), lost.value(~g.rows), p) for g, p in shown),
            f"of {tried:,} slices with at least {LEAST} rows; p-values are corrected for all of them (maxT)",
        )
    )
    sure = [group for group, p in shown if p < SIGNIFICANT]
    findings = [
        f"{lost.name} is {lost.value(g.rows):.3f} on {len(g):,} rows with {g}, on the rest {lost.value(~g.rows):.3f}"
        for g in sure[:3]
    ]
    figures = {lost.name: whole, "worst_gap": max(gaps, default=0.0), "significant": float(len(sure))}
    impossible = []
    if small:
        tables.append(
            Table(
                "Groups that are too small",
                ("by", "group", "rows"),
                tuple((group.by, group.name, len(group)) for group in small),
                f"under {LEAST} rows: listed, and not concluded about",
            )
        )
    if subject.train is None:
        impossible.append(f"whether these rows stand in the training rows too: {subject.train_missing}")
    else:
        known = int(subject.known.sum()) if subject.known is not None else 0
        figures["leaked"] = known / len(subject.rows)
        if known:
            findings.append(f"{known:,} of {len(subject.rows):,} rows stand in the training rows too, or nearly so")
    summary = (
        f"{lost.name} {whole:.3f} on {len(subject.rows):,} rows of {subject.split}; "
        + (f"{len(sure)} of the slices shown are" if sure else "no slice is")
        + " worse than the rest by more than chance"
    )
    return Section("slices", summary, figures, tuple(tables), tuple(findings), tuple(impossible))


def search(subject: Subject, lost: Losses, groups: list[Group]) -> tuple[list[tuple[Group, float]], int]:
    """The slices that err more than the rest, the surest first, each with its corrected p-value; and how many were
    looked at."""
    simple = groups + word_groups(subject.given, _WORDS[not subject.quick])
    candidates = [group for group in simple if LEAST <= len(group) <= len(subject.rows) - LEAST]
    for first, second in combinations(list(candidates), 2):
        both = first.rows & second.rows
        count = int(both.sum())
        if first.by == second.by != "word" or not LEAST <= count < min(len(first), len(second)):
            continue
        candidates.append(Group(f"{first} and {second.by}", second.name, both))
        if len(candidates) >= _PAIRS:
            break
    if not candidates:
        return [], 0
    members = np.stack([group.rows for group in candidates])
    z, p = worst_subsets(members, lost.residuals, _ORDERS[not subject.quick], subject.seed)
    order = [index for index in np.argsort(-z, kind="stable") if z[index] > 0]
    return [(candidates[index], float(p[index])) for index in order], len(candidates)


def unlike(found: list[tuple[Group, float]]) -> list[tuple[Group, float]]:
    """The first of the slices that are not much the same as one before them."""
    shown: list[tuple[Group, float]] = []
    for group, p in found:
        if all((group.rows & one.rows).sum() < _ALIKE * (group.rows | one.rows).sum() for one, _ in shown):
            shown.append((group, p))
        if len(shown) == _SHOWN:
            break
    return shown
