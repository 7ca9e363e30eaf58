"""Run a network over features: the one prediction loop of evaluation, checks, applications and serving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.features import Features, by_length, collate
from burnish.data.rows import Row
from burnish.engine.runtime import Runtime
from burnish.tasks.base import Task

BUDGET = 4096  # tokens of a batch, with padding
EACH = 64  # tokens that one more batch costs about as much as
PORTION = 4096  # rows whose answers are held at a time: enough for full batches of one length


def answers(
    runtime: Runtime,
    task: Task,
    features: Features,
    *,
    pad_id: int,
    pieces: NDArray[np.int64] | None = None,
    budget: int = BUDGET,
) -> list[Any]:
    """One answer for each of `pieces` of `features`, all by default. Logits live no longer than their batch."""
    chosen = np.arange(len(features)) if pieces is None else pieces
    found: list[Any] = [None] * len(chosen)
    groups = list(by_length(features.lengths[chosen], budget, EACH))
    batches = (collate(features, chosen[places], pad_id) for places in groups)
    for places, (batch, logits) in zip(groups, runtime.run(batches), strict=True):
        for place, answer in zip(places, task.decode(logits, batch), strict=True):
            found[int(place)] = answer
    return found


def predictions(runtime: Runtime, task: Task, features: Features, rows: Iterable[Row], *, pad_id: int) -> Iterator[Any]:
    """One prediction a row, in order; `features` are those of `rows`. Answers of one portion are held at a time."""
    found: list[Any] = []
    owners, at = features.row, 0
    for index, row in enumerate(rows):
        if index % PORTION == 0:
            first, last = np.searchsorted(features.row, [index, index + PORTION])
            pieces = np.arange(first, last)
            found = answers(runtime, task, features, pad_id=pad_id, pieces=pieces)
            owners, at = features.row[first:last], 0
        start = at
        while at < len(found) and owners[at] == index:
            at += 1
        yield task.assemble(found[start:at], row)


def unlabelled(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows without labels, so that none is encoded."""
    for row in rows:
        yield {name: value for name, value in row.items() if name not in ("label", "tags", "boxes")}


def portions(rows: Iterable[Row], size: int = PORTION) -> Iterator[list[Row]]:
    """Lists of about `size` rows; a document is cut only when it alone has as many."""
    portion: list[Row] = []
    for row in rows:
        document = row.get("document")
        ends = document is None or document != portion[-1].get("document") if portion else False
        if len(portion) >= (size if ends else 2 * size):
            yield portion
            portion = []
        portion.append(row)
    if portion:
        yield portion
