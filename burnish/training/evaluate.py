"""From predictions to an Evaluation: metrics, intervals, tables, hardest rows; and paired comparison."""

from __future__ import annotations

import heapq
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.reader import Reader
from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.errors import ConfigError, nearest
from burnish.metrics import LOWER_IS_BETTER
from burnish.results import Comparison, Evaluation, HardRow, Interval
from burnish.tasks import Task
from burnish.tasks.counts import Counts

_AT_ONCE = 1 << 21  # numbers of resamples that are in memory at a time


@dataclass(frozen=True)
class Outcome:
    """What is kept of predictions against the labels of their rows.

    Attributes:
        tallies: numbers a row whose sums give the task's metric, shape (rows, k); see `Task.tally`.
        counts: what the other metrics and the tables follow from.
        hardest: rows with the least probability of the truth, the hardest first.
        seconds: time it took to predict and count.
    """

    tallies: NDArray[np.float64]
    counts: Counts
    hardest: tuple[HardRow, ...] = ()
    seconds: float = 0.0


def outcome(
    task: Task,
    predictions: Iterable[Any],
    rows: Iterable[Row],
    *,
    hardest: int = 0,
    source: Rows | None = None,
    reader: Any = None,
) -> Outcome:
    """Compare predictions with rows as they come: of each row some bytes are kept, and all of the hardest ones.

    Args:
        reader: shows what a row looks like, if it is a `Reader`.
    """
    started = time.perf_counter()
    counts, sums = task.counts(), array("d")
    worst: list[tuple[float, int, HardRow]] = []  # a heap with the least hard of them on top
    seen = 0
    for prediction, row in zip(task.judged(predictions), rows, strict=True):
        reference = task.reference(row)
        counts.add(prediction, reference)
        sums.extend(task.tally(prediction, reference))
        if hardest:
            text, true, said, chance = task.explain_row(prediction, row)
            if len(worst) < hardest or (-chance, -seen) > worst[0][:2]:
                where = source.where(seen) if source else ""
                picture = reader.picture(row) if isinstance(reader, Reader) else ""
                marks = task.marks(prediction, row) if picture else ()
                heapq.heappush(worst, (-chance, -seen, HardRow(where, text, true, said, chance, picture, marks)))
                if len(worst) > hardest:
                    heapq.heappop(worst)
        seen += 1
    hard = tuple(row for *_, row in sorted(worst, key=lambda item: item[:2], reverse=True))
    tallies = np.asarray(sums).reshape(seen, -1) if seen else np.zeros((0, 1))
    return Outcome(tallies, counts, hard, time.perf_counter() - started)


def metric_value(task: Task, metric: str, found: Outcome) -> float:
    """One metric by name, larger for better: an error such as `mae` comes with its sign turned.

    Raises:
        ConfigError: naming the task's metrics when it has none of that name.
    """
    if metric == task.metric:
        return float(task.score(found.tallies.sum(0)))
    metrics = _with(metric, found.counts.metrics(), task)
    return -metrics[metric] if metric in LOWER_IS_BETTER else metrics[metric]


def _with(metric: str, metrics: dict[str, float], task: Task) -> dict[str, float]:
    if metric not in metrics:
        raise ConfigError(f"tune.metric: '{metric}' is no metric of {task.name}; {nearest(metric, metrics)}")
    return metrics


def resampled(task: Task, several: Sequence[NDArray[np.float64]], count: int, seed: int) -> NDArray[np.float64]:
    """The task's metric in `count` bootstrap resamples of the rows, shape (models, count).

    Args:
        several: tallies of models on the same rows, (rows, k) each; the same rows are drawn for all of them.
    """
    generator, (rows, numbers) = np.random.default_rng(seed), several[0].shape
    portion = max(1, _AT_ONCE // max(rows, numbers))
    found = np.empty((len(several), count))
    for start in range(0, count, portion):
        draws = (generator.integers(0, rows, rows) for _ in range(min(portion, count - start)))
        often = np.array([np.bincount(drawn, minlength=rows) for drawn in draws], dtype=np.float64)
        for place, tallies in enumerate(several):
            found[place, start : start + portion] = task.score(often @ tallies)
    return found


def evaluation(
    task: Task,
    found: Outcome,
    *,
    split: str,
    metric: str | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    latencies: tuple[tuple[int, float], ...] = (),
) -> Evaluation:
    """Turn an outcome into metrics with their intervals and tables.

    Raises:
        ConfigError: naming the task's metrics when it has none of the name `metric`.
    """
    metrics = _with(metric or task.metric, found.counts.metrics(), task)
    intervals = {}
    if bootstrap and len(found.tallies) > 1:
        low, high = np.percentile(resampled(task, [found.tallies], bootstrap, seed), [2.5, 97.5])
        intervals[task.metric] = Interval(float(low), float(high))
    labels, matrix = found.counts.confusion()
    return Evaluation(
        split=split,
        rows=len(found.tallies),
        metric=metric or task.metric,
        metrics=metrics,
        intervals=intervals,
        classes=found.counts.table(),
        tokens=found.counts.token_table(),
        confusion_labels=labels,
        confusion=matrix,
        hardest=found.hardest,
        latencies=latencies,
        seconds=found.seconds,
        note=found.counts.note(),
    )


def evaluate(engine: Engine, rows: Rows, *, split: str, hardest: int = 0, **options: Any) -> Evaluation:
    """Predict the rows with an engine and measure; `options` are those of `evaluation`."""
    found = outcome(engine.task, engine.stream(rows), rows, hardest=hardest, source=rows)
    return evaluation(engine.task, found, split=split, latencies=single_latencies(engine, rows), **options)


def single_latencies(engine: Engine, rows: Iterable[Row], count: int = 30) -> tuple[tuple[int, float], ...]:
    """(tokens, milliseconds) of single rows spread over the lengths of the first 2,000."""
    kept = list(islice(rows, 2000))
    if not kept:
        return ()
    features = engine.encode(kept)
    lengths = np.bincount(features.row, features.lengths, len(kept))
    order = np.argsort(lengths)
    found = []
    for index in order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            engine.predict_rows([kept[int(index)]])
            times.append(time.perf_counter() - started)
        found.append((int(lengths[index]), 1000 * float(np.median(times))))
    return tuple(found)


def compare(
    task: Task,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    names: tuple[str, str],
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare the tallies of two models on the same rows by paired bootstrap (Efron & Tibshirani 1993, ch. 16).

    The p-value is two-sided: twice the share of resamples in which the difference has the other sign.

    Args:
        first: tallies, shape (rows, k); see `Outcome`.
        second: those of the other model, in the same order of rows.
    """
    before, after = resampled(task, [first, second], resamples, seed)
    differences = after - before
    low, high = np.percentile(differences, [2.5, 97.5])
    other = min(float((differences <= 0).mean()), float((differences >= 0).mean()))
    return Comparison(
        first=names[0],
        second=names[1],
        metric=task.metric,
        first_value=float(task.score(first.sum(0))),
        second_value=float(task.score(second.sum(0))),
        difference=Interval(float(low), float(high)),
        p_value=min(1.0, 2 * max(other, 1 / resamples)),
        rows=len(first),
    )
