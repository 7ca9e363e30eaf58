"""Scores from what the model says of the text without some of its words: no gradients, so that any runtime will do."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import by_length, collate
from burnish.engine import Engine
from burnish.engine.run import BUDGET, EACH
from burnish.explanation.gradients import Found, at_places
from burnish.explanation.piece import Cut, Kept, Piece
from burnish.explanation.target import Target

_TEXTS = 14  # whole texts without some of their words
_SINGLE = 8  # of these, texts without a single word


def logits_of(engine: Engine, piece: Cut, kept: Kept) -> torch.Tensor:
    """Logits (texts, places, outputs) of a piece with some of its words, as the engine's own runtime gives them."""
    features = piece.features(kept)
    groups = list(by_length(features.lengths, BUDGET, EACH))
    batches = (collate(features, places, engine.pad_id) for places in groups)
    order, parts = [], []
    for places, (batch, logits) in zip(groups, engine.runtime.run(batches), strict=True):
        order.append(places)
        parts.append(at_places(logits.float().cpu(), {name: value.cpu() for name, value in batch.items()}))
    back = np.argsort(np.concatenate(order))
    return torch.cat(parts)[torch.from_numpy(back)]


def values_of(engine: Engine, piece: Cut, target: Target, kept: Kept) -> NDArray[np.float64]:
    """Explained values (texts,)."""
    found: NDArray[np.float64] = target.value(logits_of(engine, piece, kept).double()).numpy()
    return found


def occlusion(engine: Engine, piece: Cut, target: Target) -> Found:
    """Scores of the words of a piece: the mean of what each adds to an empty text and of what the text loses with it.

    These are the first and the last place of a word in the average over all orders that is Shapley's value (Lundberg
    and Lee 2017), and what is left of the sum is `delta`. A word alone costs next to nothing. A whole text without one
    of its words does not, so that of a longer text only the words that do most alone are left out one by one; the
    others go in blocks of neighbours, which share what is lost with the block.
    """
    words = len(piece.words)
    alone = np.eye(words, dtype=bool)
    ends = np.stack([np.ones(words, bool), np.zeros(words, bool)])
    values = values_of(engine, piece, target, np.concatenate([ends, alone]))
    full, empty, added = float(values[0]), float(values[1]), values[2:] - values[1]
    each = not isinstance(piece, Piece)  # parts of a grid are few, and neighbours in it no phrase
    blocks = list(np.arange(words).reshape(-1, 1)) if each else _blocks(np.abs(added))
    gone = np.stack([np.isin(np.arange(words), block) for block in blocks])
    lost = full - values_of(engine, piece, target, ~gone)
    scores = (added + (gone * (lost / gone.sum(1))[:, None]).sum(0)) / 2
    return Found(scores, full, empty, full - empty - float(scores.sum()), len(values) + len(blocks))


def _blocks(weights: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Words that are left out together: each by itself, or of many the weightiest by themselves, the others in runs."""
    words = len(weights)
    if words <= _TEXTS:
        return list(np.arange(words).reshape(-1, 1))
    first = np.sort(np.argsort(-weights, kind="stable")[:_SINGLE])
    rest = np.setdiff1d(np.arange(words), first)
    return [*first.reshape(-1, 1), *np.array_split(rest, _TEXTS - _SINGLE)]
