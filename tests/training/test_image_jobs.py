"""A job on images from end to end: tune, save, open, evaluate, predict, resume, go on from, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from burnish.artifact import Artifact
from burnish.config import load as load_job
from burnish.engine import Engine
from burnish.errors import BurnishError, InputError
from burnish.job import check, tune
from burnish.predicting import predict_lines
from burnish.verbs import evaluate
from tests import tiny, tiny_images

RECIPE = Path(__file__).parents[2] / "recipes" / "image-cifar10.yaml"


def test_tune_save_open_predict(tmp_path: Path) -> None:
    table = tiny_images.table(tmp_path)
    with table.open("a", encoding="utf-8") as file:
        file.write("photos/none.png,red\n")
    job = tiny_images.job(tmp_path, table)
    assert "warn" in {f.verdict for f in check(job) if f.name == "broken_files"}
    tuned = tune(job)
    out = Path(job.out)
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "report.html", "MODEL_CARD.md"} <= {
        file.name for file in out.iterdir()
    }
    assert json.loads((out / "burnish.json").read_text(encoding="utf-8"))["network"]["inputs"] == "image"
    assert str(tmp_path) not in (out / "MODEL_CARD.md").read_text(encoding="utf-8").replace(str(table), "")
    assert "linear model of coarse pixels and colours" in tuned.report.before
    assert tuned.report.after.value == 1.0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == 3
    assert "red/" in page

    engine = Engine.open(out)
    image = tiny_images.picture("red", 500)
    path = tmp_path / "photos" / "red" / "00.png"
    several = [image, np.asarray(image), {"image": image}, path, str(path)]
    answers = engine.predict(several)
    assert {answer.label for answer in answers} == {"red"}
    for given, answer in zip(several, answers, strict=True):
        (alone,) = engine.predict(given)
        assert alone.probabilities["red"] == pytest.approx(answer.probabilities["red"], abs=1e-5)
    assert engine.predict(np.stack([np.asarray(image)] * 2))[1].label == "red"
    assert engine.predict([]) == []
    for bad in ([7], "missing.png", [np.zeros((4, 4, 3))], [{"text": "red"}], str(table)):
        with pytest.raises(BurnishError):
            engine.predict(bad)

    assert evaluate(out, str(table)).rows == 24
    assert evaluate(out, str(tmp_path / "photos")).value == 1.0, "a folder, though it was tuned on a table"
    lines = list(predict_lines(out, str(table)))
    assert "none.png" in lines[-1]["fault"]
    assert lines[0]["label"] == "red"
    assert len(list(predict_lines(out, str(tmp_path / "photos")))) == 24
    assert next(predict_lines(out, str(path)))["label"] == "red"


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_images.folder(tmp_path / "data")
    tune(tiny_images.job(tmp_path / "a", data, checkpoint_seconds=0.0))
    tiny.tune_with_kills(tiny_images.job(tmp_path / "b", data, checkpoint_seconds=0.0), monkeypatch, every=3)
    first, second = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_from_one_set_of_images_to_another_of_another_size(tmp_path: Path) -> None:
    tune(tiny_images.job(tmp_path / "first"))
    larger = tmp_path / "larger"
    for label in ("dark", "light"):
        (larger / label).mkdir(parents=True)
        for seed in range(8):
            noise = np.random.default_rng(seed).integers(0, 90, (60, 60, 3)) + 150 * (label == "light")
            Image.fromarray(noise.astype(np.uint8)).save(larger / label / f"{seed}.png")
    model = str(tmp_path / "first" / "out")
    tuned = tune(tiny_images.job(tmp_path / "second", larger, model, learning_rate=1e-3))
    assert tuned.report.transfer is not None
    assert tuned.report.transfer.comparison is not None, tuned.report.transfer.missing
    assert tuned.report.after.value == 1.0
    assert Engine.open(tuned.artifact.folder).tokenizer.shape == (64, 64)


@pytest.mark.parametrize("kind", ["vit", "mobilevit"])
def test_a_model_in_the_hubs_format(kind: str, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    place = getattr(tiny_images, kind)(tmp_path / kind)
    tuned = tune(tiny_images.job(tmp_path, model=str(place), learning_rate=1e-3))
    plain = AutoModelForImageClassification.from_pretrained(tuned.artifact.folder).eval()
    processor = AutoImageProcessor.from_pretrained(tuned.artifact.folder)
    path = tmp_path / "data" / "red" / "00.png"
    with torch.inference_mode():
        logits = plain(**processor(Image.open(path), return_tensors="pt")).logits
    (said,) = Engine.open(tuned.artifact.folder).predict(str(path))
    assert said.probabilities["red"] == pytest.approx(float(logits.softmax(-1)[0, 1]), abs=0.02)


def test_a_head_that_was_tuned_elsewhere_is_kept(tmp_path: Path) -> None:
    place = tiny_images.vit(tmp_path / "vit")
    job = tiny_images.job(tmp_path, model=str(place), method="adopt", labels=["red", "other", "blue"])
    tuned = tune(job)
    assert tuned.report.trained_parameters == 0
    before, after = (load_file(folder / "model.safetensors") for folder in (place, tuned.artifact.folder))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_is_for_texts_says_so(tmp_path: Path) -> None:
    job = tiny_images.job(tmp_path)
    for options in ({"method": "few-shot"}, {"bigrams": True}, {"augment": {"swap": 0.5}}, {"lora": {}}):
        with pytest.raises(InputError, match="for texts alone"):
            check(tiny_images.job(tmp_path, model="scratch" if "method" not in options else "minilm", **options))
    with pytest.raises(InputError, match="reads texts"):
        check(tiny_images.job(tmp_path, model=str(tiny.encoder(tmp_path))))
    out = tune(tiny_images.job(tmp_path, epochs=1)).artifact.folder
    artifact = Artifact.open(out)
    with pytest.raises(InputError, match="a guard works on models of texts"):
        artifact.must_go_with("a guard")
    network = {**artifact.manifest["network"], "inputs": "smell"}
    with pytest.raises(InputError, match="reads smells"):
        Artifact(out, {**artifact.manifest, "network": network}).must_go_with("export")
    assert job.task == "classify"


def test_the_recipe_on_a_slice(tmp_path: Path) -> None:
    overrides = ("tune.epochs=2", "tune.scratch.hidden=16", f"out={tmp_path / 'out'}", "tune.precision=fp32")
    job = load_job(RECIPE, (*overrides, f"data.train={tiny_images.folder(tmp_path / 'data', 20)}"))
    tuned = tune(job)
    assert set(tuned.report.rows) == {"train", "dev", "test"}
    assert 0.0 <= tuned.report.after.value <= 1.0


def test_images_are_scored_with_a_number(tmp_path: Path) -> None:
    source = tiny_images.table(tmp_path / "data", 24)
    written = source.read_text(encoding="utf-8")
    source.write_text(written.replace(",red\n", ",7.5\n").replace(",blue\n", ",2.5\n"), encoding="utf-8")
    job = tiny_images.job(tmp_path, source, epochs=6).model_copy(update={"task": "score"})
    tuned = tune(job)
    assert tuned.report.after.metrics["pearson"] > 0.8
    assert "linear model of coarse pixels and colours" in tuned.report.before
    red, blue = Engine.open(job.out).predict([tiny_images.picture("red", 99), tiny_images.picture("blue", 99)])
    assert red.value > 5 > blue.value
    Artifact.open(job.out).must_go_with("explain")
