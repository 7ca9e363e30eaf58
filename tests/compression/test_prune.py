"""Smaller networks: what is left out is what was asked for, and least is lost with what matters least."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish import job as flow
from burnish.compression.distill import soften
from burnish.compression.export import made_up
from burnish.compression.parity import compare
from burnish.compression.prune import evenly, importance, shrunk
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from tests import tiny


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    made = {}
    for task in ("tag", "classify"):
        job = tiny.job(tmp_path_factory.mktemp(task), task, freeze="none", epochs=1)
        flow.tune(job)
        made[task] = Engine.open(job.out)
        with torch.no_grad():  # the tiny encoder's drawn weights are so small that nothing matters in it
            for layer in made[task].net.model.bert.encoder.layer:
                layer.intermediate.dense.weight.mul_(20 * torch.rand(64, 1))
                layer.output.dense.weight.mul_(20)
    return made


@pytest.mark.parametrize(("count", "chosen"), [(1, (5,)), (2, (0, 5)), (3, (0, 2, 5)), (6, (0, 1, 2, 3, 4, 5))])
def test_layers_at_equal_distances(count: int, chosen: tuple[int, ...]) -> None:
    assert evenly(count, 6) == chosen


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_everything_kept_is_the_same_network(task: str, engines: dict[str, Engine]) -> None:
    engine = engines[task]
    units = [torch.randperm(64) for _ in range(3)]  # in another order they add up to the same
    again = shrunk(engine.net, range(3), units)
    features = made_up(engine.task, engine.net, 32)
    assert compare(engine.task, features, Eager(engine.net), Eager(again), 0).exact
    again.model.classifier.weight.data.zero_()
    assert engine.net.model.classifier.weight.any()  # a copy, not a view


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_least_is_lost_with_the_units_that_matter_least(task: str, engines: dict[str, Engine]) -> None:
    engine = engines[task]
    features = soften(made_up(engine.task, engine.net, 32), Eager(engine.net), 0)
    for name, value in features.targets.items():
        features.targets[name] = value + 0.3  # a teacher who says something else, as the gradient is 0 at the optimum
    if "soft" in features.ragged:
        soft = features.ragged["soft"]
        soft.values = soft.values + torch.randn(soft.values.shape, generator=torch.manual_seed(0)).numpy()
    scores = importance(engine.net, engine.task, features, 0)
    assert [len(score) for score in scores] == [64, 64, 64]

    def lost(units: list[torch.Tensor]) -> float:
        return compare(engine.task, features, Eager(engine.net), Eager(shrunk(engine.net, range(3), units)), 0).error

    best = lost([score.topk(48).indices for score in scores])
    worst = lost([(-score).topk(48).indices for score in scores])
    assert best < worst / 2


def test_fewer_layers_and_units_are_gone(engines: dict[str, Engine], tmp_path: Path) -> None:
    net = engines["tag"].net
    small = shrunk(net, (0, 2), [torch.arange(16)] * 2)
    assert [len(small.model.bert.encoder.layer), small.model.config.intermediate_size] == [2, 16]
    assert torch.equal(
        small.model.bert.encoder.layer[1].intermediate.dense.weight,
        net.model.bert.encoder.layer[2].intermediate.dense.weight[:16],
    )
    small.save(tmp_path)
    from transformers import AutoModelForTokenClassification

    _, info = AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
