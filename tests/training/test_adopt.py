"""A model that was tuned elsewhere keeps its head, and becomes a model of burnish's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from burnish import job as flow
from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.engine import Engine
from burnish.errors import ConfigError, InputError
from tests import tiny

TAGS = ("O", "I-LOC", "B-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER", "B-MISC", "I-MISC")


def elsewhere(folder: Path, kind: str, names: tuple[str, ...]) -> tuple[Path, Any, Any]:
    """A folder as transformers writes it, its model and its tokenizer."""
    import transformers

    source = tiny.encoder(folder)
    torch.manual_seed(1)
    model = getattr(transformers, f"BertFor{kind}Classification").from_pretrained(
        source, id2label=dict(enumerate(names)), label2id={name: number for number, name in enumerate(names)}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    place = folder / "elsewhere"
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place, model.eval(), tokenizer


def job_of(folder: Path, task: str, model: Path, **tune: Any) -> Job:
    job = tiny.job(folder, task, epochs=1)
    return job.model_copy(update={"model": str(model), "tune": job.tune.model_copy(update={"method": "adopt", **tune})})


def test_it_says_what_transformers_says(tmp_path: Path) -> None:
    place, model, tokenizer = elsewhere(tmp_path, "Sequence", ("pos", "neg"))
    adopted = flow.tune(job_of(tmp_path, "classify", place))
    said = Engine.open(adopted.artifact.folder).predict(["the film was good", "very bad"])
    for text, prediction in zip(["the film was good", "very bad"], said, strict=True):
        with torch.no_grad():
            expected = model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist()
        assert [prediction.probabilities[name] for name in ("pos", "neg")] == pytest.approx(expected, abs=1e-5)
    assert adopted.report.trained_parameters == 0
    page = (adopted.artifact.folder / "report.html").read_text(encoding="utf-8")
    assert "nothing was trained" in page
    assert "taken over" in (adopted.artifact.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_tags_in_the_order_of_the_head(tmp_path: Path) -> None:
    place, model, _ = elsewhere(tmp_path, "Token", TAGS)
    with torch.no_grad():
        model.classifier.bias[TAGS.index("B-MISC")] = 100.0
    model.save_pretrained(place)
    adopted = flow.tune(job_of(tmp_path, "tag", place))
    (said,) = Engine.open(adopted.artifact.folder).predict([["Anna", "lives"]])
    assert said.tags == ("B-MISC", "B-MISC")


def test_classes_can_be_named(tmp_path: Path) -> None:
    place, _, _ = elsewhere(tmp_path, "Sequence", ("LABEL_0", "LABEL_1"))  # transformers leaves such names out
    with pytest.raises(InputError, match=r"does not name its classes.*tune.labels"):
        flow.tune(job_of(tmp_path, "classify", place))
    with pytest.raises(InputError, match=r"carries the labels 'neg', and .* gives 'bad', 'pos'.*tune.labels"):
        flow.tune(job_of(tmp_path, "classify", place, labels=("bad", "pos")))
    adopted = flow.tune(job_of(tmp_path, "classify", place, labels=("neg", "pos")))
    assert list(adopted.artifact.state["labels"]) == ["neg", "pos"]


def test_what_cannot_be_taken_over(tmp_path: Path) -> None:
    encoder = tiny.encoder(tmp_path)
    with pytest.raises(InputError, match=r"weights are missing"):
        flow.tune(job_of(tmp_path, "classify", encoder, labels=("neg", "pos")))
    with pytest.raises(InputError, match=r"'twice', 'twice' are no choice"):
        flow.tune(job_of(tmp_path, "classify", encoder, labels=("twice", "twice")))
    job = tiny.job(tmp_path, "classify", epochs=1)
    flow.tune(job)
    with pytest.raises(InputError, match=r"burnish's own already"):
        flow.tune(job_of(tmp_path, "classify", Path(job.out)))
    place, _, _ = elsewhere(tmp_path, "Sequence", ("pos", "neg"))
    with pytest.raises(InputError, match=r"tune.method=adopt"):
        Artifact.open(place)


def test_the_names_go_along(tmp_path: Path) -> None:
    place, _, _ = elsewhere(tmp_path, "Sequence", ("LABEL_0", "LABEL_1"))
    adopted = flow.tune(job_of(tmp_path, "classify", place, labels=("neg", "pos")))
    config = json.loads((adopted.artifact.folder / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "neg", "1": "pos"}
    assert config["label2id"] == {"neg": 0, "pos": 1}


@pytest.mark.parametrize(
    ("task", "names", "labels", "told"),
    [
        ("classify", ("pos", "neg"), ("neg", "pos"), "names its outputs in another order, 'pos', 'neg'"),
        ("classify", ("pos", "neg"), ("neg", "pos", "other"), "size mismatch for classifier"),
        ("score", ("pos", "neg"), (), "size mismatch for classifier"),
        ("tag", ("O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "B-ORG", "I-ORG"), (), "'E-PER', 'S-PER'; only O"),
    ],
)
def test_a_head_that_does_not_fit(
    task: str, names: tuple[str, ...], labels: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    place, _, _ = elsewhere(tmp_path, "Token" if task == "tag" else "Sequence", names)
    with pytest.raises(InputError, match=told):
        flow.tune(job_of(tmp_path, task, place, labels=labels))


def test_a_head_that_begins_entities_otherwise(tmp_path: Path) -> None:
    place, model, _ = elsewhere(tmp_path, "Token", TAGS)
    with torch.no_grad():
        model.classifier.bias[TAGS.index("I-PER")] = 100.0
    model.save_pretrained(place)
    with pytest.raises(InputError, match=r"begins entities with I- \(\d+ of \d+ looked at\), as in IOB1"):
        flow.tune(job_of(tmp_path, "tag", place))


def test_options_that_add_to_a_model_are_refused(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1).model_dump()
    for tune in ({"method": "adopt", "bigrams": True}, {"method": "adopt", "pooling": "mean"}, {"labels": ["a", "b"]}):
        with pytest.raises(ConfigError, match="adopt"):
            parse({**job, "tune": {**job["tune"], **tune}})
    kept = parse({**job, "tune": {**job["tune"], "method": "adopt", "labels": [0, 1]}})
    assert kept.tune.labels == ("0", "1")


def test_a_model_with_fewer_positions_than_the_job_states_is_refused(tmp_path: Path) -> None:
    place, *_ = elsewhere(tmp_path, "Sequence", ("pos", "neg"))
    with pytest.raises(InputError, match="positions for 64 tokens"):
        flow.tune(job_of(tmp_path, "classify", place, max_tokens=65))
