"""Fit the linear model of token pairs that stands beside an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import IGNORED, Features, by_length, collate
from burnish.device import Precision
from burnish.models.bigrams import Bigrams
from burnish.models.net import Net
from burnish.tasks.base import LossOptions
from burnish.training.linear import take_over, weigh

_TOKENS = 2_000_000  # enough for it, and some 150 MB
_TIMES = (1.0, 2.0, 4.0, 0.5)  # weights beside the encoder, which may be too sure
_FIRM = 4.0  # inverse of the penalty on its weights


def fit_bigrams(
    net: Net,
    features: Features,
    options: LossOptions,
    pad_id: int,
    precision: Precision,
    measure: Callable[[Precision], float] | None,
) -> None:
    """Fit it to the training rows, or to a part of all their classes, by multinomial logistic regression.

    For two classes each value is first weighted by how well it tells them apart (Wang and Manning 2012), which gave
    less than it took for three and for 77.

    Args:
        measure: value on dev, larger is better; it says how much the model counts, and where it falls, not at all.
    """
    from scipy.sparse import csr_matrix, diags
    from sklearn.linear_model import LogisticRegression

    model = dict(net.extras.items()).get("bigrams")
    if not isinstance(model, Bigrams):
        return
    labels = features.targets["labels"]
    chosen = _chosen(features, labels)
    if len(np.unique(labels[chosen])) < 2:
        return
    buckets = len(model.weight)
    seen = np.zeros(buckets, dtype=np.int64)
    for _, places, there in _parts(features, chosen, pad_id, model, model.places):
        rows = np.repeat(np.arange(len(places)), places.shape[1]).reshape(places.shape)
        seen += np.bincount(np.unique(np.stack([rows, places])[:, there > 0], axis=1)[1], minlength=buckets)
    model.rarity.copy_(torch.from_numpy(np.log((1 + len(chosen)) / (1 + seen)) + 1))
    owners, columns, values = [], [], []
    for pieces, places, value in _parts(features, chosen, pad_id, model, model.values):
        row, column = np.nonzero(value)
        owners.append(pieces[row].astype(np.int32))
        columns.append(places[row, column].astype(np.int32))
        values.append(value[row, column])
    at = np.concatenate(owners), np.concatenate(columns)
    matrix = csr_matrix((np.concatenate(values), at), (len(features), buckets))[chosen]
    truth, weights = labels[chosen], options.class_weights
    two = len(np.unique(truth)) == 2
    telling = _telling(matrix, truth == truth.max()) if two else np.ones(buckets)
    fitted = LogisticRegression(C=_FIRM, solver="liblinear" if two else "lbfgs", max_iter=200).fit(
        matrix @ diags(telling), truth, None if weights is None else weights.numpy()[truth]
    )
    take_over(fitted, model.weight, model.bias, telling)
    weigh((model.weight, model.bias), _TIMES, measure and partial(measure, precision))


def _telling(matrix: Any, second: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The logarithm of how much more often a bucket stands in rows of the second class, (buckets,)."""
    shares = []
    for of in (second, ~second):
        rows = np.bincount(matrix[of].indices, minlength=matrix.shape[1]) + 1.0
        shares.append(rows / rows.sum())
    told: NDArray[np.float64] = np.log(shares[0] / shares[1])
    return told


def _chosen(features: Features, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows with a label at equal distances, as many as `_TOKENS` allows, and one of each class."""
    known = np.flatnonzero(labels != IGNORED)
    if not len(known):
        return known
    count = min(len(known), max(1, int(_TOKENS / features.lengths[known].mean())))
    spread = known[np.linspace(0, len(known) - 1, count).astype(np.int64)]
    return np.union1d(spread, known[np.unique(labels[known], return_index=True)[1]])


def _parts(
    features: Features,
    chosen: NDArray[np.int64],
    pad_id: int,
    model: Bigrams,
    of: Callable[..., tuple[torch.Tensor, torch.Tensor]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]]:
    """Pieces, and what `of` says of their tokens."""
    for places in by_length(features.lengths[chosen], 1 << 16):
        pieces = chosen[places]
        batch = collate(features, pieces, pad_id)
        first, second = of(*(batch[name].to(model.rarity.device) for name in ("input_ids", "attention_mask")))
        yield pieces, first.cpu().numpy(), second.cpu().numpy()
