"""Networks whose answers are vectors: how the last layer begins, and two of them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from burnish.models.net import Net


def start_projection(net: Net) -> None:
    """Let the head begin as the identity, or else with rows at right angles.

    Vectors of a pretrained encoder are then as near to each other as it has them.
    """
    head = net.model.classifier if net.scaled is not None else net.extras["head"]
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    if last.in_features == last.out_features:
        nn.init.eye_(last.weight)
    else:
        nn.init.orthogonal_(last.weight)
    nn.init.zeros_(last.bias)


class Towers(Net):
    """Networks that each read a kind of input, and give vectors of one width; to whoever trains them they are one.

    Attributes:
        nets: by kind of input.
    """

    def __init__(self, nets: Mapping[str, Net], width: int) -> None:
        nn.Module.__init__(self)
        for net in nets.values():
            if "summary" in net.extras:  # it answers for classes
                del net.extras["summary"]
        self.nets, self.width, self.kind, self.scaled = nn.ModuleDict(nets), width, "sequence", None
        self.extras = nn.ModuleDict()
        self.reads = "+".join(nets)

    def each(self) -> dict[str, Net]:
        """The networks."""
        return {kind: net for kind, net in self.nets.items() if isinstance(net, Net)}

    @property
    def own(self) -> bool:
        return True

    @property
    def hidden(self) -> int:
        return max(net.hidden for net in self.each().values())

    @property
    def linear(self) -> None:
        return None  # there are several

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors (n, width), of each piece by the network of its kind."""
        return gathered(batch, self.width, self.each())


def gathered(batch: Mapping[str, torch.Tensor], width: int, ask: Mapping[str, Any]) -> torch.Tensor:
    """What `ask` says, by kind of input, of the pieces of a batch that have it, (n, width) in their order."""
    there = {kind: batch[f"{kind}/there"] for kind in ask}
    first = next(iter(there.values()))
    found = torch.zeros(len(first), width, device=first.device)
    for kind, say in ask.items():
        if own := part_of(batch, kind):
            found = found.index_copy(0, there[kind].nonzero().squeeze(1), say(own).float())
    return found


def part_of(batch: Mapping[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """What a batch of several kinds of input holds of one; empty where there is none of it."""
    start = f"{kind}/"
    names = [name for name in batch if name.startswith(start) and name != f"{start}there"]
    return {name.removeprefix(start): batch[name] for name in names}
