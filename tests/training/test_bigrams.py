"""The linear model of token pairs beside an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish import job as flow
from burnish.config import parse
from burnish.data.features import IGNORED, Features, Ragged, collate
from burnish.engine import Engine
from burnish.errors import ConfigError
from burnish.models.bigrams import Bigrams
from burnish.tasks.base import LossOptions
from burnish.training import bigrams
from burnish.training.bigrams import fit_bigrams
from tests import tiny


def fitted(
    rows: list[list[int]],
    labels: list[int],
    dev: tuple[float, ...] | None = None,
    options: LossOptions | None = None,
) -> Bigrams:
    class Beside(torch.nn.Module):
        extras = torch.nn.ModuleDict({"bigrams": Bigrams(max(2, max(labels) + 1))})

    values = iter(dev or ())
    features = Features({"input_ids": Ragged.build(rows)}, {"labels": torch.tensor(labels).numpy()})
    fit_bigrams(Beside(), features, options or LossOptions(), 0, "fp32", (lambda _: next(values)) if dev else None)  # type: ignore[arg-type]
    model = Beside.extras["bigrams"]
    assert isinstance(model, Bigrams)
    return model


def logits(model: Bigrams, rows: list[list[int]]) -> torch.Tensor:
    batch = collate(Features({"input_ids": Ragged.build(rows)}), range(len(rows)), 0)
    return model(batch["input_ids"], batch["attention_mask"])


@pytest.mark.parametrize("classes", [2, 3])
def test_order_tells_classes_apart(classes: int) -> None:
    ring = [[5, 6, 7], [6, 5, 7], [7, 6, 5]][:classes]  # the same tokens in each
    model = fitted(ring * 10 + [[9, 9]], [*range(classes)] * 10 + [IGNORED])
    found = logits(model, ring)
    assert found.argmax(-1).tolist() == list(range(classes))
    assert torch.allclose(found, logits(model, [*ring, [1] * 9])[:classes], atol=1e-6)  # padding counts for nothing
    assert model.rarity[(9 * 2477) % len(model.rarity)] == pytest.approx(1 + torch.tensor(10.0 * classes + 1).log())


def test_dev_says_how_much_it_counts() -> None:
    rows, labels = [[5, 6], [6, 5]] * 10, [0, 1] * 10
    itself = fitted(rows, labels).weight
    for values, times in (
        ((0.5, 0.4, 0.3, 0.2, 0.4), 0.0),
        ((0.5, 0.5, 0.5, 0.5, 0.5), 1.0),
        ((0.5, 0.6, 0.8, 0.7, 0.2), 2.0),
        ((0.5, 0.4, 0.3, 0.2, 0.6), 0.5),
    ):
        assert torch.allclose(fitted(rows, labels, values).weight, itself * times)


def test_of_two_classes_what_tells_them_apart_counts_most() -> None:
    rows = [[5, 9], [5, 8], [6, 9], [6, 8]] * 10  # 8 and 9 stand in both
    model = fitted(rows, [0, 0, 1, 1] * 10)
    told, common = (model.weight[(token * 2477) & (len(model.rarity) - 1), 1].abs() for token in (5, 9))
    assert told > 1
    assert common < 1e-3


def test_a_rare_class_is_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigrams, "_TOKENS", 40)
    model = fitted([[5, 6]] * 500 + [[6, 5]] + [[5, 6]] * 500, [0] * 500 + [1] + [0] * 500)
    assert logits(model, [[6, 5]])[0, 1] > logits(model, [[5, 6]])[0, 1]
    assert not fitted([[5, 6]] * 9, [0] * 9).weight.any()  # one class is no model


def test_class_weights_count_here_too() -> None:
    rows, labels = [[5, 6]] * 99 + [[5, 6]], [0] * 99 + [1]
    weights = LossOptions(torch.tensor([100 / 198, 50.0]))
    assert logits(fitted(rows, labels), rows[:1]).softmax(-1)[0, 1] < 0.1
    assert logits(fitted(rows, labels, options=weights), rows[:1]).softmax(-1)[0, 1] == pytest.approx(0.5, abs=0.05)


def test_no_hash_passes_int32_and_the_table_stays_small() -> None:
    for outputs in (2, 77, 5000):
        model = Bigrams(outputs)
        assert model.weight.numel() <= 1 << 22
        places, _ = model.places(torch.full((1, 3), 250_000), torch.ones(1, 3, dtype=torch.int64))
        same, _ = model.places(torch.full((1, 3), 250_000, dtype=torch.int32), torch.ones(1, 3, dtype=torch.int32))
        assert torch.equal(places, same.long())
        assert 0 <= int(places.min()) <= int(places.max()) < len(model.rarity)


@pytest.mark.parametrize("task", ["classify", "pair"])
def test_it_is_saved_with_the_model(task: str, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, task, bigrams=True)
    tuned = flow.tune(job)
    engine = Engine.open(job.out)
    model = engine.net.extras["bigrams"]
    assert isinstance(model, Bigrams)
    assert model.weight.any()
    given = [["the film was good", "very bad"]] if task == "pair" else ["the film was very good"]
    (with_it,) = engine.predict(given)
    model.weight.zero_()
    (without,) = engine.predict(given)
    assert with_it.probabilities != without.probabilities
    assert tuned.report.after.metrics["accuracy"] >= 0.9


def test_where_it_does_not_go() -> None:
    data = {"train": "rows.csv"}
    for document in ({"task": "score"}, {"task": "classify", "data": data | {"multi_label": True}}):
        with pytest.raises(ConfigError, match=r"tune\.bigrams"):
            parse({"data": data, "tune": {"bigrams": True}} | document)
