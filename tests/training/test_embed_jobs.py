"""Jobs of `embed`: two texts, a title and a picture, and what does not go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

import burnish
from burnish import job as flow
from burnish.config import Job, parse
from burnish.data.load import load
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.errors import ConfigError, InputError
from burnish.models.pooling import declared
from burnish.predicting import predict_lines
from burnish.training import build
from burnish.training.fit import identity
from tests import tiny, tiny_images, tiny_sounds


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> flow.Tuned:
    return flow.tune(tiny.job(tmp_path_factory.mktemp("texts"), "embed", epochs=6))


def two_kinds(place: Path) -> Job:
    """Titles that name a colour, and pictures of it, each with a number in its title and a size of its own."""
    (place / "images").mkdir()
    lines = []
    for index in range(24):
        colour = tiny_images.LABELS[index % 2]
        tiny_images.picture(colour, index).save(place / "images" / f"{index}.png")
        lines.append(f"the film was {'good' if colour == 'red' else 'bad'} {index},images/{index}.png\n")
    (place / "rows.csv").write_text("title,photo\n" + "".join(lines), encoding="utf-8")
    tune = {"epochs": 3, "learning_rate": 1e-3, "max_tokens": 32, "tokens_per_batch": 64, "precision": "fp32"}
    own = {"tune": {"scratch": {"layers": 2, "hidden": 16}, "learning_rate": 3e-3, "layer_decay": 1.0}}
    columns = {"text": "title", "image": "photo"}
    data = {"train": str(place / "rows.csv"), "columns": columns, "split": {"dev": 0.3, "by": "random"}}
    document = {"task": "embed", "model": str(tiny.encoder(place)), "out": str(place / "out"), "data": data}
    return parse({**document, "tune": tune, "parts": {"image": own}, "report": {"bootstrap": 20, "hardest": 3}})


def test_it_learns_and_what_stands_beside_is_named(texts: flow.Tuned) -> None:
    report = texts.report
    assert set(report.before) == {"BM25", report.base_model + ", untuned"}
    assert report.curve.evaluations[0][0] == 0  # the start counts, too
    assert report.curve.losses[-1][1] < report.curve.losses[0][1]
    reached = max(value for _, value in report.curve.evaluations)
    assert reached == pytest.approx(report.after.metrics["mrr"], abs=0.02)  # measured in another precision at most
    assert report.comparison is not None
    assert report.comparison.first in report.before
    page = (texts.artifact.folder / "report.html").read_text(encoding="utf-8")
    assert "distinct second sides" in page
    assert "sentence-transformers" in (texts.artifact.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_vectors_have_length_one_and_the_folder_says_how_others_come_by_them(texts: flow.Tuned) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder, given = texts.artifact.folder, ["anna lives in rome", "the film of paris was very good"]
    said = np.array([one.embedding for one in Engine.open(folder).predict(given)])
    np.testing.assert_allclose(np.linalg.norm(said, axis=1), 1, rtol=1e-6)

    modules = json.loads((folder / "modules.json").read_text())
    assert [one["path"] for one in modules][:3] == ["", "1_Pooling", "2_Dense"]
    batch = AutoTokenizer.from_pretrained(folder)(given, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    dense = load_file(folder / "2_Dense" / "model.safetensors")
    mean = (states * mask).sum(1) / mask.sum(1)
    plain = torch.nn.functional.normalize(mean @ dense["linear.weight"].T + dense["linear.bias"], dim=-1)
    np.testing.assert_allclose(said, plain.numpy(), atol=1e-5)


def test_a_job_that_goes_on_from_it_begins_with_its_vectors(texts: flow.Tuned, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "embed").model_copy(update={"model": str(texts.artifact.folder)})
    rows = load(job)["train"]
    tokenizer = build.tokenizer_for(job, rows)
    task = build.task_for(job, rows)
    net = build.net_for(job, task, tokenizer)
    begun = Engine(Eager(net), task, tokenizer, job.tune.max_tokens).predict(["anna lives in rome"])
    went = Engine.open(texts.artifact.folder).predict(["anna lives in rome"])
    np.testing.assert_allclose(begun[0].embedding, went[0].embedding, atol=1e-5)


def test_an_encoder_at_rest_is_read_once(tmp_path: Path) -> None:
    report = flow.tune(tiny.job(tmp_path, "embed", freeze="head", epochs=12, head_learning_rate=1e-2)).report
    assert report.trained_parameters < report.parameters / 10
    assert report.curve.losses[-1][1] < report.curve.losses[0][1]


def test_it_is_searched_with_and_written_out(texts: flow.Tuned, tmp_path: Path) -> None:
    engine = Engine.open(texts.artifact.folder)
    candidates = ["the film of rome", "ben works at acme", "anna lives in rome"]
    ((best, second),) = burnish.rank(engine, ["anna lives in rome"], candidates, top=2)
    assert (best.place, best.similarity) == (2, pytest.approx(1, abs=1e-5))
    assert best.similarity > second.similarity
    held = np.array([one.embedding for one in engine.predict(candidates)])
    assert burnish.rank(engine, ["anna lives in rome"], held, top=2)[0][0].place == 2
    with pytest.raises(InputError, match="no candidates"):
        burnish.rank(engine, ["x"], [])

    (tmp_path / "lines.txt").write_text("anna lives in rome\nanna lives\tin rome\n", encoding="utf-8")
    one, two = predict_lines(texts.artifact.folder, str(tmp_path / "lines.txt"))
    assert len(one["embedding"]) == 32
    assert set(two) == {"text", "text_b", "similarity", "probability"}
    from burnish.batch import batch

    (tmp_path / "answers.csv").write_text("text_b,n\nthe film of rome,1\n,2\n", encoding="utf-8")
    done = batch(texts.artifact.folder, tmp_path / "answers.csv", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (done.columns, done.empty) == (("embedding",), 1)
    np.testing.assert_allclose(rows[0]["embedding"], held[0], atol=1e-5)
    assert rows[1]["embedding"] is None


def test_a_killed_run_goes_on_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = flow.tune(tiny.job(tmp_path, "embed", checkpoint_seconds=0.0))
    job = tiny.job(tmp_path, "embed", checkpoint_seconds=0.0).model_copy(update={"out": str(tmp_path / "cut")})
    cut = tiny.tune_with_kills(job, monkeypatch, every=2)
    for name in ("model.safetensors", "burnish.safetensors"):
        first, second = (load_file(one.artifact.folder / name) for one in (whole, cut))
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert "scale.log" not in first


def test_a_title_and_a_picture(tmp_path: Path) -> None:
    tuned = flow.tune(two_kinds(tmp_path))
    folder = tuned.artifact.folder
    assert tuned.report.inputs == "text+image"
    assert next(iter(tuned.report.before)).startswith("ridge regression to coarse pixels")
    assert tuned.report.curve.losses[-1][1] < tuned.report.curve.losses[0][1]
    engine, picture = Engine.open(folder), str(tmp_path / "images" / "0.png")
    text, image, both = engine.predict([{"text": "good"}, {"image": picture}, {"text": "good", "image": picture}])
    assert both.similarity == pytest.approx(float(np.dot(text.embedding, image.embedding)), abs=1e-5)
    assert 0 < both.probability < 1
    alone = {kind: Engine.open(folder / kind) for kind in ("text", "image")}  # each is a model of its own
    np.testing.assert_allclose(alone["text"].predict(["good"])[0].embedding, text.embedding, atol=1e-5)
    np.testing.assert_allclose(alone["image"].predict(picture)[0].embedding, image.embedding, atol=1e-5)
    found = burnish.evaluate(folder, str(tmp_path / "rows.csv"))
    assert found.rows == 24
    with pytest.raises(InputError, match="one side"):
        burnish.evaluate(folder / "text", str(tmp_path / "rows.csv"))
    with pytest.raises(InputError, match="models of one kind of input"):
        burnish.artifact.Artifact.open(folder).must_go_with("serve")


def test_a_picture_and_a_sound(tmp_path: Path) -> None:
    for index in range(16):
        tiny_images.picture(tiny_images.LABELS[index % 2], index).save(tmp_path / f"{index}.png")
        soundfile.write(tmp_path / f"{index}.wav", tiny_sounds.tone(tiny_sounds.LABELS[index % 2], index), 8000)
    (tmp_path / "lost.png").write_bytes(b"")
    names = [*(str(index) for index in range(16)), "lost"]
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{name}.png,{name}.wav\n" for name in names))
    own = {"tune": {"scratch": {"layers": 2, "hidden": 16}}}
    data = {"train": str(tmp_path / "rows.csv"), "columns": {"image": "a", "audio": "b"}}
    document = {"task": "embed", "out": str(tmp_path / "out"), "data": {**data, "split": {"dev": 0.3, "by": "random"}}}
    tune = {"epochs": 2, "tokens_per_batch": 64, "precision": "fp32"}
    tuned = flow.tune(parse({**document, "tune": tune, "parts": {"image": own, "audio": own}}))
    assert sum(tuned.report.rows.values()) == 16  # without the row whose files are not there
    assert any(one.name == "broken_files" and one.verdict == "warn" for one in tuned.report.findings)
    (said,) = Engine.open(tuned.artifact.folder).predict([{"audio": str(tmp_path / "3.wav")}])
    assert np.linalg.norm(said.embedding) == pytest.approx(1, abs=1e-5)


def test_what_does_not_go_says_the_way_out(texts: flow.Tuned, tmp_path: Path) -> None:
    for verb in ("compress", "explain", "audit", "a guard"):
        with pytest.raises(InputError, match="does not take the task embed"):
            texts.artifact.must_go_with(verb)
    base = tiny.job(tmp_path, "embed").model_dump()
    for change, said in (
        ({"tune": {"label_smoothing": 0.1}}, "loss of its own"),
        ({"tune": {"pooling": "cls"}}, "text vectors"),
        ({"compress": {}}, "burnish export"),
        ({"data": base["data"] | {"columns": {"text": "a", "text_b": "b", "image": "c"}}}, "two kinds of input"),
        ({"data": base["data"] | {"columns": {"text": "a", "number": ["b"]}}}, "two of text, image and audio"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse({**base, **change})
    one = parse({**base, "data": base["data"] | {"columns": {"text": "text"}}})
    with pytest.raises(InputError, match="two sides"):
        flow.tune(one)


@pytest.mark.parametrize("said", ["[]", "null", '"cls"', "{", '{"pooling_mode": ["cls", "mean"]}', "{}"])
def test_what_is_no_word_of_the_first_token_means_the_mean(said: str, tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(said, encoding="utf-8")
    assert declared(str(tmp_path)) == "mean"


def test_a_hub_that_cannot_be_asked_is_told_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: Any, **more: Any) -> str:
        raise OSError

    monkeypatch.setattr("transformers.utils.hub.cached_file", away)
    assert declared("someone/encoder") == "mean"
    assert "someone/encoder" in caplog.text


def test_a_model_keeps_its_vectors_whatever_its_base_says_by_now(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    before = identity(job, {})
    task, tokenizer = build.task_for(job, load(job)["train"]), build.tokenizer_for(job, load(job)["train"])
    assert build.net_for(job, task, tokenizer).pooling == "mean"
    (Path(job.model) / "1_Pooling").mkdir()
    (Path(job.model) / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}', encoding="utf-8")
    assert build.net_for(job, task, tokenizer).pooling == "first"
    assert build.net_for(job, task, tokenizer, "mean").pooling == "mean"  # as a stand-in for a model asks
    assert identity(job, {}) != before


@pytest.mark.parametrize(
    "said",
    [
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "include_prompt": True},
        {"embedding_dimension": 32, "pooling_mode": "cls"},
    ],
)
def test_a_model_whose_vectors_are_those_of_the_first_token_keeps_to_them(said: dict[str, Any], tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    base = tiny.encoder(tmp_path)
    (base / "1_Pooling").mkdir()
    (base / "1_Pooling" / "config.json").write_text(json.dumps(said), encoding="utf-8")
    job = tiny.job(tmp_path, "embed", epochs=1).model_copy(update={"model": str(base)})
    folder, given = flow.tune(job).artifact.folder, ["anna lives in rome"]
    declared = json.loads((folder / "1_Pooling" / "config.json").read_text())
    assert declared["pooling_mode_cls_token"]
    assert not declared["pooling_mode_mean_tokens"]
    batch = AutoTokenizer.from_pretrained(folder)(given, return_tensors="pt")
    with torch.no_grad():
        first = AutoModel.from_pretrained(folder).eval()(**batch).last_hidden_state[:, 0]
    dense = load_file(folder / "2_Dense" / "model.safetensors")
    plain = torch.nn.functional.normalize(first @ dense["linear.weight"].T + dense["linear.bias"], dim=-1)
    np.testing.assert_allclose([one.embedding for one in Engine.open(folder).predict(given)], plain, atol=1e-5)

    (tmp_path / "again").mkdir()
    again = tiny.job(tmp_path / "again", "classify", epochs=1).model_copy(update={"model": str(folder)})
    classifier = flow.tune(again).artifact
    assert classifier.pooling == "first"
    assert Engine.open(classifier.folder).predict(given)[0].label in ("pos", "neg")
