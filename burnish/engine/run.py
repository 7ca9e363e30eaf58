"""Run a network over features: the one prediction loop of evaluation, checks, applications and serving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import Features, by_length, collate
from burnish.data.rows import Row
from burnish.device import Precision, autocast
from burnish.models.net import Net
from burnish.tasks.base import Task

PORTION = 4096  # rows whose answers are held at a time: enough for full batches of one length


def answers(
    net: Net,
    task: Task,
    features: Features,
    *,
    pad_id: int,
    device: torch.device,
    pieces: NDArray[np.int64] | None = None,
    precision: Precision = "fp32",
    budget: int = 4096,
    progress: Callable[[int], None] | None = None,
) -> list[Any]:
    """One answer for each of `pieces` of `features`, all by default. Logits live no longer than their batch."""
    chosen = np.arange(len(features)) if pieces is None else pieces
    found: list[Any] = [None] * len(chosen)
    was_training = net.training
    net.eval()
    with torch.inference_mode(), autocast(device, precision):
        for places in by_length(features.lengths[chosen], budget):
            batch = {name: value.to(device) for name, value in collate(features, chosen[places], pad_id).items()}
            for place, answer in zip(places, task.decode(net(batch), batch), strict=True):
                found[int(place)] = answer
            if progress:
                progress(len(places))
    net.train(was_training)
    return found


def predictions(
    net: Net,
    task: Task,
    features: Features,
    rows: Iterable[Row],
    *,
    pad_id: int,
    device: torch.device,
    precision: Precision = "fp32",
) -> Iterator[Any]:
    """One prediction a row, in order; `features` are those of `rows`. Answers of one portion are held at a time."""
    found: list[Any] = []
    owners, at = features.row, 0
    for index, row in enumerate(rows):
        if index % PORTION == 0:
            first, last = np.searchsorted(features.row, [index, index + PORTION])
            pieces = np.arange(first, last)
            found = answers(net, task, features, pad_id=pad_id, device=device, pieces=pieces, precision=precision)
            owners, at = features.row[first:last], 0
        start = at
        while at < len(found) and owners[at] == index:
            at += 1
        yield task.assemble(found[start:at], row)


def unlabelled(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows without labels, so that none is encoded."""
    for row in rows:
        yield {name: value for name, value in row.items() if name not in ("label", "tags")}


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
