"""Several networks that answer together, each from its own kind of input: a logarithmic opinion pool (Genest and Zidek
1986), with weights of its own for each set of inputs that a row may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import torch

LEAST = -30.0  # log-probability of a class that a network does not know


@dataclass(frozen=True)
class Pool:
    """The weights of a pool.

    Attributes:
        kinds: of input, in the order of the networks.
        weights: of the log-probabilities of each network, by the kinds that are there, as `{("text",): (1.1,)}`.
        prior: log-probabilities of the classes for a row that has nothing.
    """

    kinds: tuple[str, ...]
    weights: Mapping[tuple[str, ...], tuple[float, ...]]
    prior: tuple[float, ...]

    @classmethod
    def even(cls, kinds: Sequence[str], prior: Sequence[float]) -> Self:
        """Each network counts as it is: right where inputs are independent, given the class."""
        return cls(tuple(kinds), {some: (1.0,) * len(some) for some in subsets(kinds)}, tuple(prior))

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON has it."""
        weights = [[*some, *own] for some, own in self.weights.items()]
        return {"kinds": self.kinds, "weights": weights, "prior": self.prior}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """From what `state` gave."""
        pairs = ((one[: len(one) // 2], one[len(one) // 2 :]) for one in state["weights"])
        weights = {tuple(map(str, some)): tuple(map(float, own)) for some, own in pairs}
        return cls(tuple(state["kinds"]), weights, tuple(map(float, state["prior"])))

    def join(self, logs: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, classes) from those of each network (n, kinds, classes).

        Args:
            there: which inputs a row has, bools of (n, kinds); what is not there counts for nothing.
        """
        table = torch.zeros(1 << len(self.kinds), len(self.kinds))
        for some, own in self.weights.items():
            places = [self.kinds.index(kind) for kind in some]
            table[sum(1 << place for place in places), places] = torch.tensor(own)
        sets = (there.long() << torch.arange(len(self.kinds), device=there.device)).sum(1)
        weights = table.to(logs)[sets]
        known = torch.where(there.unsqueeze(-1), logs, torch.zeros((), dtype=logs.dtype, device=logs.device))
        joined = (weights.unsqueeze(-1) * known.clamp(min=LEAST)).sum(1)
        nothing = torch.tensor(self.prior).to(logs).expand_as(joined)
        return torch.where(there.any(1, keepdim=True), joined, nothing).log_softmax(-1)


def subsets(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """All sets of them but the empty one, in their order."""
    return [some for size in range(1, len(kinds) + 1) for some in combinations(kinds, size)]
