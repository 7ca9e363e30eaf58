"""Classify a text or an image: binary, one of many classes, or several at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import Batch, Features, Ragged
from burnish.data.reader import Reader
from burnish.data.readers import shown
from burnish.data.rows import Row
from burnish.data.text import chunked, read_texts
from burnish.errors import InputError
from burnish.models.bigrams import Bigrams
from burnish.tasks.base import LossOptions, Task, cross_entropy
from burnish.tasks.counts import ClassCounts, Counts, SetCounts


@dataclass(frozen=True)
class ClassPrediction:
    """Classes of a text or an image.

    Attributes:
        label: the most probable class.
        labels: every class given; one, unless the task is multi-label.
        probabilities: of every class.
    """

    label: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]


class Classify(Task):
    name = "classify"
    kind = "sequence"

    def __init__(
        self,
        labels: Sequence[str],
        multi_label: bool = False,
        thresholds: Sequence[float] = (),
        bigrams: bool = False,
        temperature: float = 1.0,
        usual: Sequence[float] = (),
    ) -> None:
        self.labels = tuple(labels)
        self.temperature = temperature  # that probabilities are given at; it changes no decision
        self.usual = tuple(usual)  # how dev rows look, to tell what belongs to no class; see burnish.tasks.scope
        self.bigrams = bigrams
        self.multi_label = multi_label
        self.metric = "f1" if multi_label else "accuracy"
        self.thresholds = tuple(thresholds) or (0.5,) * len(self.labels)
        self._ids = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        found: set[str] = set()
        for row in rows:
            label = row["label"]
            found.update(label if isinstance(label, list) else [] if label is None else [label])
        if len(found) < (1 if multi_label else 2):
            raise InputError(
                f"the training rows hold {len(found)} label ({', '.join(sorted(found)) or 'none'}); "
                "a classifier needs at least two: check data.columns.label"
            )
        return cls(sorted(found), multi_label, bigrams=bool(tune and tune.bigrams))

    def state(self) -> dict[str, Any]:
        return {
            "labels": self.labels,
            "multi_label": self.multi_label,
            "thresholds": self.thresholds,
            "bigrams": self.bigrams,
            "temperature": self.temperature,
            "usual": self.usual,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        later = {"bigrams": False, "temperature": 1.0, "usual": ()}  # keys that older folders lack
        own = {key: state.get(key, value) for key, value in later.items()}
        return cls(state["labels"], state["multi_label"], state["thresholds"], **own)

    def modules(self) -> dict[str, nn.Module]:
        return {"bigrams": Bigrams(self.outputs)} if self.bigrams else {}

    def row(self, given: Any) -> Row:
        if not isinstance(given, str):
            raise InputError(f"{self.name} takes a text, not {type(given).__name__}")
        return {"text": given}

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        if isinstance(tokenizer, Reader):
            return self._read(list(rows), tokenizer)
        parts: list[dict[str, Ragged]] = []
        targets: list[NDArray[Any]] = []
        for chunk in chunked(rows, 1000):
            two = any("text_b" in row for row in chunk)
            seconds = [row["text_b"] or "" if "text_b" in row else None for row in chunk] if two else None
            parts.append(read_texts(tokenizer, [row["text"] or "" for row in chunk], seconds, max_tokens))
            if "label" in chunk[0]:
                targets.append(np.asarray([self.target(row["label"]) for row in chunk], dtype=self.target_type))
        names = dict.fromkeys(name for part in parts for name in part) or ["input_ids"]
        for part in parts if len(names) > 1 else ():  # texts that stand alone beside pairs
            part.setdefault("token_type_ids", part["input_ids"].zeros())
        ragged = {name: Ragged.join([part.pop(name) for part in parts]) for name in names}
        features = Features(ragged, row=np.arange(len(ragged["input_ids"])))
        if targets:
            features.targets["labels"] = np.concatenate(targets)
        return features

    def _read(self, rows: list[Row], reader: Reader) -> Features:
        features = reader.features(rows)
        if rows and "label" in rows[0]:
            features.targets["labels"] = np.asarray([self.target(row["label"]) for row in rows], self.target_type)
        return features

    @property
    def target_type(self) -> type[Any]:
        """What targets are stored as: class ids, or a byte for each class."""
        return np.uint8 if self.multi_label else np.int64

    def target(self, label: Any) -> Any:
        """Class id, or a vector of zeros and ones; a class that training never saw counts as none."""
        if self.multi_label:
            vector = np.zeros(len(self.labels), dtype=np.uint8)
            vector[[self._ids[one] for one in label or () if one in self._ids]] = 1
            return vector
        return self._ids.get(label, -100)

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        if self.multi_label:
            return F.binary_cross_entropy_with_logits(logits, batch["labels"].float())
        return cross_entropy(logits, batch["labels"], options)

    def loss_to(self, logits: torch.Tensor, batch: Batch, warmth: float) -> torch.Tensor:
        if not self.multi_label:
            return super().loss_to(logits, batch, warmth)
        return F.binary_cross_entropy_with_logits(logits, batch["soft"].float().sigmoid())

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        if self.multi_label:
            return list((logits.float() / self.temperature).sigmoid().cpu().numpy())
        # In double precision, where no two logits come so near each other that the decision would be another one.
        return list((logits.cpu().double() / self.temperature).softmax(-1).numpy())

    def choose(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.multi_label:
            return super().choose(logits)
        over = logits / self.temperature - torch.logit(torch.tensor(self.thresholds), 1e-6)
        return (over >= 0).long(), over.abs()

    def assemble(self, answers: Sequence[Any], row: Row) -> ClassPrediction:
        (probabilities,) = answers
        best = int(np.argmax(probabilities))
        given = (
            tuple(name for name, p, t in zip(self.labels, probabilities, self.thresholds, strict=True) if p >= t)
            if self.multi_label
            else (self.labels[best],)
        )
        return ClassPrediction(self.labels[best], given, dict(zip(self.labels, map(float, probabilities), strict=True)))

    def reference(self, row: Row) -> tuple[str, ...]:
        label = row["label"]
        return tuple(label or ()) if self.multi_label else (label,)

    def tally(self, prediction: ClassPrediction, reference: tuple[str, ...]) -> Sequence[float]:
        if self.multi_label:
            both = len(set(prediction.labels) & set(reference))
            return both, len(prediction.labels) + len(reference)
        return float(prediction.labels == reference), 1.0

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        top = 2 * sums[..., 0] if self.multi_label else sums[..., 0]
        return top / np.maximum(sums[..., 1], 1)

    def counts(self) -> Counts:
        return SetCounts(self.labels) if self.multi_label else ClassCounts(self.labels)

    def explain_row(self, prediction: ClassPrediction, row: Row) -> tuple[str, str, str, float]:
        true = self.reference(row)
        chance = min((prediction.probabilities.get(label, 0.0) for label in true), default=0.0)
        text = shown(row) + (f" ‖ {row['text_b']}" if row.get("text_b") else "")
        return text, ", ".join(map(str, true)), ", ".join(prediction.labels), chance

    def fit_thresholds(self, predictions: Iterable[ClassPrediction], references: Iterable[tuple[str, ...]]) -> None:
        """Set each class's threshold to the one with the best F1, where a row may have several."""
        if not self.multi_label:
            return
        from sklearn.metrics import precision_recall_curve

        scores, truth = array("f"), bytearray()
        for prediction, reference in zip(predictions, references, strict=True):
            scores.extend(prediction.probabilities.values())
            truth.extend(label in reference for label in self.labels)
        shape = (-1, len(self.labels))
        columns = np.frombuffer(scores, dtype=np.float32).reshape(shape), np.frombuffer(truth, bool).reshape(shape)
        fitted: list[float] = []
        for chances, true in zip(columns[0].T, columns[1].T, strict=True):
            if not true.any():
                fitted.append(0.5)
                continue
            precision, recall, cuts = precision_recall_curve(true, chances)
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            fitted.append(float(cuts[int(np.argmax(f1[:-1]))]))
        self.thresholds = tuple(fitted)
