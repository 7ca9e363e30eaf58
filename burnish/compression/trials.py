"""What a form of a network is worth, in the world of a stand-in: written, timed and judged, and noted as a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burnish.compressed import Trial
from burnish.compression import pace
from burnish.compression.forms import Form
from burnish.compression.journal import Journal
from burnish.compression.measure import size_of
from burnish.compression.students import World
from burnish.config import Compress
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.metrics import within
from burnish.models.net import Net
from burnish.training.evaluate import metric_value, outcome

Say = Callable[[str], None]


class Trials:
    """Trials in the world of a stand-in, in the order in which they were made.

    Args:
        world: the stand-in, and the rows it was trained on.
        judge: rows that decide.
        options: the goal, the metric that judges, and how much of it may be lost.
    """

    def __init__(
        self,
        world: World,
        judge: Rows,
        *,
        options: Compress,
        journal: Journal,
        work: Path,
        quiet: bool,
        say: Say,
    ) -> None:
        self.world, self.judge, self.metric, self.budget = world, judge, str(options.metric), options.budget
        self.goal, self.journal, self.work = options.goal, journal, work
        self.quiet, self.say = quiet, say
        self.stand_in = world.net
        self.trials: list[Trial] = []
        features = world.encode(judge)
        self._batches = pace.batches(features, world.pad_id, single=options.goal == "latency")
        self.base = 0.0  # of the network in torch, the first of the forms
        self._own: NDArray[np.float64] | None = None  # tallies of the stand-in

    def score(self, engine: Engine) -> float:
        said = engine.stream(self.judge)
        return metric_value(engine.task, self.metric, outcome(engine.task, said, self.judge))

    def _written(self, net: Net, form: Form, folder: Path) -> dict[str, float]:
        engine = self.world.written(net, form, folder)
        return self._look_at(engine, folder) | {"score": self.score(engine)}

    def _look_at(self, engine: Engine, folder: Path) -> dict[str, float]:
        found = pace.alone(engine.runtime, self._batches)
        return {**found._asdict(), "size": size_of(folder, folder)}

    def _cost(self, value: Mapping[str, float]) -> float:
        if self.goal == "size":
            return value["size"]
        return value["joules"] if self.goal == "energy" else 1 / value["pace"]

    def _note(self, step: str, name: str, value: Mapping[str, float], epochs: int = 0, learnt: float = 0.0) -> None:
        lost, seconds = self.base - value["score"], self.journal.steps()[step].seconds + learnt
        size, rate = int(value["size"]), value["pace"]
        self.trials.append(Trial(name, epochs, value["score"], rate, size, seconds, within(lost, self.budget)))
        self.say(
            f"  {name}: {self.metric} {value['score']:.4f} ({-lost:+.4f}), {rate:,.0f} {self._unit}, "
            f"{size / 1e6:.1f} MB"
        )

    @property
    def _unit(self) -> str:
        return "rows/s one by one" if self.goal == "latency" else "rows/s"
