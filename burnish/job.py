"""The whole flow, one function a stage."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from burnish import artifact as artifacts
from burnish import device
from burnish.artifact import Artifact
from burnish.config import Job
from burnish.data.augment import augment
from burnish.data.check import check as check_rows
from burnish.data.check import stopping
from burnish.data.load import load as load_rows
from burnish.data.load import usable
from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.errors import ConfigError, GateFailed, InputError, nearest
from burnish.models import load as models
from burnish.models.freeze import freeze
from burnish.models.net import Net, Pooling, start_net
from burnish.reporting.card import model_card
from burnish.reporting.html import report_html
from burnish.reporting.jsonable import as_json
from burnish.results import LOWER_IS_BETTER, Comparison, Curve, Evaluation, Finding, TuneReport
from burnish.tasks import Task, task_named
from burnish.tasks.base import LossOptions
from burnish.tasks.classify import Classify
from burnish.training.baseline import baseline
from burnish.training.evaluate import compare, evaluate, evaluation, metric_value
from burnish.training.fewshot import FewShot, names
from burnish.training.loop import Setting, Trainer
from burnish.training.sinks import Sinks

Say = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """A finished tuning: the model folder and everything measured."""

    artifact: Artifact
    report: TuneReport


def check(job: Job) -> tuple[Finding, ...]:
    """Look for what is wrong with the data of a job."""
    parts = load_rows(job)
    return check_rows(parts, job, _tokenizer(job, parts))


def tune(job: Job, quiet: bool = True, say: Say = lambda line: None) -> Tuned:
    """Train a model, measure it and save it with its report.

    A run that was killed goes on where its last checkpoint stands when it is called again.

    Raises:
        InputError: when the data, the model or the disk does not allow it.
        GateFailed: when a gate of the job is missed; the model is saved all the same.
    """
    started = time.perf_counter()
    device.keep_freed_memory()
    device.seed_everything(job.seed)
    say("reading the data")
    parts = load_rows(job)
    held = "test" if "test" in parts else "dev" if "dev" in parts else None
    tokenizer = _tokenizer(job, parts)
    findings = check_rows(parts, job, tokenizer)
    _stop_on(findings, job)
    parts = {name: usable(rows, job.task) for name, rows in parts.items()}
    train = parts["train"]
    task = task_named(job.task).learn(train, job.data.multi_label)
    net = _net(job, task, tokenizer)
    say(f"{len(train):,} training rows, {len(task.labels)} labels, {_count(net):,} parameters")
    seconds, curve, speed = _train(job, parts, task, net, tokenizer, quiet)

    engine = Engine(net, task, tokenizer, job.tune.max_tokens)
    if isinstance(task, Classify) and task.multi_label and "dev" in parts:
        dev_rows = list(parts["dev"])
        task.fit_thresholds(engine.predict_rows(dev_rows), [task.reference(row) for row in dev_rows])
    say("measuring")
    options: dict[str, Any] = {"bootstrap": job.report.bootstrap, "hardest": job.report.hardest, "seed": job.seed}
    measured = parts[held] if held else train
    after = evaluate(engine, measured, split=held or "train", metric=job.tune.metric, **options)
    further = {"dev": evaluate(engine, parts["dev"], split="dev", **options)} if held == "test" else {}
    before, comparison = _baseline(task, engine, train, measured, held or "train", job)
    alone = _alone(engine, measured, held or "train", job)

    report = TuneReport(
        task=job.task,
        base_model=job.model,
        labels=task.labels,
        job=job.model_dump(mode="json"),
        rows={name: len(rows) for name, rows in parts.items()},
        fingerprint=fingerprint(train),
        findings=findings,
        before=before,
        after=after,
        comparison=comparison,
        curve=curve,
        environment=device.environment(),
        parameters=_count(net),
        trained_parameters=sum(p.numel() for p in net.parameters() if p.requires_grad),
        tokens_per_second=speed["tokens"],
        seconds=time.perf_counter() - started,
        further=further,
        alone=alone,
    )
    saved = _save(job, task, net, tokenizer, report, {"seconds": seconds, "rows_per_second": speed["rows"]})
    shutil.rmtree(work_folder(job), ignore_errors=True)
    _gate(job, after)
    return Tuned(saved, report)


def _train(
    job: Job, parts: dict[str, Rows], task: Task, net: Net, tokenizer: Any, quiet: bool
) -> tuple[float, Curve, dict[str, float]]:
    import torch

    tune, train = job.tune, parts["train"]
    place = device.choose_device()
    few = tune.method == "few-shot"
    rows = chain(train, augment(train, job.task, tune.augment, job.seed), names(task.labels) if few else ())
    features = task.encode(rows, tokenizer, tune.max_tokens)
    pad_id = tokenizer.pad_token_id or 0
    hidden = net.model.config.hidden_size
    precision = device.measure_precision(place, hidden) if tune.precision == "auto" else tune.precision
    setting = Setting(_identity(job, train), precision, torch.get_num_threads())
    folder = work_folder(job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dev = list(parts["dev"]) if "dev" in parts else []

        def measure() -> float:
            engine = Engine(net, task, tokenizer, tune.max_tokens)
            predictions = engine.predict_rows(dev)
            references = [task.reference(row) for row in dev]
            return metric_value(task, tune.metric or task.metric, predictions, references)

        device.seed_everything(job.seed)
        trainer = (FewShot if few else Trainer)(
            net,
            task,
            features,
            tune,
            _loss_options(job, task, train),
            setting,
            folder=folder,
            pad_id=pad_id,
            seed=job.seed,
            device=place,
            evaluate=measure if dev else None,
        )
        with Sinks(job, folder, quiet) as sinks:
            for event in trainer.run():
                sinks(event)
    except OSError as error:
        raise artifacts.disk_error(error, folder) from None
    progress = trainer.progress
    spent = max(progress.seconds, 1e-9)
    return (
        progress.seconds,
        Curve(tuple(progress.losses), tuple(progress.evaluations)),
        {"tokens": progress.tokens / spent, "rows": progress.rows / spent},
    )


def _tokenizer(job: Job, parts: dict[str, Rows]) -> Any:
    source = models.resolve(job.model)
    if source.kind != "scratch":
        return models.load_tokenizer(source)
    return models.scratch_tokenizer(_texts(parts["train"]), job.tune.scratch, job.tune.max_tokens)


def _texts(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield from (row[name] for name in ("text", "text_b") if row.get(name))


def _net(job: Job, task: Task, tokenizer: Any) -> Net:
    source, tune = models.resolve(job.model), job.tune
    scratch = source.kind == "scratch"
    config = models.scratch_config(tokenizer, tune.scratch, tune.max_tokens) if scratch else None
    folds_case = getattr(tokenizer, "do_lower_case", False) is True
    shape = tune.word_shape if tune.word_shape is not None else task.kind == "token" and folds_case
    pooling: Pooling = "mean" if tune.pooling in ("mean", "auto") and task.kind == "sequence" else "cls"
    net = start_net(
        source.place,
        task.kind,
        task.labels,
        dropout=tune.dropout,
        attention_dropout=tune.attention_dropout,
        pooling=pooling,
        word_shape=shape and task.kind == "token",
        config=config,
    )
    freeze(net, "none" if scratch and tune.freeze == "embeddings" else tune.freeze)
    return net


def _loss_options(job: Job, task: Task, train: Rows) -> LossOptions:
    import torch

    weights = None
    if job.tune.class_weights == "balanced" and task.kind == "sequence" and len(task.labels) > 1:
        counts = dict.fromkeys(task.labels, 0)
        for row in train:
            for label in task.reference(row):
                counts[label] = counts.get(label, 0) + 1
        total = sum(counts.values())
        weights = torch.tensor([total / (len(counts) * max(counts[label], 1)) for label in task.labels])
    return LossOptions(weights, job.tune.label_smoothing, job.tune.focal)


def _baseline(
    task: Task, engine: Engine, train: Rows, measured: Rows, split: str, job: Job
) -> tuple[dict[str, Evaluation], Comparison | None]:
    rows = list(measured)
    found = baseline(task, train, rows)
    if found is None:
        return {}, None
    name, guesses = found
    before = evaluation(task, guesses, rows, split=split, bootstrap=job.report.bootstrap, seed=job.seed)
    references = [task.reference(row) for row in rows]
    return {name: before}, compare(task, guesses, engine.predict_rows(rows), references, names=(name, "tuned"))


def _alone(engine: Engine, measured: Rows, split: str, job: Job) -> Evaluation | None:
    """Quality that plain transformers reaches with the folder, where that differs from burnish's."""
    net = engine.net
    if not net.extras:
        return None
    bare = Net(net.model, net.kind, engine.task.outputs)
    plain = Engine(bare, engine.task, engine.tokenizer, engine.max_tokens)
    rows = list(measured)
    return evaluation(engine.task, plain.predict_rows(rows), rows, split=split, metric=job.tune.metric)


def _save(job: Job, task: Task, net: Net, tokenizer: Any, report: TuneReport, training: dict[str, float]) -> Artifact:
    def write(folder: Path) -> None:
        net.save(folder)
        tokenizer.save_pretrained(folder)
        (folder / "report.html").write_text(report_html(report), encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(model_card(report), encoding="utf-8")
        shutil.copy(work_folder(job) / "events.jsonl", folder / "events.jsonl")

    manifest = {
        "task": job.task,
        "state": task.state(),
        "network": {"pooling": net.pooling, "word_shape": net.word_shape, "max_tokens": job.tune.max_tokens},
        "job": report.job,
        "data": {"fingerprint": report.fingerprint, "rows": report.rows},
        "metrics": report.after.metrics,
        "before": {name: e.metrics for name, e in report.before.items()},
        "training": training,
        "environment": report.environment,
        "findings": [as_json(f) for f in report.findings],
    }
    return artifacts.save(Path(job.out), write, manifest)


def work_folder(job: Job) -> Path:
    """Where an unfinished run keeps its checkpoints: beside the model it will become."""
    out = Path(job.out)
    return out.with_name(f".{out.name}.work")


def fingerprint(rows: Rows) -> str:
    """SHA-256 over the canonical rows."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=True, default=str).encode())
    return digest.hexdigest()


def _identity(job: Job, train: Rows) -> str:
    kept = job.model_dump(mode="json", exclude={"out", "report", "gates", "track"})
    text = json.dumps(kept, sort_keys=True) + fingerprint(train)
    return hashlib.sha256(text.encode()).hexdigest()


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
