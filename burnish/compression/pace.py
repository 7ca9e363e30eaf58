"""How fast runtimes get through batches in this process: by themselves, or several in turns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from burnish import device
from burnish.data.features import Batch, Features, by_length, collate, rows_in
from burnish.engine.runtime import Runtime

K = TypeVar("K")

_TOKENS = 40_000  # of the batches that paces are taken on
_SINGLES = 60  # rows of a look at latency
_ENOUGH = 10.0  # seconds of a look after which no further pass is made


class Pace(NamedTuple):
    """Rows a second, and joules a row."""

    pace: float
    joules: float


def batches(features: Features, pad_id: int, single: bool) -> list[Batch]:
    """Batches to time a network on, at the lengths of the rows; of one row each where that is what is looked at."""
    wanted = _SINGLES if single else max(1, int(_TOKENS / features.lengths.mean()))
    some = np.linspace(0, len(features) - 1, min(wanted, len(features))).astype(int)
    if single:
        return [collate(features, [piece], pad_id) for piece in some]
    groups: Sequence[NDArray[np.int64]] = list(by_length(features.lengths[some], 4096))
    return [collate(features, some[places], pad_id) for places in groups]


def alone(runtime: Runtime, given: Sequence[Batch]) -> Pace:
    """The median of three passes, or of fewer where they take long, behind one that warms up."""
    return in_turns({"": runtime}, given)[""]


def in_turns(runtimes: Mapping[K, Runtime], given: Sequence[Batch]) -> dict[K, Pace]:
    """The same of several, which pass in turns, so that what else the machine does is in the times of all of them."""
    passes: dict[K, list[tuple[float, float]]] = {key: [] for key in runtimes}
    for turn in range(4):
        if turn > 1 and sum(spent for one in passes.values() for spent, _ in one[1:]) > _ENOUGH * len(runtimes):
            break
        for key, runtime in runtimes.items():
            passes[key].append(_passed(runtime, given))
    rows = sum(rows_in(batch) for batch in given)
    found = {}
    for key, one in passes.items():
        seconds, joules = (median(values) for values in zip(*one[1:], strict=True))
        found[key] = Pace(rows / seconds, joules / rows)
    return found


def _passed(runtime: Runtime, given: Sequence[Batch]) -> tuple[float, float]:
    """Seconds and joules of a pass."""
    meter = device.Meter()
    before, started = meter.joules(), time.perf_counter()
    for _, logits in runtime.run(given):
        logits.cpu()  # an accelerator has to be done before the time is taken
    return time.perf_counter() - started, meter.joules() - before
