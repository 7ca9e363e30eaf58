"""The search for the cheapest form of a model within a budget: runtimes and precisions, then smaller networks.

Trials are made with a stand-in for the model, so that rows which neither it nor its students have seen can judge.
Every step is kept in a journal, and a decision follows from kept values alone: a search that was killed goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import torch
from safetensors import SafetensorError

from burnish import device
from burnish.compressed import Trial
from burnish.compression import forms, pace
from burnish.compression.choose import affordable, cheapest, ladder, survivors
from burnish.compression.forms import Form
from burnish.compression.measure import size_of
from burnish.compression.narrow import SHARES
from burnish.compression.prune import Importance, Shape, can_shrink, shrunk
from burnish.compression.students import Learner
from burnish.compression.trials import Trials
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.errors import BurnishError
from burnish.metrics import within
from burnish.models.bert import Bert
from burnish.models.net import Net
from burnish.results import Comparison
from burnish.training.evaluate import compare, outcome

RUNGS = 3
_WIDTHS = ((1, 1), (1 / 2, 1 / 2), (1 / 3, 1 / 4), (1 / 4, 1 / 8), (1 / 6, 1 / 8))  # shares of heads and of units
# Students learn on: after the first rungs they may have lost this many times the budget.
_PATIENCE = (3.0, 1.5)
_NEAR, _FEW, _PART = 1.5, 3, 3  # times the lowest cost, forms, and one batch in so many: for a look at forms in turns
_AGAIN = 0.5  # the student that wins has learnt in about this share of the time of all, and does so once more
_TRAINING = 0.8  # share of the time that students learn in; measuring and writing take the rest


@dataclass(frozen=True)
class Found:
    """What a search comes to.

    Attributes:
        form: runtime and precision.
        shape: of the network in it; None for that of the model.
        epochs: in which it learns.
        shared: whether words that are not used share vectors.
        dearer: other shapes within the budget, each with its epochs, for when this one loses more on other rows.
        trials, base, judged, rows: how it was found; see `CompressReport`.
    """

    form: Form
    shape: Shape | None = None
    epochs: int = 0
    shared: bool = False
    dearer: tuple[tuple[Shape, int], ...] = ()
    trials: tuple[Trial, ...] = ()
    base: float = 0.0
    judged: Comparison | None = None
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> float | None:
        """What it lost of the metric of the budget on the rows that judge; None where it was not tried."""
        name = f"{self.form}{'-shared' if self.shared else ''}" if self.shape is None else str(self.shape)
        scores = {trial.name: trial.score for trial in self.trials}  # of several rungs the last
        return self.base - scores[name] if name in scores else None

    def next(self) -> Found:
        """The next dearer shape; after the last of them the network as it is."""
        (shape, epochs), *others = self.dearer or ((None, 0),)
        return replace(self, shape=shape, epochs=epochs, dearer=tuple(others), judged=None)


class Search(Trials):
    """Which form, and which smaller network, is the cheapest that keeps to the budget."""

    def form(self) -> Form:
        """The cheapest runtime and precision for the network as it is; one that loses a part of the budget has to be
        cheaper by as large a part."""
        found: dict[Form, dict[str, float]] = {}
        for form in forms.forms_here():
            value = self._form(form, needed=not found)
            if value is None:
                self.say(f"  {form}: does not run here")
                continue
            found[form] = value
            if len(found) == 1:
                self.base = value["score"]
            self._note(f"form {form}", str(form), value)
        return Form.named(self.journal.once("choice", self._choice, found))

    def _choice(self, found: Mapping[Form, Mapping[str, float]]) -> str:
        """The name of the cheapest form; what follows stands for it, also where another one runs by then.

        Those that may be it are timed once more, in turns: they were written one after the other, and the machine may
        have had other work beside some of them.
        """
        costs = self._costs(found)
        near = sorted((form for form in costs if costs[form] <= _NEAR * min(costs.values())), key=costs.__getitem__)
        if self.goal != "size" and len(near) > 1:
            opened = {form: self.world.opened(form, self.work / "forms" / str(form)).runtime for form in near[:_FEW]}
            some = self._batches[min(1, len(self._batches) - 1) :: _PART]
            turned = pace.in_turns(opened, some)
            for form, one in turned.items():
                self.say(f"  {form}, in turns with others: {one.pace:,.0f} {self._unit}")
            again = self._costs({**found, **{form: {**found[form], **one._asdict()} for form, one in turned.items()}})
            costs = {form: again[form] for form in turned}
        return str(min(costs, key=costs.__getitem__))

    def _costs(self, found: Mapping[Form, Mapping[str, float]]) -> dict[Form, float]:
        """What the forms cost that lose no more than half of the budget, more by the part of it that they lose."""
        first, *others = found
        lost = {form: self.base - found[form]["score"] for form in others}
        good = [first, *(form for form in others if within(lost[form], self.budget / 2))]
        parts = {form: max(0.0, lost.get(form, 0.0)) / max(self.budget, 1e-9) for form in good}
        return {form: self._cost(found[form]) * (1 + parts[form]) for form in good}

    def share(self, form: Form) -> bool:
        """For size: let words that the rows do not use share the vectors of others, unless that takes half of the
        budget. The students that follow then do so as well."""
        if self.goal != "size" or not isinstance(self.world.net.model, Bert):
            return False
        fewer, name = self.world.merged(), f"{form}-shared"
        value = self.journal.once(f"words {name}", self._written, fewer.net, form, self.work / "forms" / name)
        self._note(f"words {name}", name, value)
        if not within(self.base - value["score"], self.budget / 2):
            return False
        self.world = fewer
        return True

    def run(self, form: Form, seconds: float, again: float) -> Found:
        """The cheapest student within the budget, or the network as it is.

        Args:
            seconds: that are left, until the one that wins has been made of the model itself.
            again: rows that it then learns from, as a multiple of the rows here.
        """
        students = self._students(form, seconds, again)
        return self.found(form, students, self._judged(form, students[0][0] if students else None))

    def found(
        self, form: Form, students: tuple[tuple[Shape, int], ...] = (), judged: Comparison | None = None
    ) -> Found:
        """What the trials so far come to, with a student or with the network as it is."""
        shape, epochs = students[0] if students else (None, 0)
        return Found(
            form,
            shape,
            epochs,
            shared=self.world.net is not self.stand_in,
            dearer=students[1:],
            trials=tuple(self.trials),
            base=self.base,
            judged=judged,
            rows={"learn": len(self.world.rows), "judge": len(self.judge)},
        )

    def _students(self, form: Form, seconds: float, again: float) -> tuple[tuple[Shape, int], ...]:
        """Shapes within the budget with their epochs: the one to take, then those that cost more."""
        world = self.world
        if not can_shrink(world.net):
            kind = type(world.net.model).__name__
            self.say(f"{kind}: its layers cannot be taken apart here; runtimes and precisions alone were tried")
            return ()
        table = self.table(form)
        alive = ladder(table, Shape.of(world.net))
        if not alive:
            return ()
        teacher = world.opened(form, self.work / "forms" / str(form))
        begun: list[Learner] = []

        def begin() -> float:
            """Seconds in which the teacher answers."""
            started = time.perf_counter()
            begun.append(Learner(world, teacher.runtime, self.work / "students", self.quiet))
            return time.perf_counter() - started

        answering = self.journal.once("lessons", begin)
        learner = begun[0] if begun else Learner(world, teacher.runtime, self.work / "students", self.quiet)
        # The student that wins learns once more, from answers of the model itself.
        seconds = _TRAINING * max(0.0, seconds - answering * (1 + again)) / (1 + _AGAIN * again)
        cores = device.cores()

        def epoch(shape: Shape, threads: int) -> float:
            """Seconds of it."""
            pace: float = self.journal.once(f"pace {shape} {threads}", learner.pace, shape, threads)
            return learner.pieces / pace

        alive = affordable(alive, [epoch(shape, 1) for shape in alive], cores * seconds / RUNGS)
        if len(alive) == 1:  # it learns in all of the time, and not in a part of it
            seconds *= (1 + _AGAIN * again) / (1 + again)
        epochs = dict.fromkeys(alive, 0)
        lost: dict[Shape, float] = {}
        rungs = RUNGS if len(alive) > 1 else 1  # there is nothing to choose from one
        for rung in range(rungs):
            self.say(f"rung {rung + 1} of {rungs}: {', '.join(map(str, alive))}")
            at_once = min(len(alive), cores)
            own = at_once * seconds / rungs / len(alive)
            turns = {shape: max(1, round(own / epoch(shape, cores // at_once))) for shape in alive}
            spent = self.journal.once(f"learn {rung}", learner.learn, turns, rung)
            for shape in alive:
                value = self.journal.once(f"rung {rung} {shape}", self._rung, learner, form, shape, rung)
                epochs[shape] += turns[shape]
                lost[shape] = self.base - value["score"]
                self._note(f"rung {rung} {shape}", str(shape), value, epochs[shape], spent[str(shape)])
            if rung < rungs - 1:
                alive = survivors({s: lost[s] for s in alive}, table, self.budget, _PATIENCE[rung])
        best = cheapest({s: lost[s] for s in alive}, lambda shape: self._error(form, shape), table, self.budget)
        if best is None:
            nearest = min(alive, key=lambda shape: lost[shape])
            self.say(f"no smaller network kept to the budget: {nearest} came nearest, with {lost[nearest]:.4f} lost")
            return ()
        dearer = [s for s in lost if within(lost[s], self.budget) and table[s] > table[best]]
        learnt = epochs[best] * epoch(best, 1)  # one that left early gets as much time
        later = [(s, max(epochs[s], round(learnt / epoch(s, 1)))) for s in sorted(dearer, key=lambda s: table[s])]
        return ((best, epochs[best]), *later)

    def table(self, form: Form) -> dict[Shape, float]:
        """Predicted cost of each shape: networks of one and of two layers are timed (or weighed), and the rest follows
        from what a layer adds."""
        world = self.world
        full = Shape.of(world.net)
        if not isinstance(world.net.model, Bert):
            counts = {min(full.units, max(8, 8 * round(full.units * share / 8))) for share in (1, *SHARES)}
            shapes = sorted({full, *(replace(full, heads=1, units=count) for count in counts)})
            self.say(f"timing {len(shapes)} widths")
            return {shape: self.journal.once(f"cost {shape}", self._shape_cost, form, shape) for shape in shapes}
        layers = sorted({ceil(full.layers * part / 6) for part in range(1, 7)})
        widths = {(max(1, round(full.heads * heads)), max(1, round(full.units * units))) for heads, units in _WIDTHS}
        self.say(f"timing layers of {len(widths)} widths")
        found: dict[Shape, float] = {}
        for heads, units in sorted(widths):
            low, high = (
                self.journal.once(f"cost {shape}", self._shape_cost, form, shape)
                for shape in (Shape(1, heads, units), Shape(2, heads, units))
            )
            found |= {Shape(count, heads, units): low + (count - 1) * (high - low) for count in layers}
        return found

    def _shape_cost(self, form: Form, shape: Shape) -> float:
        whole = self.world.net
        net = whole if shape == Shape.of(whole) else shrunk(whole, shape, _any(whole))
        return self._cost(self._look_at(self.world.written(net, form, self.work / "look"), self.work / "look"))

    def _form(self, form: Form, needed: bool) -> dict[str, float] | None:
        """What a form is worth; None where it does not run, which is tried again if the search is killed and goes on.

        Args:
            needed: whether its errors end the search: the others are held against the first one.

        Raises:
            BurnishError, OSError, SafetensorError, MemoryError, RuntimeError: for what no other form would change.
        """
        step, folder = f"form {form}", self.work / "forms" / str(form)
        if "choice" in self.journal.steps() and step not in self.journal.steps():
            return None
        try:
            value: dict[str, float] = self.journal.once(step, self._written, self.world.net, form, folder)
            return value
        except (BurnishError, OSError, SafetensorError, MemoryError):
            raise
        except Exception as error:  # each runtime has errors of its own, and one form less is no end
            if needed or device.out_of_memory(error):
                raise
            _must_have_room(folder, self.world.home)
            self.say(f"  {form}: {str(error).strip().split(chr(10))[0][:200]}")
            return None

    def _rung(self, learner: Learner, form: Form, shape: Shape, rung: int) -> dict[str, float]:
        return self._written(learner.student(shape, rung), form, self.work / "students" / str(shape) / "form")

    def _judged(self, form: Form, shape: Shape | None) -> Comparison:
        """The stand-in against what was found for it, on the rows that judge."""
        task, rows = self.world.task, self.judge
        shared = "-shared" if self.world.net is not self.stand_in else ""
        folder = self.work / "forms" / f"{form}{shared}"
        if shape is not None:
            folder = self.work / "students" / str(shape) / "form"
        other = self.world.opened(form, folder)
        if self._own is None:
            own = Engine(Eager(self.stand_in), task, other.tokenizer, other.max_tokens)
            self._own = outcome(task, own.stream(rows), rows).tallies
        tallies = outcome(task, other.stream(rows), rows).tallies
        return compare(task, self._own, tallies, names=("teacher", "student"))

    def _error(self, form: Form, shape: Shape) -> float:
        """Standard error of what a student has lost: other rows will judge it again."""
        difference = self._judged(form, shape).difference
        return (difference.high - difference.low) / (2 * 1.96)


def _any(net: Net) -> Importance:
    shape = Shape.of(net)
    return Importance(
        [torch.arange(float(shape.heads))] * shape.layers, [torch.arange(float(shape.units))] * shape.layers
    )


def _must_have_room(folder: Path, weights: Path) -> None:
    """Tell a runtime that does not know a network from one that could not write it: of the latter few say so.

    Raises:
        OSError: when the disk does not take a file as large as the weights.
    """
    probe = folder / "room"
    try:
        probe.write_bytes(bytes(size_of(weights, None)))
    finally:
        probe.unlink(missing_ok=True)
