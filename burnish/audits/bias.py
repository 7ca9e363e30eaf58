"""Whether it matters to a model whom a text is about: the same rows with other names, genders, religions ... in them.

Counterfactual token fairness (Garg et al. 2019), with a test for each group that is corrected for all of them.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.audited import Cell, Section, Table
from burnish.audits.groups import script
from burnish.audits.loss import FAR
from burnish.audits.metrics_by import group_metrics
from burnish.audits.people import Kind, Version, kinds
from burnish.audits.permute import group_shifts
from burnish.audits.slices import SIGNIFICANT
from burnish.audits.subject import LEAST, Subject
from burnish.tasks import Task
from burnish.tasks.classify import Classify
from burnish.tasks.score import Score

MATTERS = 0.02  # a shift of the mean by less is not spoken of, however sure it is
_SHARE = 0.25  # of the time
_MOST = (60, 200)  # rows for each kind: quick, and else
_ORDERS = (200, 1000)
_LOOKED = 5000  # rows that members are looked for in
_SHOWN = 12


@dataclass(frozen=True)
class Swaps:
    """What became of rows when members of one kind were swapped.

    Attributes:
        values: shape (rows, groups, outcomes); of which group a row was does not matter, all were made alike.
        outcomes: names of what was measured.
        flips: share of the groups of each row whose decision is not that of most of them, shape (rows,).
    """

    kind: Kind
    way: str
    values: NDArray[np.float64]
    outcomes: tuple[str, ...]
    flips: NDArray[np.float64]


def bias(subject: Subject) -> Section:
    """What changes with the group, kind by kind; and metrics by group where a sensitive column is given."""
    if subject.reader:
        return _of_files(subject)
    language = _language(subject)
    figures: dict[str, float] = {"shift": 0.0, "flips": 0.0}
    tables: list[Table] = []
    findings: list[tuple[float, str]] = []
    impossible: list[str] = []
    overview: list[tuple[Cell, ...]] = []
    some = kinds(language)
    passes = sum(len(kind.groups) for kind in some)
    count = max(LEAST, min(_MOST[not subject.quick], subject.affordable(_SHARE, passes)))
    for kind in some:
        found = _swaps(subject, kind, count)
        if found is None:
            impossible.append(f"bias.{kind.name}: fewer than {LEAST} rows, too few to conclude about")
            continue
        shifts, p = group_shifts(found.values, _ORDERS[not subject.quick], subject.seed)
        sure = np.argwhere((p < SIGNIFICANT) & (np.abs(shifts) >= MATTERS))
        largest = max((abs(float(shifts[g, o])) for g, o in sure), default=0.0)
        share = float(found.flips.mean())
        figures |= {f"{kind.name}_shift": largest, f"{kind.name}_flips": share}
        figures["shift"], figures["flips"] = max(figures["shift"], largest), max(figures["flips"], share)
        overview.append((kind.name, found.way, len(found.values), len(kind.groups), share, largest))
        names = list(kind.groups)
        ranked = sorted(((int(g), int(o)) for g, o in sure), key=lambda at: -abs(shifts[at]))
        for g, o in ranked[:2]:
            said = f"{kind.name}: with '{names[g]}', {found.outcomes[o]} is {shifts[g, o]:+.3f} beside the other groups"
            findings.append((-abs(float(shifts[g, o])), f"{said} (p = {p[g, o]:.3f}, {len(found.values)} rows)"))
        tables.append(_table(found, shifts, p))
    head = ("kind", "rows are", "rows", "groups", "decisions unlike those of most groups", "largest sure shift")
    tables.insert(0, Table("Swapped groups", head, tuple(overview), f"lists in the language '{language}'"))
    if subject.sensitive:
        tables += group_metrics(subject, figures, findings, impossible)
    told = tuple(text for _, text in sorted(findings))
    summary = (
        f"the largest shift that is no chance is {figures['shift']:.3f}"
        if figures["shift"]
        else f"no shift of {MATTERS} or more that is no chance"
    )
    summary += f"; up to {figures['flips']:.1%} of the decisions are unlike those for most groups"
    return Section("bias", summary, figures, tuple(tables), told, tuple(impossible))


def _of_files(subject: Subject) -> Section:
    """Metrics by group alone: nobody is named in what is no text."""
    figures: dict[str, float] = {}
    findings: list[tuple[float, str]] = []
    impossible = ["bias.shift, bias.flips: groups of people are swapped in texts alone"]
    tables = group_metrics(subject, figures, findings, impossible) if subject.sensitive else []
    said = f"metrics by {subject.sensitive}" if tables else "not measured"
    return Section("bias", said, figures, tuple(tables), tuple(text for _, text in sorted(findings)), tuple(impossible))


def _language(subject: Subject) -> str:
    """`zh` where most rows are written in Han characters, else `en`."""
    some = [script(row["text"]) for row in subject.given[:500]]
    return "zh" if some.count("Han") > len(some) / 2 else "en"


def _swaps(subject: Subject, kind: Kind, count: int) -> Swaps | None:
    """Rows with members of the kind; where fewer than 30 have any, rows with one put before them."""
    made: list[list[Version]] = []
    way = "as they are, swapped"
    for index in subject.sample(_LOOKED, salt=3):
        if len(made) == count:
            break
        versions = kind.versions(subject.given[index], _chance(subject, kind, int(index)))
        if versions:
            made.append(versions)
    if len(made) < LEAST:
        origins, way = subject.sample(count, salt=4).tolist(), f"with '{kind.template.format('…')}' before them"
        made = [kind.inserted(subject.given[i], _chance(subject, kind, i)) for i in origins]
    if len(made) < LEAST:
        return None
    groups = len(kind.groups)
    said = subject.engine.predict_rows([row for versions in made for row, _ in versions])
    answers = [said[i * groups : (i + 1) * groups] for i in range(len(made))]
    task, found_name = subject.engine.task, kind.name in ("name", "region")
    outcomes = _outcomes(task, found_name)
    values = np.array(
        [
            [_values(task, version, answer, found_name) for version, answer in zip(versions, row, strict=True)]
            for versions, row in zip(made, answers, strict=True)
        ]
    )
    if isinstance(task, Score):
        middle = np.median(values[:, :, 0], axis=1, keepdims=True)
        flips = (np.abs(values[:, :, 0] - middle) > FAR).mean(1)
    else:
        pairs = zip(made, answers, strict=True)
        decisions = [
            Counter(_decision(task, v, a, found_name) for v, a in zip(vs, row, strict=True)) for vs, row in pairs
        ]
        flips = np.array([1 - one.most_common(1)[0][1] / groups for one in decisions])
    return Swaps(kind, way, values, outcomes, flips)


def _chance(subject: Subject, kind: Kind, index: int) -> np.random.Generator:
    return np.random.default_rng((subject.seed, zlib.crc32(f"{kind.name} {index}".encode())))


def _outcomes(task: Task, named: bool) -> tuple[str, ...]:
    if isinstance(task, Score):
        return ("the number, in spreads of the labels,",)
    if isinstance(task, Classify):
        return tuple(f"the probability of '{label}'" for label in task.labels)
    return ("recall of the other entities", "the share of names found")[: 1 + named]


def _values(task: Task, version: Version, said: Any, named: bool) -> list[float]:
    """What is measured of one version of a row."""
    if isinstance(task, Score):
        return [(said.value - task.mean) / task.spread]
    if isinstance(task, Classify):
        return [float(said.probabilities[label]) for label in task.labels]
    row, places = version
    inside = {i for first, last in places for i in range(first, last)}
    due = [i for i, tag in enumerate(row["tags"]) if tag != "O" and i not in inside]
    recall = float(np.mean([said.tags[i] == row["tags"][i] for i in due])) if due else 1.0
    if not named:
        return [recall]
    return [recall, float(np.mean([said.tags[i] != "O" for i in inside]))]


def _decision(task: Task, version: Version, said: Any, named: bool) -> Any:
    """What must not depend on the group: the labels; of tags those of the other words, and whether a name is found."""
    if isinstance(task, Score):
        return None
    if isinstance(task, Classify):
        return frozenset(said.labels)
    inside = {i for first, last in version[1] for i in range(first, last)}
    others = tuple(tag for i, tag in enumerate(said.tags) if i not in inside)
    return others, named and tuple(all(said.tags[i] != "O" for i in range(*place)) for place in version[1])


def _table(found: Swaps, shifts: NDArray[np.float64], p: NDArray[np.float64]) -> Table:
    """The shifts of one kind, the largest first; a corrected p-value each."""
    names = list(found.kind.groups)
    order = sorted(
        np.ndindex(*shifts.shape),
        key=lambda at: (not (p[at] < SIGNIFICANT and abs(shifts[at]) >= MATTERS), -abs(shifts[at])),
    )[:_SHOWN]
    rows = tuple(
        (names[g], found.outcomes[o], float(found.values[:, g, o].mean()), float(shifts[g, o]), float(p[g, o]))
        for g, o in order
    )
    note = f"{len(found.values)} rows {found.way}; p-values are corrected for all groups and outcomes (maxT)"
    return Table(f"By {found.kind.name}", ("group", "of", "mean", "beside the others", "p"), rows, note)
