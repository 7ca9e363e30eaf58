"""Attention and dropout in the form that trains fastest on short rows; numerically the usual ones."""

from __future__ import annotations

import functools
import math

import torch
from torch import nn
from torch.nn import functional as F

# Up to here attention as plain batched products beats the fused kernel of torch on a CPU, whose backward pass is made
# for long rows: on rows of 20 tokens it takes a fifth of a training step.
_SHORT = 256


class Dropout(nn.Dropout):
    """Dropout whose masks are windows, at random offsets, of one long random mask that is drawn once.

    Drawing them anew takes a tenth of a training step on a CPU, as torch's generator runs on one thread. The mask is
    the same in every process, so that a resumed run needs no more than the state of the generator for its offsets.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p:
            return input
        if input.device.type != "cpu":
            return F.dropout(input, self.p, True)
        count = input.numel()
        mask = _mask(self.p, input.dtype, max(1 << 22, 1 << (4 * count).bit_length()))
        offset = int(torch.randint(len(mask) - count, ()))
        return input * mask[offset : offset + count].view(input.shape)


@functools.lru_cache(8)
def _mask(rate: float, dtype: torch.dtype, size: int) -> torch.Tensor:
    """0 for what is dropped, 1 / (1 - rate) for what is kept."""
    kept = torch.rand(size, generator=torch.Generator().manual_seed(size)) >= rate
    return kept.to(dtype) / (1 - rate)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    dropout: Dropout | None = None,
) -> torch.Tensor:
    """Scaled dot-product attention of tensors (n, heads, tokens, size).

    Args:
        bias: what is added to the scores, broadcast to (n, heads, tokens, tokens); None where no token is padding.
        dropout: applied to the weights in training.
    """
    n, heads, tokens, size = query.shape
    dropping = dropout is not None and dropout.training and dropout.p > 0
    if query.device.type != "cpu" or (tokens > _SHORT and not dropping):
        mask = None if bias is None else bias.expand(n, heads, tokens, tokens)
        rate = dropout.p if dropout is not None and dropping else 0.0
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
    flat = (n * heads, tokens, size)
    q, k, v = query.reshape(flat), key.reshape(flat), value.reshape(flat)
    scale = 1 / math.sqrt(size)
    added = q.new_zeros(1) if bias is None else bias.expand(n, heads, -1, tokens).reshape(n * heads, -1, tokens)
    scores = torch.baddbmm(added, q, k.transpose(1, 2), beta=0 if bias is None else 1, alpha=scale)
    # The inner operator: the public one would be cast to fp32 under autocast, and back.
    weights = torch._softmax(scores, -1, False)
    if dropout is not None and dropping:
        weights = dropout(weights)
    return torch.bmm(weights, v).view(n, heads, tokens, size)


def speed_up(model: nn.Module) -> None:
    """Give a transformers model the dropout above; its weights and its outputs in inference stay as they are."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
