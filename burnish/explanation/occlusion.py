"""Scores from what the model says of the text without some of its words: no gradients, so that any runtime will do."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import by_length, collate
from burnish.engine import Engine
from burnish.engine.run import BUDGET, EACH
from burnish.explanation.gradients import Found, at_places
from burnish.explanation.piece import Kept, Piece
from burnish.explanation.target import Target


def logits_of(engine: Engine, piece: Piece, kept: Kept) -> torch.Tensor:
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


def values_of(engine: Engine, piece: Piece, target: Target, kept: Kept) -> NDArray[np.float64]:
    """Explained values (texts,)."""
    found: NDArray[np.float64] = target.value(logits_of(engine, piece, kept).double()).numpy()
    return found


def occlusion(engine: Engine, piece: Piece, target: Target) -> Found:
    words = len(piece.words)
    alone = np.eye(words, dtype=bool)
    ends = np.stack([np.ones(words, bool), np.zeros(words, bool)])
    values = values_of(engine, piece, target, np.concatenate([ends, ~alone, alone]))
    full, empty = float(values[0]), float(values[1])
    scores = (full - values[2 : 2 + words] + values[2 + words :] - empty) / 2
    return Found(scores, full, empty, full - empty - float(scores.sum()), len(values))
