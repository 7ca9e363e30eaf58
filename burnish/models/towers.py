"""Networks whose answers are vectors: how the last layer begins, and two of them side by side."""

from __future__ import annotations

from torch import nn

from burnish.models.net import Net


def start_projection(net: Net) -> None:
    """Let the head begin as the identity, or else with rows at right angles, so that vectors of a pretrained encoder are
    as near to each other as it has them."""
    head = net.model.classifier if net.scaled is not None else net.extras["head"]
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    if last.in_features == last.out_features:
        nn.init.eye_(last.weight)
    else:
        nn.init.orthogonal_(last.weight)
    nn.init.zeros_(last.bias)
