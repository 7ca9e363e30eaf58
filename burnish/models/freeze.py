"""Which weights learn, and how fast: freezing, layer-wise learning rates, and how far back a step goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from burnish.models.net import Net

_LAYER = re.compile(r"\.(?:layer|layers|h|block)\.(\d+)\.")

_ENTRY = ".feature_extractor."
_LOWEST = ("embeddings", _ENTRY, ".feature_projection.", ".encoder.conv")  # what stands below all layers


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate and a weight decay."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float


def freeze(net: Net, what: str) -> None:
    """Stop weights from learning: `none`, `embeddings` (the word matrix, or the convolutions that a wave enters by),
    `head` or `top:K` (only those learn)."""
    fresh = net.head_parameters()
    depth = layer_count(net)
    words = net.words
    for name, parameter in net.named_parameters():
        if what == "none" or name in fresh:
            continue
        if what == "embeddings":
            parameter.requires_grad_(parameter is not words and _ENTRY not in name)
        elif what == "head":
            parameter.requires_grad_(False)
        else:
            parameter.requires_grad_(layer_of(name, depth) >= depth - int(what.removeprefix("top:")))


def layers(net: Net) -> list[nn.Module]:
    """The numbered layers of the encoder, lowest first."""
    return [m for name, m in net.named_modules() if not _LAYER.search(name) and _LAYER.search(f"{name}.")]


@contextmanager
def learning_from(net: Net, layer: nn.Module | None) -> Iterator[None]:
    """Run forward passes of `net` in which nothing below `layer` gets a gradient; None changes nothing."""
    if layer is None:
        yield
        return

    def start(*_: object) -> None:
        torch.set_grad_enabled(True)

    def stop(*_: object) -> None:  # a model may be asked for each row by itself
        torch.set_grad_enabled(False)

    handles = net.model.base_model.register_forward_pre_hook(stop), layer.register_forward_pre_hook(start)
    try:
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()


def layer_count(net: Net) -> int:
    return 1 + max((int(m.group(1)) for n, _ in net.named_parameters() if (m := _LAYER.search(n))), default=-1)


def in_layer(name: str) -> bool:
    """Whether a module or parameter of this name lies inside of a numbered layer."""
    return _LAYER.search(name) is not None


def layer_of(name: str, depth: int) -> int:
    """Index of the layer a parameter belongs to: -1 for embeddings, `depth` for what lies above the layers."""
    if found := _LAYER.search(name):
        return int(found.group(1))
    return -1 if any(part in name for part in _LOWEST) else depth


def groups(
    net: Net, learning_rate: float, head_learning_rate: float, layer_decay: float, weight_decay: float
) -> list[Group]:
    """Learning parameters by group; vectors (biases, norms) and extra inputs carry no weight decay."""
    fresh, depth = net.head_parameters(), layer_count(net)
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = head_learning_rate if name in fresh else learning_rate * layer_decay ** (depth - layer_of(name, depth))
        decay = 0.0 if parameter.dim() < 2 or name.startswith("extras.shape") else weight_decay
        found.setdefault((rate, decay), []).append(parameter)
    return [Group(parameters, rate, decay) for (rate, decay), parameters in found.items()]
