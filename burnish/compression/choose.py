"""Which shapes of a network a search goes on with: decisions from costs, losses and times alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil

import numpy as np

from burnish.compression.prune import Shape
from burnish.metrics import within

CANDIDATES = 8


def ladder(table: Mapping[Shape, float], full: Shape) -> list[Shape]:
    """Shapes to begin with, the dearest first, at about equal distances in cost, and none that costs more than another
    one that promises as much. Layers count for more than their width: half of each layer is missed less than half of
    the layers."""
    promise = {s: s.layers * (s.heads / full.heads + 2 * s.units / full.units) ** 0.25 for s in table}
    best: list[Shape] = []
    for shape in sorted(table, key=lambda s: (table[s], -promise[s])):
        if not best or promise[shape] > promise[best[-1]]:
            best.append(shape)
    best = [shape for shape in best if table[shape] < 0.9 * table[full]]
    if len(best) <= CANDIDATES:
        return best[::-1]
    costs = np.log([table[shape] for shape in best])
    chosen = {int(np.abs(costs - goal).argmin()) for goal in np.linspace(costs[0], costs[-1], CANDIDATES)}
    return [best[index] for index in sorted(chosen, reverse=True)]


def affordable(shapes: list[Shape], epochs: Sequence[float], seconds: float) -> list[Shape]:
    """Of shapes, the dearest first, as many as can learn for an epoch each within `seconds`; where that is not all of
    them, the cheapest is left out, as it needs many epochs, then the dearest, as it gains little, then two cheap ones
    for each dear one. One stays.

    Args:
        epochs: seconds of an epoch of each.
    """
    low, high = 0, len(shapes)
    while high - low > 1 and sum(epochs[low:high]) > seconds:
        low, high = (low + 1, high) if (len(shapes) - (high - low)) % 3 == 1 else (low, high - 1)
    return shapes[low:high]


def survivors(lost: Mapping[Shape, float], table: Mapping[Shape, float], budget: float, patience: float) -> list[Shape]:
    """Half of the shapes: the cheapest one that keeps to the budget (or, as long as none does, the one that has lost
    least), and of the cheaper ones that have lost at most `patience` budgets the cheapest and the nearest in turn."""
    kept = [shape for shape in lost if within(lost[shape], budget)]
    safe = min(kept, key=lambda shape: table[shape]) if kept else min(lost, key=lambda shape: lost[shape])
    hopeful = [s for s in lost if table[s] < table[safe] and within(lost[s], patience * budget)]
    going = [safe]
    while hopeful and len(going) < max(2, ceil(len(lost) / 2)):
        order = table if len(going) % 2 else lost
        going.append(min(hopeful, key=lambda shape: order[shape]))
        hopeful.remove(going[-1])
    return sorted(going, key=lambda shape: -table[shape])


def cheapest(
    lost: Mapping[Shape, float], error: Callable[[Shape], float], table: Mapping[Shape, float], budget: float
) -> Shape | None:
    """The cheapest shape that keeps to the budget by a standard error and more; where none does, the one that keeps to
    it best, if any."""
    good = [shape for shape in lost if within(lost[shape], budget)]
    sure = [shape for shape in good if within(lost[shape] + error(shape), budget)]
    if sure:
        return min(sure, key=lambda shape: table[shape])
    return min(good, key=lambda shape: lost[shape], default=None)
