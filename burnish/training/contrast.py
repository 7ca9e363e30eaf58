"""Train embeddings by contrast: every step tells the two sides of each row from those of the other rows in it.

Forward passes are of similar length together, and their vectors meet in one loss, so that what a step holds is drawn at
random and not by length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.data.features import Features, by_length, collate
from burnish.device import autocast
from burnish.models.freeze import learning_from
from burnish.models.net import Net
from burnish.tasks.embed import KEY, Embed
from burnish.training.events import Event
from burnish.training.loop import Trainer

_MOST, _LEAST = 128, 16  # rows of a step, and of the smallest one in a small set
_STEPS = 8  # that an epoch has at least, where there are rows for it
_PASSES = 16  # a step of long rows has so many forward passes, as all of them are in memory
_SCALE = "scale"


class Contrast(Trainer):
    """The training loop for rows of two sides, each a piece of its own. The weights it starts from are measured too,
    and kept where none that come later are better."""

    def __init__(self, net: Net, task: Embed, features: Features, *args: Any, **options: Any) -> None:
        net.extras[_SCALE] = task.scale
        super().__init__(net, task, features, *args, **options)

    def run(self) -> Iterator[Event]:
        yield from super().run()
        del self.net.extras[_SCALE]

    def _begin(self) -> int:
        if self.evaluate:
            self._measure()
        return 0

    def _epoch(self, seed: int, epoch: int) -> list[list[NDArray[np.int64]]]:
        """Rows at random, in equal steps."""
        lengths = self.features.lengths
        count = len(lengths) // 2
        tokens = self.tune.tokens_per_step or _PASSES * self.tune.tokens_per_batch
        fitting = int(tokens / max(1.0, 2 * float(lengths.mean())))
        size = fitting if self.tune.tokens_per_step else min(fitting, _MOST, max(_LEAST, count // _STEPS))
        order = np.random.default_rng([seed, epoch]).permutation(count)
        return [[part] for part in np.array_split(order, max(1, round(count / max(2, size))))]

    def _gradients(self, step: int) -> tuple[float, int, int]:
        rows = np.concatenate(self.plan[step])
        total, lowest, draw = 0.0, self.passes.draw(), self.drawing(step)
        # Out of memory: the step falls into smaller ones, each with the rows inside it.
        for part in np.array_split(rows, max(1, min(len(rows) // 2, 1 << self.progress.halvings))):
            pieces = np.stack([2 * part, 2 * part + 1], 1).ravel()
            passes = list(by_length(self.features.lengths[pieces], self.tune.tokens_per_batch))
            with autocast(self.device, self.setting.precision):
                logits = torch.cat([self._logits(pieces[some], lowest, draw) for some in passes])
            back = torch.from_numpy(np.argsort(np.concatenate(passes))).to(self.device)
            keys = torch.from_numpy(self.features.targets[KEY][pieces]).to(self.device)
            share = len(part) / len(rows)
            loss = self.passes.task.loss(logits[back].float(), {KEY: keys}, self.passes.options) * share
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total, int(self.features.lengths[np.stack([2 * rows, 2 * rows + 1])].sum()), len(rows)

    def _logits(self, pieces: NDArray[np.int64], lowest: nn.Module | None, draw: torch.Generator) -> torch.Tensor:
        batch = {k: v.to(self.device) for k, v in collate(self.features, pieces, self.pad_id).items()}
        with learning_from(self.net, lowest):
            logits: torch.Tensor = self.net(self.vary(batch, draw) if self.vary else batch)
        return logits
