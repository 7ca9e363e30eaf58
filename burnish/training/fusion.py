"""Join the networks of several kinds of input: their weights are fitted on dev, which taught none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from burnish.config import Job
from burnish.data.features import by_length, collate
from burnish.data.rows import Rows
from burnish.data.several import name_of
from burnish.engine import Engine
from burnish.engine.run import BUDGET
from burnish.engine.together import Together
from burnish.models.fusion import LEAST, Pool, shapley, subsets
from burnish.results import Comparison, Evaluation
from burnish.tasks.classify import Classify
from burnish.training.evaluate import Outcome, compare, evaluation, outcome, single_latencies

_ROWS = 30  # of dev that have some inputs; with fewer, each network counts as it is
_PULL = 0.1  # on the squared logarithm of a weight, in rows
_KEPT = 10_000  # rows that are looked at


@dataclass(frozen=True)
class Joined:
    """A joined model and what it stands beside.

    Attributes:
        before: each network alone, on the rows of `after`.
        comparison: of the best of these with all together.
        further: all but one, where there are more than two, and all together on dev.
        shares: see `TuneReport`.
    """

    engine: Engine
    pool: Pool
    after: Evaluation
    before: dict[str, Evaluation]
    comparison: Comparison
    further: dict[str, Evaluation]
    shares: dict[str, float]


def join(job: Job, engines: Mapping[str, Engine], parts: Mapping[str, Rows]) -> Joined:
    """Join networks that were tuned on the same rows, each on its own kind of input, and measure them.

    Args:
        parts: rows with all kinds of input; they are measured on test where there is one, else on dev, else on train.
    """
    task = Classify.learn(parts["train"])
    together = Engine.joined(engines, task, Pool.even(tuple(engines), _prior(task, parts["train"])))
    pool = fitted(together, parts["dev"]) if "dev" in parts else _runtime(together).pool
    split = next(name for name in ("test", "dev", "train") if name in parts)
    rows = parts[split]

    def evaluated(found: Outcome, of: str, latencies: tuple[tuple[int, float], ...] = ()) -> Evaluation:
        options = {"bootstrap": job.report.bootstrap, "seed": job.seed}
        return evaluation(task, found, split=of, metric=job.tune.metric, latencies=latencies, **options)

    def measured(kinds: Sequence[str], of: Rows, hardest: int = 0) -> tuple[Engine, Outcome]:
        engine = Engine.joined({kind: engines[kind] for kind in kinds}, task, _of(pool, kinds))
        said = outcome(task, engine.stream(of), of, hardest=hardest, source=of, reader=engine.tokenizer)
        return engine, said

    engine, found = measured(tuple(engines), rows, job.report.hardest)
    after = evaluated(found, split, single_latencies(engine, rows))
    alone = {f"{kind} alone": measured((kind,), rows)[1] for kind in engines}
    best = max(alone, key=lambda name: float(task.score(alone[name].tallies.sum(0))))
    further = {}
    for some in subsets(tuple(engines)) if len(engines) > 2 else ():
        if len(some) == len(engines) - 1:
            left = next(kind for kind in engines if kind not in some)
            further[f"without {left}"] = evaluated(measured(some, rows)[1], split)
    if split == "test" and "dev" in parts:
        further["dev"] = evaluated(measured(tuple(engines), parts["dev"])[1], "dev")
    before = {name: evaluated(one, split) for name, one in alone.items()}
    comparison = compare(task, alone[best].tallies, found.tallies, names=(best, name_of(engines)))
    return Joined(engine, pool, after, before, comparison, further, _shares(engine, rows))


def fitted(engine: Engine, rows: Rows) -> Pool:
    """The weights of a pool that make these rows likeliest, for each set of inputs; those that a row lacks play no part
    in it, so that each set is fitted on all rows that have it."""
    together, task, rows = _runtime(engine), engine.task, _some(rows)
    logs, there = _each(engine, rows)
    known = {label: place for place, label in enumerate(task.labels)}
    truth = torch.tensor([known.get(row["label"], -1) for row in rows])
    weights = dict(together.pool.weights)
    for some in subsets(together.pool.kinds):
        places = [together.pool.kinds.index(kind) for kind in some]
        chosen = there[:, places].all(1) & (truth >= 0)
        if int(chosen.sum()) >= _ROWS:
            weights[some] = _weights(logs[chosen][:, places], truth[chosen])
    return Pool(together.pool.kinds, weights, together.pool.prior)


def _some(rows: Rows) -> Rows:
    return rows if len(rows) <= _KEPT else rows.select(np.linspace(0, len(rows) - 1, _KEPT).astype(np.int64))


def _each(engine: Engine, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """What each network says of rows, as `Together.each`."""
    together, features = _runtime(engine), engine.encode(rows)
    logs = torch.zeros(len(rows), len(together.parts), together.classes)
    there = torch.zeros(len(rows), len(together.parts), dtype=torch.bool)
    for pieces in by_length(features.lengths, BUDGET):
        logs[pieces], there[pieces] = together.each(collate(features, pieces, engine.pad_id))
    return logs, there


def _shares(engine: Engine, rows: Rows) -> dict[str, float]:
    together = _runtime(engine)
    added = shapley(together.pool, *_each(engine, _some(rows))).mean(0)
    return {kind: float(one / added.sum()) for kind, one in zip(together.parts, added, strict=True)}


def _weights(logs: torch.Tensor, truth: torch.Tensor) -> tuple[float, ...]:
    """Weights of log-probabilities (n, networks, classes), all above zero, by L-BFGS."""
    powers = torch.zeros(logs.shape[1], dtype=torch.float64, requires_grad=True)  # logarithms of the weights
    given = logs.double().clamp(min=LEAST)
    optimizer = torch.optim.LBFGS([powers], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        pooled = (powers.exp()[None, :, None] * given).sum(1)
        loss = torch.nn.functional.cross_entropy(pooled, truth, reduction="sum") + _PULL * powers.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return tuple(map(float, powers.detach().exp()))


def _prior(task: Classify, rows: Rows) -> tuple[float, ...]:
    counts = dict.fromkeys(task.labels, 1)
    for row in rows:
        counts[row["label"]] += 1
    shares = np.array(list(counts.values())) / sum(counts.values())
    return tuple(map(float, np.log(shares)))


def _of(pool: Pool, kinds: Sequence[str]) -> Pool:
    own = {some: weights for some, weights in pool.weights.items() if set(some) <= set(kinds)}
    return Pool(tuple(kinds), own, pool.prior)


def _runtime(engine: Engine) -> Together:
    assert isinstance(engine.runtime, Together)
    return engine.runtime
