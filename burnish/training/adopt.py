"""A model that was tuned elsewhere: its own head is kept, and nothing is trained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from burnish.config import Job
from burnish.data.features import IGNORED, by_length, collate
from burnish.data.rows import Rows
from burnish.engine.runtime import Eager
from burnish.errors import InputError
from burnish.models.load import must_know_words, resolve
from burnish.models.net import Net
from burnish.models.opening import open_net
from burnish.tasks import Task, task_named
from burnish.tasks.score import Score
from burnish.training.build import must_have_places

_LOOK = 200  # sentences that show how entities begin


def adopt(job: Job, train: Rows, tokenizer: Any) -> tuple[Task, Net]:
    """The task and the network of the folder that the job names.

    The classes are those of `tune.labels`, or else of the folder's `config.json`, in the order of the head's outputs.

    Raises:
        InputError: when the folder has no such head, another model's tokenizer or fewer positions than
            `tune.max_tokens`, or rows carry classes that the head does not give.
    """
    source = resolve(job.model)
    if source.kind not in ("folder", "bundled"):
        told = "is burnish's own already" if source.kind == "artifact" else "is no folder on this machine"
        raise InputError(
            f"tune.method: adopt takes a folder that transformers or the like has written; '{job.model}' {told}"
        )
    labels, own = job.tune.labels, _named(Path(source.place, "config.json"))
    if labels and labels != own and sorted(labels) == sorted(own):
        raise InputError(
            f"tune.labels: '{job.model}' itself names its outputs in another order, {_few(own)}; leave tune.labels out"
        )
    labels = labels or own
    task = _task(job, labels, train)
    seen = {label for row in train for label in task.labels_of(row)}
    if unknown := sorted(seen - set(labels)):
        raise InputError(
            f"'{train.source}' carries the labels {_few(unknown)}, and '{job.model}' gives {_few(labels)}; name its "
            "classes as the rows do, in the order of its outputs: tune.labels"
        )
    net = open_net(source.place, task.kind, task.outputs, "cls", False).eval()
    must_know_words(source, net.words, tokenizer)
    must_have_places(net, job)
    if task.kind == "token":
        _must_begin_as_rows_do(job, task, net, tokenizer, train)
    net.model.config.id2label = dict(enumerate(labels))
    net.model.config.label2id = {label: number for number, label in enumerate(labels)}
    return task, net


def _task(job: Job, labels: tuple[str, ...], train: Rows) -> Task:
    if job.task == "score":
        return Score(0.0, 1.0, "text_b" in train.columns)
    if not labels:
        raise InputError(f"'{job.model}' does not name its classes; name them in the order of its outputs: tune.labels")
    if len(set(labels)) < len(labels) or len(labels) < 2:
        raise InputError(f"the classes {_few(labels)} are no choice; name each output once: tune.labels")
    if job.task == "tag":
        if other := [label for label in labels if not re.fullmatch("O|[BI]-.+", label)]:
            raise InputError(f"'{job.model}' marks entities by {_few(other)}; only O, B-... and I-... are understood")
        return task_named("tag").restore({"labels": labels})
    kept = {"labels": labels, "multi_label": job.data.multi_label, "thresholds": ()}
    return task_named(job.task).restore(kept)


def _named(config: Path) -> tuple[str, ...]:
    """Classes by the number of their output; none where the file names none in that way."""
    document = json.loads(config.read_text(encoding="utf-8"))
    names = document.get("id2label") if isinstance(document, dict) else None
    if not isinstance(names, dict) or not all(number.isdigit() for number in names):
        return ()
    return tuple(str(names[number]) for number in sorted(names, key=int))


def _must_begin_as_rows_do(job: Job, task: Task, net: Net, tokenizer: Any, rows: Rows) -> None:
    """Refuse a head that begins an entity with I- (IOB1), which rows here begin with B-."""
    features = task.encode(rows.select(range(min(_LOOK, len(rows)))), tokenizer, job.tune.max_tokens)
    inside = {number for number, label in enumerate(task.labels) if label.startswith("I-")}
    begins = {number for number, label in enumerate(task.labels) if label.startswith("B-")}
    said = [0, 0]
    batches = (collate(features, pieces, tokenizer.pad_token_id or 0) for pieces in by_length(features.lengths, 4096))
    for batch, logits in Eager(net).run(batches):
        known = batch["labels"] != IGNORED
        for gold, own in zip(batch["labels"][known].tolist(), logits.argmax(-1)[known].tolist(), strict=True):
            if gold in begins:
                said[0] += own in begins
                said[1] += own in inside
    if said[1] > max(10, said[0]):
        raise InputError(
            f"'{job.model}' begins entities with I- ({said[1]} of {sum(said)} looked at), as in IOB1; only heads of "
            "the scheme IOB2, which begins them with B-, are understood"
        )


def _few(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{name[:40]}'" for name in names[:5]) + more if names else "none"
