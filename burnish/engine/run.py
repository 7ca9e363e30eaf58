"""Run a network over features: the one prediction loop of evaluation, checks, applications and serving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from burnish.data.features import Features, by_length, collate
from burnish.data.rows import Row
from burnish.device import Precision, autocast
from burnish.models.net import Net
from burnish.tasks.base import Task


def answers(
    net: Net,
    task: Task,
    features: Features,
    *,
    pad_id: int,
    device: torch.device,
    precision: Precision = "fp32",
    budget: int = 4096,
    progress: Callable[[int], None] | None = None,
) -> list[Any]:
    """One answer for each piece of `features`. Logits live no longer than their batch."""
    found: list[Any] = [None] * len(features)
    was_training = net.training
    net.eval()
    with torch.inference_mode(), autocast(device, precision):
        for pieces in by_length(features.lengths, budget):
            batch = {name: value.to(device) for name, value in collate(features, pieces, pad_id).items()}
            for piece, answer in zip(pieces, task.decode(net(batch), batch), strict=True):
                found[int(piece)] = answer
            if progress:
                progress(len(pieces))
    net.train(was_training)
    return found


def assemble(task: Task, features: Features, found: list[Any], rows: Iterable[Row]) -> Iterator[Any]:
    """Join the pieces' answers into one prediction a row, in the order of the rows."""
    piece = 0
    for index, row in enumerate(rows):
        first = piece
        while piece < len(found) and features.row[piece] == index:
            piece += 1
        yield task.assemble(found[first:piece], row)
