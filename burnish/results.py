"""What the stages find out, as plain frozen data; `reporting/` alone turns it into pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

LOWER_IS_BETTER = frozenset({"loss", "mae", "mse", "rmse", "brier", "ece", "wer", "cer", "error"})
_ROUNDING = 1e-9  # by which a difference of two metrics may be off
_RANKS = ("mrr", "recall@1", "recall@5", "recall@10")
_ONE_CLASS = ("accuracy", "micro_f1", "macro_f1", "weighted_f1", "mcc", "balanced_accuracy")
_CLASSES = ("f1", "subset_accuracy", "micro_f1", "macro_f1", "weighted_f1")
_METRICS = {
    "classify": _ONE_CLASS,
    "pair": _ONE_CLASS,
    "score": ("pearson", "spearman", "mae", "rmse"),
    "tag": ("f1", "precision", "recall", "token_micro_f1", "token_macro_f1"),
    "transcribe": ("word_accuracy", "wer", "cer", "character_accuracy"),
    "embed": ("mrr", *(f"{way}_{rank}" for way in ("forward", "back") for rank in _RANKS)),
    "detect": ("map_50", "map"),
}
Verdict = Literal["ok", "note", "warn", "fail"]


def within(lost: float, budget: float) -> bool:
    """Whether a loss keeps to a budget: one of just the budget does, and what is not a number does not."""
    return lost <= budget + _ROUNDING


def metrics_of(task: str, multi_label: bool = False) -> tuple[str, ...]:
    """Names of the metrics of a task; `transcribe` has those of words or of characters, as its rows are written."""
    return _CLASSES if multi_label else _METRICS[task]


def is_metric(name: str, task: str, multi_label: bool = False) -> bool:
    """Whether a task has a metric of this name; of a class alone, as `map_50 CLASS`, it is for the rows to say."""
    return name in metrics_of(task, multi_label) or (task == "detect" and name.startswith("map_50 "))


@dataclass(frozen=True)
class Finding:
    """One check of the data.

    Attributes:
        name: short name, as used in `check.fail_on`.
        verdict: ok; note (worth knowing); warn (likely to cost quality); fail (cannot be trained on).
        message: one sentence with the count and the share.
        count: rows concerned.
        places: a few of them, as `file:row 12`, never with the whole text.
        advice: what to do; empty when ok.
    """

    name: str
    verdict: Verdict
    message: str
    count: int = 0
    places: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Interval:
    """A 95 % bootstrap confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class ClassRow:
    """Precision, recall and F1 of one class; averages have names such as `micro avg`."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Mark:
    """A frame on a picture: what it says; right, wrong or missed; left, top, right and bottom, as shares of it."""

    title: str
    kind: str
    edges: tuple[float, float, float, float]


@dataclass(frozen=True)
class HardRow:
    """A row the model finds hard: where it stands, what it is, what was said and how surely.

    Attributes:
        picture: what it looks like, as a `data:` URI; empty for text.
        marks: frames on the picture.
    """

    where: str
    text: str
    reference: str
    predicted: str
    probability: float
    picture: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Measured quality on one set of rows.

    Attributes:
        split: train, dev, test or a file name.
        metric: the metric the job chooses on; `metrics[metric]` is its value.
        classes: table by class: entities for `tag`, classes otherwise; empty for `score`.
        tokens: for `tag`, the table over token classes, in the form of scikit-learn's report.
        confusion: labels and a square matrix, reference by row.
        latencies: (tokens, milliseconds) of single inputs. note: what metrics are measured over, where not plain.
    """

    split: str
    rows: int
    metric: str
    metrics: dict[str, float]
    intervals: dict[str, Interval] = field(default_factory=dict)
    classes: tuple[ClassRow, ...] = ()
    tokens: tuple[ClassRow, ...] = ()
    confusion_labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    hardest: tuple[HardRow, ...] = ()
    latencies: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    note: str = ""

    @property
    def value(self) -> float:
        return self.metrics[self.metric]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows, with a paired bootstrap of the difference (second minus first)."""

    first: str
    second: str
    metric: str
    first_value: float
    second_value: float
    difference: Interval
    p_value: float
    rows: int


@dataclass(frozen=True)
class Curve:
    """Training seen from outside: (step, loss) and (step, metric value)."""

    losses: tuple[tuple[int, float], ...] = ()
    evaluations: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Privacy:
    """What differentially private training has cost, for one training row more or less.

    Attributes:
        epsilon: upper bound by the accountant over all steps, at this `delta`; `asked` is what the job allows.
        noise_multiplier: standard deviation of the noise, in `clip`.
        sample_rate: chance of each row to be in a step.
        clip: longest gradient of a row.
    """

    epsilon: float
    delta: float
    asked: float
    noise_multiplier: float
    sample_rate: float
    clip: float
    steps: int


@dataclass(frozen=True)
class Transfer:
    """What it brought to start from an earlier artifact, and not from the model that one was tuned from.

    Attributes:
        source: the artifact, as the job names it; `task` is what it was tuned for.
        base: its own base model, from which the same job was run.
        comparison: both runs on the same rows, the base model's first; None when it could not be run.
        missing: why it could not.
    """

    source: str
    task: str
    base: str
    comparison: Comparison | None = None
    missing: str = ""


@dataclass(frozen=True)
class Calibration:
    """The temperature that a model gives its probabilities at.

    Attributes:
        temperature: 1 where none is stored.
        rows: of dev, that it was fitted on.
        ece, nll: expected calibration error and mean negative log-likelihood on these rows, each row at the temperature
            of the half it is not in; `before`, without one. NaN where they were not measured.
        missing: why none is stored; empty where one is.
    """

    temperature: float = 1.0
    rows: int = 0
    ece_before: float = float("nan")
    ece: float = float("nan")
    nll_before: float = float("nan")
    nll: float = float("nan")
    missing: str = ""


@dataclass(frozen=True)
class TuneReport:
    """Everything one tuning has to show.

    Attributes:
        before: what the tuned model is measured against (TF-IDF + linear model, the same job from the base model).
        alone: the score plain transformers reaches with the folder, where it differs; else None.
        privacy: what it cost; `findings` and what is fitted to rows are then left out. inputs: what the model reads.
        own: whether the network is burnish's own, which plain transformers cannot load.
        shares: by kind of input, where there are several: its mean share in what an answer gains in log-probability
            over the frequency of its class (Shapley 1953). Their sizes add up to one, and one below zero misled.
    """

    task: str
    base_model: str
    labels: tuple[str, ...]
    job: dict[str, Any]
    rows: dict[str, int]
    fingerprint: str
    findings: tuple[Finding, ...]
    before: dict[str, Evaluation]
    after: Evaluation
    comparison: Comparison | None
    curve: Curve
    environment: dict[str, str]
    parameters: int
    trained_parameters: int
    tokens_per_second: float
    seconds: float
    further: dict[str, Evaluation] = field(default_factory=dict)
    alone: Evaluation | None = None
    transfer: Transfer | None = None
    privacy: Privacy | None = None
    calibration: Calibration | None = None
    inputs: str = "text"
    own: bool = False
    shares: dict[str, float] = field(default_factory=dict)


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
