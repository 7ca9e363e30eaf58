"""Privacy of the training rows: whether the model gives away that it has seen them, and what is in them."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from burnish.audited import Cell, Section, Table
from burnish.audits.membership import Attack, attack, calibrated, losses
from burnish.audits.subject import LEAST, NEAR, Subject, drawn, text_of
from burnish.data.personal import FORMS, find
from burnish.data.rows import Rows
from burnish.tasks.classify import Classify

_SHARE = 0.1  # of the time of an audit
_ROWS = 2000  # of each side that members are told from others on
_SHOWN = 20  # rows that are named
_LEAKS = 0.6  # AUC, with a low end of the interval above chance, that is worth a finding
_HUNDRED = 100  # held-out rows, below which 1 % of them is none


def privacy(subject: Subject) -> Section:
    """Membership by the loss (and under `deep` against shadow models), personal data, and rows on both sides.

    Figures:
        membership_auc, membership_tpr, membership_tpr_low, membership_tpr_high: of the loss threshold, the last three
            at 1 % false positives; shadow_auc, shadow_tpr: of the other attack.
        personal_rows: training rows with personal data, of `rows_read`.
        near_duplicates: held-out rows that resemble a training row; near_duplicate_share: of all held-out rows.

    Texts are never part of it: rows are named by their place.
    """
    started = time.perf_counter()
    if subject.train is None:
        why = subject.train_missing or "the training rows are gone"
        told = f"nothing can be said of the privacy of the training rows, as they are not there: {why}"
        return Section("privacy", "The training rows are not there.", impossible=(told,))
    train = subject.train
    figures: dict[str, float] = {}
    findings: list[str] = []
    impossible: list[str] = []
    tables: list[Table] = []
    read = subject.read
    twins = _twins(subject, train, figures, findings, tables)
    said = []
    if subject.reader:
        impossible.append(
            "personal data is looked for in texts alone; of other rows only those of the same content are found"
        )
    else:
        _personal(train, read, figures, findings, tables)
        said.append(f"{figures['personal_rows']:,.0f} of {len(read):,} training rows hold personal data")
    said.append(f"{figures['near_duplicates']:,.0f} of {len(subject.rows):,} held-out rows resemble one of them")
    attacks = _membership(subject, train, twins, impossible)
    for name, one in attacks.items():
        key = "membership" if name == "loss threshold" else "shadow"
        figures |= {f"{key}_auc": one.auc, f"{key}_tpr": one.tpr}
        figures |= {f"{key}_tpr_low": one.low, f"{key}_tpr_high": one.high}
        said.insert(0, f"{name}: AUC {one.auc:.3f}, {one.tpr:.1%} of the training rows found at 1 % false positives")
        if one.auc >= _LEAKS or one.low > 0.05:
            findings.append(
                f"the model gives away which rows it was tuned on ({name}): AUC {one.auc:.3f}, and {one.tpr:.1%} "
                f"[{one.low:.1%}, {one.high:.1%}] of them are found at 1 % false positives; fewer epochs, more dropout "
                "or more rows lower it"
            )
    if attacks:
        tables.append(_table(attacks))
    return Section(
        "privacy", "; ".join(said) + ".", figures, tuple(tables), tuple(findings), tuple(impossible),
        time.perf_counter() - started,
    )  # fmt: skip


def _membership(subject: Subject, train: Rows, twins: set[int], impossible: list[str]) -> dict[str, Attack]:
    """The attacks on rows of both sides; held-out rows that resemble a training row take no part."""
    count = min(_ROWS, subject.affordable(_SHARE, 2))
    others = [row for index, row in enumerate(subject.given) if index not in twins]
    others = [others[index] for index in drawn(len(others), count, subject.seed).tolist()]
    members = [train[index] for index in drawn(len(train), count, subject.seed + 1).tolist()]
    if min(len(members), len(others)) < LEAST:
        impossible.append(
            f"whether rows give themselves away cannot be said of {len(members):,} training and {len(others):,} "
            f"held-out rows: {LEAST} of each are needed"
        )
        return {}
    columns = set(members[0]) & set(others[0])
    both = [{name: row[name] for name in columns} for row in (*members, *others)]
    loss = losses(subject.engine, both)
    inside = np.arange(len(both)) < len(members)
    known = np.isfinite(loss)
    if min((known & inside).sum(), (known & ~inside).sum()) < LEAST:
        impossible.append(f"fewer than {LEAST} rows have a label that the model knows")
        return {}
    if (known & ~inside).sum() < _HUNDRED:
        impossible.append(
            f"of {(known & ~inside).sum():,} held-out rows 1 % is less than one: the rate at 1 % false positives is "
            "that at none"
        )
    found = {"loss threshold": attack(-loss[inside], -loss[~inside], subject.seed)}
    task = subject.engine.task
    if not subject.deep:
        return found
    if subject.reader or not isinstance(task, Classify) or task.name not in ("classify", "pair") or task.multi_label:
        impossible.append("shadow models are there for classifiers that give a text one class")
        return found
    labels = np.array([task.target(row["label"]) for row in both], dtype=np.int64)
    score = calibrated(loss, [text_of(row) for row in both], labels, subject.seed)
    return found | {"linear shadow models": attack(score[inside], score[~inside], subject.seed)}


def _personal(
    train: Rows, read: NDArray[np.int64], figures: dict[str, float], findings: list[str], tables: list[Table]
) -> None:
    """Count personal data that has a form of its own, by kind."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, row in zip(read.tolist(), train.select(read), strict=True):
        for kind in {found.kind for found in find(text_of(row), FORMS)}:
            places[kind].append(index)
    rows = {index for own in places.values() for index in own}
    figures |= {"personal_rows": float(len(rows)), "rows_read": float(len(read))}
    if not places:
        return
    findings.append(
        f"{len(rows):,} of {len(read):,} training rows hold personal data "
        f"({', '.join(sorted(places))}): redact them, or be sure that you may use them"
    )
    told: list[tuple[Cell, ...]] = [
        (kind, len(own), ", ".join(map(train.where, own[:_SHOWN])))
        for kind, own in sorted(places.items(), key=lambda one: -len(one[1]))
    ]
    note = f"in {len(read):,} of {len(train):,} rows; names and addresses have no form of their own and are not counted"
    tables.append(Table("Personal data in the training rows", ("kind", "rows", "the first of them"), tuple(told), note))


def _twins(
    subject: Subject,
    train: Rows,
    figures: dict[str, float],
    findings: list[str],
    tables: list[Table],
) -> set[int]:
    """Held-out rows that resemble a training row."""
    pairs = subject.twins
    share = len(pairs) / max(1, len(subject.rows))
    figures |= {"near_duplicates": float(len(pairs)), "near_duplicate_share": share}
    if not len(pairs):
        return set()
    findings.append(
        f"{len(pairs):,} of {len(subject.rows):,} held-out rows ({share:.1%}) resemble a training row, which makes the "
        "figures on them too good"
    )
    told: list[tuple[Cell, ...]] = [
        (subject.rows.where(int(own)), train.where(int(subject.read[other])), round(float(alike), 3))
        for own, other, alike in list(zip(pairs.second, pairs.first, pairs.similarity, strict=True))[:_SHOWN]
    ]
    columns = ("held-out row", "training row", "similarity")
    tables.append(
        Table("Rows on both sides", columns, tuple(told), f"share of character shingles in common, from {NEAR} on")
    )
    return set(pairs.second.tolist())


def _table(attacks: dict[str, Attack]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, one.auc, one.tpr, one.low, one.high, one.members, one.others) for name, one in attacks.items()
    ]
    note = (
        "rate of training rows found at 1 % false positives, with a 95 % bootstrap interval; also above chance where "
        "held-out rows are of another kind than training rows"
    )
    if "linear shadow models" in attacks:
        note += "; the shadow models are linear models of character n-grams, so that a stronger attacker may find more"
    columns = ("attack", "AUC", "rate", "low", "high", "training rows", "held-out rows")
    return Table("Who was trained on", columns, tuple(rows), note)
