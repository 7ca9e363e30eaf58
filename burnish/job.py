"""The whole flow, one line a stage."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish import device
from burnish.artifact import MANIFEST, Artifact, must_be_replaceable
from burnish.config import Job
from burnish.data.check import check as check_rows
from burnish.data.check import stopping
from burnish.data.load import fingerprint, usable
from burnish.data.load import load as load_rows
from burnish.data.rows import Rows
from burnish.data.several import kinds_of, name_of, only, part
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.errors import ConfigError, GateFailed, InputError, nearest
from burnish.extras import need
from burnish.lock import alone
from burnish.metrics import LOWER_IS_BETTER
from burnish.models.net import Net
from burnish.results import Evaluation, Finding, TuneReport
from burnish.tasks import TASKS, Task
from burnish.training import transfer
from burnish.training.adopt import adopt
from burnish.training.build import net_for, sides_of, task_for, tokenizer_for, within_places
from burnish.training.evaluate import Outcome, outcome
from burnish.training.fit import AS_IT_IS, fit, work_folder
from burnish.training.fusion import join
from burnish.training.measure import measure, measured_on
from burnish.training.save import save, save_together, save_towers
from burnish.training.sinks import need_trackers
from burnish.training.steps import fitting
from burnish.variant import TUNED

__all__ = ["Tuned", "check", "fingerprint", "tune", "work_folder"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """A finished tuning: the model folder and everything measured."""

    artifact: Artifact
    report: TuneReport


def check(job: Job) -> tuple[Finding, ...]:
    """Look for what is wrong with the data of a job, of each kind of input by itself."""
    parts = load_rows(job)
    if not (kinds := kinds_of(job.data.columns)):
        job = within_places(job)
        tokenizer = tokenizer_for(job, parts["train"])
        findings = check_rows(parts, job, tokenizer)
        if not TASKS[job.task].stepwise or any(one.verdict == "fail" for one in findings):
            return findings
        train = usable(parts["train"], job.task)
        return (*findings, fitting(*_started(job, train, tokenizer), tokenizer, train)[1])
    return _found_by_kind(job, kinds, parts)


def _found_by_kind(job: Job, kinds: tuple[str, ...], parts: dict[str, Rows]) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for kind in kinds:
        own, rows = within_places(part(job, kind)), _only(parts, kind)
        found += check_rows(rows, own, tokenizer_for(own, rows["train"]))
    return tuple(found)


def tune(job: Job, quiet: bool = True, say: Say = lambda line: None) -> Tuned:
    """Train a model, measure it and save it with its report.

    A run that was killed goes on where its last checkpoint stands when it is called again.

    Raises:
        InputError: when the data, the model or the disk does not allow it, or another process tunes to the same place.
        GateFailed: when a gate of the job is missed; the model is saved all the same.
    """
    started = time.perf_counter()
    need_trackers(job)
    if job.tune.privacy:
        need("opacus", "private")
    source = transfer.source_of(job)
    must_be_replaceable(Path(job.out))  # before the work, and again when saving
    busy = f"another burnish is tuning to '{job.out}'; wait until it is done, or choose another out"
    with alone(work_folder(job), busy):
        say("reading the data")
        parts = load_rows(job)
        if (kinds := kinds_of(job.data.columns)) and not sides_of(job):
            return _together(job, kinds, parts, quiet, say)
        return _tuned(job, parts, source, started, quiet, say)


def _tuned(job: Job, parts: dict[str, Rows], source: Artifact | None, started: float, quiet: bool, say: Say) -> Tuned:
    """Tune on rows that one network reads, or two with a side each."""
    device.seed_everything(job.seed)
    asked, job = job.tune.max_tokens, within_places(job)
    if job.tune.max_tokens < asked:
        say(f"the model has positions for {job.tune.max_tokens} tokens: longer texts are read up to there")
    tokenizer, sides = tokenizer_for(job, parts["train"]), sides_of(job)
    findings = _found_by_kind(job, sides, parts) if sides else check_rows(parts, job, tokenizer)
    _stop_on(findings, job)
    parts = {name: usable(rows, job.task) for name, rows in parts.items()}
    own = job.tune.method == "adopt"
    task, net = adopt(job, parts["train"], tokenizer) if own else _started(job, parts["train"], tokenizer)
    if task.stepwise:
        parts["train"], unspoken = fitting(task, net, tokenizer, parts["train"])
        findings = (*findings, unspoken)
        _stop_on((unspoken,), job)
    named = f"{len(task.labels)} labels" if task.labels else f"vectors of {task.outputs} numbers"
    say(f"{len(parts['train']):,} training rows, {named}, {_count(net):,} parameters")
    start = _untuned(job, Engine(Eager(net), task, tokenizer, job.tune.max_tokens), parts) if task.paired else {}
    fitted = AS_IT_IS if own else fit(job, parts, task, net, tokenizer, quiet)
    say("measuring")
    engine = Engine(Eager(net), task, tokenizer, job.tune.max_tokens)
    measured = measure(job, engine, parts, start)
    seconds = time.perf_counter() - started
    source = None if fitted.privacy or sides else source  # the same rows once more would cost as much again
    gain, from_base = transfer.gain(job, source, measured, fitted.precision, parts, quiet, say)
    report = TuneReport(
        task=job.task,
        base_model=", ".join(f"{kind}: {part(job, kind).model}" for kind in sides) or job.model,
        labels=task.labels,
        job=job.model_dump(mode="json"),
        rows={name: len(rows) for name, rows in parts.items()},
        fingerprint=fingerprint(parts["train"]),
        findings=() if fitted.privacy else findings,  # they count rows
        curve=fitted.curve,
        environment=device.environment(),
        parameters=_count(net),
        trained_parameters=fitted.trained,
        tokens_per_second=fitted.tokens_per_second,
        seconds=seconds,
        before=measured.before | from_base,
        after=measured.after,
        comparison=measured.comparison,
        further=measured.further,
        alone=measured.alone,
        transfer=gain,
        privacy=fitted.privacy,
        calibration=measured.calibration,
        inputs=net.reads,
        own=net.own,
    )
    saved = (save_towers if sides else save)(job, engine, report, fitted)
    shutil.rmtree(work_folder(job), ignore_errors=True)
    _gate(job, report.after)
    return Tuned(saved, report)


def _together(job: Job, kinds: tuple[str, ...], parts: dict[str, Rows], quiet: bool, say: Say) -> Tuned:
    """Tune a model for each kind of input, then join them. Those that an earlier run has finished are kept."""
    started, work = time.perf_counter(), work_folder(job)
    made = {kind: _alone(part(job, kind, str(work / kind)), _only(parts, kind), quiet, say) for kind in kinds}
    say(f"joining {', '.join(kinds)}")
    engines = {kind: Engine.open(one.folder, TUNED) for kind, one in made.items()}
    parts = {name: usable(rows, job.task) for name, rows in parts.items()}
    found = join(job, engines, parts)
    report = TuneReport(
        task=job.task,
        base_model=", ".join(f"{kind}: {one.manifest['job']['model']}" for kind, one in made.items()),
        labels=found.engine.task.labels,
        job=job.model_dump(mode="json"),
        rows={name: len(rows) for name, rows in parts.items()},
        fingerprint=fingerprint(parts["train"]),
        findings=(),
        curve=AS_IT_IS.curve,
        environment=device.environment(),
        parameters=sum(_count(one.net) for one in engines.values()),
        trained_parameters=sum(_count(one.net) for one in engines.values()),
        tokens_per_second=0.0,
        seconds=time.perf_counter() - started,
        before=found.before,
        after=found.after,
        comparison=found.comparison,
        further=found.further,
        inputs=name_of(kinds),
        own=True,
        shares=found.shares,
    )
    saved = save_together(job, made, found, report)
    shutil.rmtree(work, ignore_errors=True)
    _gate(job, report.after)
    return Tuned(saved, report)


def _alone(job: Job, parts: dict[str, Rows], quiet: bool, say: Say) -> Artifact:
    """The model of one kind of input: one that was finished from the same job and rows, or a new one."""
    folder = Path(job.out)
    if (folder / MANIFEST).is_file():
        found = Artifact.open(folder)
        same = found.manifest["job"] == within_places(job).model_dump(mode="json")
        if same and found.manifest["data"]["fingerprint"] == fingerprint(usable(parts["train"], job.task)):
            say(f"{folder.name}: kept, as it was tuned from the same rows")
            return found
    say(f"{folder.name}:")
    source = transfer.source_of(job)
    return _tuned(job, parts, source, time.perf_counter(), quiet, say).artifact


def _only(parts: dict[str, Rows], kind: str) -> dict[str, Rows]:
    return {name: only(rows, kind) for name, rows in parts.items()}


def _untuned(job: Job, engine: Engine, parts: dict[str, Rows]) -> dict[str, Outcome]:
    """What the vectors of a pretrained model are worth as they are."""
    if job.model == "scratch" or sides_of(job):
        return {}
    rows = parts[measured_on(parts)]
    return {f"{job.model}, untuned": outcome(engine.task, engine.stream(rows), rows)}


def _started(job: Job, train: Rows, tokenizer: Any) -> tuple[Task, Net]:
    task = task_for(job, train)
    return task, net_for(job, task, tokenizer)


def _stop_on(findings: tuple[Finding, ...], job: Job) -> None:
    found = stopping(findings, job.check.fail_on)
    lines = "\n  ".join(f"{f.name}: {f.message}; {f.advice}" for f in found)
    if any(f.verdict == "fail" for f in found):
        raise InputError(f"the data cannot be trained on:\n  {lines}")
    if found:
        raise GateFailed(f"stopped by check.fail_on:\n  {lines}")


def _gate(job: Job, after: Evaluation) -> None:
    missed = []
    for name, limit in job.gates.items():
        if name not in after.metrics:
            raise ConfigError(f"gates: '{name}' is no metric of {job.task}; {nearest(name, after.metrics)}")
        value, error = after.metrics[name], name in LOWER_IS_BETTER
        if not (value <= limit if error else value >= limit):
            missed.append(f"{name} is {value:.4f}, asked for at {'most' if error else 'least'} {limit:g}")
    if missed:
        raise GateFailed(f"gates missed on {after.split}: " + "; ".join(missed))


def _count(net: Net) -> int:
    return sum(p.numel() for p in net.parameters())
