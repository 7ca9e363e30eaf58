"""From predictions to an Evaluation: metrics, intervals, tables, hardest rows; and paired comparison."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.errors import ConfigError, nearest
from burnish.results import LOWER_IS_BETTER, Comparison, Evaluation, HardRow, Interval
from burnish.tasks import Task


def tallies(task: Task, predictions: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
    """Tallies of all rows, shape (rows, k)."""
    pairs = zip(predictions, references, strict=True)
    return np.array([task.tally(p, r) for p, r in pairs], dtype=np.float64)


def metric_value(task: Task, metric: str, predictions: Sequence[Any], references: Sequence[Any]) -> float:
    """One metric by name, larger for better: an error such as `mae` comes with its sign turned.

    Raises:
        ConfigError: naming the task's metrics when it has none of that name.
    """
    if metric == task.metric:
        return float(task.score(tallies(task, predictions, references).sum(0)))
    found = task.metrics(predictions, references)
    if metric not in found:
        raise ConfigError(f"tune.metric: '{metric}' is no metric of {task.name}; {nearest(metric, found)}")
    return -found[metric] if metric in LOWER_IS_BETTER else found[metric]


def resampled(sums: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    """Sums of `count` bootstrap resamples of the rows, shape (count, k)."""
    generator = np.random.default_rng(seed)
    rows = len(sums)
    found = np.empty((count, sums.shape[1]))
    for i in range(count):
        found[i] = sums[generator.integers(0, rows, rows)].sum(0)
    return found


def evaluation(
    task: Task,
    predictions: Sequence[Any],
    rows: Iterable[Row],
    *,
    split: str,
    metric: str | None = None,
    bootstrap: int = 0,
    hardest: int = 0,
    seed: int = 0,
    source: Rows | None = None,
    seconds: float = 0.0,
    latencies: tuple[tuple[int, float], ...] = (),
) -> Evaluation:
    """Measure predictions against the labels of the rows."""
    kept = list(rows)
    references = [task.reference(row) for row in kept]
    sums = tallies(task, predictions, references)
    metrics = task.metrics(predictions, references)
    intervals = {}
    if bootstrap and len(kept) > 1:
        low, high = np.percentile(task.score(resampled(sums, bootstrap, seed)), [2.5, 97.5])
        intervals[task.metric] = Interval(float(low), float(high))
    hard = []
    for index, (prediction, row) in enumerate(zip(predictions, kept, strict=True) if hardest else ()):
        text, reference, said, chance = task.explain_row(prediction, row)
        hard.append((chance, index, HardRow(source.where(index) if source else "", text, reference, said, chance)))
    labels, matrix = task.confusion(predictions, references)
    return Evaluation(
        split=split,
        rows=len(kept),
        metric=metric or task.metric,
        metrics=metrics,
        intervals=intervals,
        classes=task.table(predictions, references),
        tokens=task.token_table(predictions, references),
        confusion_labels=labels,
        confusion=matrix,
        hardest=tuple(row for _, _, row in sorted(hard, key=lambda h: h[:2])[:hardest]),
        latencies=latencies,
        seconds=seconds,
    )


def evaluate(engine: Engine, rows: Rows, *, split: str, metric: str | None = None, **options: Any) -> Evaluation:
    """Predict the rows with an engine and measure."""
    kept = list(rows)
    started = time.perf_counter()
    predictions = engine.predict_rows(kept)
    seconds = time.perf_counter() - started
    return evaluation(
        engine.task,
        predictions,
        kept,
        split=split,
        metric=metric,
        source=rows,
        seconds=seconds,
        latencies=single_latencies(engine, kept),
        **options,
    )


def single_latencies(engine: Engine, rows: Sequence[Row], count: int = 30) -> tuple[tuple[int, float], ...]:
    """(tokens, milliseconds) of single rows spread over the lengths."""
    if not rows:
        return ()
    lengths = engine.task.encode(rows[:2000], engine.tokenizer, engine.max_tokens).lengths
    order = np.argsort(lengths[: min(len(rows), 2000)])
    found = []
    for index in order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            engine.predict_rows([rows[int(index)]])
            times.append(time.perf_counter() - started)
        found.append((int(lengths[index]), 1000 * float(np.median(times))))
    return tuple(found)


def compare(
    task: Task,
    first: Sequence[Any],
    second: Sequence[Any],
    references: Sequence[Any],
    *,
    names: tuple[str, str],
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Two sets of predictions on the same rows, by paired bootstrap (Efron & Tibshirani 1993, ch. 16).

    The p-value is two-sided: twice the share of resamples in which the difference has the other sign.
    """
    a, b = tallies(task, first, references), tallies(task, second, references)
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for i in range(resamples):
        drawn = generator.integers(0, len(a), len(a))
        differences[i] = float(task.score(b[drawn].sum(0)) - task.score(a[drawn].sum(0)))
    low, high = np.percentile(differences, [2.5, 97.5])
    other = min(float((differences <= 0).mean()), float((differences >= 0).mean()))
    return Comparison(
        first=names[0],
        second=names[1],
        metric=task.metric,
        first_value=float(task.score(a.sum(0))),
        second_value=float(task.score(b.sum(0))),
        difference=Interval(float(low), float(high)),
        p_value=min(1.0, 2 * max(other, 1 / resamples)),
        rows=len(a),
    )
