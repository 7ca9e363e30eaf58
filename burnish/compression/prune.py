"""Make a BERT smaller in whole pieces, so that speed follows: fewer layers, narrower feed-forward parts."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch

from burnish.data.features import Features, by_length, collate
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.tasks import Task

_PREFIX = "bert.encoder.layer."


def evenly(count: int, total: int) -> tuple[int, ...]:
    """Indices of `count` of `total` layers at equal distances, the last one among them, and the first if two stay."""
    return tuple(np.linspace(0 if count > 1 else total - 1, total - 1, count).round().astype(int).tolist())


def importance(net: Net, task: Task, features: Features, pad_id: int) -> list[torch.Tensor]:
    """How much the loss against its own answers would change without each feed-forward unit: for each layer (width,).

    The first-order Taylor score |activation * gradient| (Molchanov et al. 2017), summed over the tokens of `features`,
    which have to carry a teacher's logits.
    """
    encoder = net.model.base_model.encoder.layer
    device = encoder[0].intermediate.dense.weight.device
    scores = [torch.zeros(layer.intermediate.dense.out_features, device=device) for layer in encoder]
    held: list[torch.Tensor] = []

    def keep(_: object, given: tuple[torch.Tensor]) -> None:
        given[0].retain_grad()
        held.append(given[0])

    hooks = [layer.output.dense.register_forward_pre_hook(keep) for layer in encoder]
    net.eval()
    try:
        for pieces in by_length(features.lengths, 4096):
            held.clear()
            batch = {name: value.to(device) for name, value in collate(features, pieces, pad_id).items()}
            net.zero_grad()
            task.loss_to(net(batch), batch, 1.0).backward()  # type: ignore[no-untyped-call]
            for score, states in zip(scores, held, strict=True):
                if states.grad is not None:
                    score += (states * states.grad).detach().abs().sum(0)
    finally:
        for hook in hooks:
            hook.remove()
        net.zero_grad()
    return [score.cpu() for score in scores]


def shrunk(net: Net, layers: Sequence[int], units: Sequence[torch.Tensor] | None = None) -> Net:
    """A new network of the named layers, its weights copied.

    Args:
        layers: indices of the layers that stay, ascending.
        units: for each of them the feed-forward units that stay, the same number in all; every unit when None.
    """
    old: Bert = net.model
    config = {**vars(old.config), "num_hidden_layers": len(layers)}
    if units is not None:
        config["intermediate_size"] = len(units[0])
    weights = old.state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith(_PREFIX)}
    for new, layer in enumerate(layers):
        for name, value in weights.items():
            part = name.removeprefix(f"{_PREFIX}{layer}.")
            if part == name:
                continue
            if units is not None and part.startswith("intermediate.dense."):
                value = value[units[new]]
            elif units is not None and part == "output.dense.weight":
                value = value[:, units[new]]
            kept[f"{_PREFIX}{new}.{part}"] = value
    small = Bert(config, old.kind, old.classifier.out_features)
    small.load_state_dict({name: value.clone() for name, value in kept.items()}, assign=True)
    result = deepcopy(net)
    result.model = small
    return result
