"""A job that finds boxes from end to end: tune, save, open, evaluate, predict, resume, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import burnish
from burnish.artifact import Artifact
from burnish.config import load as load_job
from burnish.data.images import decode
from burnish.engine import Engine
from burnish.errors import BurnishError, ConfigError, InputError
from burnish.job import tune
from burnish.predicting import predict_lines
from burnish.verbs import evaluate
from tests import tiny, tiny_boxes

RECIPE = Path(__file__).parents[2] / "recipes" / "detect-bccd.yaml"


def test_tune_save_open_predict(tmp_path: Path) -> None:
    job = tiny_boxes.job(tmp_path, epochs=30, learning_rate=4e-3, head_learning_rate=4e-3)
    tuned = tune(job)
    out = Path(job.out)
    assert tuned.report.after.value >= 0.9
    assert set(tuned.report.before) == {"sliding window + ridge on colours"}
    assert set(tuned.report.after.metrics) == {"map_50", "map", "map_50 ball", "map_50 block"}
    low = tuned.report.after.intervals["map_50"].low
    assert 0.5 < low <= tuned.report.after.value + 0.02
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == 3
    assert '<rect x="' in page.split('id="hardest"')[1]
    assert json.loads((out / "burnish.json").read_text(encoding="utf-8"))["network"]["inputs"] == "image"

    engine = Engine.open(out)
    image, boxes = tiny_boxes.scene(3)
    path = tmp_path / "data" / "photos" / "03.png"
    for one in engine.predict([image, np.asarray(image), {"image": image}, str(path), path.read_bytes()]):
        assert {box.label for box in one.sure} == {"ball", "block"}
        best = {box.label: box for box in one.boxes[::-1]}
        for label, *edges in boxes:
            assert best[label].corners == pytest.approx(edges, abs=8)
    large = image.resize((960, 640))
    assert max(box.xmax for box in engine.predict(large)[0].sure) > 500, "in pixels of the image that was given"

    assert evaluate(out, job.data.train).metrics == pytest.approx(tuned.report.after.metrics)
    first = next(predict_lines(out, str(path)))
    assert set(first) == {"image", "boxes", "threshold"}
    assert len(list(predict_lines(out, job.data.train))) == 9
    assert len(list(predict_lines(out, str(path.parent)))) == 9
    for verb in ("export", "compress", "serve", "batch", "explain", "audit"):
        with pytest.raises(InputError, match=f"{verb} does not take the task detect so far"):
            Artifact.open(out).must_go_with(verb)
    with pytest.raises(InputError, match="export does not take the task detect"):
        burnish.verbs.export(out, "onnx")
    with pytest.raises(BurnishError, match="burnish's own for another task"):
        tune(tiny_boxes.job(tmp_path / "again", model=str(out)).model_copy(update={"task": "classify"}))
    again = tiny_boxes.job(tmp_path / "on", Path(job.data.train), str(out), epochs=1)
    assert tune(again).report.labels == ("ball", "block")


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_boxes.table(tmp_path / "data")
    options = {"epochs": 3, "vary": "flip", "checkpoint_seconds": 0.0}
    tune(tiny_boxes.job(tmp_path / "a", data, **options))
    tiny.tune_with_kills(tiny_boxes.job(tmp_path / "b", data, **options), monkeypatch, every=4)
    first, second = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("kind", "rate", "epochs"), [("detr", 3e-3, 100), ("yolos", 4e-3, 150)])
def test_a_folder_of_transformers_learns_and_stays_one(tmp_path: Path, kind: str, rate: float, epochs: int) -> None:
    """One thing an image: from random weights such networks take hundreds of epochs to tell several apart."""
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    model = getattr(tiny_boxes, kind)(tmp_path / "model")
    data = tiny_boxes.table(tmp_path / "data", things=1)
    rates = {"learning_rate": rate, "head_learning_rate": rate, "tokens_per_batch": 120}
    tuned = tune(tiny_boxes.job(tmp_path, data, str(model), epochs=epochs, **rates))
    assert tuned.report.after.value >= 0.9
    out = tmp_path / "out"
    plain, processor = AutoModelForObjectDetection.from_pretrained(out), AutoImageProcessor.from_pretrained(out)
    assert plain.config.id2label == {0: "ball", 1: "block"}
    image = decode(tmp_path / "data" / "photos" / "05.png")
    with torch.inference_mode():
        said = plain.eval()(**processor(images=[image], return_tensors="pt"))
    (found,) = processor.post_process_object_detection(said, 0.05, [image.size[::-1]])
    order = found["scores"].argsort(descending=True)
    (own,) = Engine.open(out).predict(image)
    assert [box.score for box in own.boxes] == pytest.approx(found["scores"][order].tolist(), abs=1e-4)
    edges = found["boxes"][order].clamp(torch.zeros(4), torch.tensor([96.0, 64.0, 96.0, 64.0]))
    assert np.array([box.corners for box in own.boxes]) == pytest.approx(edges.numpy(), abs=0.05)


def test_what_does_not_go(tmp_path: Path) -> None:
    job = tiny_boxes.job(tmp_path)
    with pytest.raises(ConfigError, match="task: detect has a loss of its own"):
        tiny_boxes.job(tmp_path, label_smoothing=0.1)
    with pytest.raises(InputError, match=r"tune\.scratch\.layers: a network for boxes has at least 3"):
        tune(tiny_boxes.job(tmp_path, scratch={"layers": 2, "hidden": 16}))
    from tests import tiny_images

    with pytest.raises(InputError, match="'vit' is none of the architectures that find boxes"):
        tune(tiny_boxes.job(tmp_path, model=str(tiny_images.vit(tmp_path / "vit"))))
    assert job.task == "detect"


def test_the_recipe_is_a_job() -> None:
    job = load_job(RECIPE)
    assert (job.task, job.model, job.tune.vary) == ("detect", "scratch", "flip")
    assert job.data.dev is None, "what is chosen is chosen on rows of the training list"
