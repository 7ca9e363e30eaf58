"""Students of burnish's network for sounds: narrower, asked at one pitch, with the summary beside them as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from burnish import verbs
from burnish.artifact import Artifact
from burnish.compressed import Speed
from burnish.compression import forms, last_look
from burnish.compression.distill import lessons
from burnish.compression.forms import Form
from burnish.compression.prune import Importance, Shape, shrunk
from burnish.compression.search import Search
from burnish.compression.students import Learner, World, _to_learn_from
from burnish.config import Tune
from burnish.data.features import Features, collate
from burnish.data.load import load, usable
from burnish.engine import Engine
from burnish.job import tune
from burnish.models.net import Net
from burnish.models.sound import Levelled, Sound, fresh_config
from burnish.variant import Variant
from tests import tiny_sounds

SLOW, FAST = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)
FRONT = {"feature_extractor_type": "BurnishMelExtractor", "feature_size": 64, "sampling_rate": 8000}
NONE = Importance([], [])


def network(layers: int = 3, hidden: int = 64, **front: object) -> Net:
    torch.manual_seed(0)
    model = Sound(fresh_config(layers, hidden, 64), 3)
    model.start()
    nn.init.normal_(model.classifier.weight)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    return Net(model, "sequence", 3, scaled=Levelled.of({**FRONT, **front})).eval()


def batch() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {"sound": torch.randn(3, 40, 64, generator=draw), "frames": torch.tensor([40, 17, 8])}


def test_without_channels_that_do_nothing_a_network_says_the_same() -> None:
    net = network()
    sound = net.model.sound
    norms = [norm for stage in sound.layers for norm in (stage.widen[1], stage.first[1], stage.second[1])]
    with torch.no_grad():
        for norm in (sound.embeddings[1], *norms, sound.join[1]):  # every second channel is silent
            norm.weight[::2] = 0
            norm.bias[::2] = 0
        net.model.classifier.weight[:, 0:64:2] = 0  # mean and spread of what is silent; the spread is not quite zero
        net.model.classifier.weight[:, 64:128:2] = 0
    small = shrunk(net, Shape(3, 1, 32), NONE)
    assert Shape.of(small) == Shape(3, 1, 32)
    with torch.inference_mode():
        assert torch.allclose(net(batch()), small(batch()), atol=1e-4)


def test_students_are_asked_at_one_pitch_and_are_when_they_are_opened_again() -> None:
    net = network(pitches=[0.9, 1.1])
    assert Shape.of(net) == Shape(3, 3, 64)
    small = shrunk(net, Shape(3, 1, 64), NONE)
    assert Shape.of(small) == Shape(3, 1, 64)
    assert Shape.of(net) == Shape(3, 3, 64)  # which is as it was
    once = network()
    with torch.inference_mode():
        assert torch.equal(small(batch()), once(batch()))
        assert not torch.allclose(small(batch()), net(batch()), atol=1e-3)
    again = Net(Sound(small.model.kept, 3), "sequence", 3, scaled=Levelled.of({**FRONT, "pitches": [0.9, 1.1]}))
    assert Shape.of(again) == Shape(3, 1, 64)


def test_a_network_of_one_stage_gets_narrower() -> None:
    small = shrunk(network(layers=1), Shape(1, 1, 24), NONE)
    assert Shape.of(small) == Shape(1, 1, 24)
    with torch.inference_mode():
        assert small(batch()).isfinite().all()


def test_without_a_summary_what_is_learnt_from_holds_no_voice_either() -> None:
    net = network(voice=True)
    assert "summary" in net.extras
    del net.extras["summary"]

    def exported(_: object) -> None:
        raise AssertionError("it takes a voice")

    _, said = next(iter(_to_learn_from(net, SimpleNamespace(run=exported)).run([batch()])))
    with torch.inference_mode():
        assert torch.equal(said, net(batch()))


def test_lessons_are_sounds_of_their_own_lengths_without_the_voice(tmp_path: Path) -> None:
    job = tiny_sounds.job(tmp_path, tiny_sounds.table(tmp_path), epochs=1)
    tune(job)
    teacher, rows = Engine.open(job.out), usable(load(job)["train"], "classify")
    reader = teacher.tokenizer.varying(Tune(vary="speed"))
    assert reader.document["voice"]
    features = lessons(teacher.task, rows, 2, reader, 0, seed=0)
    assert len(features) == 9 * len(rows)
    own = teacher.encode(rows)
    for piece in (0, len(rows) - 1):
        given, found = (collate(one, np.array([piece]), 0) for one in (own, features))
        assert torch.equal(given["sound"][..., :64], found["sound"])
        assert torch.equal(given["frames"], found["frames"])
    varied = np.asarray(features.dense["frames"])[len(rows) : 3 * len(rows)]
    assert (varied[: len(rows)] != varied[len(rows) :]).any()
    again = Features.of(features.arrays())
    some = np.array([0, len(rows), 2 * len(rows) + 1])
    for name, value in collate(features, some, 0).items():
        assert torch.equal(collate(again, some, 0)[name], value)
    assert (again.lengths == features.lengths).all()


def test_a_search_ends_with_a_network_at_one_pitch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32")])
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": SLOW, "found": FAST})
    job = tiny_sounds.job(tmp_path, tiny_sounds.table(tmp_path), scratch={"layers": 2, "hidden": 32})
    folder = tune(job).artifact.folder
    full = Shape.of(Engine.open(folder).net)
    assert full == Shape(2, 5, 32)
    table = {full: 64.0} | {replace(full, heads=1, units=units): float(units) for units in (8, 16, 32)}
    monkeypatch.setattr(Search, "table", lambda search, form: table)
    report = verbs.compress(folder, budget="0.6", minutes=0.1)
    assert report.shape in ("2x1x8", "2x1x16", "2x1x32")
    assert Variant.open(Artifact.open(folder), "throughput").manifest["shape"] == report.shape
    engine = Engine.open(folder, "throughput")
    assert str(Shape.of(engine.net)) == report.shape
    whole = Engine.open(folder, "torch").net.extras["summary"].state_dict()
    for name, value in engine.net.extras["summary"].state_dict().items():
        assert torch.equal(value, whole[name])
    assert len(engine.predict([(tiny_sounds.tone("low", 5), tiny_sounds.RATE)])) == 1


def test_students_learn_what_the_network_says_without_the_summary_beside_it(tmp_path: Path) -> None:
    job = tiny_sounds.job(tmp_path, tiny_sounds.table(tmp_path), epochs=2)
    tune(job)
    teacher, rows = Engine.open(job.out), usable(load(job)["train"], "classify")
    world = World(
        teacher.artifact, Path(job.out), teacher.task, teacher.net, teacher.tokenizer.varying(Tune()), rows, seed=0
    )
    soft = Learner(world, teacher.runtime, tmp_path / "work", quiet=True).features.targets["soft"]
    own = teacher.encode(rows)
    given = collate(own, np.arange(len(rows)), 0)
    net = teacher.net.eval()
    with torch.inference_mode():
        whole = net(given)
        alone = whole - net.extras["summary"](net.scaled, given)
    assert not torch.allclose(alone, whole, atol=0.1)
    assert np.allclose(soft[: len(rows)], alone.numpy(), atol=2e-2)
