"""Few-shot tuning: the encoder learns by contrast between rows, then a linear head is fitted on its vectors.

The way is SetFit's (Tunstall et al. 2022), but its pairs are not drawn beforehand: every step holds a batch of several
rows of many classes, and all pairs of that batch count (Khosla et al. 2020). Nothing grows with the square of the rows.
The result is the middle between the weights before and after, which forgets less of what the encoder knew of classes
that few rows show (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from burnish.data.features import Features, by_length, collate
from burnish.data.rows import Row
from burnish.device import autocast
from burnish.models.freeze import learning_from
from burnish.models.net import Net
from burnish.training import checkpoint
from burnish.training.events import Evaluated, Event
from burnish.training.head import gather
from burnish.training.loop import Trainer

_ROWS = 64  # of a step: more rows give more pairs, fewer give more steps
_TOGETHER = 2  # rows of one class that come into a batch together
_TEMPERATURE = 0.07
_PASSES = 8  # a step of long rows ends after so many forward passes, as all of them are in memory
_BACK = 0.5  # share of the first weights in the result
_REGULAR = 10.0  # C of the logistic regression


class FewShot(Trainer):
    """The training loop with contrastive steps; the weights that are measured and kept are averaged with the first
    ones and have a head fitted to them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._first = _copy(self.net)

    def run(self) -> Iterator[Event]:
        yield from super().run()
        if self.evaluate is None:  # otherwise the net holds the best of what was measured
            self._finish()

    def _begin(self) -> int:
        return 0

    def _measure(self) -> Evaluated:
        going = _copy(self.net)
        self._finish()
        found = super()._measure()
        checkpoint.load_learning(self.net, going)
        return found

    def _finish(self) -> None:
        """Go half the way back to the first weights, and fit the head there."""
        middle = {
            name: value.lerp(self._first[name], _BACK)
            for name, value in _floats(self.net).items()
            if ".lora_A." not in name  # an update is a product that begins at zero: half of one factor is half of it
        }
        checkpoint.load_learning(self.net, middle)
        self.fit_head()

    def fit_head(self) -> None:
        """Fit the head by logistic regression on vectors of unit length, and scale it to those of mean length."""
        from sklearn.linear_model import LogisticRegression

        vectors, targets = gather(self.net, self.net.vectors, self.features, len(self.features), self.pad_id)
        vectors, labels = vectors.cpu(), targets["labels"].cpu()
        lengths = vectors.norm(dim=-1, keepdim=True)
        model = LogisticRegression(C=_REGULAR, fit_intercept=False, max_iter=1000)
        found = torch.from_numpy(model.fit((vectors / lengths).numpy(), labels).coef_) / lengths.mean()
        head = self.net.extras["head"]
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.weight.copy_(torch.cat([-found / 2, found / 2]) if len(found) == 1 else found)
            head.bias.zero_()

    def _learning(self, rows: NDArray[np.int64], lowest: nn.Module | None) -> tuple[torch.Tensor, torch.Tensor]:
        batch = {k: v.to(self.device) for k, v in collate(self.features, rows, self.pad_id).items()}
        with learning_from(self.net, lowest):
            return self.net.vectors(batch), batch["labels"]

    def _epoch(self, seed: int, epoch: int) -> list[list[NDArray[np.int64]]]:
        generator = np.random.default_rng([seed, epoch])
        return [[batch] for batch in balanced(self.features, self.tune.tokens_per_batch * _PASSES, generator)]

    def _gradients(self, step: int) -> tuple[float, int, int]:
        rows = np.concatenate(self.plan[step])
        total, lowest = 0.0, self.passes.draw()
        # Out of memory: the batch falls into smaller ones, each with the pairs inside it.
        for part in np.array_split(rows, min(len(rows), 1 << self.progress.halvings)):
            passes = by_length(self.features.lengths[part], self.tune.tokens_per_batch)
            with autocast(self.device, self.setting.precision):
                vectors, labels = zip(*(self._learning(part[some], lowest) for some in passes), strict=True)
            loss = contrast(torch.cat(vectors).float(), torch.cat(labels)) * (len(part) / len(rows))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total, int(self.features.lengths[rows].sum()), len(rows)


def _floats(net: Net) -> dict[str, torch.Tensor]:
    return {name: value for name, value in checkpoint.learning(net).items() if value.is_floating_point()}


def _copy(net: Net) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in _floats(net).items()}


def contrast(vectors: torch.Tensor, labels: torch.Tensor, temperature: float = _TEMPERATURE) -> torch.Tensor:
    """Supervised contrastive loss of vectors (n, hidden) with class ids (n,), a scalar (Khosla et al. 2020, L_out).

    A row alone with its class in the batch has nothing to be near to and counts as a negative only.
    """
    unit = F.normalize(vectors, dim=-1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    likeness = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    surprise = likeness.logsumexp(-1, keepdim=True) - likeness
    same = (labels[:, None] == labels[None, :]) & ~itself
    partners = same.sum(-1)
    each = surprise.masked_fill(~same, 0.0).sum(-1) / partners.clamp(min=1)
    return each.sum() / (partners > 0).sum().clamp(min=1)


def balanced(features: Features, tokens: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch: every row once, in batches made of small groups of one class, of at most `tokens` tokens each."""
    labels = features.targets["labels"]
    groups: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        groups += np.array_split(members, max(1, len(members) // _TOGETHER))
    batch: list[NDArray[np.int64]] = []
    rows = held = 0
    for index in generator.permutation(len(groups)):
        group = groups[int(index)]
        size = int(features.lengths[group].sum())
        if batch and (rows + len(group) > _ROWS or held + size > tokens):
            yield np.concatenate(batch)
            batch, rows, held = [], 0, 0
        batch.append(group)
        rows, held = rows + len(group), held + size
    if batch:
        yield np.concatenate(batch)


def names(labels: Sequence[str]) -> list[Row]:
    """The name of each class as one more row of it, where it is more than a sign: card_arrival -> "card arrival"."""
    written = {label: label.replace("_", " ").strip() for label in labels}
    return [{"text": text, "label": label} for label, text in written.items() if sum(map(str.isalpha, text)) > 1]
