"""Narrower networks for images: what stays of them, what they learn from, and a search that ends with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from burnish import verbs
from burnish.artifact import Artifact
from burnish.compressed import Speed
from burnish.compression import forms, last_look
from burnish.compression.distill import lessons, soften
from burnish.compression.forms import Form
from burnish.compression.narrow import narrowed
from burnish.compression.prune import Shape, importance, shrunk
from burnish.compression.search import Search
from burnish.config import Tune
from burnish.data.features import Features
from burnish.data.load import load, usable
from burnish.engine import Engine
from burnish.job import tune
from burnish.models.net import Net
from burnish.models.vision import Scaled, Vision, fresh_config
from burnish.variant import Variant
from tests import tiny_images

SLOW, FAST = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)


def network(layers: int = 3, hidden: int = 64) -> Net:
    torch.manual_seed(0)
    model = Vision(fresh_config(layers, hidden), 3)
    model.start()
    nn.init.normal_(model.classifier.weight)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    return Net(model, "sequence", 3, scaled=Scaled.of({})).eval()


def test_without_channels_that_do_nothing_a_network_says_the_same() -> None:
    net = network()
    for stage, module in enumerate(net.model.vision.layers):
        for norms in ([module.widen[1], module.residual[1][1]], [module.residual[0][1]]):
            for norm in norms:  # every second channel is silent
                with torch.no_grad():
                    norm.weight[stage % 2 :: 2] = 0
                    norm.bias[stage % 2 :: 2] = 0
    with torch.no_grad():
        net.model.vision.embeddings[1].weight[::2] = 0
        net.model.vision.embeddings[1].bias[::2] = 0
    small = narrowed(net, 32)
    assert Shape.of(small) == Shape(3, 1, 32)
    batch = {"pixels": torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)}
    with torch.inference_mode():
        assert torch.allclose(net(batch), small(batch), atol=1e-4)


def test_the_widths_that_are_tried_all_work() -> None:
    net = network(4, 96)
    for hidden in (8, 24, 48, 88, 96):
        small = shrunk(net, Shape(4, 1, hidden), importance(net, None, None, 0))  # type: ignore[arg-type]
        with torch.inference_mode():
            assert small({"pixels": torch.zeros(2, 32, 32, 3, dtype=torch.uint8)}).shape == (2, 3)


def test_lessons_are_rows_and_varied_ones_with_the_teachers_answers(tmp_path: Path) -> None:
    job = tiny_images.job(tmp_path, epochs=1)
    tune(job)
    teacher, rows = Engine.open(job.out), usable(load(job)["train"], "classify")
    reader = teacher.tokenizer.varying(Tune(vary="mirror"))
    features = soften(lessons(teacher.task, rows, 2, reader, 0, seed=0), teacher.runtime, 0)
    assert len(features) == 9 * len(rows)
    pixels = np.asarray(features.dense["pixels"])
    assert not (pixels[: len(rows)] == pixels[len(rows) : 2 * len(rows)]).all()
    own = [one.probabilities["red"] for one in teacher.predict(list(pixels[:4]))]
    soft = torch.from_numpy(features.targets["soft"][:4].astype(np.float32))
    assert own == pytest.approx((soft / teacher.task.temperature).softmax(-1)[:, 1].tolist(), abs=0.01)
    again = Features.of(features.arrays())
    assert (np.asarray(again.dense["pixels"]) == pixels).all()
    assert (again.lengths == features.lengths).all()
    assert (again.targets["soft"] == features.targets["soft"]).all()


def test_a_search_ends_with_a_narrower_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32")])
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": SLOW, "found": FAST})
    full = Shape(2, 1, 32)
    table = {replace(full, units=units): float(units) for units in (8, 16, 32)}
    monkeypatch.setattr(Search, "table", lambda search, form: table)
    folder = tune(tiny_images.job(tmp_path, scratch={"layers": 2, "hidden": 32})).artifact.folder
    report = verbs.compress(folder, budget="0.6", minutes=0.1)
    assert report.shape in ("2x1x8", "2x1x16")
    found = Variant.open(Artifact.open(folder), "throughput")
    assert found.manifest["shape"] == report.shape
    engine = Engine.open(folder, "throughput")
    assert str(Shape.of(engine.net)) == report.shape
    assert len(engine.predict([tiny_images.picture("red", 700)])) == 1
