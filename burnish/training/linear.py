"""Linear models that stand beside a network: fitted by themselves, then weighed against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def take_over(
    fitted: Any, weight: torch.Tensor, bias: torch.Tensor, telling: NDArray[np.float64] | None = None
) -> None:
    """Put what scikit-learn's logistic regression has found in place, of the classes that it has seen.

    Args:
        weight, bias: (values, outputs) and (outputs,), of zeros.
        telling: what each value was multiplied with before.
    """
    weights, biases = fitted.coef_.T * (1 if telling is None else telling[:, None]), fitted.intercept_
    if len(fitted.classes_) == 2:
        weights, biases = np.concatenate([-weights, weights], 1) / 2, np.concatenate([-biases, biases]) / 2
    for target, found in ((weight, weights), (bias, biases)):
        target[..., torch.from_numpy(fitted.classes_)] = torch.from_numpy(found).to(target)


def weigh(
    linear: Sequence[torch.Tensor], times: Sequence[float], measure: Callable[[], float] | None, strict: bool = False
) -> None:
    """Let it count as much as is best on dev, and not at all where it makes things worse.

    Args:
        linear: weight and bias, which are changed in place.
        times: weights beside the network that are tried; the first is taken where all are as good, or there is no dev.
        measure: value on dev, larger is better.
        strict: only where things get better does it count at all.
    """
    fitted = [one.clone() for one in linear]

    def take(share: float) -> None:
        for target, found in zip(linear, fitted, strict=True):
            torch.mul(found, share, out=target)

    chosen = times[0]
    if measure:
        take(0.0)
        best, chosen = measure(), 0.0
        for share in times:
            take(share)
            value = measure()
            if value > best or (not chosen and value == best and not strict):
                best, chosen = value, share
    take(chosen)
