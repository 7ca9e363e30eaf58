"""Integrated gradients (Sundararajan et al. 2017) from the text to the same text with every token empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import Batch, collate
from burnish.data.parts import Grid
from burnish.explanation.piece import Cut, Piece
from burnish.explanation.target import Target
from burnish.models.bigrams import Bigrams
from burnish.models.net import Net

_POINTS = (8, 16, 32, 64)  # of the integral: more are taken until the scores add up
_ENOUGH = 0.02  # of the distance from baseline to text may be missing, or
_SLIGHT = 0.01  # of the explained value
_BUDGET = 4096  # tokens of a batch


@dataclass(frozen=True)
class Found:
    """Scores of the words of a piece, (words,), with what `Explanation` says of them."""

    scores: NDArray[np.float64]
    value: float
    baseline: float
    delta: float
    points: int


def integrated_gradients(net: Net, piece: Cut, target: Target, pad_id: int) -> Found:
    """Scores of the words of a piece: the sum over the tokens of each, or over all that lies in a part of a grid.

    The integral is taken by Gauss-Legendre quadrature, in one batch for each number of points; that number doubles
    until the scores add up to the difference between text and baseline. Special tokens keep their vectors. What a
    linear model of token pairs adds beside the network (`Bigrams`) is led along the same path, so that the scores
    contain it.
    """
    path = _Path(net, piece, target, pad_id) if isinstance(piece, Piece) else _Line(net, piece, target)
    for points in _POINTS:
        found = path.integrate(points)
        if abs(found.delta) <= max(_ENOUGH * abs(found.value - found.baseline), _SLIGHT):
            break
    return found


class _Path:
    """The straight line from baseline to text."""

    piece: Cut
    beside: torch.Tensor | None

    def __init__(self, net: Net, piece: Piece, target: Target, pad_id: int) -> None:
        self.net, self.target, self.piece = net.eval(), target, piece
        self.device = next(net.parameters()).device
        features = piece.features(np.ones((1, len(piece.words)), bool))
        self.batch: Batch = {name: one.to(self.device) for name, one in collate(features, [0], pad_id).items()}
        owned = torch.from_numpy(piece.owner >= 0).to(self.device)
        empty = {**self.batch, "input_ids": torch.where(owned, pad_id, self.batch["input_ids"])}
        if "shapes" in empty:
            empty["shapes"] = torch.zeros_like(empty["shapes"])
        with torch.no_grad():
            self.base, self.full = net.embed(empty), net.embed(self.batch)
            self.beside = _beside(net, self.batch, piece)
        self.cost = self.full.shape[1]

    def integrate(self, points: int) -> Found:
        places, weights = np.polynomial.legendre.leggauss(points)
        along = torch.from_numpy(np.concatenate([[0.0, 1.0], (places + 1) / 2])).to(self.full)
        shares = torch.from_numpy(np.concatenate([[0.0, 0.0], weights / 2])).to(self.full)
        size = max(1, _BUDGET // self.cost)
        owner = self.piece.owner
        values, scores = [], np.zeros(len(self.piece.words))
        for share, at in zip(torch.split(shares, size), torch.split(along, size), strict=True):
            value, gradient, slope = self._slopes(at)
            values.append(value)
            mean = torch.tensordot(share, gradient, ([0], [0]))
            tokens = (mean * (self.full - self.base)[0]).reshape(*owner.shape, -1).sum(-1)
            np.add.at(scores, owner[owner >= 0], tokens.double().cpu().numpy()[owner >= 0])
            if self.beside is not None:
                scores += (self.beside @ (slope.sum(1) * share.view(-1, 1)).sum(0)).double().cpu().numpy()
        ends = torch.cat(values)[:2].double().tolist()
        return Found(scores, ends[1], ends[0], float(ends[1] - ends[0] - scores.sum()), points)

    def _slopes(self, along: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Explained values (n,) at places of the path, their gradients by the vectors, and by the logits."""
        n = len(along)
        batch = {name: one.expand(n, *one.shape[1:]) for name, one in self.batch.items()}
        vectors = self.base + along.view(-1, 1, 1) * (self.full - self.base)
        with torch.enable_grad():
            batch["vectors"] = vectors.requires_grad_(True)
            logits = self.net(batch)
            if self.beside is not None:
                logits = logits - (1 - along).view(-1, 1) * self.beside.sum(0)
            logits = at_places(logits, batch)
            value = self.target.value(logits)
            gradient, slope = torch.autograd.grad(value.sum(), [vectors, logits])
        return value.detach(), gradient, slope


class _Line(_Path):
    """The same for an input of one shape, from its parts gone to all of them there."""

    def __init__(self, net: Net, piece: Grid, target: Target) -> None:
        self.net, self.target, self.piece = net.eval(), target, piece
        self.device = next(net.parameters()).device
        self.cost, self.beside = piece.cost, None
        self.base, self.full = (
            torch.from_numpy(one[None].copy()).to(self.device).float() for one in (piece.empty, piece.full)
        )

    def _slopes(self, along: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        assert isinstance(self.piece, Grid)
        inputs = self.base + along.view(-1, *[1] * (self.base.dim() - 1)) * (self.full - self.base)
        with torch.enable_grad():
            also = {name: torch.full((len(along),), one).to(self.device) for name, one in self.piece.also.items()}
            logits = self.net({self.piece.name: inputs.requires_grad_(True), **also})
            value = self.target.value(at_places(logits, {}))
            (gradient,) = torch.autograd.grad(value.sum(), [inputs])
        return value.detach(), gradient, gradient[:0]


def at_places(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Logits (n, places, outputs) of the places that are looked at; a text as a whole has one."""
    if logits.dim() == 2:
        return logits.unsqueeze(1)
    return logits[batch["words"] >= 0].view(len(logits), -1, logits.shape[-1])


def _beside(net: Net, batch: Batch, piece: Piece) -> torch.Tensor | None:
    """What each word adds to the logits through the linear model of tokens and pairs, (words, outputs); a pair is
    shared by its two tokens."""
    if "bigrams" not in net.extras:
        return None
    bigrams = cast(Bigrams, net.extras["bigrams"])
    places, values = bigrams.values(batch["input_ids"], batch["attention_mask"])
    parts = values[0].unsqueeze(-1) * bigrams.weight[places[0]]
    tokens = len(parts) // 2
    single, double = parts[:tokens], parts[tokens:] / 2
    each = single + double
    each[1:] += double[:-1]
    owner = torch.from_numpy(piece.owner).to(each.device)
    found = each.new_zeros(len(piece.words), each.shape[-1])
    return found.index_add_(0, owner[owner >= 0], each[owner >= 0])
