"""Classify a text: binary, one of many classes, or several at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import Batch, Features, Ragged
from burnish.data.rows import Row
from burnish.data.text import chunked, encode_texts
from burnish.errors import InputError
from burnish.results import ClassRow
from burnish.tasks.base import LossOptions, Task, cross_entropy, report_rows


@dataclass(frozen=True)
class ClassPrediction:
    """Classes of a text.

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

    def __init__(self, labels: Sequence[str], multi_label: bool = False, thresholds: Sequence[float] = ()) -> None:
        self.labels = tuple(labels)
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
        return cls(sorted(found), multi_label)

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels, "multi_label": self.multi_label, "thresholds": self.thresholds}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(state["labels"], state["multi_label"], state["thresholds"])

    def row(self, given: Any) -> Row:
        if not isinstance(given, str):
            raise InputError(f"{self.name} takes a text, not {type(given).__name__}")
        return {"text": given}

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        ids: list[Ragged] = []
        types: list[Ragged] = []
        targets: list[Any] = []
        for chunk in chunked(rows, 1000):
            seconds = [row["text_b"] or "" for row in chunk] if "text_b" in chunk[0] else None
            tokens, kinds = encode_texts(tokenizer, [row["text"] or "" for row in chunk], seconds, max_tokens)
            ids.append(Ragged.build(tokens))
            if kinds is not None:
                types.append(Ragged.build(kinds))
            targets += [self.target(row["label"]) for row in chunk if "label" in row]
        ragged = {"input_ids": Ragged.join(ids)}
        if types:
            ragged["token_type_ids"] = Ragged.join(types)
        features = Features(ragged, row=np.arange(len(ragged["input_ids"])))
        if targets:
            kind = np.float32 if self.floats else np.int64
            features.targets["labels"] = np.asarray(targets, dtype=kind)
        return features

    @property
    def floats(self) -> bool:
        """Whether targets are numbers rather than class ids."""
        return self.multi_label

    def target(self, label: Any) -> Any:
        """Class id, or a vector of zeros and ones; a class that training never saw counts as none."""
        if self.multi_label:
            vector = np.zeros(len(self.labels), dtype=np.float32)
            vector[[self._ids[one] for one in label or () if one in self._ids]] = 1.0
            return vector
        return self._ids.get(label, -100)

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        if self.multi_label:
            return F.binary_cross_entropy_with_logits(logits, batch["labels"])
        return cross_entropy(logits, batch["labels"], options)

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        logits = logits.float()
        return list((logits.sigmoid() if self.multi_label else logits.softmax(-1)).cpu().numpy())

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

    def metrics(self, predictions: Sequence[ClassPrediction], references: Sequence[Any]) -> dict[str, float]:
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        true, guess, labels = self._arrays(predictions, references)
        found = {
            f"{average}_f1": float(f1_score(true, guess, average=average, labels=labels, zero_division=0.0))
            for average in ("micro", "macro", "weighted")
        }
        if self.multi_label:
            return {"f1": found["micro_f1"], "subset_accuracy": float(accuracy_score(true, guess)), **found}
        return {"accuracy": float(accuracy_score(true, guess)), **found, "mcc": float(matthews_corrcoef(true, guess))}

    def table(self, predictions: Sequence[ClassPrediction], references: Sequence[Any]) -> tuple[ClassRow, ...]:
        from sklearn.metrics import classification_report

        true, guess, labels = self._arrays(predictions, references)
        names = self.labels if self.multi_label else labels
        return report_rows(
            classification_report(true, guess, labels=labels, target_names=names, output_dict=True, zero_division=0.0)
        )

    def confusion(
        self, predictions: Sequence[ClassPrediction], references: Sequence[Any]
    ) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        from sklearn.metrics import confusion_matrix

        if self.multi_label:
            return (), ()
        true, guess, labels = self._arrays(predictions, references)
        matrix = confusion_matrix(true, guess, labels=labels)
        return tuple(labels), tuple(tuple(int(v) for v in row) for row in matrix)

    def explain_row(self, prediction: ClassPrediction, row: Row) -> tuple[str, str, str, float]:
        true = self.reference(row)
        chance = min((prediction.probabilities.get(label, 0.0) for label in true), default=0.0)
        text = row["text"] + (f" ‖ {row['text_b']}" if row.get("text_b") else "")
        return text, ", ".join(map(str, true)), ", ".join(prediction.labels), chance

    def fit_thresholds(self, predictions: Sequence[ClassPrediction], references: Sequence[tuple[str, ...]]) -> None:
        """Set each class's threshold to the one with the best F1 on these rows (not the test rows)."""
        from sklearn.metrics import precision_recall_curve

        fitted: list[float] = []
        for label in self.labels:
            truth = np.array([label in reference for reference in references])
            if not truth.any():
                fitted.append(0.5)
                continue
            scores = np.array([p.probabilities[label] for p in predictions])
            precision, recall, cuts = precision_recall_curve(truth, scores)
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            fitted.append(float(cuts[int(np.argmax(f1[:-1]))]))
        self.thresholds = tuple(fitted)

    def _arrays(self, predictions: Sequence[ClassPrediction], references: Sequence[Any]) -> tuple[Any, Any, Any]:
        if self.multi_label:
            rows = [[label in given for label in self.labels] for given in references]
            guess = [[label in p.labels for label in self.labels] for p in predictions]
            return np.array(rows, dtype=int), np.array(guess, dtype=int), list(range(len(self.labels)))
        true = [str(reference[0]) for reference in references]
        unseen = sorted(set(true) - set(self.labels))
        return true, [p.label for p in predictions], [*self.labels, *unseen]
