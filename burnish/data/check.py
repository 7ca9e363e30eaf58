"""The data check: what in the rows will hurt the model, each with a verdict, before any time is spent on training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from burnish.config import Job
from burnish.data.columns import BAD_SPANS
from burnish.data.findings import (
    PLACES,
    Evidence,
    about,
    examples,
    graded,
    listed,
    named,
    percent,
    places,
    quoted,
    share_of,
    total,
)
from burnish.data.readers import TEXT, one_of
from burnish.data.rows import Rows
from burnish.data.spelling import misspelt
from burnish.data.survey import Survey, survey
from burnish.data.table import Table
from burnish.errors import ConfigError, nearest
from burnish.results import Finding, Verdict


def check(parts: dict[str, Rows], job: Job, tokenizer: Any | None) -> tuple[Finding, ...]:
    """Check the rows of `train` and, where given, `dev` and `test`; one finding a check, ok ones included.

    Each file is read once in a stream, then a few rows again where texts are nearly the same; about 160 bytes are
    kept of a row. Without a tokenizer (it is yet to be built from the text) lengths and characters are not checked.
    """
    names = ["train", *(name for name in parts if name != "train")]
    evidence = Evidence(job, tuple(survey(name, parts[name], job.task, tokenizer) for name in names))
    checks = dict(_ALWAYS)
    if evidence.train.kind != TEXT:
        others = _CELLS if evidence.train.kind == Table.kind else _FILES
        checks = {name: run for name, run in checks.items() if name not in _TEXTS} | others
    if job.task == "transcribe":
        del checks["one_label"]
    if job.task == "embed":
        checks = {name: run for name, run in checks.items() if name not in _ANSWERS}
    if job.task not in ("score", "transcribe", "embed"):
        checks |= _LABELS
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        checks |= _TOKENS
    if job.task == "detect":
        checks |= _BOXES
    if any(BAD_SPANS in rows.columns for rows in parts.values()):
        checks |= _SPANS
    return tuple(run(evidence) for run in checks.values())


def stopping(findings: Iterable[Finding], fail_on: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings that stop the job: failures, and warnings named in `check.fail_on`."""
    known = [*_ALWAYS, *_FILES, *_CELLS, *_LABELS, *_TOKENS, *_SPANS, *_BOXES, UNSPOKEN]
    for name in fail_on:
        if name not in known:
            raise ConfigError(f"check.fail_on: unknown check '{name}'; {nearest(name, known)}")
    return tuple(f for f in findings if f.verdict == "fail" or (f.verdict == "warn" and f.name in fail_on))


def rows_read(evidence: Evidence) -> Finding:
    """How each file was read: what the reader found out or decided on its own, such as the encoding."""
    files = {part.rows.source: part.rows for part in evidence.parts}  # sides of one file are told by its notes
    told = []
    for source, rows in files.items():
        sides = ", ".join(f"{len(part):,} for {part.name}" for part in evidence.parts if part.rows.source == source)
        told.append(f"{source}: rows: {sides}; {'; '.join([rows.format, *rows.notes])}")
    return Finding("rows_read", "ok", ". ".join(told), sum(map(len, evidence.parts)))


def missing_text(evidence: Evidence) -> Finding:
    missing = [(part, np.flatnonzero(part.texts == 0)) for part in evidence.parts]
    verdict: Verdict = "warn" if total(missing) else "ok"
    if not np.any(evidence.train.texts):
        verdict = "fail"
    if not len(evidence.train):
        return Finding("missing_text", verdict, "train has no rows", advice=f"look into {evidence.train.rows.source}")
    return about("missing_text", verdict, missing, "have no text", "fill in the text or remove these rows")


def broken_files(evidence: Evidence) -> Finding:
    """Files that are not there, lie outside of the data folder, or are not what their column says."""
    said, advice = f"have no {evidence.train.kind} that can be read", "mend or remove these files"
    return _broken("broken_files", evidence, said, f"{advice}; their rows are left out")


def broken_cells(evidence: Evidence) -> Finding:
    """Rows of a table with a cell that is no number, or with nothing in them."""
    advice = "correct the cell, empty it, or name its column under data.columns.category; these rows are left out"
    return _broken("broken_cells", evidence, "have numbers and categories that cannot be read", advice)


def _broken(name: str, evidence: Evidence, said: str, advice: str) -> Finding:
    verdict: Verdict = "warn" if np.any(evidence.train.texts) else "fail"
    if not len(evidence.train):
        return Finding(name, "fail", f"no rows {said}", advice=advice)
    return _told(name, verdict, [(part, part.faults) for part in evidence.parts], said, advice)


def bad_boxes(evidence: Evidence) -> Finding:
    """Boxes without an area or a known class, and those that do not lie inside of their image."""
    advice = "correct these boxes; what lies inside of the image is used, the others are left out"
    told = [(part, part.bad_boxes) for part in evidence.parts]
    return _told("bad_boxes", "warn", told, "have boxes that do not fit their image, or no class", advice)


def _told(name: str, verdict: Verdict, told: list[tuple[Survey, dict[int, str]]], said: str, advice: str) -> Finding:
    """A finding about rows of which each is named with its reason."""
    found = [(part, np.array(sorted(why), dtype=np.int64)) for part, why in told]
    if not total(found):
        return Finding(name, "ok", f"no rows {said}")
    named = [f"{part.rows.where(row)}: {why[row]}" for part, why in told for row in sorted(why)[:PLACES]]
    return replace(about(name, verdict, found, said, advice), places=tuple(named[:PLACES]))


def missing_label(evidence: Evidence) -> Finding:
    missing = [(part, np.flatnonzero(part.answers == 0)) for part in evidence.parts]
    verdict: Verdict = "warn" if total(missing) else "ok"
    if not np.any((evidence.train.answers != 0) & (evidence.train.texts != 0)):
        verdict = "fail"
    advice = "fill in the label or remove these rows; if all lack it, name the column by data.columns.label"
    if evidence.job.task == "tag":
        advice = "give every word of a row one tag; see data.columns.tags"
    return about("missing_label", verdict, missing, "have no label", advice)


def one_label(evidence: Evidence) -> Finding:
    job, train = evidence.job, evidence.train
    if job.task == "score":
        low, high = train.values
        if low < high:
            return Finding("one_label", "ok", f"numbers from {low:g} to {high:g}")
        return Finding("one_label", "fail", "all rows have the same number", len(train), (), _SAME)
    kind = "entity types" if job.task == "tag" else "labels"
    if len(train.labels) >= (1 if job.task in ("tag", "detect") or job.data.multi_label else 2):
        return Finding("one_label", "ok", f"{len(train.labels):,} {kind}")
    if job.task == "detect":
        return Finding("one_label", "fail", "no image has a box", len(train), (), _SAME)
    if job.task == "tag":
        return Finding("one_label", "fail", "no word is tagged as part of an entity", len(train), (), _SAME)
    return Finding("one_label", "fail", f"all rows have the label {named(train.labels) or '(none)'}", 0, (), _SAME)


_SAME = "there is nothing to learn from this column; see data.columns"


def duplicates(evidence: Evidence) -> Finding:
    train = evidence.train
    repeated = np.setdiff1d(np.flatnonzero(train.texts), evidence.first)
    verdict = graded(len(repeated), len(train), warn=0.05)
    return about(
        "duplicates",
        verdict,
        [(train, repeated)],
        f"repeat the {train.noun} of an earlier one",
        f"keep one row of each {train.noun}",
    )


def conflicting_labels(evidence: Evidence) -> Finding:
    train = evidence.train
    whole = np.flatnonzero((train.texts != 0) & (train.answers != 0))
    texts, group = np.unique(train.texts[whole], return_inverse=True)
    first = np.zeros(len(texts), dtype=np.uint64)
    first[group[::-1]] = train.answers[whole][::-1]  # the earliest row of a text is written last
    differs = np.zeros(len(texts), dtype=bool)
    differs[group[train.answers[whole] != first[group]]] = True
    rows = whole[differs[group]]
    verdict = graded(len(rows), len(train), warn=0.005)
    advice = f"decide on one label for each {train.noun}; the model cannot learn both"
    return about(
        "conflicting_labels", verdict, [(train, rows)], f"share their {train.noun} but not their label", advice
    )


def near_duplicates(evidence: Evidence) -> Finding:
    found = evidence.near(None).second
    verdict = graded(len(found), len(evidence.train), warn=0.2)
    said = f"are at least {evidence.job.check.near_duplicate:.2f} like an earlier text (Jaccard)"
    return about("near_duplicates", verdict, [(evidence.train, found)], said, "keep one row of each group")


def leak_exact(evidence: Evidence) -> Finding:
    if not evidence.held_out:
        return Finding("leak_exact", "ok", "no dev or test rows to compare with")
    found = [
        (part, np.flatnonzero((part.texts != 0) & np.isin(part.texts, evidence.train.texts)))
        for part in evidence.held_out
    ]
    verdict = max((graded(len(rows), len(part), warn=0.01) for part, rows in found), key=_SEVERITY.index)
    advice = "remove them from one side; the measured quality is too good with them"
    return about("leak_exact", verdict, found, f"have {one_of(evidence.train.kind)} that stands in train too", advice)


def leak_near(evidence: Evidence) -> Finding:
    if not evidence.held_out:
        return Finding("leak_near", "ok", "no dev or test rows to compare with")
    found = [(part, evidence.near(part).second) for part in evidence.held_out]
    verdict = max((graded(len(rows), len(part), warn=0.02) for part, rows in found), key=_SEVERITY.index)
    said = f"are at least {evidence.job.check.near_duplicate:.2f} like a text of train (Jaccard)"
    return about("leak_near", verdict, found, said, "split by data.columns.group so that relatives stay together")


def rare_labels(evidence: Evidence) -> Finding:
    train = evidence.train
    floor = max(5, len(train) // 10_000)
    rare = {name: count for name, count in train.labels.items() if count < floor}
    if not rare:
        return Finding("rare_labels", "ok", f"every label has {floor} rows or more")
    message = f"{len(rare):,} of {len(train.labels):,} labels have fewer than {floor} rows: {named(rare)}"
    advice = "add rows, or merge these labels with others"
    if len(rare) > len(train) / 4:
        advice = "this looks like a column of free text or identifiers; see data.columns.label"
    return Finding("rare_labels", "warn", message, sum(rare.values()), examples(train, rare), advice)


def label_typos(evidence: Evidence) -> Finding:
    train = evidence.train
    typos = misspelt(train.labels)
    if not typos:
        return Finding("label_typos", "ok", "no two labels look like spellings of one")
    shown = [f"{quoted(wrong)} ({train.labels[wrong]:,}) for {quoted(right)}" for wrong, right in typos.items()]
    message = "possibly misspelt: " + listed(shown)
    count = sum(train.labels[wrong] for wrong in typos)
    advice = "correct the spelling, or ignore this when both are meant"
    return Finding("label_typos", "warn", message, count, examples(train, typos), advice)


def imbalance(evidence: Evidence) -> Finding:
    labels = evidence.train.labels
    if len(labels) < 2:
        return Finding("imbalance", "ok", "fewer than two labels to compare")
    (top, most), *_, (bottom, least) = labels.most_common()
    ratio, share = most / least, most / labels.total()
    verdict: Verdict = "warn" if share > 0.95 or ratio > 100 else "note" if ratio > 10 else "ok"
    message = f"{quoted(top)} is {percent(share)} of all labels and {ratio:,.0f} times as frequent as {quoted(bottom)}"
    job, advice = evidence.job, ""
    if verdict != "ok" and job.task != "detect":
        weighed = job.task in ("classify", "pair") and not job.data.multi_label
        advice = "choose on macro F1" + (" and compare with tune.class_weights: balanced" if weighed else "")
    return Finding("imbalance", verdict, message, least, advice=advice)


def unseen_labels(evidence: Evidence) -> Finding:
    unseen: Counter[str] = Counter()
    where: list[str] = []
    for part in evidence.held_out:
        new = {name: count for name, count in part.labels.items() if name not in evidence.train.labels}
        unseen.update(new)
        where += examples(part, new)
    if not unseen:
        return Finding("unseen_labels", "ok", "train knows every label of dev and test")
    message = f"{len(unseen):,} labels of dev or test do not occur in train: {named(unseen)}"
    advice = "add such rows to train or correct the spelling; these rows are always predicted wrongly"
    return Finding("unseen_labels", "warn", message, unseen.total(), tuple(where[:PLACES]), advice)


def too_long(evidence: Evidence) -> Finding:
    limit = evidence.job.tune.max_tokens
    found = [(part, np.flatnonzero(part.tokens > limit)) for part in evidence.parts]
    lost = sum(int((part.tokens[rows] - limit).sum()) for part, rows in found)
    share = lost / max(1, sum(int(part.tokens.sum()) for part in evidence.parts))
    long = total(found) > 0
    said = f"are longer than tune.max_tokens = {limit}"
    said += f"; {percent(share, 1)} of all tokens lie beyond it" if long else ""
    if evidence.job.task == "tag":  # nothing is cut: long rows are read in overlapping windows
        return about("too_long", "note" if long else "ok", found, said, "they are read in overlapping windows")
    verdict: Verdict = "warn" if share > 0.02 else "note" if long else "ok"
    return about("too_long", verdict, found, said, "raise tune.max_tokens, or put what matters first")


def unknown_characters(evidence: Evidence) -> Finding:
    found = [(part, np.flatnonzero(part.unknown)) for part in evidence.parts]
    unknown = sum(int(part.unknown.sum()) for part in evidence.parts)
    share = unknown / max(1, sum(part.characters for part in evidence.parts))
    if share < 0.001:
        return Finding("unknown_characters", "ok", f"the tokenizer knows all but {percent(share, 2)} of the characters")
    scripts = sum((part.scripts for part in evidence.parts), Counter[str]())
    script, most = scripts.most_common(1)[0]
    of_script = most / max(1, sum(part.characters for part in evidence.parts))
    rows = share_of(sum(len(where) for _, where in found), sum(len(part) for part in evidence.parts))
    message = f"{percent(share, 1)} of the characters are unknown to the tokenizer, most of them {script}, in {rows}"
    advice = "the model sees [UNK] in place of each; clean them out if they do not matter"
    if share >= 0.1 and not script.startswith("symbols"):
        message = (
            f"{percent(of_script)} of the characters are {script} that the tokenizer does not know, in {rows}: "
            "the model sees [UNK] in place of each and cannot learn to read them"
        )
        language = {"Chinese (Han)": "Chinese"}.get(script, script)
        advice = f"choose a {language} or multilingual model, or model: scratch"
    return Finding(
        "unknown_characters", "warn" if share >= 0.01 else "note", message, total(found), places(found), advice
    )


def bad_spans(evidence: Evidence) -> Finding:
    found = [(part, np.flatnonzero(part.bad_spans)) for part in evidence.parts]
    verdict: Verdict = "warn" if total(found) else "ok"
    advice = "correct start and end of the spans; they count characters, not bytes or words"
    return about("bad_spans", verdict, found, "have a span that does not match their text", advice)


UNSPOKEN = "unspoken_labels"  # found with the network at hand, see `training/steps.py`
Check = Callable[[Evidence], Finding]
_SEVERITY = ("ok", "note", "warn", "fail")
_ALWAYS: dict[str, Check] = {
    "rows_read": rows_read,
    "missing_text": missing_text,
    "missing_label": missing_label,
    "one_label": one_label,
    "duplicates": duplicates,
    "conflicting_labels": conflicting_labels,
    "near_duplicates": near_duplicates,
    "leak_exact": leak_exact,
    "leak_near": leak_near,
}
_TEXTS = ("missing_text", "near_duplicates", "leak_near")
_ANSWERS = ("missing_label", "one_label", "conflicting_labels")
_FILES: dict[str, Check] = {"broken_files": broken_files}
_CELLS: dict[str, Check] = {"broken_cells": broken_cells}
_LABELS: dict[str, Check] = {
    "rare_labels": rare_labels,
    "label_typos": label_typos,
    "imbalance": imbalance,
    "unseen_labels": unseen_labels,
}
_TOKENS: dict[str, Check] = {"too_long": too_long, "unknown_characters": unknown_characters}
_BOXES: dict[str, Check] = {"bad_boxes": bad_boxes}
_SPANS: dict[str, Check] = {"bad_spans": bad_spans}
