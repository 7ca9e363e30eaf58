"""A model that was tuned elsewhere: its own head is kept, and nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from burnish.config import Job
from burnish.data.rows import Rows
from burnish.errors import InputError
from burnish.models.load import resolve
from burnish.models.net import Net, open_net
from burnish.tasks import Task, task_named
from burnish.tasks.score import Score


def adopt(job: Job, train: Rows) -> tuple[Task, Net]:
    """The task and the network of the folder that the job names.

    The classes are those of `tune.labels`, or else of the folder's `config.json`, in the order of the head's outputs.

    Raises:
        InputError: when the folder has no such head, or rows carry classes that it does not give.
    """
    source = resolve(job.model)
    if source.kind not in ("folder", "bundled"):
        told = "is burnish's own already" if source.kind == "artifact" else "is no folder on this machine"
        raise InputError(
            f"tune.method: adopt takes a folder that transformers or the like has written; '{job.model}' {told}"
        )
    labels = job.tune.labels or _named(Path(source.place, "config.json"))
    task = _task(job, labels)
    seen = set(_classes(job, train))
    if unknown := sorted(seen - set(labels)) if not isinstance(task, Score) else []:
        raise InputError(
            f"'{train.source}' carries the labels {_few(unknown)}, and '{job.model}' gives {_few(labels)}; name its "
            "classes as the rows do, in the order of its outputs: tune.labels"
        )
    return task, open_net(source.place, task.kind, task.outputs, "cls", False).eval()


def _task(job: Job, labels: tuple[str, ...]) -> Task:
    if job.task == "score":
        return Score(0.0, 1.0)
    if not labels:
        raise InputError(f"'{job.model}' does not name its classes; name them in the order of its outputs: tune.labels")
    if len(set(labels)) < len(labels) or len(labels) < 2:
        raise InputError(f"tune.labels: {_few(labels)} are no classes to choose from; name each output once")
    if job.task == "tag":
        return task_named("tag").restore({"labels": labels})
    kept = {"labels": labels, "multi_label": job.data.multi_label, "thresholds": ()}
    return task_named(job.task).restore(kept)


def _named(config: Path) -> tuple[str, ...]:
    """Classes by the number of their output."""
    names = json.loads(config.read_text(encoding="utf-8")).get("id2label") or {}
    return tuple(str(names[number]) for number in sorted(names, key=int))


def _classes(job: Job, rows: Rows) -> Iterator[str]:
    for row in rows:
        if job.task == "tag":
            yield from row["tags"]
        else:
            label = row["label"]
            yield from label if isinstance(label, list) else [label]


def _few(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{name[:40]}'" for name in names[:5]) + more if names else "none"
