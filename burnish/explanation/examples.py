"""Training rows behind a prediction: the nearest ones, and those that taught the network most of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.data.features import Batch, Features, by_length, collate
from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.engine.run import BUDGET
from burnish.errors import InputError
from burnish.explained import Example, Examples
from burnish.explanation.gradients import at_places
from burnish.explanation.piece import Cut, Piece
from burnish.explanation.target import Target
from burnish.explanation.training import label_of, spread
from burnish.models.net import Net
from burnish.tasks.base import LossOptions

_ROWS = 20_000  # looked at, at equal distances where there are more


def examples(engine: Engine, piece: Cut, target: Target, rows: Rows, count: int = 5) -> Examples:
    """The `count` nearest training rows, and those with the most influence for and against the target.

    Near is the cosine between text vectors (the mean of the last states). Influence is that of TracIn (Pruthi et al.
    2020) with the gradients of the last layer at the final weights: what a small step of learning on the row adds to
    the explained value. It is taken on the value and not on its loss, whose gradient is gone where the model is sure.

    Raises:
        InputError: when the network does not end in one linear layer, or reads no text.
    """
    if not isinstance(piece, Piece):
        raise InputError("--examples works on models of texts so far")
    net = engine.twin.eval()
    head = last_layer(net)
    chosen = spread(rows, _ROWS)
    some = rows.select(chosen)
    features = engine.task.encode(some, engine.tokenizer, engine.max_tokens)
    own = piece.features(np.ones((1, len(piece.words)), bool))
    vector, gradient = _of_target(net, head, own, target, engine.pad_id)
    near, influence = np.full(len(some), -1.0), np.zeros(len(some))
    for places, batch, vectors, inputs, slopes in _passes(engine, net, head, features):
        owners = features.row[places]
        cosine = torch.nn.functional.cosine_similarity(vectors, vector).cpu().numpy()
        np.maximum.at(near, owners, cosine)  # of a row in windows the nearest one
        rising = -((slopes @ gradient) * inputs).sum(-1)
        if net.kind == "token":
            rising = (rising * (batch["words"] >= 0)).sum(1)
        np.add.at(influence, owners, rising.cpu().numpy())

    def shown(order: NDArray[np.int64]) -> tuple[Example, ...]:
        return tuple(_example(rows, chosen[i], float(near[i]), float(influence[i])) for i in order[:count].tolist())

    rank = np.argsort(-influence, kind="stable")
    return Examples(
        shown(np.argsort(-near, kind="stable")),
        shown(rank[influence[rank] > 0]),
        shown(rank[::-1][influence[rank[::-1]] < 0]),
        len(some),
    )


def last_layer(net: Net) -> nn.Linear:
    """The linear layer whose outputs are the logits."""
    head = net.extras["head"] if "head" in net.extras else getattr(net.model, "classifier", None)
    if net.kind == "token":
        head = net.linear
    if not isinstance(head, nn.Linear):
        raise InputError("the network does not end in one linear layer, so that its examples cannot be weighed")
    return head


class _Inputs:
    """What a layer reads, kept as it passes."""

    def __init__(self, layer: nn.Linear) -> None:
        self.seen = torch.empty(0)
        self.hook = layer.register_forward_pre_hook(self._look)

    def _look(self, layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self.seen = given[0].detach()

    def __enter__(self) -> _Inputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def _forward(net: Net, head: nn.Linear, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Text vectors (n, hidden), what the head reads, and logits; of a token model the last two at every token."""
    with torch.no_grad(), _Inputs(head) as inputs:
        if net.kind == "token":  # without `words` a Bert gives the logits of all tokens
            states = net.read(batch)
            mask = batch["attention_mask"].unsqueeze(-1).to(states)
            logits = head(states)
            return (states * mask).sum(1) / mask.sum(1), inputs.seen, logits
        logits = net(batch)
    read = inputs.seen
    with torch.no_grad():
        vectors = read if "head" in net.extras else net.vectors(batch)
    return vectors, read, logits


def _of_target(
    net: Net, head: nn.Linear, features: Features, target: Target, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Text vector (1, hidden), and the gradient of the explained value by the head's weights (outputs, hidden)."""
    device = next(net.parameters()).device
    batch = {name: value.to(device) for name, value in collate(features, [0], pad_id).items()}
    vectors, read, logits = _forward(net, head, batch)
    with torch.enable_grad():
        free = logits.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(target.value(at_places(free, batch)).sum(), free)
    return vectors, slope.reshape(-1, slope.shape[-1]).T @ read.reshape(-1, read.shape[-1])


def _passes(
    engine: Engine, net: Net, head: nn.Linear, features: Features
) -> Iterator[tuple[NDArray[np.int64], Batch, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of rows, their text vectors, what the head reads, and the gradient of each row's loss by its logits."""
    device = next(net.parameters()).device
    for places in by_length(features.lengths, BUDGET):
        batch = {name: value.to(device) for name, value in collate(features, places, engine.pad_id).items()}
        vectors, read, logits = _forward(net, head, batch)
        with torch.enable_grad():
            free = logits.detach().requires_grad_(True)
            loss = engine.task.loss(free, batch, LossOptions())
            (slope,) = torch.autograd.grad(loss, free)
        # The loss is a mean over rows, or over words; back to that of each.
        over = int((batch["words"] >= 0).sum()) if net.kind == "token" else len(places)
        yield places, batch, vectors, read, slope * over


def _example(rows: Rows, index: int, near: float, influence: float) -> Example:
    row: Row = rows[index]
    text = row["text"] + (f" ‖ {row['text_b']}" if row.get("text_b") else "")
    return Example(rows.where(index), text, label_of(row), near, influence)
