"""`burnish audit`: the rows, the forms of a model, every audit of each, and the gates."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from burnish.artifact import Artifact
from burnish.audited import AuditReport, Section
from burnish.audits import AUDITS, audit_named
from burnish.audits.bill import bill
from burnish.audits.change import change
from burnish.audits.gates import judged, must_be_known
from burnish.audits.scan import scan
from burnish.audits.security import licence_of
from burnish.audits.subject import FULL_SECONDS, QUICK_SECONDS, Subject, drawn, pace_of
from burnish.config import Job, parse
from burnish.data.formats import format_elsewhere
from burnish.data.load import load, load_file, usable
from burnish.data.read import read
from burnish.data.readers import TEXT
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.errors import InputError, nearest
from burnish.extras import need
from burnish.tasks import Task
from burnish.tasks.scope import has_scope
from burnish.training.origin import is_there, job_of, training_rows
from burnish.variant import TUNED, best, names

Say = Callable[[str], None]
_MOST = (1500, 10_000)  # rows that are looked at: quick, and else
_SHARE = 0.2  # of the time, for one pass over them


def audit(
    model: str | Path,
    data: str | None = None,
    *,
    quick: bool = False,
    deep: bool = False,
    variant: str | None = None,
    sensitive: str | None = None,
    train: str | None = None,
    say: Say = lambda line: None,
) -> AuditReport:
    """Audit a model and, beside it, the variant that a search has chosen.

    Args:
        data: file with labelled rows; the test rows of the model's job when None, or else its dev rows.
        quick: stay under a minute; deep: also what takes long (shadow models, trigger search).
        variant: another one in place of the chosen one; `torch` for the tuned model alone.
        sensitive: column of the rows whose groups are compared; needs `burnish[audit]`.
        train: file with the training rows, when they are no longer where the job has them.

    Raises:
        InputError: when the model or the rows cannot be read, or the rows have no such column.
        ConfigError: for a gate of the job on what no audit finds out.
        MissingExtra: for `sensitive` without Fairlearn.
    """
    started = time.perf_counter()
    if quick and deep:
        raise InputError("--quick and --deep do not go together")
    artifact = Artifact.open(model)
    artifact.must_go_with("audit")
    job = job_of(artifact, train)
    stated = job.audit.gates
    must_be_known(stated)
    if sensitive is not None:
        need("fairlearn.metrics", "audit")
    chosen = variant or best(artifact)
    if chosen not in (None, TUNED, *names(artifact)):
        told = nearest(str(chosen), [TUNED, *names(artifact)])
        raise InputError(f"--variant: '{model}' has no variant '{chosen}'; {told}")
    rows, split, reading = _held_out(job, data, artifact.inputs, say)
    tuned = _opened(artifact)
    rows, foreign = _apart(rows, tuned.task)
    pace = pace_of(tuned, rows, job.seed)
    seconds = QUICK_SECONDS if quick else FULL_SECONDS
    count = min(_MOST[not quick], max(200, int(_SHARE * seconds * pace)))
    if count < len(rows):
        say(f"{count:,} of {len(rows):,} rows of {split}, drawn with seed {job.seed}: {pace:,.0f} rows a second")
        split = f"{split}, drawn from {len(rows):,}"
        rows = rows.select(drawn(len(rows), count, job.seed))
    known, missing = _training_rows(artifact, train)
    if missing:
        say(f"note: {missing}")
    extra = _extra(rows, reading, sensitive)
    others = [foreign[int(index)] for index in drawn(len(foreign), _MOST[not quick], job.seed)] if foreign else []
    shared = (rows, split, known, missing, extra, sensitive, quick, deep, job.seed, pace, others)
    first = Subject(artifact, tuned, TUNED, *shared)
    sections = {TUNED: _audited(first, say)}
    if chosen not in (None, TUNED):
        engine = Engine.open(model, chosen)
        own = min(pace, pace_of(engine, rows, job.seed))  # as many rows for both
        second = replace(first, engine=engine, form=str(chosen), pace=own)
        sections[second.form] = _audited(second, say)
        sections[second.form] = (change(first, second, sections), *sections[second.form])
    gates = judged(sections, artifact.task, stated, quick=quick, tuned=TUNED, texts=artifact.inputs == TEXT)
    name = Path(model).resolve().name
    made = bill(artifact, licence_of(artifact))
    return AuditReport(name, artifact.task, len(rows), sections, gates, quick, time.perf_counter() - started, made)


def _opened(artifact: Artifact) -> Engine:
    """The tuned model.

    Raises:
        InputError: when it cannot be opened, with what its files are.
    """
    try:
        return Engine.of(artifact)
    except InputError as error:
        if found := "; ".join(scan(artifact.folder).faults):
            raise InputError(f"{error}; a look at its files says: {found}") from None
        raise


def _audited(subject: Subject, say: Say) -> tuple[Section, ...]:
    """Every audit of a form; that of the folder's files with the tuned model alone, as a folder has them once."""
    found = []
    for name in AUDITS:
        if name == "security" and subject.form != TUNED:
            continue
        say(f"{subject.form}: {name}")
        started = time.perf_counter()
        found.append(replace(audit_named(name)(subject), seconds=time.perf_counter() - started))
    return tuple(found)


def _apart(rows: Rows, task: Task) -> tuple[Rows, Rows | None]:
    """The rows with a class that the model has, and those with another one, which belong to none of its classes.

    Raises:
        InputError: when there are none of the first.
    """
    if not has_scope(task):
        return rows, None
    known = np.array([label in task.labels for batch in rows.batches() for label in batch["label"]])
    if known.all():
        return rows, None
    if not known.any():
        label = rows[0]["label"]
        raise InputError(
            f"'{rows.source}' has no row with a class of the model; its first label is '{label}': "
            f"{nearest(label, task.labels)}"
        )
    return rows.select(np.flatnonzero(known)), rows.select(np.flatnonzero(~known))


def _held_out(job: Job, data: str | None, inputs: str, say: Say) -> tuple[Rows, str, Job]:
    """Labelled rows that the model was not tuned on, what they are, and the job that reads their source.

    Raises:
        InputError: when the job has none, or they are gone.
    """
    if data is not None:
        other: dict[str, Any] = {"train": data, "dev": None, "test": None, "limit": None}
        other["format"] = format_elsewhere(data, job.data.format)
        columns = job.data.columns.model_dump() | {"group": None, "time": None}
        if inputs != TEXT and inputs in columns and not columns[inputs]:  # tuned on a folder of files
            columns[inputs] = inputs
        reading = parse({"task": job.task, "data": job.data.model_dump() | other | {"columns": columns}})
        return usable(load_file(data, reading), job.task), Path(data).name, reading
    for name in ("test", "dev"):
        source = getattr(job.data, name)
        if source is None and not getattr(job.data.split, name):
            continue
        place = source or job.data.train
        if not is_there(place):
            raise InputError(f"the {name} rows are no longer at '{place}'; name a file with labelled rows: --data FILE")
        rows = load_file(source, job) if source else load(job)[name]
        if name == "dev":
            say("note: the job has no test rows; these are its dev rows, which the tuning has chosen on")
        return usable(rows, job.task), name, job
    raise InputError("the job of this model has neither test nor dev rows; name a file with labelled rows: --data FILE")


def _training_rows(artifact: Artifact, train: str | None) -> tuple[Rows | None, str]:
    """The rows that a model was tuned on; or None, and why they are not known."""
    try:
        return training_rows(artifact, train), ""
    except InputError as error:
        return None, str(error)


def _extra(rows: Rows, job: Job, sensitive: str | None) -> dict[str, Sequence[str | None]]:
    """Further columns of the source of the rows that hold text, in the order of the rows.

    Raises:
        InputError: when there is no column of the name `sensitive`.
    """
    given = read(rows.source, job.data, role="test").select(rows.among_all)
    known = [rows.table[name][:] for name in rows.columns]
    columns: dict[str, list[Any]] = {name: [] for name in given.columns}
    for batch in given.batches():
        for name, values in batch.items():
            columns[name] += values
    found: dict[str, Sequence[str | None]] = {}
    for name, values in columns.items():
        if name == sensitive or (values not in known and all(v is None or isinstance(v, str) for v in values)):
            found[name] = [None if value is None else str(value) for value in values]
    if sensitive is not None and sensitive not in found:
        told = nearest(sensitive, given.columns)
        raise InputError(f"--sensitive: no column '{sensitive}' in '{rows.source}'; {told}")
    return found
