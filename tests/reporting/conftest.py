"""Made-up reports: one of each task, small and large, English and Chinese, with hostile text."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from burnish.config import Job
from burnish.results import ClassRow, Comparison, Curve, Evaluation, Finding, HardRow, Interval, TuneReport

HOSTILE = '<script>alert("x")</script> [red]a|b[/red] `c`\n\u202e\x1b[31m\ud800'
FINDINGS = (
    Finding("duplicates", "note", "212 of 14,041 rows (1.5 %) repeat an earlier one", 212, ("eng.train:line 77",), ""),
    Finding("missing", "ok", "no row lacks text or label"),
    Finding(
        "shared-with-test",
        "warn",
        "31 of 3,250 dev rows (1.0 %) also stand in train",
        31,
        tuple(f"eng.testa:line {n}" for n in range(120, 900, 60)),
        "Take them out of one side: their score says nothing about new rows.",
    ),
    Finding(
        "unknown-characters", "fail", "91 % of the characters are unknown to the tokenizer", 900, (), "Use scratch."
    ),
)


def class_rows(labels: Sequence[str], seed: int = 0) -> tuple[ClassRow, ...]:
    dice = random.Random(seed)
    rows = [ClassRow(n, dice.uniform(0.7, 1), dice.uniform(0.4, 1), dice.uniform(0.4, 1), 40) for n in labels]
    return (
        *rows,
        *(ClassRow(f"{kind} avg", 0.9, 0.91, 0.9049, 40 * len(labels)) for kind in ("micro", "macro", "weighted")),
    )


def matrix(size: int, seed: int = 0) -> tuple[tuple[int, ...], ...]:
    dice = random.Random(seed)
    spread = 0.3 if size < 10 else 0.03
    return tuple(
        tuple(dice.randint(300, 900) if r == c else (dice.random() < spread) * dice.randint(1, 60) for c in range(size))
        for r in range(size)
    )


def evaluation(labels: Sequence[str], metrics: dict[str, float], hardest: tuple[HardRow, ...] = ()) -> Evaluation:
    dice = random.Random(1)
    lengths = [min(250, int(dice.lognormvariate(3, 0.6)) + 3) for _ in range(300)]
    return Evaluation(
        split="dev",
        rows=3250,
        metric=next(iter(metrics)),
        metrics=metrics,
        intervals={m: Interval(v - 0.008, v + 0.007) for m, v in metrics.items() if math.isfinite(v)},
        classes=class_rows(labels) if labels else (),
        confusion_labels=tuple(labels),
        confusion=matrix(len(labels)),
        hardest=hardest,
        latencies=tuple((n, 2.1 + n * 0.03 + dice.expovariate(2)) for n in lengths),
        seconds=4.2,
    )


def hard_rows(texts: Sequence[tuple[str, str, str]]) -> tuple[HardRow, ...]:
    return tuple(HardRow(f"data/dev.csv:row {n + 2}", t, r, p, 0.99 - n / 50) for n, (t, r, p) in enumerate(texts))


def report(
    task: str, labels: Sequence[str], values: dict[str, float], texts: Sequence[tuple[str, str, str]]
) -> TuneReport:
    after = evaluation(labels, values, hard_rows(texts))
    weaker = {m: v * 0.7 for m, v in values.items()}
    plainer = {m: v * 0.9 for m, v in values.items()}
    before = {
        "untuned head": evaluation(labels, {m: v * 0.1 for m, v in values.items()}),
        "majority": replace(evaluation(labels, weaker), intervals={}),
        "TF-IDF + linear model": evaluation(labels, plainer),
    }
    best, metric = plainer[after.metric], after.metric
    steps = range(1, 1200, 3)
    return TuneReport(
        task=task,
        base_model="minilm",
        labels=tuple(labels),
        job=Job(task=task, data={"train": "data/训练.csv"}).model_dump(),
        rows={"train": 14041, "dev": 3250},
        fingerprint="sha256:9f2c81d0b7a4",
        findings=FINDINGS,
        before=before,
        after=after,
        comparison=Comparison(
            "TF-IDF + linear model", "tuned", metric, best, after.value, Interval(0.08, 0.11), 0.0, after.rows
        ),
        curve=Curve(
            tuple((s, 2.2 * math.exp(-s / 250) + 0.08 + 0.05 * math.sin(s * 1.7)) for s in steps),
            tuple((s, after.value - 0.25 * math.exp(-s / 260)) for s in range(100, 1300, 100)),
        ),
        environment={"burnish": "0.1.0", "python": "3.11.9", "torch": "2.13.0+cpu", "cpu": "2 cores, AVX-512, AMX"},
        parameters=22_713_216,
        trained_parameters=10_795_776,
        tokens_per_second=13_240.0,
        seconds=412.7,
    )


def tag() -> TuneReport:
    texts = [
        ("China says Taiwan spoils atmosphere for talks .", "O O B-LOC O O O O O", "B-LOC O B-LOC O O O O O"),
        ("CRICKET - LEICESTERSHIRE TAKE OVER AT TOP .", "O O B-ORG O O O O O", "O O B-PER O O O O O"),
        (HOSTILE, HOSTILE, HOSTILE),
    ]
    labels = ("LOC", "MISC", "ORG", "PER")
    made = report("tag", labels, {"entity_f1": 0.9412, "token_micro_f1": 0.983, "token_macro_f1": 0.931}, texts)
    kinds = tuple(f"{p}-{n}" for n in labels for p in "BI")
    tokens = (*class_rows(("O", *kinds), 3)[:-3], *class_rows(kinds)[-3:])
    after = replace(made.after, tokens=tokens, confusion_labels=("O", *kinds), confusion=matrix(9))
    alone = replace(after, metrics={**after.metrics, "entity_f1": 0.912}, intervals={})
    context = replace(after, metrics={**after.metrics, "entity_f1": 0.948})
    return replace(made, after=after, alone=alone, further={"with document context": context})


def three() -> TuneReport:
    texts = [("A film that is not as bad as it sounds, and not as good as it looks.", "neutral", "positive")] * 4
    return report("classify", ("negative", "neutral", "positive"), {"accuracy": 0.952, "macro_f1": 0.941}, texts)


def many() -> TuneReport:
    nouns = ("card", "cash_withdrawal", "transfer", "top_up", "exchange", "direct_debit", "refund")
    states = (
        "declined",
        "pending",
        "fee_charged",
        "not_recognised",
        "reverted",
        "limits",
        "arrival",
        "lost",
        "by_cheque",
    )
    labels = [f"{noun}_{state}" for noun in nouns for state in (*states, "wrong_amount", "wrong_exchange_rate")]
    texts = [("My card has not come yet, where is it?", "card_arrival", "card_delivery")]
    return report("classify", labels, {"accuracy": 0.93, "macro_f1": 0.928}, texts)


def chinese() -> TuneReport:
    labels = ("好评", "差评", "中性评价，没有明显的情绪")
    texts = [
        ("送餐太慢了，足足等了两个小时，而且汤全洒了，不过味道还可以。", "差评", "好评"),
        ("ＦＵＬＬ　ｗｉｄｔｈ 全角文字", "好评", "中性评价，没有明显的情绪"),
    ]
    made = report("classify", labels, {"accuracy": 0.891, "macro_f1": 0.874}, texts)
    return replace(
        made, base_model="scratch", rows={"训练集": 10788, "验证集": 1199}, findings=FINDINGS[3:] + FINDINGS[1:2]
    )


def score() -> TuneReport:
    made = report("score", (), {"rmse": 0.412, "spearman": 0.83, "pearson": math.nan}, [("How good?", "3.0", "1.25")])
    return replace(made, comparison=None)


def bare() -> TuneReport:
    """A report with next to nothing in it."""
    only = Evaluation("dev", 10, "accuracy", {"accuracy": 0.5})
    made = three()
    return replace(made, before={}, after=only, comparison=None, curve=Curve(), findings=(), environment={}, labels=())


def hostile() -> TuneReport:
    """Everything that comes from outside holds markup for HTML, Markdown and the terminal."""
    values = {f"accuracy{HOSTILE}": 0.9}
    made = report("classify", (HOSTILE, f"{HOSTILE}2", f"{HOSTILE}3"), values, [(HOSTILE * 500, HOSTILE, HOSTILE)])
    return replace(
        made,
        base_model=HOSTILE,
        fingerprint=HOSTILE,
        rows={HOSTILE: 3},
        findings=(Finding(HOSTILE, "warn", HOSTILE, 1, (HOSTILE,), HOSTILE),),
        environment={HOSTILE: HOSTILE},
        further={HOSTILE: replace(made.after, split=HOSTILE)},
        before={HOSTILE: made.before["majority"]},
        job={HOSTILE: [HOSTILE]},
        alone=replace(made.after, split=HOSTILE),
    )


REPORTS: dict[str, Callable[[], TuneReport]] = {
    made.__name__: made for made in (tag, three, many, chinese, score, bare, hostile)
}


@pytest.fixture(params=REPORTS)
def any_report(request: pytest.FixtureRequest) -> TuneReport:
    return REPORTS[request.param]()


@pytest.fixture
def reports() -> dict[str, Callable[[], TuneReport]]:
    return REPORTS
