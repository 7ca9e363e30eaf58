"""Models of images in other runtimes and precisions: bytes in, the same answers out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from burnish.artifact import Artifact
from burnish.compression import forms, measure
from burnish.compression.export import example_of
from burnish.compression.forms import Form
from burnish.compression.parity import compare
from burnish.data.features import collate
from burnish.engine import Engine, openvino, start
from burnish.engine.flat import most_tokens
from burnish.errors import BurnishError, InputError
from burnish.job import tune
from burnish.models.net import Net
from burnish.variant import Variant
from burnish.verbs import bench, export
from tests import tiny_images

RUNTIMES = ("onnx", "openvino")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("images")
    return tune(tiny_images.job(place)).artifact.folder


@pytest.mark.parametrize("to", RUNTIMES)
def test_the_same_answers_in_every_runtime(to: str, tuned: Path, tmp_path: Path) -> None:
    table = tiny_images.table(tmp_path)
    with table.open("a", encoding="utf-8") as file:
        file.write("photos/none.png,red\n")
    assert export(tuned, to).manifest["parity"]["rows_of"] == "random inputs"
    with pytest.raises(InputError, match="no row with an image"):
        export(tuned, to, str(_faulty(tmp_path)))
    made = export(tuned, to, str(table.with_name("photos"))).manifest["parity"]
    assert made["rows"] == 24
    assert made["error"] < 1e-4 * made["scale"]
    images = [tiny_images.picture(label, seed) for seed in range(600, 605) for label in ("red", "blue")]
    engine, torch = Engine.open(tuned, to), Engine.open(tuned, "torch")
    expected = [one.probabilities for one in torch.predict(images)]
    alone = [engine.predict(image)[0] for image in 2 * images]  # one by one, the size gets a graph of its own
    for found, own in zip([one.probabilities for one in engine.predict(images) + alone], 3 * expected, strict=True):
        assert found == pytest.approx(own, abs=1e-4)
    assert to == "onnx" or getattr(engine.runtime, "_alone")  # noqa: B009


def test_images_that_cannot_be_read_are_not_timed(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tiny_images.table(tmp_path).with_name("photos")
    (photos / "none.png").write_bytes(b"no image")
    timed: list[int] = []
    monkeypatch.setattr(measure, "measure", lambda model, folders, rows, work: timed.append(len(rows)) or {})
    bench(tuned, str(photos))
    assert timed == [24]


def _faulty(place: Path) -> Path:
    (place / "broken").mkdir(exist_ok=True)
    (place / "broken" / "a.png").write_bytes(b"no image")
    return place / "broken"


@pytest.mark.parametrize(("kind", "to"), [("vit", "openvino"), ("vit", "onnx")])
def test_models_of_transformers_are_exported(kind: str, to: str, tmp_path: Path) -> None:
    place = getattr(tiny_images, kind)(tmp_path / kind)
    out = tune(tiny_images.job(tmp_path, model=str(place), method="adopt", labels=["red", "other", "blue"]))
    assert export(out.artifact.folder, to).manifest["parity"]["rows"] == 64


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_in_eight_bits_the_decisions_stay(runtime: str, tuned: Path, tmp_path: Path) -> None:
    artifact, engine = Artifact.open(tuned), Engine.open(tuned, "torch")
    example = example_of(engine.task, engine.net, engine.tokenizer, artifact.max_tokens)
    rows = [engine.tokenizer.row(tiny_images.picture(label, seed)) for seed in range(20) for label in ("red", "blue")]
    features = engine.encode(rows)
    samples = [collate(features, [piece], 0) for piece in range(len(features))]
    form = Form(runtime, "int8")
    forms.write(engine.net, form, tmp_path, collate(example, np.arange(8), 0), artifact.max_tokens, samples)
    other = start(Variant(tmp_path, form.manifest), artifact, engine.task)
    found = compare(engine.task, features, engine.runtime, other, 0)
    assert found.decisions == 40
    assert not found.flips
    assert 0 < found.error < 0.5 * found.scale, "in eight bits, and not far off for 16 channels"
    graph = openvino.library().Core().read_model(str(tmp_path / openvino.GRAPH)) if runtime == "openvino" else None
    assert graph is None or "FakeQuantize" in {one.get_type_name() for one in graph.get_ops()}


def test_a_wrong_export_is_stopped(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Net.at
    monkeypatch.setattr(Net, "at", lambda net, batch, kept: right(net, batch, kept).flip(-1))
    with pytest.raises(BurnishError, match="disagrees"):
        export(tuned, "onnx")
    assert most_tokens(Engine.open(tuned, "torch").net, 7) == 7
