"""Average precision of boxes: by pycocotools, and from sums, for a bootstrap."""

from __future__ import annotations

import io
from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.extras import need
from burnish.results import ClassRow
from burnish.tasks.boxes import matched
from burnish.tasks.counts import Counts, Marks

MOST = 100  # boxes of an image that count, as for COCO
_NUMBERS, _FEWEST, _FINEST = 4000, 10, 100  # tallies of a row; steps of the score of each class, at least and at most
_RECALLS = 101  # from 0 to 1, at which COCO looks up the precision


@dataclass(frozen=True)
class Box:
    """Something in an image: what it is, how surely, and its edges in pixels of the upright image, from the left and
    from the top."""

    label: str
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.xmin, self.ymin, self.xmax, self.ymax


def corners_of(boxes: Sequence[Box]) -> NDArray[np.float32]:
    """Corners of boxes, (k, 4)."""
    return np.array([box.corners for box in boxes], dtype=np.float32).reshape(-1, 4)


def pairs(found: Sequence[Box], due: Sequence[Box]) -> NDArray[np.int64]:
    """For each box that was found, best first, the place in `due` of the one it finds, -1 for none; class by class."""
    partners = np.full(len(found), -1, dtype=np.int64)
    for label in {box.label for box in found}:
        own = np.flatnonzero([box.label == label for box in found])
        true = np.flatnonzero([box.label == label for box in due])
        hit = matched(corners_of(found)[own], corners_of(due)[true])
        partners[own[hit >= 0]] = true[hit[hit >= 0]]
    return partners


class Tallies:
    """Numbers of an image whose sums over images give mean average precision at an overlap of 0.5: of each class how
    many boxes are due, and how many of those found at each step of the score are right and wrong. Boxes within a step
    count as equally sure, which is all that the figure differs by from COCO's. Classes that a model does not know count
    as one more, of which it finds nothing."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.ids = {label: place for place, label in enumerate(labels)}
        self.steps = min(_FINEST, max(_FEWEST, _NUMBERS // (2 * len(labels))))

    def of(self, found: Sequence[Box], due: Sequence[Box]) -> NDArray[np.float64]:
        numbers = np.zeros((len(self.ids) + 1, 1 + 2 * self.steps))
        for box in due:
            numbers[self.ids.get(box.label, -1), 0] += 1
        for box, partner in zip(found, pairs(found, due), strict=True):
            step = min(self.steps - 1, int((1 - box.score) * self.steps))
            numbers[self.ids[box.label], 1 + step + (0 if partner >= 0 else self.steps)] += 1
        return numbers.ravel()

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (..., k) to (...)."""
        by_class = sums.reshape(*sums.shape[:-1], len(self.ids) + 1, -1)
        due, right, wrong = by_class[..., :1], *np.split(by_class[..., 1:].cumsum(-1), [self.steps], -1)
        wrong = wrong - right[..., -1:]  # they were added up behind these
        recall, precision = right / np.maximum(due, 1), right / np.maximum(right + wrong, 1)
        best = np.maximum.accumulate(precision[..., ::-1], -1)[..., ::-1]  # at this recall or more
        levels = np.floor((_RECALLS - 1) * recall + 1e-7) + 1  # of recall, that are reached
        each = (np.diff(levels, axis=-1, prepend=0.0) * best).sum(-1) / _RECALLS
        there = due[..., 0] > 0
        found: NDArray[np.float64] = (each * there).sum(-1) / np.maximum(there.sum(-1), 1)
        return found


class BoxCounts(Counts):
    """Boxes found and due, six numbers each.

    Attributes:
        threshold: score from which on a box counts in the table.
    """

    def __init__(self, labels: Sequence[str], threshold: float) -> None:
        self.known, self.threshold = tuple(labels), threshold
        self.names = list(labels)
        self.found, self.due, self.marks, self.images = array("f"), array("f"), Marks(), 0

    def add(self, prediction: Any, reference: Sequence[Box]) -> None:
        for kept, boxes in ((self.found, prediction.boxes), (self.due, reference)):
            for box in boxes:
                if box.label not in self.names:
                    self.names.append(box.label)
                kept.extend((self.images, self.names.index(box.label), box.score, *box.corners))
        self.images += 1
        sure = [box for box in prediction.boxes if box.score >= self.threshold]
        self.marks.given.update(box.label for box in sure)
        self.marks.due.update(box.label for box in reference)
        self.marks.both.update(sure[place].label for place in np.flatnonzero(pairs(sure, reference) >= 0))

    def metrics(self) -> dict[str, float]:
        """`map` is the mean over overlaps from 0.5 to 0.95, `map_50` that at 0.5, also by class."""
        kinds = Counter(int(number) for number in np.asarray(self.due).reshape(-1, 7)[:, 1])
        precision = _by_coco(self.images, len(self.names), np.asarray(self.found), np.asarray(self.due))
        named = {f"map_50 {self.names[kind]}": float(precision[0, kind]) for kind in sorted(kinds)}
        over = precision[:, sorted(kinds)] if kinds else np.zeros((1, 1))
        return {"map_50": float(over[0].mean()), "map": float(over.mean()), **named}

    def table(self) -> tuple[ClassRow, ...]:
        return tuple(self.marks.rows(self.names))


def _by_coco(images: int, kinds: int, found: NDArray[np.float32], due: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average precision, (10 overlaps, kinds), by pycocotools."""
    coco, cocoeval = need("pycocotools.coco", "detect"), need("pycocotools.cocoeval", "detect")
    both = []
    with redirect_stdout(io.StringIO()):  # it prints what it does
        for flat in (due, found):
            one = coco.COCO()
            one.dataset = {
                "images": [{"id": image} for image in range(images)],
                "categories": [{"id": kind} for kind in range(kinds)],
                "annotations": [_annotation(place, row) for place, row in enumerate(flat.reshape(-1, 7).tolist(), 1)],
            }
            one.createIndex()
            both.append(one)
        judge = cocoeval.COCOeval(*both, "bbox")
        judge.evaluate()
        judge.accumulate()
    by_recall: NDArray[np.float64] = judge.eval["precision"][:, :, :, 0, -1]  # of any size, MOST boxes an image
    found_by_class: NDArray[np.float64] = np.maximum(by_recall, 0).mean(1)
    return found_by_class


def _annotation(number: int, row: list[float]) -> dict[str, Any]:
    image, kind, score, left, top, right, bottom = row
    box, area = [left, top, right - left, bottom - top], (right - left) * (bottom - top)
    about = {"id": number, "image_id": int(image), "category_id": int(kind), "iscrowd": 0}
    return about | {"bbox": box, "area": area, "score": score}
