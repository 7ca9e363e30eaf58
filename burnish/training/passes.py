"""Forward and backward pass of a batch, of twice its rows for R-Drop (Liang et al. 2021)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import IGNORED, Batch
from burnish.device import Precision, autocast
from burnish.models.freeze import layers, learning_from
from burnish.models.net import Net
from burnish.tasks.base import LossOptions, Task

_WARMTH = 2.0  # temperature at which a teacher is learnt from
_LONG = 1000  # steps in which the lower layers learn enough, though only in some of them


class Passes:
    """Adds up gradients of the loss that a job asks for, in a run of `steps` steps."""

    def __init__(
        self, net: Net, task: Task, options: LossOptions, tune: Tune, device: torch.device, steps: int
    ) -> None:
        self.net, self.task, self.options, self.tune, self.device = net, task, options, tune, device
        random = tune.backward == "random" or (tune.backward == "auto" and steps >= _LONG)
        self._lowest = [None, *layers(net)[1:-1]] if random else [None]

    def draw(self) -> nn.Module | None:
        """The lowest layer that learns in a step; None for all of them and the embeddings."""
        return self._lowest[int(torch.randint(len(self._lowest), ()))]

    def backward(self, batch: Batch, share: float, precision: Precision, lowest: nn.Module | None = None) -> float:
        """Add the gradient of `share` times the mean loss of a batch, down to the layer `lowest`; return that loss."""
        with autocast(self.device, precision), learning_from(self.net, lowest):
            loss = self._loss(batch) * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _loss(self, batch: Batch) -> torch.Tensor:
        if "soft" in batch:
            return self.task.loss_to(self.net(batch), batch, _WARMTH)
        if self.tune.r_drop:
            return self._agreeing(batch)
        return self.task.loss(self.net(batch), batch, self.options)

    def _agreeing(self, batch: Batch) -> torch.Tensor:
        """Mean loss under two dropout masks, and how far their answers are apart (half of the paper's sum)."""
        twice = {name: torch.cat([value, value]) for name, value in batch.items()}
        logits: torch.Tensor = self.net(twice)
        if not (batch["labels"] != IGNORED).any():
            return logits.sum() * 0.0
        a, b = (part[batch["labels"] != IGNORED].float().log_softmax(-1) for part in logits.chunk(2))
        apart = (F.kl_div(x, y, log_target=True, reduction="batchmean") for x, y in ((a, b), (b, a)))
        return self.task.loss(logits, twice, self.options) + self.tune.r_drop / 4 * sum(apart)
