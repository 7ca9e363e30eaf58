"""Measuring in a stream: the same figures as with everything in memory, and a report that says what it measured on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from burnish import job as flow
from burnish.config import parse
from burnish.data.load import load, usable
from burnish.engine import Engine, run
from burnish.errors import ConfigError, InputError
from burnish.results import Evaluation
from burnish.tasks.score import Score
from burnish.training import evaluate as evaluating
from burnish.training.evaluate import evaluate, metric_value, outcome
from burnish.training.plan import Losses, Plan
from tests import tiny


@pytest.mark.parametrize("name", ["classify", "tag"])
def test_portions_change_no_figure(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, name, epochs=1)
    flow.tune(job)
    engine = Engine.open(job.out)
    rows = usable(load(job)["train"], job.task)

    def measured() -> Evaluation:
        return evaluate(engine, rows, split="train", bootstrap=20, hardest=5)

    whole, said = measured(), engine.predict_rows(rows)
    monkeypatch.setattr(run, "PORTION", 3)
    monkeypatch.setattr(run.portions, "__defaults__", (3,))
    parts = measured()
    assert parts.metrics == whole.metrics
    assert parts.intervals == whole.intervals
    assert parts.classes == whole.classes
    assert [row.where for row in parts.hardest] == [row.where for row in whole.hardest]
    assert len(whole.hardest) == 5
    assert whole.hardest[0].probability == min(row.probability for row in whole.hardest)
    assert [p.tags if name == "tag" else p.label for p in engine.predict_rows(rows)] == [
        p.tags if name == "tag" else p.label for p in said
    ]


def test_a_document_stays_in_one_portion() -> None:
    rows = [{"document": number // 4} for number in range(14)]
    assert [len(part) for part in run.portions(rows, 3)] == [4, 4, 4, 2]
    assert [len(part) for part in run.portions([{}] * 7, 3)] == [3, 3, 1]
    assert [len(part) for part in run.portions([{"document": 1}] * 7, 3)] == [6, 1]


def test_the_hardest_rows_are_those_with_the_least_chance() -> None:
    class Known(Score):
        def explain_row(self, prediction: object, row: dict[str, float]) -> tuple[str, str, str, float]:  # type: ignore[override]
            return str(row["label"]), "", "", row["chance"]

    chances = np.random.default_rng(0).integers(0, 40, 200) / 40
    rows = [{"label": float(index), "chance": float(chance)} for index, chance in enumerate(chances)]
    found = outcome(Known(0.0, 1.0), [SimpleNamespace(value=1.0)] * 200, rows, hardest=30)
    order = sorted(range(200), key=lambda index: (chances[index], index))
    assert [row.text for row in found.hardest] == [str(float(index)) for index in order[:30]]
    assert metric_value(Score(0.0, 1.0), "mae", found) == pytest.approx(-np.abs(np.arange(200) - 1.0).mean())


def test_no_usable_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("text,label\n ,a\nb,\n", encoding="utf-8")
    job = parse({"task": "classify", "data": {"train": str(tmp_path / "empty.csv"), "split": {"dev": 0}}})
    with pytest.raises(InputError, match="no row with both"):
        usable(load(job)["train"], "classify")


def test_the_report_says_when_it_was_chosen_on_the_measured_rows(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    flow.tune(job)
    said = "the best epoch was chosen too"
    for name in ("report.html", "MODEL_CARD.md"):
        assert said in (Path(job.out) / name).read_text(encoding="utf-8")
    flow.tune(job.model_copy(update={"data": job.data.model_copy(update={"test": job.data.train})}))
    for name in ("report.html", "MODEL_CARD.md"):
        assert said not in (Path(job.out) / name).read_text(encoding="utf-8")


def test_an_unknown_metric_is_an_error_without_dev_too(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    data = job.data.model_copy(update={"split": job.data.split.model_copy(update={"dev": 0.0})})
    tune = job.tune.model_copy(update={"metric": "acuracy"})  # as no job file can say
    with pytest.raises(ConfigError, match="accuracy"):
        flow.tune(job.model_copy(update={"data": data, "tune": tune}))


def test_the_plan_makes_an_epoch_when_it_is_due() -> None:
    made: list[int] = []

    def epoch(number: int) -> list[list[np.ndarray]]:
        made.append(number)
        return [[np.array([number, step])] for step in range(number + 2)]

    plan = Plan(epoch, 3)
    assert len(plan) == 2 + 3 + 4
    made.clear()
    assert [plan[step][0].tolist() for step in range(9)] == [[n, s] for n in range(3) for s in range(n + 2)]
    assert made == [0, 1, 2]
    assert plan[2][0].tolist() == [1, 0]


def test_the_curve_of_the_loss_is_bounded_and_keeps_its_mean() -> None:
    losses = Losses()
    values = np.random.default_rng(0).random(16_000)
    for step, value in enumerate(values, 1):
        losses.add(step, float(value))
        losses.add(step, float("nan"))
    assert 1000 <= len(losses.points) < 2000
    assert losses.points[-1][0] == 16_000
    assert np.mean([value for _, value in losses.points]) == pytest.approx(values.mean())


def test_resamples_are_scored_many_at_a_time_and_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Score):
        asked = 0

        def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
            self.asked += 1
            return sums[..., 0] / sums[..., 1]

    task, generator = Counting(0.0, 1.0), np.random.default_rng(3)
    first, second = (np.stack([generator.integers(0, 2, 50), np.ones(50)], 1).astype(float) for _ in range(2))
    drawing = np.random.default_rng(7)
    drawn = [drawing.integers(0, 50, 50) for _ in range(30)]
    alone = [[float(one[rows, 0].mean()) for rows in drawn] for one in (first, second)]
    monkeypatch.setattr(evaluating, "_AT_ONCE", 400)  # eight of them
    assert evaluating.resampled(task, [first, second], 30, 7) == pytest.approx(np.array(alone))
    assert task.asked == 8
    found = evaluating.compare(task, first, second, names=("a", "b"), resamples=30, seed=7)
    low, high = np.percentile(np.subtract(alone[1], alone[0]), [2.5, 97.5])
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))


def test_words_of_one_tag_have_no_baseline_and_a_model(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("\n\n".join(["Anna B-PER"] * 12), encoding="utf-8")
    tuned = flow.tune(tiny.job(tmp_path, "tag", epochs=1))
    assert not tuned.report.before
    assert Engine.open(tuned.artifact.folder).predict(["Anna"])
