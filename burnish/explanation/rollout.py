"""Attention roll-out (Abnar and Zuidema 2020): where attention comes from. For comparison: it knows no target."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import Batch, collate
from burnish.explanation.piece import Piece
from burnish.models.bert import Bert, Layer
from burnish.models.net import Net


def rollout(net: Net, piece: Piece, pad_id: int) -> NDArray[np.float64]:
    """Share of each word in the states that the answer is read from, (words,); with the special tokens they add to 1.

    Each layer's attention, averaged over heads, counts half, and the residual beside it half.
    """
    features = piece.features(np.ones((1, len(piece.words)), bool))
    device = next(net.parameters()).device
    batch = {name: value.to(device) for name, value in collate(features, [0], pad_id).items()}
    with torch.inference_mode():
        layers = _attention(net.eval(), batch)
    tokens = layers[0].shape[-1]
    reached = torch.eye(tokens, device=device)
    for weights in layers:
        reached = (weights / 2 + torch.eye(tokens, device=device) / 2) @ reached
    read = _read(net, batch, reached).double().cpu().numpy()
    scores = np.zeros(len(piece.words))
    np.add.at(scores, piece.owner[piece.owner >= 0], read[piece.owner >= 0])
    return scores


def _read(net: Net, batch: Batch, reached: torch.Tensor) -> torch.Tensor:
    """What the places that the head reads have come from, (tokens,)."""
    if net.kind == "token":
        return reached[batch["words"][0] >= 0].mean(0)
    return reached.mean(0) if net.pooling == "mean" else reached[0]


def _attention(net: Net, batch: Batch) -> list[torch.Tensor]:
    """Attention weights of each layer, mean over heads, (tokens, tokens), for a batch of one row."""
    if isinstance(net.model, Bert):
        return _of_bert(net, batch)
    before = net.model.config._attn_implementation
    net.model.set_attn_implementation("eager")  # the only one that gives its weights out
    try:
        inputs = net._inputs(batch)
        return [one[0].mean(0) for one in net.model.base_model(**inputs, output_attentions=True).attentions]
    finally:
        net.model.set_attn_implementation(before)


def _of_bert(net: Net, batch: Batch) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []

    def look(layer: Layer, given: tuple[Any, ...]) -> None:
        states, (_, tokens) = given[0], given[1]
        query, key = (
            part(states)[:tokens].view(tokens, layer.heads, -1).transpose(0, 1)
            for part in (layer.attention.self.query, layer.attention.self.key)
        )
        found.append((query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1).mean(0))

    hooks = [layer.register_forward_pre_hook(look) for layer in net.model.bert.encoder.layer]
    try:
        net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return found
