"""What the stages find out, as plain frozen data; `reporting/` alone turns it into pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

LOWER_IS_BETTER = frozenset({"loss", "mae", "mse", "rmse", "brier", "ece"})

Verdict = Literal["ok", "note", "warn", "fail"]


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
class HardRow:
    """A row the model finds hard: where it stands, what it is, what was said and how surely."""

    where: str
    text: str
    reference: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Evaluation:
    """Measured quality on one set of rows.

    Attributes:
        split: train, dev, test or a file name.
        metric: the metric the job chooses on; `metrics[metric]` is its value.
        classes: table by class: entities for `tag`, classes otherwise; empty for `score`.
        tokens: for `tag`, the table over token classes, in the form of scikit-learn's report.
        confusion: labels and a square matrix, reference by row.
        latencies: (tokens, milliseconds) of single inputs, for the length picture.
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
class TuneReport:
    """Everything one tuning has to show.

    Attributes:
        before: what the tuned model is measured against (TF-IDF + linear model, the same job from the base model).
        alone: the score plain transformers reaches with the folder, where it differs; else None.
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
