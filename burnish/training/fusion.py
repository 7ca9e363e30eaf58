"""Join the networks of several kinds of input: their weights are fitted on dev, which taught none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from burnish.config import Job
from burnish.data.features import by_length, collate
from burnish.data.rows import Rows
from burnish.data.several import name_of
from burnish.engine import Engine
from burnish.engine.run import BUDGET, portions
from burnish.engine.together import Together
from burnish.models.fusion import LEAST, Pool, shapley, subsets
from burnish.results import Comparison, Evaluation
from burnish.tasks.classify import Classify
from burnish.training.evaluate import Outcome, compare, evaluation, outcome, single_latencies

_ROWS = 30  # of dev that have some inputs; with fewer, each network counts as it is
_PULL = 0.1  # on the squared logarithm of a weight, in rows
_HOLD = 10.0  # on the square of a bias, in rows
_FOLDS, _RUNS = 5, 25  # of dev, by which biases are judged, each of so many runs of neighbours in all


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


@dataclass(frozen=True)
class _Said:
    """What each network says of rows: log-probabilities (rows, kinds, classes), and where there are any (rows, kinds).

    They are held for all rows, so that no set of inputs asks the networks again.
    """

    rows: Rows
    logs: torch.Tensor
    there: torch.Tensor

    @classmethod
    def of(cls, engine: Engine, rows: Rows) -> Self:
        together, logs, there = _runtime(engine), [], []
        for portion in portions(rows):
            features = engine.encode(portion)
            order = list(by_length(features.lengths, BUDGET))
            said = [together.each(collate(features, pieces, engine.pad_id)) for pieces in order]
            back = torch.from_numpy(np.argsort(np.concatenate(order)))
            logs.append(torch.cat([one for one, _ in said])[back])
            there.append(torch.cat([one for _, one in said])[back])
        return cls(rows, torch.cat(logs), torch.cat(there))

    def outcome(self, task: Classify, pool: Pool, kinds: Sequence[str]) -> Outcome:
        """What comes of it where rows have no more than these kinds of input."""
        chosen = torch.tensor([kind in kinds for kind in pool.kinds])
        answers = task.decode(pool.join(self.logs, self.there & chosen), {})
        said = (task.assemble([answer], row) for answer, row in zip(answers, self.rows, strict=True))
        return outcome(task, said, self.rows)


def join(job: Job, engines: Mapping[str, Engine], parts: Mapping[str, Rows]) -> Joined:
    """Join networks that were tuned on the same rows, each on its own kind of input, and measure them.

    Args:
        parts: rows with all kinds of input; they are measured on test where there is one, else on dev, else on train.
    """
    task, kinds = Classify.learn(parts["train"]), tuple(engines)
    pool = Pool.even(kinds, _prior(task, parts["train"]))
    even = Engine.joined(engines, task, pool)
    split = next(name for name in ("test", "dev", "train") if name in parts)
    said = {name: _Said.of(even, parts[name]) for name in {split, "dev"} & parts.keys()}
    if "dev" in said:
        pool = fitted(pool, task, said["dev"])
    engine, rows = Engine.joined(engines, task, pool), parts[split]

    def evaluated(found: Outcome, of: str, latencies: tuple[tuple[int, float], ...] = ()) -> Evaluation:
        options = {"bootstrap": job.report.bootstrap, "seed": job.seed}
        return evaluation(task, found, split=of, metric=job.tune.metric, latencies=latencies, **options)

    hardest = job.report.hardest
    found = outcome(task, engine.stream(rows), rows, hardest=hardest, source=rows, reader=engine.tokenizer)
    alone = {f"{kind} alone": said[split].outcome(task, pool, (kind,)) for kind in kinds}
    best = max(alone, key=lambda name: float(task.score(alone[name].tallies.sum(0))))
    further = {}
    for left in kinds if len(kinds) > 2 else ():
        others = [kind for kind in kinds if kind != left]
        further[f"without {left}"] = evaluated(said[split].outcome(task, pool, others), split)
    if split == "test" and "dev" in said:
        further["dev"] = evaluated(said["dev"].outcome(task, pool, kinds), "dev")
    added = shapley(pool, said[split].logs, said[split].there).mean(0)
    return Joined(
        engine,
        pool,
        evaluated(found, split, single_latencies(engine, rows)),
        {name: evaluated(one, split) for name, one in alone.items()},
        compare(task, alone[best].tallies, found.tallies, names=(best, name_of(kinds))),
        further,
        shares_of(dict(zip(kinds, added.tolist(), strict=True))),
    )


def shares_of(added: Mapping[str, float]) -> dict[str, float]:
    """What kinds of input add, by the sum of its sizes: they stay comparable where one adds what another takes away."""
    whole = sum(map(abs, added.values()))
    return {kind: one / whole if whole else 0.0 for kind, one in added.items()}


def fitted(pool: Pool, task: Classify, said: _Said) -> Pool:
    """The weights of a pool that make rows likeliest, for each set of inputs; what a row has beside them plays no part,
    so that each set is fitted on all rows that have it. A bias for each class is added where it makes rows likelier
    that it was not fitted on: where classes are not as frequent as the networks have learnt, or these are too sure."""
    known = {label: place for place, label in enumerate(task.labels)}
    truth = torch.tensor([known.get(row["label"], -1) for row in said.rows])
    weights, biases = dict(pool.weights), dict(pool.biases)
    for some in subsets(pool.kinds):
        places = [pool.kinds.index(kind) for kind in some]
        chosen = said.there[:, places].all(1) & (truth >= 0)
        if int(chosen.sum()) >= _ROWS:
            logs, labels = said.logs[chosen][:, places].double().clamp(min=LEAST), truth[chosen]
            biased = _missed(logs, labels, biased=True) < _missed(logs, labels, biased=False)
            own, added = _weights(logs, labels, biased)
            weights[some] = tuple(own.tolist())
            if biased:
                biases[some] = tuple(added.tolist())
    return Pool(pool.kinds, weights, pool.prior, biases)


def _missed(logs: torch.Tensor, truth: torch.Tensor, biased: bool) -> float:
    """Loss on each fold of the rows by what was fitted on the others."""
    fold, loss = torch.arange(len(truth)) * _RUNS // len(truth) % _FOLDS, 0.0
    for left in range(_FOLDS):
        out = fold == left
        weights, biases = _weights(logs[~out], truth[~out], biased)
        loss += float(_loss(logs[out], truth[out], weights, biases))
    return loss


def _weights(logs: torch.Tensor, truth: torch.Tensor, biased: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of log-probabilities (n, networks, classes), all above zero, and biases of the classes, by L-BFGS."""
    powers = torch.zeros(logs.shape[1], dtype=torch.float64, requires_grad=True)  # logarithms of the weights
    biases = torch.zeros(logs.shape[2], dtype=torch.float64, requires_grad=biased)
    moved = [powers, biases] if biased else [powers]
    optimizer = torch.optim.LBFGS(moved, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        held = _PULL * powers.square().sum() + _HOLD * biases.square().sum()
        loss = _loss(logs, truth, powers.exp(), biases) + held
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return powers.detach().exp(), biases.detach()


def _loss(logs: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor, biases: torch.Tensor) -> torch.Tensor:
    pooled = (weights[None, :, None] * logs).sum(1) + biases
    return torch.nn.functional.cross_entropy(pooled, truth, reduction="sum")


def _prior(task: Classify, rows: Rows) -> tuple[float, ...]:
    counts = dict.fromkeys(task.labels, 1)
    for row in rows:
        counts[row["label"]] += 1
    shares = np.array(list(counts.values())) / sum(counts.values())
    return tuple(map(float, np.log(shares)))


def _runtime(engine: Engine) -> Together:
    assert isinstance(engine.runtime, Together)
    return engine.runtime
