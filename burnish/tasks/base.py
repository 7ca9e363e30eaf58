"""What changes from one task to another, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import IGNORED, Batch, Features
from burnish.data.rows import Row, Rows
from burnish.models.pretrained import Kind
from burnish.results import Mark
from burnish.tasks.counts import Counts


@dataclass(frozen=True)
class LossOptions:
    """Variants of cross entropy: weight of each class, label smoothing, gamma of the focal loss."""

    class_weights: torch.Tensor | None = None
    label_smoothing: float = 0.0
    focal: float = 0.0


class Task(ABC):
    """A label space with everything that depends on it.

    Training, export, audits and serving know tasks only by this class. A new task is a file with a subclass and a
    line in `burnish.tasks.TASKS`.
    """

    name: ClassVar[str]
    metric: str  # what a job chooses on unless it says otherwise; larger is better
    kind: ClassVar[Kind]  # shape of the logits: (n, tokens, outputs), (n, outputs), or (n, places, more than outputs)
    labels: tuple[str, ...]
    stepwise: ClassVar[bool] = False  # a label is spelled in steps of the answer, one after another
    paired: ClassVar[bool] = False  # a row has two sides, which learn from each other and from those of other rows
    plain_head: ClassVar[bool] = True  # plain transformers has a head that answers as this task does
    two_texts: bool = False  # a row that may have one had two in training
    keeps_head: bool = False  # the labels are those of a pretrained model's own head, which is trained further

    @classmethod
    @abstractmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        """Find the label space in training rows.

        Raises:
            InputError: when the rows do not define one, or lack what an option of `tune` needs.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""

    @classmethod
    @abstractmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """Rebuild the task from `state()`."""

    def starting_from(self, place: str) -> Task:
        """The task of a network that starts from a model folder or hub id: with the label space that its head already
        has, where that covers this one."""
        return self

    def save(self, folder: Path) -> None:
        """Write what plain transformers needs to read the outputs, beside the weights."""
        return

    @property
    def outputs(self) -> int:
        """Width of the head."""
        return len(self.labels)

    def modules(self) -> dict[str, nn.Module]:
        """Modules of the task that learn with the network and are saved with its extras, by name."""
        return {}

    def plain(self) -> Task:
        """The task without those modules, as plain transformers would see it."""
        return self

    @abstractmethod
    def row(self, given: Any) -> Row:
        """Turn what a user hands to `predict` into a row.

        Raises:
            InputError: when it has another form than the task takes.
        """

    @abstractmethod
    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        """Turn rows into model inputs; labels are added where the rows have them."""

    def steps_needed(self, row: Row) -> int:
        """Steps that the label of a row takes at least, where `stepwise`."""
        return 0

    @abstractmethod
    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        """Mean loss of a batch, a scalar."""

    def loss_to(self, logits: torch.Tensor, batch: Batch, warmth: float) -> torch.Tensor:
        """Mean loss of a batch against a teacher's logits, `batch["soft"]`, both softened by `warmth`, a scalar.

        As in Hinton et al. 2015: cross entropy between the two distributions, times the square of the temperature.
        Where the logits are not of one distribution, it is the task's own loss with the teacher's answer for a label.
        """
        soft = batch["soft"]
        if self.kind == "token":
            logits, soft = logits[batch["words"] >= 0], soft[batch["words"] >= 0]
        if not len(logits):
            return logits.sum()
        return F.cross_entropy(logits.float() / warmth, (soft.float() / warmth).softmax(-1)) * warmth**2

    @abstractmethod
    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        """Turn the logits of a batch into one small answer a piece, so that no logits need to be kept."""

    def choose(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What logits (k, outputs) decide, each by itself: choices (k, ...), and how far each is from another one."""
        best, place = logits.topk(2, -1)
        return place[:, 0], best[:, 0] - best[:, 1]

    @abstractmethod
    def assemble(self, answers: Sequence[Any], row: Row) -> Any:
        """Join the answers of a row's pieces into its prediction."""

    @abstractmethod
    def reference(self, row: Row) -> Any:
        """The truth of a row, comparable with a prediction."""

    def labels_of(self, row: Row) -> Iterable[str]:
        """The labels that a row carries."""
        return self.reference(row)  # type: ignore[no-any-return]

    def unknown(self, row: Row) -> set[str]:
        """Labels of a row that the task cannot give."""
        return set(self.labels_of(row)) - set(self.labels)

    @abstractmethod
    def tally(self, prediction: Any, reference: Any) -> Sequence[float]:
        """Numbers of one row whose sums over rows determine the task's metric."""

    @abstractmethod
    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The task's metric from summed tallies, shape (..., k) -> (...)."""

    @abstractmethod
    def counts(self) -> Counts:
        """An empty count of rows, from which all metrics and tables follow."""

    def metrics(self, predictions: Iterable[Any], references: Iterable[Any]) -> dict[str, float]:
        """All metrics by name, fractions of one."""
        counts = self.counts()
        for prediction, reference in zip(predictions, references, strict=True):
            counts.add(prediction, reference)
        return counts.metrics()

    def judged(self, predictions: Iterable[Any]) -> Iterator[Any]:
        """Predictions as they are counted, where that takes those of all rows together."""
        return iter(predictions)

    def fit_thresholds(self, predictions: Iterable[Any], references: Iterable[Any]) -> None:
        """Choose on these rows, no test rows, from which score on something is said; where a task does that."""
        return

    def baseline(self, train: Rows, rows: Iterable[Row], reader: Any) -> tuple[str, Iterator[Any]] | None:
        """Name and predictions of a baseline of the task's own; None where those that all tasks share will do."""
        return None

    def marks(self, prediction: Any, row: Row) -> tuple[Mark, ...]:
        """Frames on a picture of a row, where a prediction speaks of places in it."""
        return ()

    @abstractmethod
    def explain_row(self, prediction: Any, row: Row) -> tuple[str, str, str, float]:
        """Text, reference, prediction and the model's probability, for the table of hardest rows."""


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, options: LossOptions) -> torch.Tensor:
    """Mean cross entropy of logits (n, classes) against labels (n,), ignoring `IGNORED`.

    The focal form is that of Lin et al. 2017, (1 - p)^gamma times the cross entropy.
    """
    weights = options.class_weights.to(logits) if options.class_weights is not None else None
    if not options.focal:
        return F.cross_entropy(logits, labels, weights, ignore_index=IGNORED, label_smoothing=options.label_smoothing)
    each = F.cross_entropy(
        logits, labels, weights, ignore_index=IGNORED, label_smoothing=options.label_smoothing, reduction="none"
    )
    kept = labels != IGNORED
    right = logits.softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return ((1 - right[kept]) ** options.focal * each[kept]).sum() / kept.sum().clamp(min=1)
