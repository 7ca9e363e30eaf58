"""Make a BERT smaller in whole pieces, so that speed follows: layers, attention heads, feed-forward units, words. A
convolutional network gets narrower (`narrow`)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from burnish.compression.narrow import narrowed
from burnish.data.features import Features, by_length, collate
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.models.sound import Sound
from burnish.models.vision import Vision
from burnish.tasks import Task

_PREFIX = "bert.encoder.layer."


@dataclass(frozen=True, order=True)
class Shape:
    """How much of a network there is: layers, and the attention heads and feed-forward units of each; of a
    convolutional one its stages, at how many pitches it is asked (of images 1), and the channels of the last one."""

    layers: int
    heads: int
    units: int

    @classmethod
    def of(cls, net: Net) -> Shape:
        config = net.model.config
        if isinstance(net.model, Vision | Sound):
            return cls(config.num_hidden_layers, getattr(net.scaled, "pitches", 1), config.hidden_size)
        return cls(config.num_hidden_layers, config.num_attention_heads, config.intermediate_size)

    def __str__(self) -> str:
        return f"{self.layers}x{self.heads}x{self.units}"


@dataclass(frozen=True)
class Importance:
    """How much each piece of a layer matters, for each layer: `heads` (heads,) and `units` (units,)."""

    heads: list[torch.Tensor]
    units: list[torch.Tensor]


def can_shrink(net: Net) -> bool:
    """Whether a network can be taken apart here."""
    return isinstance(net.model, Bert | Vision | Sound)


def evenly(count: int, total: int) -> tuple[int, ...]:
    """Indices of `count` of `total` layers at equal distances, the last one among them, and the first if two stay."""
    return tuple(np.linspace(0 if count > 1 else total - 1, total - 1, count).round().astype(int).tolist())


def importance(net: Net, task: Task, features: Features, pad_id: int) -> Importance:
    """How much the loss against its own answers would change without each head and each feed-forward unit.

    The first-order Taylor score |activation * gradient| (Molchanov et al. 2017), summed over the tokens of `features`,
    which have to carry a teacher's logits, and over the dimensions of a head.
    """
    if isinstance(net.model, Vision | Sound):  # its norms say it
        return Importance([], [])
    layers = net.model.base_model.encoder.layer
    readers = [reader for layer in layers for reader in (layer.attention.output.dense, layer.output.dense)]
    device = readers[0].weight.device
    scores = [torch.zeros(reader.in_features, device=device) for reader in readers]
    held: list[torch.Tensor] = []

    def keep(_: object, given: tuple[torch.Tensor]) -> None:
        if not given[0].requires_grad:  # nothing below learns
            given[0].requires_grad_()
        given[0].retain_grad()
        held.append(given[0])

    hooks = [reader.register_forward_pre_hook(keep) for reader in readers]
    learning = [parameter.requires_grad for parameter in net.parameters()]
    net.eval().requires_grad_(False)  # the gradients of the weights are of no use here
    try:
        for pieces in by_length(features.lengths, 4096):
            held.clear()
            batch = {name: value.to(device) for name, value in collate(features, pieces, pad_id).items()}
            task.loss_to(net(batch), batch, 1.0).backward()  # type: ignore[no-untyped-call]
            for score, states in zip(scores, held, strict=True):
                if states.grad is not None:
                    score += (states * states.grad).detach().abs().sum(0)
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, learns in zip(net.parameters(), learning, strict=True):
            parameter.requires_grad_(learns)
    heads = [score.cpu().view(layer.heads, -1).sum(1) for score, layer in zip(scores[::2], layers, strict=True)]
    return Importance(heads, [score.cpu() for score in scores[1::2]])


def merged(net: Net, used: Iterable[int]) -> Net:
    """A network whose word vectors are those of the `used` words alone, its weights copies; every other word takes the
    vector of the used one that is nearest to it (by cosine), so that a text with new words is still read."""
    old: Bert = net.model
    name = "bert.embeddings.word_embeddings"
    weights = old.state_dict()
    words = weights[f"{name}.weight"]
    kept = torch.tensor(sorted(set(used)))
    near = F.normalize(words[kept])
    rows = torch.cat([(F.normalize(part) @ near.T).argmax(1) for part in words.split(2048)]).int()
    rows[kept] = torch.arange(len(kept), dtype=torch.int32)
    weights |= {f"{name}.weight": words[kept], f"{name}.rows": rows}
    small = Bert({**vars(old.config), "shared_vectors": len(kept)}, old.kind, old.classifier.out_features)
    small.load_state_dict({name: value.clone() for name, value in weights.items()}, assign=True)
    result = deepcopy(net)
    result.model = small
    return result


def shrunk(net: Net, shape: Shape, importance: Importance) -> Net:
    """A new network of some layers at equal distances and of the heads and units that matter most in each of them; its
    weights are copies."""
    if isinstance(net.model, Vision | Sound):
        return narrowed(net, shape.units)
    old: Bert = net.model
    chosen = evenly(shape.layers, len(old.bert.encoder.layer))
    size = old.bert.encoder.layer[0].attention.output.dense.in_features // old.config.num_attention_heads
    weights = old.state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith(_PREFIX)}
    for new, layer in enumerate(chosen):
        units = importance.units[layer].topk(shape.units).indices.sort().values
        heads = importance.heads[layer].topk(shape.heads).indices.sort().values
        places = (heads[:, None] * size + torch.arange(size)).flatten()  # of the dimensions of the heads
        for name, value in weights.items():
            part = name.removeprefix(f"{_PREFIX}{layer}.")
            if part == name:
                continue
            if part.startswith("attention.self."):
                value = value[places]
            elif part == "attention.output.dense.weight":
                value = value[:, places]
            elif part.startswith("intermediate.dense."):
                value = value[units]
            elif part == "output.dense.weight":
                value = value[:, units]
            kept[f"{_PREFIX}{new}.{part}"] = value
    config = {
        **vars(old.config),
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "attention_head_size": size,
        "intermediate_size": shape.units,
    }
    small = Bert(config, old.kind, old.classifier.out_features)
    small.load_state_dict({name: value.clone() for name, value in kept.items()}, assign=True)
    result = deepcopy(net)
    result.model = small
    return result
