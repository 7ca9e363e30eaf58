"""Write a finished training as a model folder with its report and card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from burnish import artifact as artifacts
from burnish.artifact import Artifact
from burnish.config import Job, Tune
from burnish.data.several import part
from burnish.engine import Engine
from burnish.models.net import Net
from burnish.models.towers import Towers
from burnish.reporting.card import model_card
from burnish.reporting.html import report_html
from burnish.reporting.jsonable import as_json
from burnish.results import TuneReport
from burnish.tasks import Task
from burnish.training.fit import Fitted, work_folder
from burnish.training.fusion import Joined


def save_together(job: Job, made: Mapping[str, Artifact], found: Joined, report: TuneReport) -> Artifact:
    """Save models that answer together, each in a folder of its kind, with their weights, report and card.

    Raises:
        InputError: when the disk does not take it; an earlier model then stays as it was.
    """

    def write(folder: Path) -> None:
        for kind, one in made.items():
            shutil.copytree(one.folder, folder / kind)
        (folder / "report.html").write_text(report_html(report), encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(model_card(report), encoding="utf-8")

    network = {"pooling": "cls", "word_shape": False, "max_tokens": found.engine.max_tokens, "inputs": report.inputs}
    manifest = {
        "task": job.task,
        "state": found.engine.task.state(),
        "network": network,
        "pool": found.pool.state(),
        "job": report.job,
        "data": {"fingerprint": report.fingerprint, "rows": report.rows},
        "metrics": report.after.metrics,
        "before": {name: e.metrics for name, e in report.before.items()},
        "training": {"seconds": report.seconds},
        "environment": report.environment,
    }
    return artifacts.save(Path(job.out), write, manifest)


def save_towers(job: Job, engine: Engine, report: TuneReport, fitted: Fitted) -> Artifact:
    """Save networks with vectors of one width, each as a model of its own in a folder of its kind of input.

    Raises:
        InputError: when the disk does not take it; an earlier model then stays as it was.
    """
    net, reader, task = engine.net, engine.tokenizer, engine.task
    assert isinstance(net, Towers)

    def write(folder: Path) -> None:
        for kind, one in net.each().items():
            own = part(job, kind)
            artifacts.save(
                folder / kind,
                partial(_write_one, one, reader.by_kind[kind], task),
                told(one, own.tune)
                | {
                    "job": own.model_dump(mode="json"),
                },
            )
        (folder / "report.html").write_text(report_html(report), encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(model_card(report), encoding="utf-8")
        shutil.copy(work_folder(job) / "events.jsonl", folder / "events.jsonl")

    def told(one: Net, tune: Tune) -> dict[str, Any]:
        network = {"pooling": one.pooling, "word_shape": False, "max_tokens": tune.max_tokens, "inputs": one.reads}
        return {
            "task": job.task,
            "state": task.state(),
            "network": network,
            "data": {"fingerprint": report.fingerprint, "rows": report.rows},
            "metrics": report.after.metrics,
            "before": {name: e.metrics for name, e in report.before.items()},
            "training": {"seconds": fitted.seconds, "rows_per_second": fitted.rows_per_second},
            "environment": report.environment,
            "findings": [as_json(f) for f in report.findings],
        }

    network = {"pooling": "mean", "word_shape": False, "max_tokens": engine.max_tokens, "inputs": net.reads}
    first = next(iter(net.each().values()))
    return artifacts.save(Path(job.out), write, told(first, job.tune) | {"network": network, "job": report.job})


def _write_one(net: Net, reader: Any, task: Task, folder: Path) -> None:
    net.save(folder)
    reader.save_pretrained(folder)
    task.save(folder)


def save(job: Job, engine: Engine, report: TuneReport, fitted: Fitted) -> Artifact:
    """Save the model, its report, its card and its events to `job.out`, all or nothing.

    Raises:
        InputError: when the disk does not take it; an earlier model then stays as it was.
    """
    net, task = engine.net, engine.task

    def write(folder: Path) -> None:
        net.save(folder)
        engine.tokenizer.save_pretrained(folder)
        task.save(folder)
        (folder / "report.html").write_text(report_html(report), encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(model_card(report), encoding="utf-8")
        if fitted.trained and not fitted.privacy:  # the losses in it tell of the rows
            shutil.copy(work_folder(job) / "events.jsonl", folder / "events.jsonl")

    manifest = {
        "task": job.task,
        "state": task.state(),
        "network": {
            "pooling": net.pooling,
            "word_shape": net.word_shape,
            "max_tokens": engine.max_tokens,
            "inputs": net.reads,
        },
        "job": report.job,
        "data": {"fingerprint": report.fingerprint, "rows": report.rows},
        "metrics": report.after.metrics,
        "before": {name: e.metrics for name, e in report.before.items()},
        "alone": report.alone.metrics if report.alone else None,
        "calibration": as_json(report.calibration) if report.calibration else None,
        "training": {"seconds": fitted.seconds, "rows_per_second": fitted.rows_per_second},
        "privacy": as_json(fitted.privacy) if fitted.privacy else None,
        "environment": report.environment,
        "findings": [as_json(f) for f in report.findings],
    }
    return artifacts.save(Path(job.out), write, manifest)
