"""Which weights learn, and how fast: freezing, layer-wise learning rates, and how far back a step goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import nn

from burnish.errors import InputError
from burnish.models.net import Net

_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.\d+\.")
_STAGE = re.compile(r"\.stages\.\d+\.")  # of ConvNeXt, ResNet and their kind, each of which numbers its layers from 0

_ENTRY = ".feature_extractor."
_STEMS = (".embedder.", ".conv_stem.")
_WORDS = (".wte.", ".embed_tokens.", ".shared.", ".word_embedding.", ".layernorm_embedding.")
_POSITIONS = (".wpe.", ".embed_positions.", ".pos_conv_embed.")
_SOUNDS = (_ENTRY, ".feature_projection.", ".encoder.conv")
_LOWEST = ("embeddings", *_WORDS, *_POSITIONS, *_SOUNDS, *_STEMS)  # what stands below all layers


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate and a weight decay."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float


def freeze(net: Net, what: str) -> None:
    """Stop weights from learning: `none`, `embeddings` (the word matrix, or the convolutions that a wave enters by),
    `head` or `top:K` (only those learn). What does not learn in the first place, such as sinusoids, stays so.

    Raises:
        InputError: when the top layers are asked for of a network that does not number its layers.
    """
    fresh, heights = net.head_parameters(), Heights(net)
    words = net.words
    if what.startswith("top:") and not layers(net):
        raise InputError(
            f"tune.freeze: {what} counts the layers of the network, and this one has none with weights and a number of "
            "their own; set it to none, embeddings or head"
        )
    for name, parameter in net.named_parameters():
        if what == "none" or name in fresh:
            continue
        if what == "embeddings":
            still = parameter is words or _ENTRY in name
        else:
            still = what == "head" or heights.of(name) > int(what.removeprefix("top:"))
        if still:
            parameter.requires_grad_(False)


def layers(net: Net) -> list[nn.Module]:
    """The numbered layers of the encoder, lowest first."""
    return [net.get_submodule(name) for name in _layer_names(net)]


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


def in_layer(name: str) -> bool:
    """Whether a module or parameter of this name lies inside of a numbered layer."""
    return _LAYER.search(name) is not None


class Heights:
    """How far below the top of its encoder a parameter lies, in layers; those of all stages of an encoder count."""

    def __init__(self, net: nn.Module) -> None:
        encoders: dict[str, list[str]] = {}
        for name in _layer_names(net):
            stage = _STAGE.search(name)
            encoders.setdefault(name[: stage.start()] if stage else name.rpartition(".")[0], []).append(name)
        self._depth = {encoder: len(found) for encoder, found in encoders.items()}
        self._heights: dict[str, int] = {}  # of layers, and of stages that of their first layer
        for found in encoders.values():
            for height, name in zip(range(len(found), 0, -1), found, strict=True):
                self._heights[f"{name}."] = height
                if stage := _STAGE.search(name):
                    self._heights.setdefault(name[: stage.end()], height)

    def of(self, name: str) -> int:
        """0 above all layers, 1 in the top layer, and one more than there are layers for what stands below them."""
        for part in (_LAYER.search(name), _STAGE.search(name)):
            if part and (height := self._heights.get(name[: part.end()])):
                return height
        if not any(part in name for part in _LOWEST):
            return 0
        nearest = max(self._depth, key=lambda encoder: _shared(encoder, name), default="")
        return 1 + self._depth.get(nearest, 0)


def _shared(one: str, other: str) -> int:
    """Modules that two names have in common, from the outermost on."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one.split("."), other.split("."), strict=False))
    )


def _layer_names(net: nn.Module) -> list[str]:
    """The outermost numbered layers, lowest first."""
    return [name for name, _ in net.named_modules() if not _LAYER.search(name) and _LAYER.search(f"{name}.")]


def groups(
    net: Net, learning_rate: float, head_learning_rate: float, layer_decay: float, weight_decay: float
) -> list[Group]:
    """Learning parameters by group; vectors (biases, norms) and extra inputs carry no weight decay."""
    fresh, heights = net.head_parameters(), Heights(net)
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = head_learning_rate if name in fresh else learning_rate * layer_decay ** heights.of(name)
        decay = 0.0 if parameter.dim() < 2 or name.startswith("extras.shape") else weight_decay
        found.setdefault((rate, decay), []).append(parameter)
    return [Group(parameters, rate, decay) for (rate, decay), parameters in found.items()]
