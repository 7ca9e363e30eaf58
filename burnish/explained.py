"""What an explanation consists of, as plain frozen data; `reporting/` alone turns it into pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["gradients", "occlusion", "shapley", "rollout"]
METHODS: tuple[Method, ...] = ("gradients", "occlusion", "shapley", "rollout")


@dataclass(frozen=True)
class Span:
    """A word (of Chinese: a character) of the text and what it adds to the explained value.

    Attributes:
        start, end: code points of the text, or of the second text; `end` is exclusive.
        score: positive where it speaks for the target, negative where it speaks against it.
        second: whether it lies in the second text.
    """

    start: int
    end: int
    score: float
    second: bool = False


@dataclass(frozen=True)
class Baseline:
    """What the text is held against.

    Attributes:
        kind: `padding` (each token of the text in its place, but empty), `nothing` (no word of the text), `uniform`
            (roll-out has no baseline: attention is shared out), `mean` (every part of an input that is no text at its
            mean), `typical` (every column at the middle number or most frequent category of the training rows), `prior`
            (no input at all, so that the frequencies of the classes are the answer).
        value: the explained value of the model on it; NaN for `uniform`.
    """

    kind: Literal["padding", "nothing", "uniform", "mean", "typical", "prior"]
    value: float


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of one text.

    The explained value is the log-odds of the target; with `against`, the log of how many times as probable the target
    is; for a number, the number itself.

    Attributes:
        text, second: what was read; `second` is None where there is one text.
        target: the label explained: a class, an entity type or `O`, or `score`.
        against: the label it is held against, if any.
        at: for `tag`, the words whose tags are explained (start, end); else None.
        scores: of every word the model has read, in order.
        method: how they were found; `form` says of which form of the model they are: `itself`, or `twin`, the tuned
            network that a variant was made from.
        value: the explained value for the whole text.
        probability: of the target, of the model as it runs; the number itself for `score`.
        baseline: what the text was held against.
        delta: how far the scores' sum is from value minus baseline; NaN for roll-out, which adds up to 1.
        points: evaluations of the network that it took, roughly; for gradients the points of the integral.
        unread: code points at the end of the text (of both, for two) that lie behind the model's limit, or outside of
            the window that decides.
        grid: where the input is no text, the scores of its parts, row by row, and no `scores`.
        picture: the input as the model reads it, as a `data:` URI.
        names: of the parts of the grid, along its rows, where they have some; `cells`: what is in each.
        unsaid: whether the model gives no label at all, so that the most probable one is explained.
    """

    text: str
    second: str | None
    target: str
    against: str | None
    at: tuple[int, int] | None
    scores: tuple[Span, ...]
    method: Method
    form: Literal["itself", "twin"]
    value: float
    probability: float
    baseline: Baseline
    delta: float
    points: int
    unread: int = 0
    grid: tuple[tuple[float, ...], ...] = ()
    picture: str = ""
    names: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    unsaid: bool = False

    def words(self, count: int | None = None) -> list[tuple[str, float]]:
        """Words with their scores, the weightiest first; of a grid the parts, each by its name or by row and column."""
        parts = [(f"{r}, {c}", score) for r, row in enumerate(self.grid, 1) for c, score in enumerate(row, 1)]
        if self.names:
            cells = zip(self.names, self.cells, parts, strict=True)
            parts = [(f"{name} = {cell}", score) for name, cell, (_, score) in cells]
        if parts:
            return sorted(parts, key=lambda part: -abs(part[1]))[:count]
        ordered = sorted(self.scores, key=lambda span: -abs(span.score))
        return [(self.written(span), span.score) for span in ordered[:count]]

    def written(self, span: Span) -> str:
        return ((self.second or "") if span.second else self.text)[span.start : span.end]


@dataclass(frozen=True)
class Faithfulness:
    """How far scores say what the model does (DeYoung et al. 2020, Adebayo et al. 2018), over `texts` texts.

    Attributes:
        comprehensiveness: probability lost without the best 1, 5, 10, 20 and 50 % of the words, on average; high is
            good. For `score`, of the number, in the spread of the labels.
        sufficiency: probability lost with these words alone; low is good.
        deletion: area below the probability while words go, the best first; low is good.
        random: comprehensiveness of words in random order.
        randomised: rank correlation of the scores with those of the same network with shuffled weights; near 0 where
            scores follow from the model. NaN where it cannot be told.
        spreads: whether it is `score`, and a number stands in place of the probability, in the spread of the labels.
    """

    comprehensiveness: float
    sufficiency: float
    deletion: float
    random: float
    randomised: float
    texts: int = 1
    spreads: bool = False


@dataclass(frozen=True)
class Example:
    """A training row: where it stands, how near it is (cosine), and its influence: what a step on it adds to the
    explained value, up to a constant."""

    where: str
    text: str
    label: str
    nearness: float
    influence: float


@dataclass(frozen=True)
class Examples:
    """The training rows that lie nearest, those that speak most for the target, and most against it."""

    nearest: tuple[Example, ...]
    supporting: tuple[Example, ...]
    opposing: tuple[Example, ...]
    rows: int


@dataclass(frozen=True)
class Edit:
    """Words of the text replaced by others, or by nothing."""

    start: int
    end: int
    old: str
    new: str
    second: bool = False


@dataclass(frozen=True)
class Counterfactual:
    """The smallest change found that turns the decision.

    Attributes:
        edits: on the original text; empty where none was found.
        text, second: after the edits.
        before, after: what the model decides; the same where nothing was found.
        tried: texts that the model was asked about.
    """

    edits: tuple[Edit, ...]
    text: str
    second: str | None
    before: str
    after: str
    tried: int

    @property
    def found(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class WordWeight:
    """A word with its mean score and how often it came."""

    word: str
    score: float
    count: int


@dataclass(frozen=True)
class Overview:
    """The words that speak most for each label, over the rows of a file, and how faithful that is; `named` where they
    are no words but the names of parts, as of columns."""

    source: str
    rows: int
    method: Method
    labels: dict[str, tuple[WordWeight, ...]]
    faithfulness: Faithfulness
    named: bool = False
