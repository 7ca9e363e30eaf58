"""Score a text, or two, with a number (regression)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import Batch
from burnish.data.readers import shown
from burnish.data.rows import Row
from burnish.errors import InputError
from burnish.tasks.base import LossOptions
from burnish.tasks.classify import Classify
from burnish.tasks.counts import Counts, ScoreCounts


@dataclass(frozen=True)
class ScorePrediction:
    """A predicted number, in the units of the training labels."""

    value: float


class Score(Classify):
    """Regression on labels standardised with the training rows' mean and spread.

    Attributes:
        two_texts: whether a training row had two; false in a folder of older versions, which does not say so.
    """

    name = "score"
    target_type = np.float32

    def __init__(self, mean: float, spread: float, two_texts: bool = False) -> None:
        super().__init__(("score",))
        self.metric = "pearson"
        self.mean, self.spread, self.two_texts = mean, spread, two_texts

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        pairs = ((row["label"], "text_b" in row) for row in rows if row["label"] is not None)
        found = np.fromiter(pairs, dtype=np.dtype((np.float64, 2)))
        values = np.ascontiguousarray(found[:, 0])
        if len(values) < 2 or not np.isfinite(values).all() or values.std() == 0:
            raise InputError(
                "the training rows need at least two different finite numbers as labels; check data.columns.label"
            )
        return cls(float(values.mean()), float(values.std()), bool(found[:, 1].any()))

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean, "spread": self.spread, "two_texts": self.two_texts}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(state["mean"], state["spread"], state.get("two_texts", False))

    def row(self, given: Any) -> Row:
        if isinstance(given, str):
            return {"text": given}
        if isinstance(given, Sequence) and len(given) == 2 and all(isinstance(text, str) for text in given):
            return {"text": given[0], "text_b": given[1]}
        raise InputError("score takes a text, or two as [text, text]")

    def target(self, label: Any) -> Any:
        return (float(label) - self.mean) / self.spread

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        return F.mse_loss(logits.squeeze(-1), batch["labels"])

    def loss_to(self, logits: torch.Tensor, batch: Batch, warmth: float) -> torch.Tensor:
        return F.mse_loss(logits, batch["soft"].float())

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        return [float(value) for value in logits.float().squeeze(-1).cpu()]

    def choose(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return logits.new_zeros(len(logits), 0, dtype=torch.long), logits.new_zeros(len(logits), 0)

    def assemble(self, answers: Sequence[Any], row: Row) -> ScorePrediction:  # type: ignore[override]
        return ScorePrediction(answers[0] * self.spread + self.mean)

    def labels_of(self, row: Row) -> Iterable[str]:
        return ()  # a number is none

    def reference(self, row: Row) -> float:  # type: ignore[override]
        return float(row["label"])

    def tally(self, prediction: ScorePrediction, reference: float) -> Sequence[float]:  # type: ignore[override]
        # Pearson's r follows from six sums; centring first keeps them well conditioned.
        x, y = (prediction.value - self.mean) / self.spread, (reference - self.mean) / self.spread
        return 1.0, x, y, x * x, y * y, x * y

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
        spread = np.sqrt(np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0))
        return np.where(spread > 0, (n * xy - x * y) / np.where(spread > 0, spread, 1), 0.0)

    def counts(self) -> Counts:
        return ScoreCounts()

    def explain_row(self, prediction: Any, row: Row) -> tuple[str, str, str, float]:
        # In place of a probability: how near the number is, on the scale of the labels' spread.
        near = math.exp(-abs(prediction.value - float(row["label"])) / self.spread)
        said = f"{prediction.value:.2f}" if abs(prediction.value) >= 0.05 else f"{prediction.value:.3g}"
        return shown(row), f"{float(row['label']):g}", said, near
