"""Where a network runs: torch, ONNX Runtime or OpenVINO behind one small interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch

from burnish.data.features import Batch
from burnish.device import Precision, autocast, choose_device
from burnish.models.net import Net


class Runtime(Protocol):
    """Computes logits."""

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Each batch, in order, with its logits: (n, tokens, outputs) or (n, outputs)."""


class Eager:
    """The network itself, in torch, on the device of this machine unless another is named."""

    def __init__(self, net: Net, device: torch.device | None = None, precision: Precision = "fp32") -> None:
        self.device = device or choose_device()
        self.net, self.precision = net.to(self.device), precision

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        was_training = self.net.training
        self.net.eval()
        try:
            for given in batches:
                batch = {name: value.to(self.device) for name, value in given.items()}
                with torch.inference_mode(), autocast(self.device, self.precision):
                    logits = self.net(batch)
                yield batch, logits
        finally:
            self.net.train(was_training)
