"""Detect: find things in images, each with its class and the box around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.config import Tune
from burnish.data.features import Batch, Features
from burnish.data.images import size
from burnish.data.readers import shown
from burnish.data.rows import Row, Rows
from burnish.errors import InputError
from burnish.extras import need
from burnish.results import Mark
from burnish.tasks.base import LossOptions, Task
from burnish.tasks.boxes import apart, corners
from burnish.tasks.counts import Counts
from burnish.tasks.finding import grid_loss, set_loss
from burnish.tasks.precision import MOST, Box, BoxCounts, Tallies, pairs
from burnish.tasks.window import slid

_LEAST = 0.05  # score below which a box is not told
_LOOKED_AT = 400  # boxes of an image, the surest, among which those of the same thing are told apart
_SAME = 0.6  # overlap from which on two boxes of a class show the same thing
_SHOWN = 8  # boxes named in a table


@dataclass(frozen=True)
class DetectPrediction:
    """What was found in an image.

    Attributes:
        boxes: the surest first; at most 100, down to a score of 0.05.
        threshold: the score from which on boxes are taken for things, chosen on dev rows.
    """

    boxes: tuple[Box, ...]
    threshold: float

    @property
    def sure(self) -> tuple[Box, ...]:
        """Those at or above the threshold."""
        return tuple(box for box in self.boxes if box.score >= self.threshold)


class Detect(Task):
    """Networks answer in one of two ways. The places of a grid each give every class by itself and a box, of which many
    show the same thing; or queries give one class each, or none, and a box, and together a set."""

    name = "detect"
    metric = "map_50"
    kind = "boxes"

    def __init__(self, labels: Sequence[str], threshold: float = 0.5) -> None:
        self.labels, self.threshold = tuple(labels), threshold
        self.tallies = Tallies(self.labels)

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        need("pycocotools", "detect")  # before any work
        found = {box["label"] for row in rows for box in row["boxes"] or ()}
        if not found:
            raise InputError("no image of the training rows has a box; check data.columns.boxes")
        return cls(sorted(found))

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels, "threshold": self.threshold}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(state["labels"], state["threshold"])

    def row(self, given: Any) -> Row:
        raise InputError(f"{self.name} takes images, not {type(given).__name__}")

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        given = list(rows)
        features: Features = tokenizer.features(given)
        if given and "boxes" in given[0]:
            features.targets["boxes"] = self._targets(given)
        return features

    def _targets(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Class, middle, width and height of each box, as shares of the image, (rows, most, 5); -1 where there is none.

        A class that training never saw counts as none.
        """
        most = max(1, *(len(row["boxes"] or ()) for row in rows))
        found = np.full((len(rows), most, 5), -1, dtype=np.float32)
        for place, row in enumerate(rows):
            own = [box for box in row["boxes"] or () if box["label"] in self.tallies.ids]
            if not own:
                continue
            width, height = size(row["image"])
            edges = np.array([[box["xmin"], box["ymin"], box["xmax"], box["ymax"]] for box in own])
            edges = edges / [width, height, width, height]
            found[place, : len(own), 0] = [self.tallies.ids[box["label"]] for box in own]
            found[place, : len(own), 1:3] = (edges[:, :2] + edges[:, 2:]) / 2
            found[place, : len(own), 3:] = edges[:, 2:] - edges[:, :2]
        return found

    def _is_set(self, logits: torch.Tensor) -> bool:
        """Whether a network has a class for nothing, and so answers with a set."""
        return logits.shape[-1] == self.outputs + 5

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        classes, boxes = logits[..., :-4].float(), logits[..., -4:].float()
        if self._is_set(logits):
            return set_loss(classes, boxes, batch["boxes"])
        height, width = batch["pixels"].shape[1:3]
        return grid_loss(classes, boxes, batch["boxes"], (height, width))

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        """For each image (k, 6): class, score, and corners as shares of the image, the surest first."""
        boxes = corners(logits[..., -4:].float()).clamp(0, 1).cpu().numpy()
        if self._is_set(logits):
            scores, labels = logits[..., :-4].float().softmax(-1)[..., :-1].max(-1)
            chosen = zip(scores.cpu().numpy(), labels.cpu().numpy(), boxes, strict=True)
            return [_surest(*one, MOST) for one in chosen]
        every = logits[..., :-4].float().sigmoid().cpu().numpy()
        return [_told_apart(*one) for one in zip(every, boxes, strict=True)]

    def assemble(self, answers: Sequence[Any], row: Row) -> DetectPrediction:
        (found,) = answers
        width, height = size(row["image"])
        edges = found[:, 2:] * np.array([width, height, width, height])
        boxes = (
            Box(self.labels[int(label)], float(score), *map(float, own))
            for (label, score), own in zip(found[:, :2], edges, strict=True)
        )
        return DetectPrediction(tuple(boxes), self.threshold)

    def reference(self, row: Row) -> tuple[Box, ...]:
        return tuple(Box(score=1.0, **box) for box in row["boxes"] or ())

    def labels_of(self, row: Row) -> Iterable[str]:
        return (box["label"] for box in row["boxes"] or ())

    def tally(self, prediction: DetectPrediction, reference: tuple[Box, ...]) -> Sequence[float]:
        return list(map(float, self.tallies.of(prediction.boxes, reference)))

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.tallies.score(sums)

    def counts(self) -> Counts:
        return BoxCounts(self.labels, self.threshold)

    def fit_thresholds(self, predictions: Iterable[DetectPrediction], references: Iterable[tuple[Box, ...]]) -> None:
        """Set the score with the best F1 over all boxes."""
        scores: list[float] = []
        right: list[bool] = []
        due = 0
        for prediction, reference in zip(predictions, references, strict=True):
            scores += [box.score for box in prediction.boxes]
            right += (pairs(prediction.boxes, reference) >= 0).tolist()
            due += len(reference)
        if not any(right):
            return
        order = np.argsort(-np.array(scores), kind="stable")
        hits = np.array(right)[order].cumsum()
        f1 = 2 * hits / (np.arange(1, len(hits) + 1) + due)
        self.threshold = float(np.array(scores)[order][f1.argmax()])

    def baseline(self, train: Rows, rows: Iterable[Row], reader: Any) -> tuple[str, Iterator[Any]] | None:
        """A window of each class's mean size, slid over the image and judged by a linear model of its colours."""
        name, guesses = slid(self.labels, train, rows, reader)
        found = (
            self.assemble([_told_apart(scores, boxes)], row)  # one after another, as rows come
            for row, scores, boxes in guesses
        )
        return name, found

    def explain_row(self, prediction: DetectPrediction, row: Row) -> tuple[str, str, str, float]:
        # In place of a probability: F1 of the boxes of this image.
        sure, due = prediction.sure, self.reference(row)
        right = int((pairs(sure, due) >= 0).sum())
        f1 = 2 * right / (len(sure) + len(due)) if sure or due else 1.0
        return shown(row), _named(due), _named(sure), f1

    def marks(self, prediction: DetectPrediction, row: Row) -> tuple[Mark, ...]:
        """Boxes that were found, rightly or wrongly, and those that were missed."""
        sure, due = prediction.sure, self.reference(row)
        partners = pairs(sure, due)
        missed = [box for place, box in enumerate(due) if place not in partners]
        of = ["right" if partner >= 0 else "wrong" for partner in partners] + ["missed"] * len(missed)
        width, height = size(row["image"])
        shares = [(b.xmin / width, b.ymin / height, b.xmax / width, b.ymax / height) for b in (*sure, *missed)]
        titles = [f"{box.label} {box.score:.2f}" for box in sure] + [box.label for box in missed]
        return tuple(map(Mark, titles, of, shares))


def _named(boxes: Sequence[Box]) -> str:
    """How many boxes of each class."""
    names = [box.label for box in boxes]
    counted = [f"{name} × {names.count(name)}" for name in dict.fromkeys(names)]
    return ", ".join(counted[:_SHOWN]) + (", …" if len(counted) > _SHOWN else "") or "nothing"


def _surest(
    scores: NDArray[np.float32], labels: NDArray[np.int64], boxes: NDArray[np.float32], most: int
) -> NDArray[np.float32]:
    """Those of (k,) scores that are not too small, the surest first, (k, 6)."""
    order = np.argsort(-scores, kind="stable")[:most]
    order = order[scores[order] >= _LEAST]
    return np.concatenate([labels[order, None], scores[order, None], boxes[order]], -1, dtype=np.float32)


def _told_apart(scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (places, 4) or (places, classes, 4) with their scores (places, classes): those of different things."""
    places, classes = scores.shape
    each = boxes if boxes.ndim == 3 else np.broadcast_to(boxes[:, None], (places, classes, 4))
    labels = np.tile(np.arange(classes), places)
    found = _surest(scores.ravel(), labels, each.reshape(-1, 4), _LOOKED_AT)
    return found[apart(found[:, 2:], found[:, 0].astype(np.int64), MOST, _SAME)]
