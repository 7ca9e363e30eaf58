"""The head that plain transformers looks for, fitted beside burnish's own where that one reads mean vectors."""

from __future__ import annotations

import numpy as np
import torch

from burnish.data.features import Features, by_length, collate
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.tasks.base import LossOptions, Task

_ROWS = 20_000  # enough for a linear head, and 30 MB of vectors
_TURNS = 60


def fit_plain_head(net: Net, task: Task, features: Features, options: LossOptions, pad_id: int) -> None:
    """Fit pooler and classifier of a BERT on the first token's states, by L-BFGS on the task's loss; the encoder stays.

    Nothing is done for other models, and where the model's own head is the one that was trained.
    """
    model = net.model
    if not isinstance(model, Bert) or "head" not in net.extras:
        return
    device = next(model.parameters()).device
    chosen = np.linspace(0, len(features) - 1, min(_ROWS, len(features))).astype(np.int64)
    states = torch.zeros(len(chosen), model.config.hidden_size, device=device)
    model.eval()
    with torch.no_grad():
        for places in by_length(features.lengths[chosen], 4096):
            batch = {k: v.to(device) for k, v in collate(features, chosen[places], pad_id).items()}
            states[torch.from_numpy(places)] = net.first_states(batch)
    targets = {k: torch.from_numpy(v[chosen]).to(device) for k, v in features.targets.items()}
    head = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    for parameter in head:
        parameter.requires_grad_(True)
    optimizer = torch.optim.LBFGS(head, max_iter=_TURNS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = task.loss(model.head(states), targets, options)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
