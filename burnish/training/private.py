"""Differentially private tuning: DP-SGD (Abadi et al. 2016) of a linear head on the vectors of an encoder at rest.

Every step takes a Poisson sample of the rows, cuts the gradient of each row down to one length, adds them up, adds
noise once, and divides by the rows that were to be expected. Only the head learns: noise grows with the weights that
learn, and on the vectors of a pretrained encoder a head alone is hard to beat (Tramèr and Boneh 2021, "Differentially
Private Learning Needs Better Features"). The vectors are worked out once, 4 bytes a number, and a step is two matrix
products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish import config
from burnish.artifact import Artifact
from burnish.config import Job
from burnish.data.features import Batch
from burnish.data.load import fingerprint
from burnish.data.rows import Rows
from burnish.device import autocast
from burnish.errors import BurnishError, InputError
from burnish.models.load import resolve
from burnish.results import Privacy
from burnish.training import accountant
from burnish.training.events import Event
from burnish.training.head import gather
from burnish.training.loop import Trainer

_RATE = 0.1  # share of the rows in a step


class Private(Trainer):
    """The training loop with private steps. Nothing is chosen on dev: the last weights stay, or their average."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        head = self.net.linear
        assert head is not None
        assert self.tune.privacy is not None
        self.head, self.asked = head, self.tune.privacy
        self.delta = delta_of(self.asked, len(self.features))
        self._first = [parameter.detach().clone() for parameter in head.parameters()]

    def run(self) -> Iterator[Event]:
        yield from super().run()
        must_have_learnt(self.head, self._first)

    @cached_property
    def _read(self) -> tuple[torch.Tensor, Batch]:
        """Vectors of all rows (n, hidden), and their targets."""
        with autocast(self.device, self.setting.precision):
            vectors, targets = gather(self.net, self.net.vectors, self.features, len(self.features), self.pad_id)
        return vectors.nan_to_num(), targets

    @property
    def spent(self) -> Privacy:
        """What the run has cost so far."""
        noise, rate, steps = self.progress.spent[-1]
        epsilon = accountant.epsilon_of(self.progress.spent, self.delta)
        return Privacy(epsilon, self.delta, self.asked.epsilon, noise, rate, self.tune.clip, steps)

    def _epoch(self, seed: int, epoch: int) -> list[list[NDArray[np.int64]]]:
        """As many steps as take each row once on average; which rows they take is drawn when they are due."""
        return [[] for _ in range(round(1 / _RATE))]

    def _begin(self) -> int:
        noise = accountant.noise_multiplier(self.asked.epsilon, self.delta, _RATE, len(self.plan))
        self.progress.spent = [(noise, _RATE, 0)]
        return 0

    def _gradients(self, step: int) -> tuple[float, int, int]:
        (vectors, known), (noise, rate, _) = self._read, self.progress.spent[-1]
        rows = accountant.poisson(len(vectors), rate)
        chosen = torch.from_numpy(rows).to(self.device)
        targets = {name: target[chosen] for name, target in known.items()}
        options, task, expected = self.passes.options, self.passes.task, rate * len(vectors)
        total, sums = clipped(
            self.head,
            vectors[chosen],
            lambda logits: task.loss(logits, targets, options) * len(logits),  # rows are averaged, each for itself
            self.tune.clip,
        )
        if len(rows) and not bool(sums[0].any()):  # noise alone would move the weights, too
            raise BurnishError(
                f"private training: {len(rows):,} rows gave no gradient, so that the head would learn noise alone; "
                "nothing is saved. Look at what the encoder gives for the rows (NaN?), and report it otherwise"
            )
        for parameter, value in zip((self.head.weight, self.head.bias), sums, strict=True):
            drawn = accountant.gaussian(parameter.shape, noise * self.tune.clip).to(parameter)
            parameter.grad = (value + drawn) / expected
        return total / max(1, len(rows)), int(self.features.lengths[rows].sum()), len(rows)

    def _update(self, loss: float, parameters: list[nn.Parameter]) -> bool:
        """Take the step as it is, and note its cost. Whether one is left out must not depend on the rows."""
        self.optimizer.step()
        noise, rate, steps = self.progress.spent[-1]
        self.progress.spent = [(noise, rate, steps + 1)]
        if not steps:
            must_have_learnt(self.head, self._first)
        return True


def clipped(
    head: nn.Linear, vectors: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor], norm: float
) -> tuple[float, tuple[torch.Tensor, torch.Tensor]]:
    """Summed loss of rows, and their summed gradients on weight and bias, that of each row cut to the length `norm`.

    The gradient of a row is the product of its slope on the logits and its vector, and so is its length: no row's
    gradient is ever written out (Goodfellow 2015, "Efficient Per-Example Gradient Computations"). A row whose gradient
    is not finite counts as nothing.

    Args:
        vectors: what the head reads (n, hidden), finite.
        loss: the sum of the losses of logits (n, outputs), to which each row adds what depends on it alone.
    """
    if not len(vectors):
        return 0.0, (torch.zeros_like(head.weight), torch.zeros_like(head.bias))
    with torch.no_grad():
        logits = head(vectors).float()
    logits.requires_grad_()
    with torch.enable_grad():
        total = loss(logits)
        (slopes,) = torch.autograd.grad(total, logits)
    lengths = slopes.norm(dim=1) * (vectors.square().sum(1) + 1).sqrt()  # one for the bias
    slopes = slopes * (norm / lengths.clamp(min=1e-12)).clamp(max=1).unsqueeze(1)
    slopes = torch.where(lengths.isfinite().unsqueeze(1), slopes, 0.0)
    return float(total.detach()), (slopes.T @ vectors, slopes.sum(0))


def delta_of(asked: config.Privacy, rows: int) -> float:
    """The delta that a job asks for, or the one that goes with so many rows.

    Raises:
        InputError: when it would let some row be given away whole.
    """
    if asked.delta is None:
        return accountant.delta_for(rows)
    if asked.delta * rows >= 1:
        raise InputError(
            f"tune.privacy.delta is {asked.delta:g}, and with {rows:,} training rows that allows to give one of them "
            f"away; set it below {1 / rows:.1g}, or leave it out for {accountant.delta_for(rows):.1g}"
        )
    return asked.delta


def must_be_apart(job: Job, parts: Mapping[str, Rows]) -> None:
    """Refuse a model that was tuned on these rows, as its weights hold them already, and to measure on them.

    Raises:
        InputError: when the job's model is such a one, or there is neither dev nor test.
    """
    if not {"dev", "test"} & parts.keys():
        raise InputError("tune.privacy measures on no training row, and no other is left; give data.dev or data.test")
    source = resolve(job.model)
    if source.kind != "artifact":
        return
    if Artifact.open(source.place, verify=False).manifest["data"]["fingerprint"] == fingerprint(parts["train"]):
        raise InputError(
            f"tune.privacy: '{job.model}' was tuned on these very rows, and a head on its vectors keeps no secret of "
            "them; start from a model that has not seen them"
        )


def must_have_learnt(head: nn.Linear, first: list[torch.Tensor]) -> None:
    """Make sure that the weights are other ones than at first, and finite.

    Raises:
        BurnishError: when they are not, so that nothing is saved.
    """
    for (name, parameter), before in zip(head.named_parameters(), first, strict=True):
        if not bool(torch.isfinite(parameter).all()):
            raise BurnishError(
                f"private training: the head's {name} is not finite; nothing is saved. Lower tune.head_learning_rate"
            )
        if torch.equal(parameter, before):
            raise BurnishError(
                f"private training: the head's {name} did not move, so that the model knows nothing of the rows; "
                "nothing is saved. Raise tune.head_learning_rate, and report it if that changes nothing"
            )
