"""Heads fitted at once to an encoder that stands still, by L-BFGS: burnish's own before training, so that it does not
start by pulling the encoder towards random weights (Kumar et al. 2022), and after it; and plain transformers' own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from burnish.data.features import IGNORED, Batch, Features, by_length, collate
from burnish.device import Precision, autocast
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.tasks.base import LossOptions, Task
from burnish.training.rest import still

_ROWS = 20_000  # enough for a linear head, and 30 MB of vectors
_TOKENS = 80_000  # the same where each word is an example
_TURNS = 300
_SEEN = 1_000_000  # the head of two layers sees so many rows in all turns together
_CLOSE: dict[str, Any] = {"tolerance_grad": 1e-9, "tolerance_change": 1e-12}  # what single precision never reaches
_PENALTY = 1e-5  # on the squared weights of a head, counted for vectors of length 1

Gathered = tuple[torch.Tensor, Batch]  # what a head reads, and the targets


def fit_head(
    net: Net,
    task: Task,
    features: Features,
    options: LossOptions,
    pad_id: int,
    precision: Precision,
    given: Gathered | None = None,
) -> int:
    """Fit the head to what the encoder gives now; return to how many rows.

    A head of more than one layer is left as it is, as is one that learns from a teacher, and the answer is 0.

    Args:
        given: what the head reads, where that is known, and the targets.
    """
    head, simple = net.linear, task.plain()
    if head is None or "soft" in features.targets | features.ragged:
        return 0
    count = min(_ROWS, len(features))
    if net.kind == "token":
        count = max(1, min(len(features), int(len(features) * _TOKENS / features.lengths.sum())))
    with autocast(head.weight.device, precision):
        vectors, targets = given or gather(net, net.read, features, count, pad_id)
    if not len(vectors):
        return 0
    finer, close = head, {}
    if still(net) and vectors.device.type != "mps":
        # To the end in double precision, which then hardly depends on the last digits of the start and of the vectors:
        # kept vectors and those made anew give the same head. Where the encoder learns too it is not worth its time.
        finer, vectors, close = deepcopy(head).double(), vectors.double(), _CLOSE
        targets = {name: one.double() if one.is_floating_point() else one for name, one in targets.items()}
    penalty = _PENALTY * vectors.square().sum(-1).mean()
    _minimize(
        finer.parameters(),
        lambda: simple.loss(finer(vectors), targets, options) + penalty * finer.weight.square().sum(),
        **close,
    )
    head.load_state_dict(finer.state_dict())
    return count


def refit_head(
    net: Net,
    task: Task,
    features: Features,
    options: LossOptions,
    pad_id: int,
    precision: Precision,
    measure: Callable[[Precision], float] | None,
    reached: float | None,
) -> Gathered | None:
    """Fit the head of a text model once more, now to the trained encoder; what `fit_plain_head` reads comes with it.

    Nothing is done where there are more rows than `fit_head` looks at.

    Args:
        measure: value on dev, larger is better; where it falls below what the net has `reached`, the old head stays.
    """
    if net.linear is None or net.kind == "token" or len(features) > _ROWS:
        return None
    trained = deepcopy(net.linear.state_dict())
    given: Gathered | None = None
    states: Gathered | None = None
    if _has_both(net):
        with autocast(net.linear.weight.device, precision):
            ends, targets = gather(net, net.ends, features, len(features), pad_id)
        given, states = (ends[:, 0].contiguous(), targets), (ends[:, 1].contiguous(), targets)
    fit_head(net, task, features, options, pad_id, precision, given)
    if measure and reached is not None and measure(precision) < reached:
        net.linear.load_state_dict(trained)
    return states


def plain_states(net: Net, features: Features, pad_id: int, precision: Precision) -> Gathered | None:
    """What `fit_plain_head` reads; None for models with one head, which is the one that was trained."""
    if not _has_both(net):
        return None
    with autocast(next(net.parameters()).device, precision):
        return gather(net, net.first_states, features, min(_ROWS, len(features)), pad_id)


def fit_plain_head(model: Bert, task: Task, options: LossOptions, given: Gathered) -> None:
    """Fit pooler and classifier of a BERT on the first token's states, on the task's loss; the encoder stays.

    Args:
        given: the states (n, hidden), and the targets.
    """
    states, targets = given
    head = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    for parameter in head:
        parameter.requires_grad_(True)
    turns = max(20, min(_TURNS, _SEEN // len(states)))
    _minimize(head, lambda: task.loss(model.head(states), targets, options), turns)


def _has_both(net: Net) -> bool:
    """Whether a text model has burnish's head and plain transformers' own."""
    return isinstance(net.model, Bert) and "head" in net.extras


def gather(
    net: Net, states_of: Callable[[Batch], torch.Tensor], features: Features, count: int, pad_id: int
) -> Gathered:
    """Vectors (m, hidden) in fp32 of `count` pieces at equal distances, or of their labelled words; and the targets."""
    device = next(net.parameters()).device
    chosen = np.linspace(0, len(features) - 1, count).astype(np.int64)
    vectors: list[torch.Tensor] = []
    targets: list[Batch] = []
    net.eval()
    with torch.no_grad():
        for places in by_length(features.lengths[chosen], 4096):
            batch = {k: v.to(device) for k, v in collate(features, chosen[places], pad_id).items()}
            states, truth = states_of(batch), {name: batch[name] for name in features.targets}
            if not truth:
                kept = batch["labels"] != IGNORED
                states, truth = states[kept], {"labels": batch["labels"][kept]}
            vectors.append(states.float())
            targets.append(truth)
    return torch.cat(vectors), {name: torch.cat([part[name] for part in targets]) for name in targets[0]}


def _minimize(
    parameters: Iterable[nn.Parameter], loss_of: Callable[[], torch.Tensor], turns: int = _TURNS, **close: Any
) -> None:
    """Minimize in place; weights that are not finite in the end are put back."""
    learning = list(parameters)
    before = [parameter.detach().clone() for parameter in learning]
    optimizer = torch.optim.LBFGS(learning, max_iter=turns, history_size=10, line_search_fn="strong_wolfe", **close)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of()
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    try:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        finite = all(bool(torch.isfinite(parameter).all()) for parameter in learning)
    except FloatingPointError:
        finite = False
    optimizer.zero_grad()
    if not finite:
        with torch.no_grad():
            for parameter, value in zip(learning, before, strict=True):
                parameter.copy_(value)
