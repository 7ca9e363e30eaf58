"""Heads fitted at once to an encoder that stands still, by L-BFGS: burnish's own before training, so that it does not
start by pulling the encoder towards random weights (Kumar et al. 2022), and the one of plain transformers after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.data.features import Batch, Features, by_length, collate
from burnish.device import Precision, autocast
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.tasks.base import LossOptions, Task

_ROWS = 20_000  # enough for a linear head, and 30 MB of vectors
_TURNS = 300
_PENALTY = 3e-6  # on the squared weights of a head, counted for vectors of length 1


def start_head(
    net: Net, task: Task, features: Features, options: LossOptions, pad_id: int, precision: Precision
) -> int:
    """Fit the head on mean vectors as the encoder gives them now; return how many rows it was fitted to.

    With other poolings the head is left as it is, and the answer is 0.
    """
    if "head" not in net.extras:
        return 0
    head = net.extras["head"]
    assert isinstance(head, nn.Linear)
    chosen = _chosen(features)
    with autocast(next(head.parameters()).device, precision):
        vectors = _collect(net, net.vectors, features, chosen, pad_id)
    targets = _targets(features, chosen, vectors.device)
    penalty = _PENALTY * vectors.square().sum(-1).mean()
    _minimize(
        head.parameters(),
        lambda: task.loss(head(vectors), targets, options) + penalty * head.weight.square().sum(),
    )
    return len(chosen)


def fit_plain_head(net: Net, task: Task, features: Features, options: LossOptions, pad_id: int) -> None:
    """Fit pooler and classifier of a BERT on the first token's states, on the task's loss; the encoder stays.

    Nothing is done for other models, and where the model's own head is the one that was trained.
    """
    model = net.model
    if not isinstance(model, Bert) or "head" not in net.extras:
        return
    chosen = _chosen(features)
    states = _collect(net, net.first_states, features, chosen, pad_id)
    targets = _targets(features, chosen, states.device)
    head = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    for parameter in head:
        parameter.requires_grad_(True)
    _minimize(head, lambda: task.loss(model.head(states), targets, options))


def _chosen(features: Features) -> NDArray[np.int64]:
    return np.linspace(0, len(features) - 1, min(_ROWS, len(features))).astype(np.int64)


def _collect(
    net: Net,
    vectors_of: Callable[[Batch], torch.Tensor],
    features: Features,
    chosen: NDArray[np.int64],
    pad_id: int,
) -> torch.Tensor:
    """Vectors (chosen, hidden) of the chosen pieces, in fp32."""
    device = next(net.parameters()).device
    found = torch.zeros(len(chosen), net.model.config.hidden_size, device=device)
    net.eval()
    with torch.no_grad():
        for places in by_length(features.lengths[chosen], 4096):
            batch = {k: v.to(device) for k, v in collate(features, chosen[places], pad_id).items()}
            found[torch.from_numpy(places)] = vectors_of(batch).float()
    return found


def _targets(features: Features, chosen: NDArray[np.int64], device: torch.device) -> Batch:
    return {k: torch.from_numpy(v[chosen]).to(device) for k, v in features.targets.items()}


def _minimize(parameters: Iterable[nn.Parameter], loss_of: Callable[[], torch.Tensor]) -> None:
    optimizer = torch.optim.LBFGS(parameters, max_iter=_TURNS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
