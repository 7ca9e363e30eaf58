"""A moving average of the learning weights, measured and kept in their place (Polyak and Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from burnish.models.net import Net


class Average:
    """Exponential moving average with `decay`, which grows to it so that the first weights are soon forgotten."""

    def __init__(self, net: Net, decay: float) -> None:
        self.decay = decay
        learning = {name: p for name, p in net.named_parameters() if p.requires_grad}
        self.raw: list[torch.Tensor] = [p.data for p in learning.values()]
        self.tensors = {name: p.detach().clone() for name, p in learning.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step number `step`, from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.tensors.values()), self.raw, 1 - decay)

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Go on from the tensors of a checkpoint."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])

    def exchange(self) -> None:
        """Put the average where the weights are, and the weights where it was."""
        for raw, mean in zip(self.raw, self.tensors.values(), strict=True):
            kept = raw.clone()
            raw.copy_(mean)
            mean.copy_(kept)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the net hold the average for a while."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()
