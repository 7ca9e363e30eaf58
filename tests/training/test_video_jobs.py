"""A job on videos from end to end: tune, save, open, evaluate, predict, resume, go on from, explain, and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("av")

from burnish import verbs
from burnish.artifact import Artifact
from burnish.auditing import audit
from burnish.batch import batch
from burnish.config import parse
from burnish.data import corrupt, video
from burnish.engine import Engine
from burnish.errors import BurnishError, InputError
from burnish.job import check, tune
from burnish.predicting import predict_lines
from burnish.verbs import evaluate
from tests import tiny, tiny_images, tiny_videos


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of clips, one of them missing, and in `out` a model tuned on it."""
    root = tmp_path_factory.mktemp("videos")
    table = tiny_videos.table(root)
    with table.open("a", encoding="utf-8") as file:
        file.write("clips/none.mp4,red\n")
    job = tiny_videos.job(root, table, epochs=16)
    assert "warn" in {f.verdict for f in check(job) if f.name == "broken_files"}
    tuned = tune(job)
    assert tuned.report.after.value == 1.0
    assert "linear model of coarse pixels, colours and their change" in tuned.report.before
    return root


def test_what_is_saved(place: Path) -> None:
    out = place / "out"
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "report.html"} <= {
        file.name for file in out.iterdir()
    }
    assert json.loads((out / "burnish.json").read_text(encoding="utf-8"))["network"]["inputs"] == "video"
    assert (out / "report.html").read_text(encoding="utf-8").count('<img src="data:image/png;base64,') == 3
    assert "does not know this network" in (out / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_predict_and_evaluate(place: Path) -> None:
    engine = Engine.open(place / "out")
    clip, path = tiny_videos.frames("red", 500), place / "clips" / "red" / "00.mp4"
    several = [clip, path.read_bytes(), {"video": clip}, path, str(path)]
    answers = engine.predict(several)
    assert {answer.label for answer in answers} == {"red"}
    for given, answer in zip(several, answers, strict=True):
        (alone,) = engine.predict(given)
        assert alone.probabilities["red"] == pytest.approx(answer.probabilities["red"], abs=1e-5)
    assert engine.predict(np.stack([clip] * 2))[1].label == "red"
    for bad in ([7], "missing.mp4", [np.zeros((4, 4, 3), np.uint8)], [{"image": "red"}], str(place / "rows.csv")):
        with pytest.raises(BurnishError):
            engine.predict(bad)
    assert evaluate(place / "out", str(place / "rows.csv")).rows == 24
    assert evaluate(place / "out", str(place / "clips")).value == 1.0, "a folder, though it was tuned on a table"
    lines = list(predict_lines(place / "out", str(place / "rows.csv")))
    assert "none.mp4" in lines[-1]["fault"]
    assert lines[0]["label"] == "red"
    assert next(predict_lines(place / "out", str(path)))["label"] == "red"
    compared = verbs.compare(place / "out", place / "out", str(place / "clips"))
    assert compared.first_value == compared.second_value == 1.0


def test_a_batch_names_what_it_leaves_empty(place: Path, tmp_path: Path) -> None:
    data = tiny_videos.folder(tmp_path / "clips", 2)
    (data / "red" / "zz.mp4").write_bytes(b"no video")
    said: list[str] = []
    report = batch(place / "out", data, tmp_path / "out.csv", say=said.append)
    assert (report.rows, report.empty) == (5, 1)
    assert "1 without a video" in report.in_words()
    assert said == ["left empty: red/zz.mp4: it is no video in a known format"]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["video"], row["prediction"]) for row in csv.DictReader(file)]
    assert rows == [("blue/00.mp4", "blue"), ("blue/01.mp4", "blue"), ("red/00.mp4", "red"), ("red/01.mp4", "red"),
                    ("red/zz.mp4", "")]  # fmt: skip


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_other_runtimes_give_the_same(to: str, place: Path) -> None:
    pytest.importorskip("onnxruntime" if to == "onnx" else to)
    made = verbs.export(place / "out", to, str(place / "clips")).manifest["parity"]
    assert made["rows"] == 24
    assert made["error"] < 1e-4 * made["scale"]
    clips = [tiny_videos.frames(label, seed) for seed in range(3) for label in ("red", "blue")]
    found, own = (Engine.open(place / "out", which).predict(clips) for which in (to, "torch"))
    for one, other in zip(found, own, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_the_moments_that_count_are_found(place: Path) -> None:
    clip = np.full((8, 36, 48, 3), 60, np.uint8)
    clip[2:4] = tiny_videos.frames("red", 3, 2)
    for method in ("occlusion", "gradients"):
        explanation, quality, _, _ = verbs.explain_text(place / "out", clip, target="red", method=method)  # type: ignore[arg-type]
        scores = np.array(explanation.grid).ravel()
        assert scores.shape == (4,), "frames of the network"
        assert scores.argmax() == 1
        assert explanation.picture.startswith("data:image/png;base64,")
        assert quality.comprehensiveness >= quality.random - 1e-6


def test_an_audit_makes_all_frames_worse(place: Path, tmp_path: Path) -> None:
    report = audit(place / "out", str(tiny_videos.folder(tmp_path / "clips", 16)), quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    assert set(sections["robustness"].figures) == {
        f"{way}_{what}" for way in corrupt.WAYS for what in ("drop", "flips")
    }
    assert {row[0] for table in sections["slices"].tables for row in table.rows} >= {"label"}
    assert sections["security"].figures["faults"] == 0


def test_videos_are_scored_with_a_number(place: Path, tmp_path: Path) -> None:
    names = [f"clips/{label}/{seed:02}.mp4,{value}" for seed in range(12) for label, value in (("red", 7), ("blue", 2))]
    (place / "scored.csv").write_text("\n".join(["clip,kind", *names]) + "\n", encoding="utf-8")
    job = tiny_videos.job(tmp_path, place / "scored.csv", epochs=6).model_copy(update={"task": "score"})
    assert tune(job).report.after.metrics["pearson"] > 0.8


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_videos.folder(tmp_path / "data", 6)
    tune(tiny_videos.job(tmp_path / "a", data, checkpoint_seconds=0.0, epochs=2))
    tiny.tune_with_kills(tiny_videos.job(tmp_path / "b", data, checkpoint_seconds=0.0, epochs=2), monkeypatch, every=2)
    first, second = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_from_images_to_videos(place: Path, tmp_path: Path) -> None:
    images = tune(tiny_images.job(tmp_path / "first")).artifact.folder
    job = tiny_videos.job(tmp_path / "second", place / "clips", str(images), image_size=None, frames=None, epochs=3)
    tuned = tune(job)
    assert tuned.report.after.value == 1.0
    assert Engine.open(job.out).tokenizer.form == (8, 32, 32, 3)
    with pytest.raises(InputError, match="reads videos, and the rows hold images"):
        check(tiny_images.job(tmp_path / "third", tmp_path / "first" / "data", str(job.out)))


def test_a_videomae_learns_a_few_clips_by_heart(place: Path, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForVideoClassification

    model = str(tiny_videos.videomae(tmp_path / "mae"))
    options = {"learning_rate": 1e-3, "frames": None, "image_size": None, "vary": "none", "epochs": 12}
    job = tiny_videos.job(tmp_path, tiny_videos.folder(tmp_path / "data", 4), model, **options)
    tuned = tune(job)
    assert evaluate(job.out, str(tmp_path / "data")).value == 1.0
    plain = AutoModelForVideoClassification.from_pretrained(tuned.artifact.folder).eval()
    processor = AutoImageProcessor.from_pretrained(tuned.artifact.folder)
    path = tmp_path / "data" / "red" / "00.mp4"
    frames = [np.asarray(frame) for frame in video.frames(path, 4)]
    with torch.inference_mode():
        logits = plain(**processor(frames, return_tensors="pt")).logits
    (said,) = Engine.open(tuned.artifact.folder).predict(str(path))
    assert said.probabilities["red"] == pytest.approx(float(logits.softmax(-1)[0, 1]), abs=0.02)
    assert "AutoModelForVideoClassification" in Path(job.out, "MODEL_CARD.md").read_text(encoding="utf-8")


def test_videos_beside_texts(tmp_path: Path) -> None:
    lines = ["id,title,class"]
    (tmp_path / "clips").mkdir()
    for number in range(64):
        word, colour = ("good", "bad")[number % 2], ("red", "blue")[number // 2 % 2]
        tiny_videos.written(tmp_path / "clips" / f"{number}.mp4", tiny_videos.frames(colour, number, 4))
        lines.append(f"{number},a {word} one,{word} {colour}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = {"epochs": 12, "learning_rate": 1e-2, "tokens_per_batch": 64, "precision": "fp32"}
    clips = {
        **texts,
        "frames": 2,
        "image_size": 32,
        "head_learning_rate": 1e-1,
        "layer_decay": 1.0,
        "tokens_per_batch": 16,
    }
    job = parse(
        {
            "task": "classify", "model": str(tiny.encoder(tmp_path)), "out": str(tmp_path / "out"),
            "data": {
                "train": str(tmp_path / "rows.csv"), "split": {"dev": 0.25},
                "columns": {"text": "title", "video": "clips/{id}.mp4", "label": "class"},
            },
            "tune": texts, "report": {"bootstrap": 50},
            "parts": {"video": {"tune": {**clips, "scratch": {"layers": 2, "hidden": 16}}}},
        }
    )  # fmt: skip
    tuned = tune(job)
    assert tuned.artifact.inputs == "text+video"
    engine = Engine.open(tuned.artifact.folder)
    both, alone = engine.predict(
        [{"text": "a bad one", "video": tiny_videos.frames("red", 900)}, {"text": "a bad one"}]
    )
    assert both.label == "bad red"
    assert alone.label.startswith("bad")


def test_what_is_not_there_says_so(place: Path, tmp_path: Path) -> None:
    for options in ({"method": "few-shot"}, {"lora": {}}, {"augment": {"swap": 0.5}}):
        model = "minilm" if "method" in options else "scratch"
        with pytest.raises(InputError, match="for texts alone"):
            check(tiny_videos.job(tmp_path, place / "clips", model, **options))
    with pytest.raises(InputError, match="reads texts"):
        check(tiny_videos.job(tmp_path, place / "clips", str(tiny.encoder(tmp_path))))
    artifact = Artifact.open(place / "out")
    for verb in ("serve", "compress", "a guard"):
        with pytest.raises(InputError):
            artifact.must_go_with(verb)
    with pytest.raises(InputError, match="classify"):
        check(tiny_videos.job(tmp_path, place / "clips").model_copy(update={"task": "tag"}))
