"""Training rows whose labels are spelled in the steps of an answer: which of them have enough steps for theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from burnish.data.check import UNSPOKEN as NAME
from burnish.data.findings import PLACES, share_of
from burnish.data.reader import Reader
from burnish.data.rows import Row, Rows
from burnish.models.net import Net
from burnish.results import Finding
from burnish.tasks import Task

_ADVICE = "look into these rows, or raise tune.max_tokens for those that are cut; they are left out of training"


def fitting(task: Task, net: Net, reader: Reader, train: Rows) -> tuple[Rows, Finding]:
    """The rows that a network can learn from, and a finding about the others.

    Their input would be cut, so that the label is one of more than is read, or it gives the network fewer steps than
    the label takes: no gradient would come of them.
    """
    rows = list(train)
    steps = net.steps(reader.features(rows).dense).tolist()
    faults = dict(_faults(task, reader, rows, steps))
    if not faults:
        return train, Finding(NAME, "ok", "every training row has steps enough for its label")
    named = tuple(f"{train.where(index)}: {reason}" for index, reason in list(faults.items())[:PLACES])
    said = f"train: {share_of(len(faults), len(rows))} have labels that cannot be learnt from their input"
    found = Finding(NAME, "warn", said, len(faults), named, _ADVICE)
    if len(faults) == len(rows):
        return train, replace(found, verdict="fail", message=f"{said}; {named[0]}")
    return train.select(np.array([index for index in range(len(rows)) if index not in faults])), found


def _faults(task: Task, reader: Reader, rows: list[Row], steps: list[int]) -> Iterator[tuple[int, str]]:
    for index, (row, count) in enumerate(zip(rows, steps, strict=True)):
        if not reader.is_whole(row):
            yield index, f"the {reader.kind} is longer than tune.max_tokens, and its label tells of all of it"
        elif (needed := task.steps_needed(row)) > count:
            yield index, f"the label takes {needed} steps, and the {reader.kind} gives {count}"
