"""Losses of networks that find boxes: of a grid whose places each look for what lies around them, and of queries that
together give a set."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from burnish.tasks.boxes import corners, overlap

_INNER = 0.6  # places within this share of a box look for it
_AROUND = 3  # half cells from its middle: so do the places in a small box that are no further
_NEAREST = 9  # of them, so that a large thing counts no more than a small one
_BOXES = 2.0  # weight of the boxes against the classes
_NONE, _SIDES, _GIOU = 0.1, 5.0, 2.0  # weights of the set loss: queries that find nothing, L1 and GIoU of boxes


def grid_loss(logits: torch.Tensor, boxes: torch.Tensor, truth: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Quality focal loss (Li et al. 2020): each class is as likely as its box is good; and 1 - GIoU of the boxes.

    Args:
        logits: (n, places, classes), each by itself.
        boxes: (n, places, 4) middle, width and height, as shares of the image.
        truth: (n, most, 5) class, -1 where there is none, and box.
        shape: height and width of the images.
    """
    owner, looks = _owners(truth, _centres(logits.shape[1], *shape).to(truth), logits.shape[1])
    own = truth.gather(1, owner.unsqueeze(-1).expand(-1, -1, 5))[looks]
    iou, giou = overlap(corners(boxes[looks]), corners(own[:, 1:]))
    quality = torch.zeros_like(logits)
    row, place = looks.nonzero(as_tuple=True)
    quality[row, place, own[:, 0].long()] = iou.detach().to(quality)
    off = (quality - logits.sigmoid()).abs().square()
    classes = F.binary_cross_entropy_with_logits(logits, quality, reduction="none") * off
    return (classes.sum() + _BOXES * (1 - giou).sum()) / max(1, len(own))


def _owners(truth: torch.Tensor, centres: torch.Tensor, places: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For each place the box it looks for, (n, places), and whether it looks for one: of several the one whose middle
    is nearest, counted in its own size."""
    off = (centres[None, None] - truth[:, :, None, 1:3]).abs()
    away = (2 * off / truth[:, :, None, 3:].clamp(min=1e-6)).amax(-1)
    half = centres.amin(0)  # of a cell
    inside = (away < _INNER) | ((away < 1) & (off <= _AROUND * half).all(-1)) | (off <= half).all(-1)
    away = away.masked_fill(~inside | (truth[:, :, None, 0] < 0), torch.inf)
    last = away.topk(min(_NEAREST, places), largest=False).values[..., -1:]
    nearest, owner = away.masked_fill(away > last, torch.inf).min(1)
    return owner, nearest.isfinite()


@lru_cache
def _centres(places: int, height: int, width: int) -> torch.Tensor:
    """Middles of the cells of a grid over an image, as shares of it, (places, 2)."""
    stride = (height * width / places) ** 0.5
    rows, columns = round(height / stride), round(width / stride)
    down, along = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    return torch.stack([along.repeat(rows), down.repeat_interleave(columns)], -1)


def set_loss(logits: torch.Tensor, boxes: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The loss of DETR (Carion et al. 2020): queries and true boxes are paired at the least cost, and each query learns
    its partner's class and box, or that there is nothing.

    Args:
        logits: (n, queries, classes + 1), the last one for nothing.
        boxes, truth: as for `grid_loss`.
    """
    nothing = logits.shape[-1] - 1
    labels = torch.full(logits.shape[:2], nothing, device=logits.device)
    given: list[torch.Tensor] = []
    due: list[torch.Tensor] = []
    for index, one in enumerate(truth):
        own = one[one[:, 0] >= 0]
        queries, partners = _pairs(logits[index].detach(), boxes[index].detach(), own)
        labels[index, queries] = own[partners, 0].long()
        given.append(boxes[index, queries])
        due.append(own[partners, 1:])
    weights = torch.ones(nothing + 1, device=logits.device)
    weights[-1] = _NONE
    found, right = torch.cat(given), torch.cat(due)
    giou = overlap(corners(found), corners(right))[1]
    apart = _SIDES * (found - right).abs().sum() + _GIOU * (1 - giou).sum()
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), weights) + apart / max(1, len(found))


def _pairs(logits: torch.Tensor, boxes: torch.Tensor, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and the true boxes they are paired with (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    apart = (boxes[:, None] - own[None, :, 1:]).abs().sum(-1)
    giou = overlap(corners(boxes)[:, None], corners(own[:, 1:])[None])[1]
    cost = _SIDES * apart - _GIOU * giou - logits.softmax(-1)[:, own[:, 0].long()]
    queries, partners = linear_sum_assignment(np.nan_to_num(cost.float().cpu().numpy(), nan=1e6, posinf=1e6))
    return torch.as_tensor(queries, device=boxes.device), torch.as_tensor(partners, device=boxes.device)
