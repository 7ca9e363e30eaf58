"""Whether scores say what the model does: measured on the model, beside words in random order and shuffled weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.engine.together import Together
from burnish.explained import Faithfulness
from burnish.explanation.occlusion import logits_of
from burnish.explanation.piece import Cut
from burnish.explanation.target import Target
from burnish.models.net import Net

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)  # of the words, the best first, as in ERASER
_STEPS = 20  # of the curve of deletion
_ORDERS = 5  # random ones, to compare with

Scorer = Callable[[Engine, Cut, Target], NDArray[np.float64]]


def chances_of(engine: Engine, piece: Cut, target: Target, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probability of the target (texts,) with some of the words; for `score` the number, in the labels' spread."""
    found: NDArray[np.float64] = target.chance(logits_of(engine, piece, kept).double()).numpy()
    return found


def without_best(scores: NDArray[np.float64], shares: Sequence[float] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """The words that stay when a share of them goes, the best first, at least one: (shares, words)."""
    counts = np.clip(np.ceil(np.asarray(shares) * len(scores) - 1e-9), 1, len(scores))
    rank = np.empty(len(scores))
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return rank[None, :] >= counts[:, None]


def faithfulness(
    engine: Engine, piece: Cut, target: Target, scores: NDArray[np.float64], shuffled: float = nan
) -> Faithfulness:
    """Measure the scores of one text on the engine that gave the prediction.

    Comprehensiveness and sufficiency are those of DeYoung et al. 2020, averaged over the best 1, 5, 10, 20 and 50 % of
    the words; a word that goes is taken out, as if it had not been written.

    Args:
        scores: of the words of the piece.
        shuffled: rank correlation with the scores under shuffled weights.
    """
    words = len(scores)
    generator = np.random.default_rng(0)
    steps = np.unique(np.linspace(0, words, min(words, _STEPS) + 1).round().astype(int))
    gone = without_best(scores, SHARES)
    orders = [without_best(generator.permutation(words).astype(float), SHARES) for _ in range(_ORDERS)]
    curve = np.concatenate([np.ones((1, words), bool), without_best(scores, steps[1:] / words)])
    chances = chances_of(engine, piece, target, np.concatenate([curve, gone, ~gone, *orders]))
    full, rest = chances[0], chances[len(curve) :].reshape(2 + _ORDERS, len(SHARES)).mean(1)
    along = chances[: len(curve)]
    return Faithfulness(
        comprehensiveness=float(full - rest[0]),
        sufficiency=float(full - rest[1]),
        deletion=float(np.trapezoid(along, steps / words)),
        random=float(full - rest[2:].mean()),
        randomised=shuffled,
        spreads=target.scale is not None,
    )


def mean_of(found: Sequence[Faithfulness]) -> Faithfulness:
    """The mean over texts; the rank correlation over those that have one."""
    names = ("comprehensiveness", "sufficiency", "deletion", "random")
    means = {name: float(np.mean([getattr(one, name) for one in found])) for name in names}
    told = [one.randomised for one in found if not np.isnan(one.randomised)]
    shuffled = float(np.mean(told)) if told else nan
    return Faithfulness(**means, randomised=shuffled, texts=len(found), spreads=found[0].spreads)


def shuffled_twin(engine: Engine, seed: int = 0) -> Engine | None:
    """The same engine on a network whose every matrix has its entries shuffled: it knows nothing any more. None where
    several networks answer together."""
    if isinstance(engine.runtime, Together):
        return None
    net: Net = deepcopy(engine.twin)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in (*net.parameters(), *net.buffers()):
            if weights.dim() > 1 and weights.is_floating_point():
                order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
                weights.copy_(weights.reshape(-1)[order].view_as(weights))
    other = copy(engine)
    other.__dict__.pop("twin", None)
    other.runtime = Eager(net.eval(), next(net.parameters()).device)
    return other


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's; NaN for fewer than three words or scores that are all the same."""
    from scipy.stats import spearmanr

    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return nan
    return float(spearmanr(first, second).statistic)


def randomised(
    engine: Engine, other: Engine | None, piece: Cut, target: Target, scores: NDArray[np.float64], scorer: Scorer
) -> float:
    """Rank correlation of scores with those under the weights of `other`, a `shuffled_twin` (Adebayo et al. 2018).

    Scores that follow from the model have nothing to do with these; those of a method that looks at the text alone
    stay as they are, and the correlation is 1.
    """
    return nan if other is None else rank_correlation(scores, scorer(other, piece, target))
