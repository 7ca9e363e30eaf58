"""Whether two forms of a model say the same: every decision on every row, and the logits behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from burnish.data.features import Features, by_length, collate
from burnish.engine.runtime import Runtime
from burnish.errors import GateFailed
from burnish.tasks import Task

_NUMERIC = 1e-4  # of the largest logit: what two runtimes in fp32 may differ by
_SHOWN = 10


@dataclass(frozen=True)
class Flip:
    """A decision that came out differently.

    Attributes:
        row: index of the row.
        before, after: index of the class of the one form and of the other; 1 and 0 for one of several classes.
        margin: how far the logits of the first form were from deciding otherwise.
    """

    row: int
    before: int
    after: int
    margin: float


@dataclass(frozen=True)
class Parity:
    """Two forms of a model on the same rows.

    Attributes:
        rows: how many were compared.
        decisions: on words, classes or rows.
        flips: the decisions that differ.
        error: largest difference between two logits.
        scale: largest logit, regardless of sign.
    """

    rows: int
    decisions: int
    flips: tuple[Flip, ...]
    error: float
    scale: float

    @property
    def exact(self) -> bool:
        """Whether the forms are the same but for rounding.

        A decision can then differ only where its margin is smaller than twice the largest difference of two logits.
        """
        return bool(np.isfinite(self.error)) and self.error <= _NUMERIC * self.scale


def compare(task: Task, features: Features, source: Runtime, other: Runtime, pad_id: int) -> Parity:
    """Run both forms over the same batches and compare what they say."""
    groups = list(by_length(features.lengths, 4096))
    flips: list[Flip] = []
    decisions, error, scale = 0, 0.0, 0.0
    runs = (form.run(collate(features, pieces, pad_id) for pieces in groups) for form in (source, other))
    for pieces, (batch, first), (_, second) in zip(groups, *runs, strict=True):
        owners = features.row[pieces]
        before, after = first.float().cpu(), second.float().cpu()
        if "words" in batch:
            kept = batch["words"].cpu() >= 0
            owners = np.repeat(owners, kept.sum(1).numpy())
            before, after = before[kept], after[kept]
        gap = (before - after).abs().nan_to_num(nan=torch.inf)
        error = max(error, float(gap.max()) if gap.numel() else 0.0)
        scale = max(scale, float(before.abs().max()) if gap.numel() else 0.0)
        (one, margins), (two, _) = task.choose(before), task.choose(after)
        decisions += one.numel()
        for place in (one != two).nonzero().tolist():
            at = tuple(place)
            flips.append(Flip(int(owners[at[0]]), int(one[at]), int(two[at]), float(margins[at])))
    return Parity(len(np.unique(features.row)), decisions, tuple(flips), error, scale)


def require_exact(parity: Parity, what: str, where: Callable[[int], str]) -> None:
    """Let only rounding pass.

    Raises:
        GateFailed: naming rows on which the forms disagree.
    """
    if parity.exact:
        return
    told = _places((flip.row for flip in parity.flips), where)
    raise GateFailed(
        f"{what} disagrees with the model it was made from: its logits are up to {parity.error:.3g} off "
        f"(the largest is {parity.scale:.3g}), and {len(parity.flips):,} of {parity.decisions:,} decisions differ"
        f"{told}; nothing was saved"
    )


def _places(rows: Iterable[int], where: Callable[[int], str]) -> str:
    seen = list(dict.fromkeys(rows))
    more = f" and {len(seen) - _SHOWN:,} more" if len(seen) > _SHOWN else ""
    return f" ({', '.join(where(row) for row in seen[:_SHOWN])}{more})" if seen else ""
