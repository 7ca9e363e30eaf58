"""What a search for a smaller form finds out, as plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.metrics import LOWER_IS_BETTER, within
from burnish.results import Comparison, Evaluation


@dataclass(frozen=True)
class Trial:
    """A form of a model that was tried in the search for a smaller one.

    Attributes:
        name: its runtime and precision, or the layers, heads and units that were left of the network.
        epochs: passes over the rows that it learnt from its teacher in; 0 where nothing was learnt.
        score: the metric on the rows that judge.
        rows_per_second: as predicted from a quick look.
        size: bytes on disk.
        seconds: what the trial cost.
        within: whether it keeps to the budget.
    """

    name: str
    epochs: int
    score: float
    rows_per_second: float
    size: int
    seconds: float
    within: bool


@dataclass(frozen=True)
class Speed:
    """How fast a form of a model is: medians over passes, each over the same rows.

    Attributes:
        rows_per_second: of a pass over all rows, from words or texts to predictions.
        low, high: of the slowest and of the fastest pass, in rows a second.
        p50, p95, p99: milliseconds of one row by itself, each row at its median over the passes.
        peak: largest resident memory of the process, in bytes.
        size: bytes on disk.
        joules: that the processors take for a row of a pass over all rows; 0 where that cannot be read.
    """

    rows_per_second: float
    low: float
    high: float
    p50: float
    p95: float
    p99: float
    peak: int
    size: int
    joules: float = 0.0


@dataclass(frozen=True)
class CompressReport:
    """What a search found.

    Attributes:
        goal: throughput, latency, size or energy.
        metric, budget: the metric, and how much of it may be lost.
        chosen: name of the variant; None where it loses more than the budget, or is not clearly better.
        form, shape: what the variant is.
        judged: the stand-in for the tuned model against that for the chosen one, on rows that neither has seen; None
            where there was no stand-in.
        lost_there: what the chosen one lost of `metric` there; None where it was made without a search.
        by_name: whether the variant, though chosen, is used only by name, as another form is faster.
        before, after: the tuned model and the variant, on rows that the search did not look at.
        final: the two compared there.
        flips, decisions: how many decisions of the variant differ from those of the tuned model there.
        speeds: of the tuned model and of the variant.
        trials: in the order in which they were made.
        base: score of the stand-in itself (or of the model, where there was none), which the trials are held against.
        steps: seconds that each part of the search took.
        rows: rows by what they were used for.
        seconds: of the whole search, over all of its runs.
    """

    goal: str
    metric: str
    budget: float
    chosen: str | None
    form: str
    shape: str
    judged: Comparison | None
    lost_there: float | None
    by_name: bool
    before: Evaluation
    after: Evaluation
    final: Comparison
    flips: int
    decisions: int
    speeds: dict[str, Speed]
    trials: tuple[Trial, ...]
    base: float
    steps: dict[str, float]
    rows: dict[str, int]
    seconds: float

    @property
    def speedup(self) -> float:
        """How many times as fast as the tuned model: by the median time of one row for latency, else by throughput;
        for energy, how many times as sparing."""
        tuned, found = self.speeds["tuned"], self.speeds["found"]
        if self.goal == "energy":
            return tuned.joules / found.joules if found.joules else 0.0
        return tuned.p50 / found.p50 if self.goal == "latency" else found.rows_per_second / tuned.rows_per_second

    @property
    def lost(self) -> float:
        """What is lost of the metric on the rows that the search did not look at; where a job has no such rows, on
        those that judged in it."""
        if self.after.split == "train" and self.lost_there is not None:
            return self.lost_there
        lost = self.before.metrics[self.metric] - self.after.metrics[self.metric]
        return -lost if self.metric in LOWER_IS_BETTER else lost

    @property
    def kept(self) -> bool:
        """Whether the variant keeps to the budget."""
        return within(self.lost, self.budget)

    @property
    def faster(self) -> bool:
        """Whether the variant is clearly ahead: slowest pass against fastest one, or a tenth of the time or the energy
        of a row."""
        tuned, found = self.speeds["tuned"], self.speeds["found"]
        if self.goal == "size":
            return found.size < tuned.size
        if self.goal == "energy":
            return 0 < found.joules < 0.9 * tuned.joules
        return found.p50 < 0.9 * tuned.p50 if self.goal == "latency" else found.low > tuned.high

    @property
    def size_ratio(self) -> float:
        return self.speeds["found"].size / self.speeds["tuned"].size
