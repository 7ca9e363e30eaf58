"""Measure a tuned model: what its report shows beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.config import Job
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.models.net import Net
from burnish.results import Calibration, Comparison, Evaluation
from burnish.training.baseline import baseline
from burnish.training.calibrate import calibrate
from burnish.training.evaluate import Outcome, compare, evaluation, outcome, single_latencies


@dataclass(frozen=True)
class Measured:
    """Evaluations of the tuned model and of what it stands beside; see `TuneReport` for the fields.

    Attributes:
        tallies: of the tuned model on the rows of `after`, for further comparisons; see `Outcome`.
    """

    before: dict[str, Evaluation]
    after: Evaluation
    comparison: Comparison | None
    further: dict[str, Evaluation]
    alone: Evaluation | None
    tallies: NDArray[np.float64]
    calibration: Calibration | None = None


def measure(job: Job, engine: Engine, parts: dict[str, Rows], others: Mapping[str, Outcome] | None = None) -> Measured:
    """Measure on test rows where there are some, else on dev, else on train; before that, temperature and thresholds
    are fitted on dev.

    All sets are read in a stream, once for each model.

    Args:
        others: what else stands beside, on the same rows, by name; the best of it and of the baseline is compared with.
    """
    split = measured_on(parts)
    rows, task = parts[split], engine.task
    calibration = calibrate(engine, parts, job.seed)
    fit_thresholds(engine, parts)  # on probabilities at that temperature

    def evaluated(found: Outcome, of: str, rows: Rows | None = None) -> Evaluation:
        latencies = single_latencies(engine, rows) if rows else ()
        options = {"bootstrap": job.report.bootstrap, "seed": job.seed}
        return evaluation(task, found, split=of, metric=job.tune.metric, latencies=latencies, **options)

    hardest, reader = job.report.hardest, engine.tokenizer
    tuned = outcome(task, engine.stream(rows), rows, hardest=hardest, source=rows, reader=reader)
    reached = dict(others or {})
    if not job.tune.privacy and (simple := baseline(task, parts["train"], rows, engine.tokenizer)):  # keeps no secret
        name, guesses = simple
        reached[name] = outcome(task, guesses, rows)
    before = {name: evaluated(one, split) for name, one in reached.items()}
    comparison = None
    if reached:
        best = max(reached, key=lambda name: float(task.score(reached[name].tallies.sum(0))))
        comparison = compare(task, reached[best].tallies, tuned.tallies, names=(best, "tuned"))
    further = {}
    if split == "test" and "dev" in parts:
        further["dev"] = evaluated(outcome(task, engine.stream(parts["dev"]), parts["dev"]), "dev")
    alone = _alone(engine, rows, split, job)
    return Measured(before, evaluated(tuned, split, rows), comparison, further, alone, tuned.tallies, calibration)


def measured_on(parts: Mapping[str, Rows]) -> str:
    """The set that a model is measured on in the end."""
    return next(name for name in ("test", "dev", "train") if name in parts)


def fit_thresholds(engine: Engine, parts: dict[str, Rows]) -> None:
    """Choose on dev from which probability on something is said, where the task does that."""
    if "dev" in parts:
        engine.task.fit_thresholds(engine.stream(parts["dev"]), map(engine.task.reference, parts["dev"]))


def _alone(engine: Engine, rows: Rows, split: str, job: Job) -> Evaluation | None:
    """Quality that plain transformers reaches with the folder, where that differs from burnish's."""
    net, task = engine.net, engine.task
    if net.own or not task.plain_head or (not net.extras and task.plain().state() == task.state()):
        return None
    bare = Net(net.model, net.kind, task.outputs)
    plain = Engine(Eager(bare), task.plain(), engine.tokenizer, engine.max_tokens)
    return evaluation(plain.task, outcome(plain.task, plain.stream(rows), rows), split=split, metric=job.tune.metric)
