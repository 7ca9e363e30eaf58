"""Attention and dropout in the form that trains fastest on short rows; numerically the usual ones."""

from __future__ import annotations

import functools
from typing import Any

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
    shape: tuple[int, int, int],
    bias: torch.Tensor | None,
    dropout: Dropout | None = None,
) -> torch.Tensor:
    """Scaled dot-product attention of states (m, hidden), in their form.

    Args:
        shape: (n, tokens, heads); the first n * tokens states are the places of n rows, any others become zero.
        bias: what is added to the scores, broadcast to (n, heads, tokens, tokens); None where no token is padding.
        dropout: applied to the weights in training.
    """
    n, tokens, heads = shape
    if torch.compiler.is_exporting():  # nothing that a runtime would have to carry out for no reason
        q, k, v = (part.view(n, tokens, heads, -1).transpose(1, 2) for part in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).reshape(n * tokens, -1)
    places = n * tokens
    rate = dropout.p if dropout is not None and dropout.training else 0.0
    if query.device.type == "cpu" and (tokens <= _SHORT or rate):
        if bias is not None:
            bias = bias.expand(n, heads, -1, tokens).reshape(n * heads, -1, tokens)
        mask = dropout(query.new_ones(n * heads, tokens, tokens)) if dropout is not None and rate else None
        mixed: torch.Tensor = _ShortRows.apply(query, key, value, shape, bias, mask)  # type: ignore[no-untyped-call]
        return mixed
    q, k, v = (part[:places].view(n, tokens, heads, -1).transpose(1, 2) for part in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=rate)
    return F.pad(mixed.transpose(1, 2).reshape(places, -1), (0, 0, 0, query.shape[0] - places))


class _ShortRows(torch.autograd.Function):
    """Attention as plain batched products, forwards and backwards; arguments as those of `attend`, and the mask that
    the weights are multiplied with."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        shape: tuple[int, int, int],
        bias: torch.Tensor | None,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        q, k, v = (_to_heads(part, shape) for part in (query, key, value))
        added = q.new_zeros(1) if bias is None else bias
        scores = torch.baddbmm(added, q, k.transpose(1, 2), beta=int(bias is not None), alpha=q.shape[-1] ** -0.5)
        # Steps that each go over all scores: torch's softmax goes row by row, which is slow where these are short.
        scores.sub_(scores.amax(-1, keepdim=True)).exp_()
        weights = scores.div_(scores.sum(-1, keepdim=True))
        ctx.save_for_backward(q, k, v, weights, mask)
        ctx.shape, ctx.places = shape, len(query)
        return _from_heads(torch.bmm(weights if mask is None else weights * mask, v), shape, len(query))

    @staticmethod
    def backward(ctx: Any, given: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q, k, v, weights, mask = ctx.saved_tensors
        slope = _to_heads(given, ctx.shape)
        d_value = torch.bmm((weights if mask is None else weights * mask).transpose(1, 2), slope)
        d_scores = torch.bmm(slope, v.transpose(1, 2))
        if mask is not None:
            d_scores.mul_(mask)
        d_scores.mul_(weights)
        d_scores.addcmul_(weights, d_scores.sum(-1, keepdim=True), value=-1).mul_(q.shape[-1] ** -0.5)
        parts = (torch.bmm(d_scores, k), torch.bmm(d_scores.transpose(1, 2), q), d_value)
        return *(_from_heads(part, ctx.shape, ctx.places) for part in parts), None, None, None


def _to_heads(states: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """(m, hidden) to (n * heads, tokens, hidden / heads)."""
    n, tokens, heads = shape
    return states[: n * tokens].view(n, tokens, heads, -1).transpose(1, 2).reshape(n * heads, tokens, -1)


def _from_heads(parts: torch.Tensor, shape: tuple[int, int, int], places: int) -> torch.Tensor:
    """(n * heads, tokens, hidden / heads) to (places, hidden), with zeros behind the first n * tokens."""
    n, tokens, heads = shape
    states = parts.new_empty(places, heads * parts.shape[-1])
    states[: n * tokens].view(n, tokens, heads, -1).copy_(parts.view(n, heads, tokens, -1).transpose(1, 2))
    states[n * tokens :].zero_()
    return states


def speed_up(model: nn.Module) -> None:
    """Give a transformers model the dropout above; its weights and its outputs in inference stay as they are."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
