"""Measure a tuned model: what its report shows beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from burnish.config import Job
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.models.net import Net
from burnish.results import Comparison, Evaluation
from burnish.tasks import Task
from burnish.tasks.classify import Classify
from burnish.training.baseline import baseline
from burnish.training.evaluate import compare, evaluate, evaluation


@dataclass(frozen=True)
class Measured:
    """Evaluations of the tuned model and of what it stands beside; see `TuneReport` for the fields."""

    before: dict[str, Evaluation]
    after: Evaluation
    comparison: Comparison | None
    further: dict[str, Evaluation]
    alone: Evaluation | None


def measure(job: Job, engine: Engine, parts: dict[str, Rows]) -> Measured:
    """Measure on test rows where there are some, else on dev, else on train; thresholds are fitted on dev before."""
    split = next(name for name in ("test", "dev", "train") if name in parts)
    _fit_thresholds(engine, parts)
    options: dict[str, Any] = {"bootstrap": job.report.bootstrap, "hardest": job.report.hardest, "seed": job.seed}
    after = evaluate(engine, parts[split], split=split, metric=job.tune.metric, **options)
    further = {"dev": evaluate(engine, parts["dev"], split="dev", **options)} if split == "test" else {}
    before, comparison = _baseline(engine.task, engine, parts["train"], parts[split], split, job)
    return Measured(before, after, comparison, further, _alone(engine, parts[split], split, job))


def _fit_thresholds(engine: Engine, parts: dict[str, Rows]) -> None:
    task = engine.task
    if isinstance(task, Classify) and task.multi_label and "dev" in parts:
        rows = list(parts["dev"])
        task.fit_thresholds(engine.predict_rows(rows), [task.reference(row) for row in rows])


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
