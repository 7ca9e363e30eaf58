"""Several networks that answer together, each from its own kind of input: a logarithmic opinion pool (Genest and Zidek
1986), with weights of its own for each set of inputs that a row may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial
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
        biases: what is added for each class, by the kinds that are there; nothing where it names none.
    """

    kinds: tuple[str, ...]
    weights: Mapping[tuple[str, ...], tuple[float, ...]]
    prior: tuple[float, ...]
    biases: Mapping[tuple[str, ...], tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def even(cls, kinds: Sequence[str], prior: Sequence[float]) -> Self:
        """Each network counts as it is: right where inputs are independent, given the class."""
        return cls(tuple(kinds), {some: (1.0,) * len(some) for some in subsets(kinds)}, tuple(prior))

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON has it."""
        weights = [[*some, *own] for some, own in self.weights.items()]
        biases = [[list(some), list(own)] for some, own in self.biases.items()]
        return {"kinds": self.kinds, "weights": weights, "prior": self.prior, "biases": biases}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """From what `state` gave."""
        pairs = ((one[: len(one) // 2], one[len(one) // 2 :]) for one in state["weights"])
        weights = {tuple(map(str, some)): tuple(map(float, own)) for some, own in pairs}
        biases = {tuple(some): tuple(map(float, own)) for some, own in state.get("biases", ())}
        return cls(tuple(state["kinds"]), weights, tuple(map(float, state["prior"])), biases)

    def join(self, logs: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, classes) from those of each network (n, kinds, classes).

        Args:
            there: which inputs a row has, bools of (n, kinds); what is not there counts for nothing.
        """
        table = torch.zeros(1 << len(self.kinds), len(self.kinds))
        biases = torch.zeros(len(table), len(self.prior))
        for some, own in self.weights.items():
            places = [self.kinds.index(kind) for kind in some]
            row = sum(1 << place for place in places)
            table[row, places] = torch.tensor(own)
            biases[row] = torch.tensor(self.biases.get(some, (0.0,) * len(self.prior)))
        sets = (there.long() << torch.arange(len(self.kinds), device=there.device)).sum(1)
        weights = table.to(logs)[sets]
        known = torch.where(there.unsqueeze(-1), logs, torch.zeros((), dtype=logs.dtype, device=logs.device))
        joined = (weights.unsqueeze(-1) * known.clamp(min=LEAST)).sum(1) + biases.to(logs)[sets]
        nothing = torch.tensor(self.prior).to(logs).expand_as(joined)
        return torch.where(there.any(1, keepdim=True), joined, nothing).log_softmax(-1)


def shapley(pool: Pool, logs: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """What each input adds to the log-probability of the answer, (n, kinds): the mean, over all orders in which inputs
    could come, of the change that its coming makes (Shapley 1953). Their sum is what the answer gains over the prior.

    Args:
        logs: as in `Pool.join`.
        there: as in `Pool.join`; an input that is not there adds nothing.
    """
    answers = pool.join(logs, there).argmax(-1, keepdim=True)
    count = len(pool.kinds)

    def worth(some: tuple[int, ...]) -> torch.Tensor:
        chosen = torch.zeros(count, dtype=torch.bool)
        chosen[list(some)] = True
        return pool.join(logs, there & chosen).gather(1, answers).squeeze(1)

    worths = {some: worth(some) for size in range(count + 1) for some in combinations(range(count), size)}
    found = torch.zeros(there.shape, dtype=logs.dtype)
    for some, value in worths.items():
        for kind in set(range(count)) - set(some):
            with_it = worths[tuple(sorted((*some, kind)))]
            orders = factorial(len(some)) * factorial(count - len(some) - 1) / factorial(count)
            found[:, kind] += orders * (with_it - value)
    return found


def subsets(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """All sets of them but the empty one, in their order."""
    return [some for size in range(1, len(kinds) + 1) for some in combinations(kinds, size)]
