"""Whether texts that belong to none of the classes are told from those that do, by how strange they look."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from burnish.audited import Section, Table
from burnish.audits.loss import wilson
from burnish.audits.membership import auc
from burnish.audits.subject import LEAST, Subject
from burnish.tasks.scope import energies, has_scope, strange

Floats = NDArray[np.float64]
_LIMITS = (0.9, 0.95, 0.98, 0.99)
_REDRAWN = 400  # bootstrap samples
_NAMED = 5


def scope(subject: Subject) -> Section:
    """AUROC, false alarms and misses of the score that the guard's check `scope` goes by.

    Figures:
        auroc: chance that a text outside of the classes looks stranger than one inside; auroc_low, auroc_high its 95 %
            bootstrap interval.
        false_alarms_95: share of the texts inside that are taken for others where 95 % of those outside are found.
        missed_5: share of the texts outside that pass where 5 % of those inside are taken for others.
        alarms, found: of the texts inside, and outside, those over the limit 0.95 of the model's own measure.
    """
    task = subject.engine.task
    if not has_scope(task):
        told = "out of scope: only a model that gives a text one class is asked which texts belong to none"
        return Section("scope", "not measured", impossible=(told,))
    inside = energies(task, subject.predictions)
    ranks = strange(task, subject.predictions) if task.usual else None
    outside = energies(task, subject.foreign_predictions)
    few = len(outside) < LEAST
    figures: dict[str, float] = {}
    tables: list[Table] = []
    findings, impossible = [], []
    if subject.foreign:
        names = Counter(str(row["label"]) for row in subject.foreign).most_common()
        listed = ", ".join(f"{name} ({count:,})" for name, count in names[:_NAMED])
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        findings.append(f"labels that the model does not have: {listed}{more}; their rows are measured here alone")
    if few:
        impossible.append(
            f"out of scope: {len(outside)} rows have a label that the model does not have, and {LEAST} are needed; add "
            "rows that belong to no class to the file, under a label of their own such as oos"
        )
    else:
        figures |= detection(inside, outside)
        figures["auroc_low"], figures["auroc_high"] = _interval(inside, outside, subject.seed)
    if ranks is None:
        impossible.append("limits: the model keeps nothing of its dev rows to measure by; tune it again")
    else:
        beyond = strange(task, subject.foreign_predictions)
        figures["alarms"] = float((ranks >= 0.95).mean())
        if not few:
            figures["found"] = float((beyond >= 0.95).mean())
        tables.append(_limits(ranks, None if few else beyond))
        if wilson(float((ranks >= 0.95).sum()), len(ranks))[0] > 0.1:
            findings.append(
                f"{figures['alarms']:.1%} of the texts inside are over the limit 0.95, where 5 % are meant: these rows "
                "are unlike the dev rows"
            )
    if few:
        summary = "no rows outside of the classes"
    else:
        summary = (
            f"AUROC {figures['auroc']:.3f} for {len(outside):,} texts outside of the classes against {len(inside):,} "
            f"inside; {figures['missed_5']:.1%} of those pass where 5 % of these are taken for others"
        )
    return Section("scope", summary, figures, tuple(tables), tuple(findings), tuple(impossible))


def detection(inside: Floats, outside: Floats) -> dict[str, float]:
    """How well scores, higher outside of the classes, tell the two: `auroc`, `false_alarms_95`, `missed_5`."""
    return {
        "auroc": auc(outside, inside),
        "false_alarms_95": float((inside >= np.quantile(outside, 0.05)).mean()),
        "missed_5": float((outside <= np.quantile(inside, 0.95)).mean()),
    }


def _interval(inside: Floats, outside: Floats, seed: int) -> tuple[float, float]:
    draw = np.random.default_rng(seed)
    drawn = [auc(draw.choice(outside, len(outside)), draw.choice(inside, len(inside))) for _ in range(_REDRAWN)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _limits(ranks: Floats, beyond: Floats | None) -> Table:
    """What each limit of the guard's check would come to on these rows, with 95 % intervals."""
    rows: list[tuple[float | None, ...]] = []
    for limit in _LIMITS:
        over = int((ranks >= limit).sum())
        line: tuple[float | None, ...] = (limit, over / len(ranks), *wilson(over, len(ranks)))
        if beyond is None:
            rows.append((*line, None, None, None))
            continue
        found = int((beyond >= limit).sum())
        rows.append((*line, found / len(beyond), *wilson(found, len(beyond))))
    columns = ("limit", "false alarms", "from", "to", "found", "from", "to")
    note = "share of the texts inside, and outside, that are over a limit: the threshold of `check: scope` of a guard"
    return Table("Limits", columns, tuple(rows), note)
