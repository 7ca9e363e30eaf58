"""Boxes as tensors: their forms, how far they overlap, and the best of those that show the same."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """Left, top, right and bottom of boxes given as middle, width and height, (..., 4)."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def overlap(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Intersection over union of boxes given by their corners, and the generalized one (Rezatofighi et al. 2019), which
    also tells how far apart two are. Shapes (..., 4) that broadcast, to (...)."""
    shared = _area(torch.max(first[..., :2], second[..., :2]), torch.min(first[..., 2:], second[..., 2:]))
    around = _area(torch.min(first[..., :2], second[..., :2]), torch.max(first[..., 2:], second[..., 2:]))
    union = _area(first[..., :2], first[..., 2:]) + _area(second[..., :2], second[..., 2:]) - shared
    iou = shared / union.clamp(min=1e-9)
    return iou, iou - (around - union) / around.clamp(min=1e-9)


def _area(low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    return (high - low).clamp(min=0).prod(-1)


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each with each: (a, 4) and (b, 4) corners to (a, b)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (first, second)]
    found: Floats = shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9)
    return found


def apart(boxes: Floats, labels: NDArray[np.int64], most: int, limit: float) -> NDArray[np.int64]:
    """Places of at most `most` boxes, given best first, of which none overlaps a better one of its class by more than
    `limit`: non-maximum suppression."""
    near = (overlaps(boxes, boxes) > limit) & (labels[:, None] == labels[None, :])
    kept: list[int] = []
    out = np.zeros(len(boxes), dtype=bool)
    for place in range(len(boxes)):
        if not out[place]:
            kept.append(place)
            if len(kept) == most:
                break
            out |= near[place]
    return np.array(kept, dtype=np.int64)


def matched(boxes: Floats, truth: Floats, limit: float = 0.5) -> NDArray[np.int64]:
    """For each of (k, 4) boxes, given best first, the true one it finds, -1 for none: of those left to it that it
    overlaps by `limit` and more, the one it overlaps most, as COCO counts. One class alone."""
    found = np.full(len(boxes), -1, dtype=np.int64)
    if not len(truth):
        return found
    shared = overlaps(boxes, truth)
    for place in range(len(boxes)):
        best = int(shared[place].argmax())
        if shared[place, best] >= limit:
            found[place] = best
            shared[:, best] = -1.0
    return found
