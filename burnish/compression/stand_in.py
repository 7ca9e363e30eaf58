"""A stand-in for a model: the same job on a part of the rows, so that others, which it does not know, can judge."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from burnish import device
from burnish.artifact import Artifact
from burnish.compression.journal import Journal
from burnish.compression.students import World
from burnish.config import Job, Split
from burnish.data.rows import Rows
from burnish.data.split import in_blocks, split, strata
from burnish.engine import net_of
from burnish.tasks import Task, task_named
from burnish.training.build import net_for
from burnish.training.fit import fit

_JUDGES = 4000  # rows that judge, at most, and at most this share of the training rows
_SHARE = 0.25


def apart(train: Rows, job: Job) -> tuple[Rows, Rows]:
    """Rows to learn from, and rows that judge."""
    share = min(_SHARE, _JUDGES / len(train))
    by = job.data.split.by
    if by in ("group", "time") and by not in train.columns:  # the job had no need to split
        by = "stratify"
    if job.task == "tag" and by not in ("group", "time"):
        return in_blocks(train, share, job.seed)
    label_of = strata(train, job.task) if by == "stratify" else lambda row: None
    sides = split(train, Split(by=by, dev=share, test=0.0), job.seed, label_of)
    return sides["train"], sides["dev"]


def seconds_to_tune(artifact: Artifact, job: Job, rows: int) -> float:
    """What tuning on some rows will take, if the model was tuned on such a machine; 0 where nothing is known. Without
    dev rows it does not stop early."""
    then, now, training = artifact.manifest["environment"], device.environment(), artifact.manifest["training"]
    if not training["seconds"] or any(then.get(name) != now[name] for name in ("cpu", "cores", "threads", "device")):
        return 0.0
    pace, known = float(training["rows_per_second"]), int(artifact.manifest["data"]["rows"]["train"])
    spent = float(training["seconds"]) * rows / known
    return max(spent, job.tune.epochs * rows / pace if pace and job.tune.method == "full" else 0.0)


def tuned_on(world: World, job: Job, journal: Journal, folder: Path, quiet: bool) -> World:
    """The world of a stand-in that is tuned on its rows, and kept in a folder."""
    journal.once("stand-in", _tune, world, job, folder, quiet)
    task = _fresh(world)  # a task's modules, such as a CRF, belong to one network
    return replace(world, home=folder, task=task, net=net_of(world.artifact, task, folder).eval())


def _fresh(world: World) -> Task:
    return task_named(world.artifact.task).restore(world.artifact.state)


def _tune(world: World, job: Job, folder: Path, quiet: bool) -> dict[str, Any]:
    """Tune the job once more on some of its rows, and keep the network."""
    device.seed_everything(job.seed)
    own = job.model_copy(update={"out": str(folder), "track": ()})
    task = _fresh(world)
    net = net_for(own, task, world.tokenizer, world.artifact.pooling)
    fit(own, {"train": world.rows}, task, net, world.tokenizer, quiet)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    net.save(folder)
    return {"rows": len(world.rows)}
