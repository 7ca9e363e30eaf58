"""Models of sounds in other runtimes and precisions: bands of any length in, the same answers out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish import verbs
from burnish.compressed import Speed
from burnish.compression import forms, last_look
from burnish.compression.forms import Form
from burnish.engine import Engine
from burnish.engine.flat import _longer
from burnish.engine.openvino import OpenVino
from burnish.job import tune
from burnish.models.sound import Sound, fresh_config
from burnish.verbs import export
from tests import tiny_sounds

SLOW, FAST = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sounds")
    return tune(tiny_sounds.job(place, tiny_sounds.table(place))).artifact.folder


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_the_same_answers_in_every_runtime_at_any_length(to: str, tuned: Path) -> None:
    assert export(tuned, to).manifest["parity"]["rows_of"] == "random inputs"
    made = export(tuned, to, str(tuned.parent / "rows.csv")).manifest["parity"]
    assert (made["rows"], made["rows_of"]) == (24, "data")
    assert made["error"] < 1e-4 * made["scale"]
    sounds = [(tiny_sounds.tone("low", 5, seconds=s), tiny_sounds.RATE) for s in (0.02, 0.3, 0.64, 1.0, 3.3)]
    engine, own = Engine.open(tuned, to), Engine.open(tuned, "torch")
    expected = [one.probabilities for one in own.predict(sounds)]
    alone = [engine.predict(sound)[0] for sound in 3 * sounds]  # one by one, a size gets a graph of its own
    for found, right in zip([*engine.predict(sounds), *alone], 4 * expected, strict=True):
        assert found.probabilities == pytest.approx(right, abs=1e-4)


def test_a_model_of_one_length_is_exported(tmp_path: Path) -> None:
    job = tiny_sounds.job(tmp_path, model=str(tiny_sounds.ast(tmp_path / "ast")), epochs=1, tokens_per_batch=2048)
    folder = tune(job).artifact.folder
    assert export(folder, "openvino").manifest["parity"]["rows"] == 64
    sound = tiny_sounds.tone("low", 5), tiny_sounds.RATE
    right = Engine.open(folder, "torch").predict([sound])[0].probabilities
    assert Engine.open(folder, "openvino").predict([sound])[0].probabilities == pytest.approx(right, abs=1e-4)


def test_lengths_come_in_steps() -> None:
    for n, length, wanted in (
        (2, 1, 32),
        (2, 33, 64),
        (3, 64, 64),
        (1, 1, 64),
        (1, 65, 96),
        (1, 97, 128),
        (1, 300, 384),
    ):
        made = _longer(np.ones((n, length, 3), np.float16))
        assert made.shape == (n, wanted, 3)
        assert made.dtype == np.float16
        assert made.sum() == n * length * 3


def test_asked_and_taught_a_network_takes_the_same_means() -> None:
    torch.manual_seed(0)
    net = Sound(fresh_config(2, 8, 64) | {"id2label": {"0": "a", "1": "b"}}, 2).sound.eval()
    bands, inside = torch.randn(3, 40, 64), torch.arange(40) < torch.tensor([[40], [17], [5]])
    asked = net(bands, inside)
    net.training = True  # of the encoder alone: its norms stay fixed
    assert torch.allclose(asked, net(bands, inside), atol=1e-5)


def test_a_search_ends_with_a_form(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("openvino", "int8")])
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": SLOW, "found": FAST})
    # A tiny network is smaller than its description in int8, so that costs are made up: the larger form is the cheaper.
    monkeypatch.setattr("burnish.compression.search.Search._cost", lambda search, value: 1 / value["size"])
    report = verbs.compress(tuned, budget="0.4", minutes=0.05)
    assert [trial.name for trial in report.trials] == ["torch-f32", "openvino-int8"]
    assert (report.form, report.chosen) == ("openvino-int8", "throughput")
    engine = Engine.open(tuned)
    assert isinstance(engine.runtime, OpenVino)
    sounds = [(tiny_sounds.tone(label, 40), tiny_sounds.RATE) for label in ("low", "high")]
    assert [one.label for one in engine.predict(sounds)] == ["low", "high"]
