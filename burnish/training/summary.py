"""Fit the linear model of a sound's summary that stands beside a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from burnish.data.features import IGNORED, Features, by_length, collate
from burnish.device import Precision
from burnish.models.net import Net
from burnish.models.sound import Levelled
from burnish.models.summary import Summary
from burnish.tasks.base import LossOptions
from burnish.training.linear import take_over, weigh

_ROWS = 20_000  # enough for it, and 30 MB of numbers
_BUDGET = 1 << 14  # tokens that are summed up at a time
_TIMES = (0.5, 1.0, 2.0, 0.25)  # weights beside the network
_FIRM = 0.1  # inverse of the penalty on its weights


def fit_summary(
    net: Net,
    features: Features,
    options: LossOptions,
    precision: Precision,
    measure: Callable[[Precision], float] | None,
) -> None:
    """Fit it to the training rows as they are, or to a part of them, by multinomial logistic regression.

    Args:
        measure: value on dev, larger is better; it says how much the model counts, and where it falls, not at all.
    """
    from sklearn.linear_model import LogisticRegression

    model, labels = dict(net.extras.items()).get("summary"), features.targets.get("labels")
    if (
        not isinstance(model, Summary)
        or not isinstance(net.scaled, Levelled)
        or labels is None
        or labels.ndim > 1
        or labels.dtype.kind != "i"
    ):
        return
    known = np.flatnonzero(labels != IGNORED)
    known = known[np.linspace(0, len(known) - 1, min(len(known), _ROWS)).astype(np.int64)]
    if len(np.unique(labels[known])) < 2:
        return
    found = np.empty((len(known), len(model.mean)))
    for places in by_length(features.lengths[known], _BUDGET):
        batch = {k: v.to(model.mean.device) for k, v in collate(features, known[places], 0).items()}
        with torch.no_grad():
            found[places] = model.numbers(net.scaled, batch["sound"], batch["frames"]).cpu().numpy()
    mean, spread = found.mean(0), np.maximum(found.std(0), 1e-3)
    for target, value in ((model.mean, mean), (model.spread, spread)):
        target.copy_(torch.from_numpy(value))
    truth, weights = labels[known], options.class_weights
    fitted = LogisticRegression(C=_FIRM, max_iter=500).fit(
        (found - mean) / spread, truth, None if weights is None else weights.numpy()[truth]
    )
    take_over(fitted, model.weight, model.bias)
    weigh((model.weight, model.bias), _TIMES, measure and partial(measure, precision))
