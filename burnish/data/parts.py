"""An input of one shape, cut into a grid of parts that can be left out: what an explanation gives scores to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from burnish.data.features import Features


@dataclass(frozen=True)
class Grid:
    """One row, and how much of it stays when some parts do not.

    Attributes:
        name: of the input, as in `Features.dense`.
        full: the input, (places, ..., values of a place).
        empty: what stands where a part has gone, of the same shape.
        owner: for each place its part, (places, ...).
        shape: rows and columns of the grid; parts are counted along the rows.
        cost: as in `Features`.
        picture: what the model reads, as a `data:` URI.
        names: of the parts, where they have some, with what is in each, as `cells`.
        baseline: what `empty` holds, as in `Baseline`.
        smooth: whether a network can be asked about what lies between `full` and `empty`.
        made: gives the features of a row with some of its parts, where these are no places of an array.
        also: numbers that a network reads beside the input, the same whatever has gone, by name.
    """

    name: str
    full: NDArray[Any]
    empty: NDArray[Any]
    owner: NDArray[np.int64]
    shape: tuple[int, int]
    cost: int
    picture: str = ""
    names: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    baseline: Literal["mean", "typical", "prior"] = "mean"
    smooth: bool = True
    made: Callable[[NDArray[np.bool_]], Features] | None = None
    also: Mapping[str, int] = field(default_factory=dict)

    @property
    def words(self) -> range:
        """The parts."""
        return range(self.shape[0] * self.shape[1])

    @property
    def unread(self) -> int:
        return 0

    def features(self, kept: NDArray[np.bool_]) -> Features:
        """The input once for each row of `kept` (inputs, parts), with the parts that stay."""
        if self.made:
            return self.made(kept)
        stays = kept[:, self.owner].reshape(len(kept), *self.owner.shape, *[1] * (self.full.ndim - self.owner.ndim))
        dense = {name: np.full(len(kept), value) for name, value in self.also.items()}
        dense[self.name] = np.where(stays, self.full, self.empty)
        return Features({}, row=np.arange(len(kept)), dense=dense, cost=self.cost)
