"""Options of training: they change the run, survive a kill to the same bits, and come back from the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from burnish import job as flow
from burnish.config import Job, Tune, parse
from burnish.data.features import IGNORED
from burnish.data.load import load
from burnish.data.text import encode_words
from burnish.engine import Engine
from burnish.errors import BurnishError, InputError
from burnish.models.load import load_tokenizer, resolve
from burnish.tasks import task_named
from burnish.tasks.base import LossOptions
from burnish.training import passes as passing
from burnish.training.average import Average
from burnish.training.build import net_for
from burnish.training.evaluate import outcome
from burnish.training.passes import Passes
from tests import tiny

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("tag", {"crf": True, "average": 0.9}),
    ("tag", {"context": 8}),
    ("tag", {"r_drop": 1.0}),
    ("classify", {"average": 0.9}),
    ("classify", {"r_drop": 1.0}),
    ("tag", {"lora": {"rank": 4}, "crf": True, "average": 0.9}),
    ("classify", {"lora": {"rank": 4}}),
]


def given(job: Job, tune: dict[str, Any]) -> Job:
    """The job with options; its rows are whole files, as document context asks for."""
    dump = job.model_dump(mode="json")
    dump["data"] |= {"dev": dump["data"]["train"], "split": {"dev": 0.0}}
    dump["tune"] |= tune
    return parse(dump)


def weights(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.safetensors")}


@pytest.mark.parametrize(("name", "tune"), OPTIONS)
def test_resumed_run_reaches_the_same_bits(
    name: str, tune: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "lora" in tune:
        pytest.importorskip("peft")
    base: dict[str, Any] = {"epochs": 2, "dropout": 0.1, "tokens_per_batch": 32}
    job = given(tiny.job(tmp_path, name, checkpoint_seconds=0.0, **base), tune)
    flow.tune(job)
    plain = given(tiny.job(tmp_path, name, **base), {}).model_copy(update={"out": str(tmp_path / "plain")})
    flow.tune(plain)
    assert weights(plain.out)["model.safetensors"] != weights(job.out)["model.safetensors"]
    other = job.model_copy(update={"out": str(tmp_path / "killed")})
    tiny.tune_with_kills(other, monkeypatch, every=4)
    assert weights(other.out) == weights(job.out)


def test_crf_and_context_come_back_from_the_folder(tmp_path: Path) -> None:
    job = given(tiny.job(tmp_path, "tag", epochs=3, head_learning_rate=0.05), {"crf": True, "context": 8})
    tuned = flow.tune(job)
    engine = Engine.open(job.out)
    assert engine.task.state() == {"labels": engine.task.labels, "crf": True, "context": 8}
    crf = engine.net.extras["crf"]
    assert all(bool(p.any()) for p in crf.parameters())
    dev = load(job)["dev"]
    assert outcome(engine.task, engine.stream(dev), dev).counts.metrics() == tuned.report.after.metrics
    assert tuned.report.alone is not None
    assert engine.predict("Anna lives in Rome.")[0].words[0] == "Anna"


def test_average_is_the_mean_of_the_steps_and_gives_the_weights_back() -> None:
    class One(torch.nn.Linear):
        pass

    net = One(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(0.0)
    average = Average(net, 0.5)  # type: ignore[arg-type]
    expected = 0.0
    for step in range(1, 6):
        with torch.no_grad():
            net.weight.fill_(float(step))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.in_place():
        assert net.weight.item() == pytest.approx(expected)
    assert net.weight.item() == 5.0


@pytest.mark.parametrize(
    ("task", "tune", "word"),
    [
        ("classify", {"crf": True}, "task: tag"),
        ("tag", {"crf": True, "focal": 1.0}, "focal"),
        ("score", {"r_drop": 1.0}, "r_drop"),
        ("score", {"class_weights": "balanced"}, "a loss of its own"),
        ("score", {"focal": 2.0}, "a loss of its own"),
        ("score", {"label_smoothing": 0.1}, "a loss of its own"),
        ("tag", {"class_weights": "balanced"}, "one class a row"),
        ("tag", {"context": 8}, "splitting rows off"),
        ("tag", {"context": 8, "augment": {"casing": 0.1}}, "augmented ones"),
        ("classify", {"method": "few-shot", "tokens_per_step": 64}, "a way of its own"),
    ],
)
def test_options_that_do_not_fit_are_named(task: str, tune: dict[str, Any], word: str, tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match=word):
        tiny.job(tmp_path, task, **tune)


@pytest.mark.parametrize("tune", [{"class_weights": "balanced"}, {"label_smoothing": 0.1}, {"focal": 2.0}])
def test_several_classes_a_row_have_a_loss_of_their_own(tune: dict[str, Any], tmp_path: Path) -> None:
    dump = tiny.job(tmp_path, "classify", **tune).model_dump(mode="json")
    dump["data"]["multi_label"] = True
    with pytest.raises(BurnishError, match="each class by itself"):
        parse(dump)


def test_context_needs_documents() -> None:
    with pytest.raises(BurnishError, match="document"):
        task_named("tag").learn([{"tags": ["B-A"]}], tune=Tune(context=4))


def test_without_dev_the_average_is_what_is_saved(tmp_path: Path) -> None:
    saved = []
    for average in (0.0, 0.5):
        job = tiny.job(tmp_path, "classify", epochs=1, average=average)
        dump = job.model_dump(mode="json")
        dump["data"] |= {"test": dump["data"]["train"], "split": {"dev": 0.0}}
        dump["out"] = str(tmp_path / f"average-{average}")
        assert flow.tune(parse(dump)).report.after.split == "test"
        saved.append(weights(dump["out"])["model.safetensors"])
    assert saved[0] != saved[1]


@pytest.mark.parametrize(
    ("tune", "steps", "places"),
    [
        ({}, 999, 1),
        ({}, 1000, 2),
        ({"backward": "random"}, 1, 2),
        ({"backward": "full"}, 5000, 1),
    ],
)
def test_long_runs_learn_from_a_random_depth(tune: dict[str, Any], steps: int, places: int, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", **({"backward": "auto"} | tune))
    tokenizer = load_tokenizer(resolve(job.model))
    task = task_named("classify").learn([{"text": "a", "label": "a"}, {"text": "b", "label": "b"}], False, job.tune)
    net = net_for(job, task, tokenizer)
    passes = Passes(net, task, LossOptions(), job.tune, torch.device("cpu"), steps)
    drawn = {id(passes.draw()) for _ in range(50)}
    assert len(drawn) == places
    assert {id(None)} <= drawn <= {id(None), id(net.model.bert.encoder.layer[1])}


def test_no_row_may_be_longer_than_the_model_has_positions(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "a"}, {"text": "b", "label": "b"}]
    roberta = tmp_path / "roberta"
    wanted = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    RobertaModel(RobertaConfig(vocab_size=120, max_position_embeddings=42, **wanted)).save_pretrained(roberta)
    for model, places in ((tiny.encoder(tmp_path), 64), (roberta, 40)):  # RoBERTa's positions begin at 2
        dump = tiny.job(tmp_path, "classify").model_dump(mode="json") | {"model": str(model)}
        for more in (0, 1):
            dump["tune"]["max_tokens"] = places + more
            job = parse(dump)
            tokenizer = load_tokenizer(resolve(str(tiny.encoder(tmp_path))))
            task = task_named("classify").learn(rows, False, job.tune)
            if more:
                with pytest.raises(InputError, match=rf"tune\.max_tokens is {places + 1}, .* {places} tokens"):
                    net_for(job, task, tokenizer)
                continue
            batch = {name: torch.ones(1, places, dtype=torch.long) * 5 for name in ("input_ids", "attention_mask")}
            assert net_for(job, task, tokenizer)(batch).shape == (1, 2)


def test_the_usual_number_of_tokens_gives_way_to_the_positions_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(tiny.rows_of("classify") + "good film " * 100 + ",pos\n", encoding="utf-8")
    dump = tiny.job(tmp_path, "classify", epochs=1).model_dump(mode="json")
    del dump["tune"]["max_tokens"]
    said: list[str] = []
    tuned = flow.tune(parse(dump), say=said.append)
    assert any("positions for 64 tokens" in line for line in said)
    assert tuned.artifact.max_tokens == tuned.report.job["tune"]["max_tokens"] == 64
    assert Engine.open(tuned.artifact.folder).predict(["good film " * 100])
    assert {f.name: f.count for f in flow.check(parse(dump))}["too_long"] == 1


@pytest.mark.parametrize("tune", [{}, {"r_drop": 1.0}])
def test_a_batch_without_a_labelled_word_loses_nothing(tune: dict[str, Any], tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "tag", **tune)
    task = task_named("tag").restore({"labels": ["O", "B-A", "I-A"]})
    net = net_for(job, task, load_tokenizer(resolve(job.model)))
    batch = {name: torch.ones(2, 4, dtype=torch.long) for name in ("input_ids", "attention_mask", "shapes")}
    batch |= {"words": torch.arange(4).expand(2, 4), "labels": torch.full((2, 4), IGNORED)}
    passes = Passes(net.train(), task, LossOptions(), job.tune, torch.device("cpu"), 10)
    assert passes.backward(batch, 1.0, "fp32") == 0.0
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())


def test_a_model_from_scratch_learns_in_all_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(Passes, "draw", lambda self: seen.append(len(self._lowest)))
    monkeypatch.setattr(passing, "_LONG", 1)
    scratch = {"layers": 4, "hidden": 16, "heads": 2, "vocabulary": 100}
    for model, places in (("scratch", 1), (None, 2)):
        dump = tiny.job(tmp_path, "classify", epochs=1, backward="auto", scratch=scratch).model_dump(mode="json")
        flow.tune(parse(dump | {"model": model or dump["model"]}))
        assert set(seen) == {places}
        seen.clear()


def test_words_of_a_tokenizer_of_bytes_keep_the_space_before_them(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import AutoTokenizer

    made, place = Tokenizer(models.BPE()), tmp_path / "bytes"
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(["so Anna lives in Paris today"] * 9, trainer)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = RobertaConfig(vocab_size=400, max_position_embeddings=66, **sizes)
    RobertaModel(config).save_pretrained(place)
    made.model.save(str(place))
    job = tiny.job(tmp_path, "tag", epochs=1).model_copy(update={"model": str(place)})
    out = flow.tune(job).artifact.folder
    (_, window), *_ = encode_words(Engine.open(out).tokenizer, [["Anna", "lives", "in", "Paris"]], 32)
    plain = AutoTokenizer.from_pretrained(out)
    assert plain.convert_ids_to_tokens(window.input_ids) == ["<s>", "ĠAnna", "Ġlives", "Ġin", "ĠParis", "</s>"]
    assert window.words == [-1, 0, 1, 2, 3, -1]
    assert plain(["Anna", "lives", "in", "Paris"], is_split_into_words=True)["input_ids"] == window.input_ids
