"""Fit the linear model of a summary that stands beside a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import IGNORED, Features, by_length, collate
from burnish.device import Precision
from burnish.models.net import Net
from burnish.models.summary import Summary
from burnish.tasks.base import LossOptions
from burnish.training.linear import take_over, weigh
from burnish.training.rest import still

_ROWS = 5000  # enough for it
_TIMES = (0.75, 1.5, 3.0, 0.4)  # weights beside the network
_BUDGET = 1 << 13  # tokens that are summed up at a time
_LEAST = 0.25  # of what was fitted, that counts beside a network which has learnt nothing


def fit_summary(
    net: Net,
    features: Features,
    options: LossOptions,
    precision: Precision,
    measure: Callable[[Precision], float] | None,
) -> None:
    """Fit it to the training rows as they are, or to a part of them, by multinomial logistic regression. What counts
    for nothing is taken away.

    Args:
        measure: value on dev, larger is better; it says how much the model counts, and where it falls, not at all.
    """
    model = dict(net.extras.items()).get("summary")
    if not isinstance(model, Summary):
        return
    if (measure or not model.needs_dev) and not still(net):  # else the head alone was to learn
        _fit(model, net, features, options, measure and partial(measure, precision))
    if not model.weight.any():
        del net.extras["summary"]


def _fit(
    model: Summary, net: Net, features: Features, options: LossOptions, measure: Callable[[], float] | None
) -> None:
    from sklearn.linear_model import LogisticRegression

    labels = features.targets.get("labels")
    if labels is None or labels.ndim > 1 or labels.dtype.kind != "i":  # neither numbers nor several classes an input
        return
    known = np.flatnonzero(labels != IGNORED)
    each = known[np.unique(labels[known], return_index=True)[1]]  # one row of each class
    known = np.union1d(known[np.linspace(0, len(known) - 1, min(len(known), _ROWS)).astype(np.int64)], each)
    if len(np.unique(labels[known])) < 2:
        return
    found, said, owner = [], [], []
    for places in by_length(features.lengths[known], _BUDGET):
        batch = {k: v.to(model.mean.device) for k, v in collate(features, known[places], 0).items()}
        with torch.no_grad():
            numbers = model.numbers(net.scaled, batch)
            said.append(net(batch).float().cpu().numpy())
        found.append(numbers.cpu().numpy())
        owner.append(known[places].repeat(len(numbers) // len(places)))
    values, truth = np.concatenate(found).astype(np.float64), labels[np.concatenate(owner)]
    mean, spread = values.mean(0), np.maximum(values.std(0), 1e-3)
    for target, value in ((model.mean, mean), (model.spread, spread)):
        target.copy_(torch.from_numpy(value).float())
    values, weights = (values - mean) / spread, options.class_weights
    fitted = LogisticRegression(C=model.firm, max_iter=500).fit(
        values, truth, None if weights is None else weights.numpy()[truth]
    )
    take_over(fitted, model.weight, model.bias)
    own = values @ model.weight.cpu().double().numpy() + model.bias.cpu().double().numpy()
    # As sure as the network of what both have learnt; which of the two is right more often, dev has to say.
    alike = max(_LEAST, _sureness(np.concatenate(said)) / max(_sureness(own), 1e-6))
    for target in (model.weight, model.bias):
        target.mul_(alike)
    weigh((model.weight, model.bias), _TIMES, measure, strict=model.needs_dev)


def _sureness(logits: NDArray[np.floating[Any]]) -> float:
    """Spread of the logits of a row, over all rows."""
    return float((logits - logits.mean(1, keepdims=True)).std())
