"""What privacy costs: noise by the accountant of Opacus, and randomness that nobody can draw again.

The accountant is that of Gopi et al. 2021, "Numerical Composition of Differential Privacy", for the Gaussian mechanism
on Poisson samples. Rows and noise are drawn from the operating system's generator and from no seed: who knew the seed,
which stands in the job, could take the noise away again.
"""

from __future__ import annotations

import functools
import math
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.errors import InputError
from burnish.extras import need

ACCOUNTANT = "prv"
_PARTS = 4  # a draw is the sum of so many, whose rounding is no longer told apart (Holohan and Braghin 2021)

Spent = Sequence[tuple[float, float, int]]
"""Noise multiplier, sample rate and steps, stretch by stretch: the history of Opacus's accountants."""


def delta_for(rows: int) -> float:
    """A delta well below one in `rows`: 1 / (n ln n)."""
    return 1 / (rows * math.log(max(rows, 3)))


@functools.lru_cache
def noise_multiplier(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """Standard deviation of the noise, in clip norms, with which `steps` steps stay within epsilon.

    Raises:
        InputError: when no noise is enough.
    """
    found = need("opacus.accountants.utils", "private").get_noise_multiplier
    asked = {"target_epsilon": epsilon, "target_delta": delta, "sample_rate": rate, "steps": steps}
    try:
        with _quiet():
            return float(found(**asked, accountant=ACCOUNTANT))
    except ValueError as error:
        raise InputError(
            f"tune.privacy: no noise keeps to epsilon {epsilon:g} at delta {delta:.2g} over {steps:,} steps ({error}); "
            "allow a larger epsilon"
        ) from None


def epsilon_of(spent: Spent, delta: float) -> float:
    """Upper bound on the epsilon of what was done, at this delta."""
    accountant = need("opacus.accountants", "private").create_accountant(mechanism=ACCOUNTANT)
    accountant.history = [tuple(one) for one in spent]
    with _quiet():
        return float(accountant.get_epsilon(delta=delta))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that a rough bound, by which Opacus finds the range of its sums, might be tighter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order")
        yield


def poisson(rows: int, rate: float) -> NDArray[np.int64]:
    """Indices of a Poisson sample: each of the rows by itself with chance `rate`, so that also none may come."""
    drawn = np.frombuffer(secrets.token_bytes(8 * rows), dtype=np.uint64)
    return np.flatnonzero(drawn < np.uint64(rate * 2**64))


def gaussian(shape: torch.Size, spread: float) -> torch.Tensor:
    """Independent normal numbers of this standard deviation, by Box and Muller 1958, in fp32."""
    count = math.prod(shape)
    pairs = -(-count // 2)
    total = np.zeros(2 * pairs)
    for _ in range(_PARTS):
        drawn = np.frombuffer(secrets.token_bytes(16 * pairs), dtype=np.uint64) >> np.uint64(11)
        first, second = (drawn.reshape(2, pairs) + 0.5) * 2.0**-53
        length, angle = np.sqrt(-2 * np.log(first)), 2 * np.pi * second
        total += np.concatenate([length * np.cos(angle), length * np.sin(angle)])
    return torch.from_numpy(total[:count] * (spread / math.sqrt(_PARTS))).view(shape).float()
