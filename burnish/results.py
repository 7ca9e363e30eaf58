"""What the stages find out, as plain frozen data; `reporting/` alone turns it into pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

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
