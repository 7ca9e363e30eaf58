"""What every task has to do: tune, save, open again, predict the same, be measured, be loaded by plain transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import burnish
from burnish.config import Job
from burnish.engine import Engine
from burnish.errors import ConfigError, GateFailed
from burnish.job import tune, work_folder
from burnish.metrics import is_metric, metrics_of
from burnish.predicting import predict_lines
from burnish.tasks import TASKS
from tests import tiny, tiny_boxes, tiny_sounds

GIVEN = {
    "classify": ["the film was good", "bad"],
    "pair": [["good film", "the film was good"], ["a", "b"]],
    "score": ["the film was good", ""],
    "detect": [np.zeros((64, 96, 3), np.uint8), np.full((20, 30, 3), 128, np.uint8)],
    "embed": ["the film was good", ["anna lives in rome", "the film of rome"], ""],
    "tag": [["Anna", "lives", "in", "Rome"], "Ben works at Acme Corp.", [], ""],
    "transcribe": [(tiny_sounds.spoken(text, 3), tiny_sounds.RATE) for text in ("abc", "c", "")],
}


PREPARED = {"detect": {"preprocessor_config.json"}, "transcribe": {"preprocessor_config.json", "vocab.json"}}


def _job(place: Path, name: str) -> Job:
    if name == "detect":
        return tiny_boxes.job(place, model=str(tiny_boxes.detr(place / "model")), epochs=2)
    return tiny_sounds.transcribe_job(place, epochs=2) if name == "transcribe" else tiny.job(place, name)


@pytest.mark.parametrize("name", TASKS)
def test_task(name: str, tmp_path: Path) -> None:
    job = _job(tmp_path, name)
    tuned = tune(job)
    out = Path(job.out)

    assert not work_folder(job).exists()
    written = {"burnish.json", "config.json", "model.safetensors", "report.html", "MODEL_CARD.md"}
    assert written | PREPARED.get(name, {"tokenizer.json"}) <= {p.name for p in out.iterdir()}
    assert not list(out.rglob("*.bin")), "no pickled weights"
    assert not list(out.rglob("*.pkl"))
    manifest = json.loads((out / "burnish.json").read_text(encoding="utf-8"))
    assert manifest["metrics"] == pytest.approx(tuned.report.after.metrics)
    assert all(is_metric(one, name) for one in tuned.report.after.metrics)
    assert set(metrics_of(name)) - set(tuned.report.after.metrics) <= {"character_accuracy"}
    assert tuned.report.before, "a baseline stands beside"

    engine = Engine.open(out)
    assert engine.predict([]) == []
    first = engine.predict(GIVEN[name])
    assert len(first) == len(GIVEN[name])
    again = [engine.predict([one])[0] for one in GIVEN[name]]
    for a, b in zip(first, again, strict=True):
        # Alone and in a batch the answer is the same, up to rounding.
        said = [getattr(one, "tags", getattr(one, "label", getattr(one, "text", None))) for one in (a, b)]
        assert said[0] == said[1]
        for part in ("embedding", "similarity"):
            assert getattr(a, part, 0.0) == pytest.approx(getattr(b, part, 0.0), abs=1e-5)
        assert [one.label for one in getattr(a, "boxes", ())] == [one.label for one in getattr(b, "boxes", ())]
    measured = burnish.evaluate(out, job.data.train)
    assert measured.rows > 0
    assert set(measured.metrics) == set(tuned.report.after.metrics)
    same = burnish.compare(out, out, job.data.train)
    assert same.difference.low == same.difference.high == 0.0
    with pytest.raises(burnish.BurnishError):
        engine.predict([7])

    if name == "transcribe":
        return  # plain transformers does not know a small network; test_transcribe.py has one that it knows

    import transformers

    if name == "embed":  # its head is burnish's; test_embed.py loads it with the pooling around it
        assert transformers.AutoModel.from_pretrained(out).config.hidden_size == 32
        return
    auto = {"tag": "TokenClassification", "detect": "ObjectDetection"}.get(name, "SequenceClassification")
    plain = getattr(transformers, f"AutoModelFor{auto}").from_pretrained(out)
    assert plain.config.num_labels == len(TASKS[name].restore(manifest["state"]).labels)
    getattr(transformers, "AutoImageProcessor" if name == "detect" else "AutoTokenizer").from_pretrained(out)


def test_tags_are_legal_and_offsets_are_right_also_in_chinese(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "tag", epochs=1)
    tune(job)
    engine = Engine.open(job.out)
    for text in ["Anna lives in Paris.", "张伟住在北京，ＡＢＣ１２ 公司。", "a" * 300 + " Rome " * 100]:
        (found,) = engine.predict([text])
        assert len(found.tags) == len(found.words)
        before = "O"
        for tag in found.tags:
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag
        for entity in found.entities:
            assert text[entity.start : entity.end] == entity.text


def test_a_score_of_two_texts_depends_on_nothing_beside_them(tmp_path: Path) -> None:
    lines = [f"good film {i},the film was good today,{i % 3}" for i in range(24)]
    (tmp_path / "train.csv").write_text("text,text_b,score\n" + "\n".join(lines), encoding="utf-8")
    job = tiny.job(tmp_path, "score", epochs=1)
    tune(job)
    engine = Engine.open(job.out)
    assert engine.task.two_texts
    given = ["good film", ["good film", "very bad today"], "anna", ["anna", ""]]
    alone = [engine.predict([one])[0].value for one in given]
    assert alone[0] != pytest.approx(alone[1], abs=1e-4)
    for order in ([0, 1, 2, 3], [1, 0, 3, 2]):
        said = [one.value for one in engine.predict([given[place] for place in order])]
        assert said == pytest.approx([alone[place] for place in order], abs=1e-4)
    many = engine.predict([given[0]] * 1000 + [given[1]])  # of another chunk
    assert [many[0].value, many[-1].value] == pytest.approx(alone[:2], abs=1e-4)
    (said,) = predict_lines(job.out, "good film\tvery bad today")
    assert said["value"] == pytest.approx(alone[1], abs=1e-4)


def test_damaged_artifact_is_refused(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    tune(job)
    weights = Path(job.out) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(burnish.BurnishError, match=r"model\.safetensors"):
        Engine.open(job.out)
    weights.write_bytes(b"")
    with pytest.raises(burnish.BurnishError, match=r"model\.safetensors"):
        Engine.open(job.out)


def test_both_texts_of_a_pair_are_given_back(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "pair", epochs=1)
    tune(job)
    (tmp_path / "lines.txt").write_text("good film\tbad\ngood film\t\n", encoding="utf-8")
    (tmp_path / "rows.csv").write_text("text_a,text_b\ngood film,bad\ngood film,\n", encoding="utf-8")
    for name, nothing in (("lines.txt", ""), ("rows.csv", None)):
        first, second = predict_lines(job.out, str(tmp_path / name))
        assert (first["text"], first["text_b"]) == ("good film", "bad")
        assert second == {"text": "good film", "text_b": nothing, "fault": "no text"}
    (tmp_path / "lines.txt").write_text("good film\tbad\n" * 300 + "good film\n", encoding="utf-8")
    with pytest.raises(burnish.BurnishError, match=r"lines\.txt:line 301: pair takes two texts"):
        list(predict_lines(job.out, str(tmp_path / "lines.txt")))


def test_gates_know_which_way_a_metric_points(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "score", epochs=1)
    tune(job.model_copy(update={"gates": {"mae": 100.0}}))
    with pytest.raises(GateFailed, match=r"mae is .* at most 0"):
        tune(job.model_copy(update={"gates": {"mae": 0.0}}))
    with pytest.raises(ConfigError, match="pearson"):
        tune(job.model_copy(update={"gates": {"pearsn": 0.0}}))
