"""Runtimes of several runtimes, each for its own kind of input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from burnish.data.features import Batch
from burnish.engine.runtime import Runtime
from burnish.models.fusion import Pool
from burnish.models.towers import gathered, part_of

_UNKNOWN = -1e4  # logit of a class that a network does not know


@dataclass(frozen=True)
class Part:
    """A network of one kind of input: where it runs, and for each of its classes the place among all classes."""

    runtime: Runtime
    places: Sequence[int]


class Together:
    """Runs each network on the rows that have its input, and joins what they say.

    Attributes:
        parts: by kind, in the order of the pool.
        classes: of all networks together.
    """

    def __init__(self, parts: Mapping[str, Part], pool: Pool, classes: int) -> None:
        self.parts, self.pool, self.classes = parts, pool, classes

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        """As `Runtime.run`; logits are log-probabilities, shape (n, classes)."""
        for batch in batches:
            logs, there = self.each(batch)
            yield batch, self.pool.join(logs, there)

    def each(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of each network (n, kinds, classes), and where there are any (n, kinds)."""
        there = torch.stack([batch[f"{kind}/there"] for kind in self.parts], 1)
        logs = torch.full((len(there), len(self.parts), self.classes), _UNKNOWN)
        for at, (kind, part) in enumerate(self.parts.items()):
            own = part_of(batch, kind)
            if not own:
                continue
            ((_, logits),) = part.runtime.run([own])
            rows = there[:, at].nonzero().squeeze(1)
            logs[rows.unsqueeze(1), at, torch.as_tensor(part.places)] = logits.float().cpu().log_softmax(-1)
        return logs, there


class Beside:
    """Runs each network on the pieces of its kind; they give vectors of one width."""

    def __init__(self, parts: Mapping[str, Runtime], width: int) -> None:
        self.parts, self.width = parts, width

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        """As `Runtime.run`; the logits of a piece are its vector, (n, width)."""
        for batch in batches:
            yield batch, gathered(batch, self.width, {kind: _asking(part) for kind, part in self.parts.items()})


def _asking(runtime: Runtime) -> Callable[[Batch], torch.Tensor]:
    def ask(batch: Batch) -> torch.Tensor:
        ((_, logits),) = runtime.run([batch])
        return logits.cpu()

    return ask
