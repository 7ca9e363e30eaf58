"""What boxes are measured by, learnt from and told apart by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from burnish.errors import InputError
from burnish.tasks.boxes import apart, corners, matched, overlap, overlaps
from burnish.tasks.detect import Detect, DetectPrediction
from burnish.tasks.finding import grid_loss, set_loss
from burnish.tasks.precision import Box


def _some(chance: np.random.Generator, task: Detect, images: int) -> list[tuple[DetectPrediction, tuple[Box, ...]]]:
    """Boxes, and guesses near some of them and nowhere, the surest first."""
    found = []
    for _ in range(images):
        due, said = [], []
        for _ in range(chance.integers(0, 6)):
            left, top, width, height = chance.uniform([0, 0, 10, 10], [80, 80, 60, 60])
            label = str(chance.choice([*task.labels, "unknown"], p=[0.5, 0.4, 0.1]))
            due.append(Box(label, 1.0, left, top, left + width, top + height))
            if label in task.labels and chance.random() < 0.8:
                moved = np.array(due[-1].corners) + chance.normal(0, 5, 4)
                said.append(Box(label, chance.uniform(0.2, 1), *moved.tolist()))
        for _ in range(chance.integers(0, 4)):
            said.append(Box(str(chance.choice(task.labels)), chance.uniform(0.05, 0.7), *[10.0, 10.0, 50.0, 60.0]))
        said.sort(key=lambda box: -box.score)
        found.append((DetectPrediction(tuple(said), 0.5), tuple(due)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_tallies_say_what_pycocotools_says(seed: int) -> None:
    task = Detect(("cat", "dog"))
    counts = task.counts()
    sums = np.zeros(len(task.tally(DetectPrediction((), 0.5), ())))
    for prediction, reference in _some(np.random.default_rng(seed), task, 60):
        counts.add(prediction, reference)
        sums += task.tally(prediction, reference)
    metrics = counts.metrics()
    assert metrics["map_50 unknown"] == 0.0
    assert 0.2 < metrics["map_50"] < 0.9
    assert float(task.score(sums)) == pytest.approx(metrics["map_50"], abs=0.01)
    assert task.score(np.stack([sums, 0 * sums])).tolist() == pytest.approx([float(task.score(sums)), 0.0])
    assert metrics["map"] < metrics["map_50"]


def test_nothing_found_and_nothing_there() -> None:
    task = Detect(("cat",))
    counts = task.counts()
    assert counts.metrics()["map_50"] == 0.0
    counts.add(DetectPrediction((), 0.5), ())
    assert counts.metrics() == {"map_50": 0.0, "map": 0.0}
    counts.add(DetectPrediction((), 0.5), (Box("cat", 1.0, 0, 0, 9, 9),))
    assert counts.metrics() == {"map_50": 0.0, "map": 0.0, "map_50 cat": 0.0}
    with pytest.raises(InputError, match="no image of the training rows has a box"):
        Detect.learn([{"boxes": []}])


def test_the_threshold_is_the_one_of_the_best_f1() -> None:
    task = Detect(("cat",))
    due = (Box("cat", 1.0, 0, 0, 10, 10), Box("cat", 1.0, 50, 50, 60, 60))
    said = (Box("cat", 0.9, 0, 0, 10, 10), Box("cat", 0.6, 50, 50, 60, 61), Box("cat", 0.4, 80, 80, 90, 90))
    task.fit_thresholds([DetectPrediction(said, 0.5)], [due])
    assert task.threshold == pytest.approx(0.6)
    assert Detect.restore(task.state()).threshold == task.threshold


def test_boxes_of_one_thing_are_told_apart_by_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [40, 0, 50, 10]], np.float32)
    assert apart(boxes, np.array([0, 0, 1, 0]), 100, 0.6).tolist() == [0, 2, 3]
    assert apart(boxes, np.array([0, 0, 1, 0]), 2, 0.6).tolist() == [0, 2]
    assert apart(boxes[:0], np.zeros(0, np.int64), 100, 0.6).tolist() == []
    assert matched(boxes[[0, 1, 3]], boxes[[0]]).tolist() == [0, -1, -1], "each true box is found once"


def test_overlaps_agree_with_each_other() -> None:
    chance = torch.Generator().manual_seed(0)
    first, second = (torch.rand(5, 4, generator=chance) for _ in range(2))
    iou, giou = overlap(corners(first)[:, None], corners(second)[None])
    assert np.allclose(iou.numpy(), overlaps(corners(first).numpy(), corners(second).numpy()), atol=1e-6)
    assert (giou <= iou + 1e-6).all()
    assert (giou >= -1).all()
    same, also = overlap(corners(first), corners(first))
    assert torch.allclose(same, torch.ones(5), atol=1e-5)
    assert torch.allclose(also, torch.ones(5), atol=1e-5)


def test_a_perfect_answer_has_the_least_loss() -> None:
    truth = torch.tensor([[[1.0, 0.3, 0.4, 0.3, 0.4], [0.0, 0.8, 0.7, 0.2, 0.2], [-1.0, -1, -1, -1, -1]]])
    queries = torch.tensor([[[0.8, 0.7, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1], [0.3, 0.4, 0.3, 0.4]]])
    logits = torch.tensor([[[9.0, 0, 0], [0, 0, 9.0], [0, 9.0, 0]]])
    assert float(set_loss(logits, queries, truth)) < 0.01
    assert float(set_loss(logits[:, [1, 0, 2]], queries, truth)) > 1
    assert torch.isfinite(set_loss(logits, queries, truth[:, 2:]))
    rows, columns = 6, 8
    down, along = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    middles = torch.stack([(along + 0.5) / columns, (down + 0.5) / rows], -1).view(1, -1, 2)
    own = ((middles - truth[0, 0, 1:3]).abs() < truth[0, 0, 3:] / 2).all(-1)
    boxes = torch.where(own[..., None], truth[0, 0, 1:], truth[0, 1, 1:])
    even = torch.zeros(1, rows * columns, 2)
    losses = [float(grid_loss(even, one, truth, (48, 64))) for one in (boxes, boxes + 0.1)]
    assert losses[0] < losses[1]
    likely = even - 4
    likely[0, own[0] & ((middles[0] - truth[0, 0, 1:3]).abs() < 0.3 * truth[0, 0, 3:]).all(-1), 1] = 4
    assert float(grid_loss(likely, boxes, truth, (48, 64))) < float(grid_loss(-likely, boxes, truth, (48, 64)))
    assert torch.isfinite(grid_loss(even, boxes, truth[:, 2:], (48, 64))), "no box in any image"
