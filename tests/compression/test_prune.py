"""Smaller networks: what is left out is what was asked for, and least is lost with what matters least."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish import job as flow
from burnish.compression.distill import soften
from burnish.compression.export import made_up
from burnish.compression.parity import compare
from burnish.compression.prune import Importance, Shape, evenly, importance, merged, shrunk
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.models.opening import open_net
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


def drawn(seed: int) -> Importance:
    draw = torch.manual_seed(seed)
    return Importance(
        [torch.rand(2, generator=draw) for _ in range(3)], [torch.rand(64, generator=draw) for _ in range(3)]
    )


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_everything_kept_is_the_same_network(task: str, engines: dict[str, Engine]) -> None:
    engine = engines[task]
    shape = Shape.of(engine.net)
    assert shape == Shape(3, 2, 64)
    again = shrunk(engine.net, shape, drawn(0))
    features = made_up(engine.task, engine.net, 32)
    assert compare(engine.task, features, Eager(engine.net), Eager(again), 0).exact
    again.model.classifier.weight.data.zero_()
    assert engine.net.model.classifier.weight.any()  # a copy, not a view


@pytest.mark.parametrize("part", ["heads", "units"])
@pytest.mark.parametrize("task", ["tag", "classify"])
def test_least_is_lost_with_the_pieces_that_matter_least(task: str, part: str, engines: dict[str, Engine]) -> None:
    engine = engines[task]
    features = soften(made_up(engine.task, engine.net, 32), Eager(engine.net), 0)
    for name, value in features.targets.items():
        features.targets[name] = value + 0.3  # a teacher who says something else, as the gradient is 0 at the optimum
    if "soft" in features.ragged:
        soft = features.ragged["soft"]
        soft.values = soft.values + torch.randn(soft.values.shape, generator=torch.manual_seed(0)).numpy()
    scores = importance(engine.net, engine.task, features, 0)
    assert [(len(h), len(u)) for h, u in zip(scores.heads, scores.units, strict=True)] == [(2, 64)] * 3
    shape = Shape(3, 1, 64) if part == "heads" else Shape(3, 2, 48)
    turned = Importance([-score for score in scores.heads], [-score for score in scores.units])
    best, worst = (
        compare(engine.task, features, Eager(engine.net), Eager(shrunk(engine.net, shape, found)), 0).error
        for found in (scores, turned)
    )
    assert best < worst / (2 if part == "units" else 1)


def test_fewer_layers_heads_and_units_are_gone(engines: dict[str, Engine], tmp_path: Path) -> None:
    net = engines["tag"].net
    first = torch.arange(64.0, 0, -1)  # the first ones matter most
    small = shrunk(net, Shape(2, 1, 16), Importance([first[:2]] * 3, [first] * 3))
    layers = small.model.bert.encoder.layer
    assert Shape.of(small) == Shape(2, 1, 16)
    assert torch.equal(
        layers[1].intermediate.dense.weight, net.model.bert.encoder.layer[2].intermediate.dense.weight[:16]
    )
    assert torch.equal(
        layers[1].attention.self.query.weight, net.model.bert.encoder.layer[2].attention.self.query.weight[:16]
    )
    small.save(tmp_path)
    again = open_net(str(tmp_path), "token", len(engines["tag"].task.labels), "cls", small.word_shape)
    task = engines["tag"].task
    assert compare(task, made_up(task, small, 32), Eager(small), Eager(again.eval()), 0).exact


def test_words_that_are_not_used_take_the_vector_of_the_nearest(engines: dict[str, Engine], tmp_path: Path) -> None:
    engine = engines["tag"]
    net, task = engine.net, engine.task
    words = net.model.get_input_embeddings().weight.detach()
    used = list(range(0, len(words), 2))
    small = merged(net, used)
    assert len(small.model.get_input_embeddings().weight) == len(used)
    features = made_up(task, net, 32)
    features.ragged["input_ids"].values //= 2
    features.ragged["input_ids"].values *= 2
    assert compare(task, features, Eager(net), Eager(small), 0).exact  # of used words nothing is lost
    with torch.no_grad():
        found = small.model.get_input_embeddings()(torch.tensor([1]))[0]
    near = torch.nn.functional.cosine_similarity(words[1], words[used]).argmax()
    assert torch.equal(found, words[used][near])
    small.save(tmp_path)
    again = open_net(str(tmp_path), "token", len(task.labels), "cls", small.word_shape)
    assert compare(task, made_up(task, net, 32), Eager(small), Eager(again.eval()), 0).exact
