"""An encoder at rest gives the same vectors in every epoch: they are made once, and the epochs train a head on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from burnish.config import Tune
from burnish.data.features import Features, by_length, collate
from burnish.device import Precision, autocast
from burnish.engine.run import BUDGET
from burnish.models.net import READ, TOP, Net

_NUMBERS = 100_000_000  # that are held: 400 MB


def rests(net: Net, tune: Tune, features: Features) -> bool:
    """Whether nothing below the head learns or changes from epoch to epoch, and the vectors fit the memory.

    Dropout inside of the encoder does not count: it has nothing to keep from learning. Of a sound that is asked about
    at several pitches the vectors are the mean, which is what the head is given afterwards.
    """
    varied = net.scaled is not None and tune.vary != "none"
    return still(net) and not tune.r_drop and not varied and len(features) * net.hidden <= _NUMBERS


def still(net: Net) -> bool:
    """Whether nothing learns below what `Net.encoded` goes to."""
    if net.kind != "sequence" or set(net.extras) - {"dropout", "head", "summary"}:
        return False
    learning = {name for name, one in net.named_parameters() if one.requires_grad}
    if net.scaled is None:  # plain transformers' own head is fitted later
        return net.linear is not None and learning <= net.head_parameters()
    above = tuple(f"model.{name}." for name in TOP)
    has_head = isinstance(getattr(net.model, "classifier", None), nn.Module)
    return has_head and all(name.startswith(above) for name in learning)


def vectors(net: Net, features: Features, pad_id: int, precision: Precision) -> Features:
    """The same pieces, of the same lengths and targets, as what the encoder gives of them."""
    device, was_training = next(net.parameters()).device, net.training
    found = np.empty((0,), dtype=np.float32)
    net.eval()
    with torch.no_grad(), autocast(device, precision):
        for pieces in by_length(features.lengths, BUDGET):
            batch = {name: value.to(device) for name, value in collate(features, pieces, pad_id).items()}
            made = net.encoded(batch).float().cpu().numpy()
            found = found if len(found) else np.empty((len(features), *made.shape[1:]), dtype=np.float32)
            found[pieces] = made
    net.train(was_training)
    return replace(features, ragged={}, dense={READ: found}, cost=features.lengths)
