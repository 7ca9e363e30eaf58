"""Metrics by the groups of a sensitive column, through Fairlearn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from burnish.audited import Table
from burnish.audits.loss import losses
from burnish.audits.subject import LEAST, Subject
from burnish.extras import need
from burnish.tasks.classify import Classify


def group_metrics(
    subject: Subject, figures: dict[str, float], findings: list[tuple[float, str]], impossible: list[str]
) -> list[Table]:
    """The metric by group and, where a text has one class, how often each is given; fills in figures and findings.

    Raises:
        MissingExtra: when Fairlearn is not installed.
    """
    fairlearn: Any = need("fairlearn.metrics", "audit")
    column = str(subject.sensitive)
    values = [value if value is not None else "(empty)" for value in subject.extra[column]]
    counts = Counter(values)
    small = sorted(group for group, count in counts.items() if count < LEAST)
    impossible += [
        f"bias of {column} '{group}': {counts[group]} rows, under {LEAST}, too few to conclude about" for group in small
    ]
    kept = np.array([counts[value] >= LEAST for value in values])
    groups = np.array(values, dtype=object)[kept]
    if len(set(groups.tolist())) < 2:
        impossible.append(f"bias by {column}: fewer than two groups with {LEAST} rows")
        return []
    lost = losses(subject)
    errors, decisions = lost.errors[kept], lost.decisions[kept]

    def value(true: Any, said: Any) -> float:
        ratio = float(np.sum(true) / max(1e-12, np.sum(said)))
        return 1 - ratio if lost.rising else ratio

    frame = fairlearn.MetricFrame(metrics=value, y_true=errors, y_pred=decisions, sensitive_features=groups)
    gap = float(frame.difference(method="between_groups"))
    figures["group_gap"] = gap
    by_group = frame.by_group.to_dict()
    rows = tuple((str(group), counts[group], float(one)) for group, one in sorted(by_group.items(), key=lambda x: x[1]))
    tables = [Table(f"{lost.name} by {column}", (column, "rows", lost.name), rows, f"difference {gap:.3f} (Fairlearn)")]
    findings.append((-gap, f"{lost.name} differs by {gap:.3f} between groups of {column}"))
    task = subject.engine.task
    if isinstance(task, Classify) and not task.multi_label and subject.task != "score":
        said = [one.label for one, keep in zip(subject.predictions, kept, strict=True) if keep]
        true = [task.reference(row)[0] for row, keep in zip(subject.given, kept, strict=True) if keep]
        tables.append(_by_label(fairlearn, task.labels, true, said, groups, figures, column))
    return tables


def _by_label(
    fairlearn: Any, labels: Any, true: list[str], said: list[str], groups: Any, figures: dict[str, float], column: str
) -> Table:
    """For each label how far the groups differ in how often it is given (demographic parity) and in how often it is
    rightly and wrongly given (equalized odds)."""
    rows = []
    for label in labels:
        due, given = np.array([x == label for x in true]), np.array([x == label for x in said])
        parity = float(fairlearn.demographic_parity_difference(due, given, sensitive_features=groups))
        counted = min(int(due[groups == group].sum()) for group in set(groups.tolist()))
        odds = None
        if counted >= LEAST:
            odds = float(fairlearn.equalized_odds_difference(due, given, sensitive_features=groups))
        rows.append((label, parity, odds))
    figures["parity_gap"] = max(parity for _, parity, _ in rows)
    note = f"equalized odds only where each group has {LEAST} rows of the label"
    return Table(
        f"Labels by {column}",
        ("label", "demographic parity difference", "equalized odds difference"),
        tuple(rows),
        note,
    )
