"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from burnish.config import Tune
from burnish.models.freeze import Group, groups
from burnish.models.net import Net
from burnish.models.towers import Towers


def optimizer(net: Net, tune: Tune, apart: Mapping[str, Tune] | None = None) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019) in its fused form, or SGD with momentum.

    Args:
        apart: options of each network of `Towers`, by its kind of input.
    """
    found = _groups(net, tune)
    if apart and isinstance(net, Towers):
        found = [group for kind, one in net.each().items() for group in _groups(one, apart[kind])]
        found.append(Group(list(net.extras.parameters()), tune.head_learning_rate, 0.0))
    parts = [
        {"params": g.parameters, "lr": g.learning_rate, "weight_decay": g.weight_decay, "base": g.learning_rate}
        for g in found
    ]
    if tune.optimizer == "sgd":
        return torch.optim.SGD(parts, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(parts, betas=(0.9, 0.98), eps=1e-8, fused=True)


def _groups(net: Net, tune: Tune) -> list[Group]:
    if isinstance(net, Towers):
        return []
    return groups(net, tune.learning_rate, tune.head_learning_rate, tune.layer_decay, tune.weight_decay)


def factor(step: int, steps: int, tune: Tune) -> float:
    """Learning rate at `step` of `steps` as a share of its peak."""
    warm = max(1, round(tune.warmup * steps))
    if step < warm:
        return (step + 1) / warm
    if tune.schedule == "constant":
        return 1.0
    left = (steps - step) / max(1, steps - warm)
    return left if tune.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
