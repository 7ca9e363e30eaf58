"""A linear model of tokens and of pairs of neighbouring ones, beside an encoder (Wang and Manning 2012; the two
together as in Cheng et al., "Wide & Deep Learning", 2016)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

_NUMBERS = 1 << 22  # weights at most, 16 MB, and a rarity a bucket
_BUCKETS = 1 << 18  # of tokens and pairs at most
_FACTORS = (3643, 2477)  # of a hash that stays below 2^31: OpenVINO computes in int32, and its remainder in float32


class Bigrams(nn.Module):
    """Logits from hashed tokens and pairs, each weighted by its rarity, a row to length one. Starts at zero.

    Attributes:
        rarity: inverse document frequency (buckets,).
        weight: (buckets, outputs).
    """

    rarity: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        buckets = min(_BUCKETS, 1 << (_NUMBERS // outputs).bit_length() - 1)
        self.register_buffer("rarity", torch.zeros(buckets))
        self.register_buffer("weight", torch.zeros(buckets, outputs))
        self.register_buffer("bias", torch.zeros(outputs))

    def places(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Buckets of tokens and pairs (n, 2 * tokens), and 1 for each that is there, else 0."""
        first, second = _FACTORS
        below = self.rarity.shape[0] - 1  # buckets are a power of two
        following, followed = (F.pad(given, (0, 1))[:, 1:] for given in (input_ids, attention_mask))
        single = (input_ids * second) & below
        double = (input_ids * first + following * second + 1) & below
        return torch.cat([single, double], 1), torch.cat([attention_mask, followed], 1)

    def values(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Buckets, and the value of each (n, 2 * tokens)."""
        places, there = self.places(input_ids, attention_mask)
        values = F.embedding(places, self.rarity.unsqueeze(-1)).squeeze(-1) * there
        return places, values / values.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits (n, outputs)."""
        places, values = self.values(input_ids, attention_mask)
        return (values.unsqueeze(-1) * F.embedding(places, self.weight)).sum(1) + self.bias
