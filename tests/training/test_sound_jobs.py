"""A job on sounds from end to end: tune, save, open, evaluate, predict, resume, go on from, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file

from burnish import verbs
from burnish.config import load as load_job
from burnish.engine import Engine
from burnish.errors import BurnishError, InputError
from burnish.job import check, tune
from burnish.predicting import predict_lines
from burnish.verbs import evaluate
from tests import tiny, tiny_sounds

RECIPE = Path(__file__).parents[2] / "recipes" / "audio-fsdd.yaml"


def test_tune_save_open_predict(tmp_path: Path) -> None:
    table = tiny_sounds.table(tmp_path)
    with table.open("a", encoding="utf-8") as file:
        file.write("clips/none.wav,low\n")
    job = tiny_sounds.job(tmp_path, table)
    assert "warn" in {f.verdict for f in check(job) if f.name == "broken_files"}
    tuned = tune(job)
    out = Path(job.out)
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "report.html", "MODEL_CARD.md"} <= {
        file.name for file in out.iterdir()
    }
    assert json.loads((out / "burnish.json").read_text(encoding="utf-8"))["network"]["inputs"] == "audio"
    assert "linear model of bands of pitch and their course" in tuned.report.before
    assert tuned.report.after.value == 1.0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == 3
    assert '"path/to/a/sound.wav"' in (out / "MODEL_CARD.md").read_text(encoding="utf-8")

    engine = Engine.open(out)
    wave, path = tiny_sounds.tone("low", 500), tmp_path / "clips" / "low" / "00.wav"
    several = [(wave, tiny_sounds.RATE), {"audio": (wave, tiny_sounds.RATE)}, path, str(path), {"audio": path}]
    answers = engine.predict(several)
    assert {answer.label for answer in answers} == {"low"}
    for given, answer in zip(several, answers, strict=True):
        (alone,) = engine.predict(given)
        assert alone.probabilities["low"] == pytest.approx(answer.probabilities["low"], abs=1e-5)
    again = Engine.open(out).predict(several)
    assert [one.probabilities for one in again] == [one.probabilities for one in answers]
    soundfile.write(tmp_path / "fine.flac", tiny_sounds.tone("high", 500, 44_100), 44_100)
    assert engine.predict(str(tmp_path / "fine.flac"))[0].label == "high"
    assert engine.predict([]) == []
    for bad in ([7], wave, "missing.wav", [(wave, 3)], [{"text": "red"}], str(table)):
        with pytest.raises(BurnishError):
            engine.predict(bad)

    assert evaluate(out, str(table)).rows == 24
    assert evaluate(out, str(tmp_path / "clips")).value == 1.0, "a folder, though it was tuned on a table"
    lines = list(predict_lines(out, str(table)))
    assert "none.wav" in lines[-1]["fault"]
    assert lines[0]["label"] == "low"
    assert next(predict_lines(out, str(path)))["label"] == "low"


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_sounds.folder(tmp_path / "data")
    tune(tiny_sounds.job(tmp_path / "a", data, checkpoint_seconds=0.0))
    tiny.tune_with_kills(tiny_sounds.job(tmp_path / "b", data, checkpoint_seconds=0.0), monkeypatch, every=3)
    first, second = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_from_one_set_of_sounds_to_another(tmp_path: Path) -> None:
    tune(tiny_sounds.job(tmp_path / "first"))
    model, data = str(tmp_path / "first" / "out"), tiny_sounds.folder(tmp_path / "other", 8)
    (data / "high").rename(data / "bell")
    tuned = tune(tiny_sounds.job(tmp_path / "second", data, model, learning_rate=1e-3))
    assert tuned.report.transfer is not None
    assert tuned.report.transfer.comparison is not None, tuned.report.transfer.missing
    assert tuned.report.after.value == 1.0


@pytest.mark.parametrize("kind", ["wav2vec2", "unmasked", "hubert", "ast", "whisper"])
def test_a_model_in_the_hubs_format(kind: str, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    place = getattr(tiny_sounds, kind)(tmp_path / kind)
    tuned = tune(tiny_sounds.job(tmp_path, model=str(place), learning_rate=1e-3, epochs=1))
    plain = AutoModelForAudioClassification.from_pretrained(tuned.artifact.folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(tuned.artifact.folder)
    path = tmp_path / "data" / "low" / "00.wav"
    engine = Engine.open(tuned.artifact.folder)
    wave = engine.tokenizer.wave(str(path))
    with torch.inference_mode():
        logits = plain(**extractor(wave, sampling_rate=16_000, return_tensors="pt")).logits / engine.task.temperature
    (said,) = engine.predict(str(path))
    assert said.probabilities["low"] == pytest.approx(float(logits.softmax(-1)[0, 1]), abs=5e-3)


def test_a_head_that_was_tuned_elsewhere_is_kept(tmp_path: Path) -> None:
    place = tiny_sounds.wav2vec2(tmp_path / "w")
    job = tiny_sounds.job(tmp_path, model=str(place), method="adopt", labels=["low", "other", "high"])
    tuned = tune(job)
    assert tuned.report.trained_parameters == 0
    before, after = (load_file(folder / "model.safetensors") for folder in (place, tuned.artifact.folder))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_is_for_texts_says_so(tmp_path: Path) -> None:
    for options in ({"bigrams": True}, {"augment": {"swap": 0.5}}, {"lora": {}}):
        with pytest.raises(InputError, match="for texts alone"):
            check(tiny_sounds.job(tmp_path, **options))
    with pytest.raises(InputError, match="reads texts"):
        check(tiny_sounds.job(tmp_path, model=str(tiny.encoder(tmp_path))))
    out = tune(tiny_sounds.job(tmp_path, epochs=1)).artifact.folder
    with pytest.raises(InputError):
        verbs.explain_text(out, "x.wav")


def test_the_recipe_on_a_slice(tmp_path: Path) -> None:
    overrides = ("tune.epochs=1", "tune.scratch.hidden=16", f"out={tmp_path / 'out'}", "tune.precision=fp32")
    data = tiny_sounds.table(tmp_path, 20)
    columns = (
        "data.columns.audio=clip",
        "data.columns.label=kind",
        "data.columns.group=null",
        "data.split.by=stratify",
    )
    tuned = tune(load_job(RECIPE, (*overrides, *columns, f"data.train={data}")))
    assert set(tuned.report.rows) == {"train", "dev", "test"}
    assert 0.0 <= tuned.report.after.value <= 1.0
