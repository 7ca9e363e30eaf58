"""Which tokens may turn texts into a class: all of the vocabulary in an order, by slopes of the network.

A first-order score, as in HotFlip (Ebrahimi et al. 2018) and universal triggers (Wallace et al. 2019): how much a class
would gain if a neutral token in front of a text were that one. It is a guess, as a token is far from a neutral one, so
that it gives an order and no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import collate
from burnish.data.rows import Row
from burnish.engine import Engine

_TEXTS = 24  # in which slopes are taken


def ordered(engine: Engine, rows: Sequence[Row]) -> NDArray[np.int64]:
    """All token ids, (tokens of the vocabulary,): first the best one of each class, then the second best ...

    Args:
        rows: texts that the model gets right, in turn from all classes.
    """
    net = engine.twin
    features = engine.encode(rows)
    short = np.flatnonzero(features.lengths < engine.max_tokens)[:_TEXTS]
    weight: torch.Tensor = net.model.get_input_embeddings().weight.detach()
    if not len(short):
        return np.arange(len(weight))
    batch = {name: one.to(weight.device) for name, one in collate(features, short, engine.pad_id).items()}
    batch = {name: torch.cat([one[:, :1], one[:, :1], one[:, 1:]], 1) for name, one in batch.items()}
    with torch.enable_grad():
        vectors = net.embed(batch).detach()
        vectors[:, 1] = weight.mean(0)
        vectors.requires_grad_(True)
        chances = net({**batch, "vectors": vectors}).log_softmax(-1)
        said = chances.argmax(-1)
        scores = []
        for label in range(chances.shape[1]):
            gain = chances[said != label, label].sum()
            (slope,) = torch.autograd.grad(gain, vectors, retain_graph=True)
            scores.append(weight @ slope[:, 1].sum(0))
    places = torch.stack(scores).argsort(dim=1, descending=True).argsort(dim=1)
    found: NDArray[np.int64] = places.amin(0).argsort(stable=True).cpu().numpy()
    return found
