"""Heads fitted at once: burnish's own before training, and the one that plain transformers looks for after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from burnish import job as flow
from burnish.data.load import load, usable
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.models.opening import start_net
from burnish.tasks import task_named
from burnish.tasks.base import LossOptions
from burnish.training.build import net_for, tokenizer_for
from burnish.training.head import _minimize, fit_head, gather, refit_head
from tests import tiny


@pytest.mark.parametrize(
    ("kind", "options", "head"),
    [
        ("classify", {"pooling": "mean"}, "extras.head"),
        ("classify", {"pooling": "cls"}, None),
        ("score", {}, "extras.head"),
        ("tag", {}, "model.classifier"),
        ("tag", {"crf": True}, "model.classifier"),
    ],
)
def test_the_head_starts_where_the_encoder_stands(
    kind: str, options: dict[str, Any], head: str | None, tmp_path: Path
) -> None:
    job = tiny.job(tmp_path, kind, **options)
    train = usable(load(job)["train"], job.task)
    tokenizer = tokenizer_for(job, train)
    task = task_named(kind).learn(train, False, job.tune)
    net = net_for(job, task, tokenizer)
    features = task.encode(train, tokenizer, job.tune.max_tokens)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rows = fit_head(net, task, features, LossOptions(), 0, "fp32")
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert rows == (len(train) if head else 0)
    assert changed == ({f"{head}.weight", f"{head}.bias"} if head else set())
    if head and kind != "score":
        answers = Engine(Eager(net), task, tokenizer, job.tune.max_tokens).stream(train)
        for answer, row in zip(answers, train, strict=True):
            assert answer.label == row["label"] if kind == "classify" else list(answer.tags) == list(row["tags"])


@pytest.mark.parametrize(("dev", "kept"), [(None, True), ((0.5, 0.5), True), ((0.5, 0.4), False)])
def test_a_head_that_dev_loses_by_is_not_kept(dev: tuple[float, float] | None, kept: bool, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify")
    train = usable(load(job)["train"], job.task)
    tokenizer = tokenizer_for(job, train)
    task = task_named("classify").learn(train, False, job.tune)
    net = net_for(job, task, tokenizer)
    features = task.encode(train, tokenizer, job.tune.max_tokens)
    before = net.get_parameter("extras.head.weight").clone()
    reached, then = dev or (None, 0.0)
    measure = (lambda precision: then) if dev else None
    given = refit_head(net, task, features, LossOptions(), 0, "fp32", measure, reached)
    assert given
    states, targets = gather(net, net.first_states, features, len(features), 0)
    assert torch.equal(given[0], states)
    assert torch.equal(given[1]["labels"], targets["labels"])
    assert torch.equal(net.get_parameter("extras.head.weight"), before) is not kept


def test_a_fit_that_does_not_stay_finite_is_undone() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    _minimize([weight], lambda: (weight * torch.nan).sum())
    assert torch.equal(weight, torch.ones(2))


def test_a_head_behind_further_layers_is_left_alone(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel, ModernBertConfig, ModernBertModel

    size: dict[str, Any] = {"vocab_size": 40, "pad_token_id": 0}
    modern = ModernBertConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, cls_token_id=1,
        sep_token_id=2, bos_token_id=1, eos_token_id=2, **size,
    )  # fmt: skip
    distil = DistilBertConfig(dim=16, hidden_dim=16, n_layers=2, n_heads=2, **size)
    ids = torch.arange(5, 17).view(2, 6)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "words": ids}
    for name, model in (("modern", ModernBertModel(modern)), ("distil", DistilBertModel(distil))):
        model.save_pretrained(tmp_path / name)
        options: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0, "pooling": "cls", "word_shape": False}
        net = start_net(str(tmp_path / name), "token", ("O", "B-X", "I-X"), **options).eval()
        assert (net.linear is None) is (name == "modern")
        if net.linear is not None:
            torch.testing.assert_close(net(batch), net.linear(net.read(batch)))


def test_plain_transformers_finds_a_fitted_head(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    job = tiny.job(tmp_path, "classify", epochs=10)
    tuned = flow.tune(job)
    assert tuned.report.alone is not None
    assert tuned.report.alone.value > 0.8
    rows = list(load(job)["train"])
    tokenizer = AutoTokenizer.from_pretrained(job.out)
    with torch.inference_mode():
        model = AutoModelForSequenceClassification.from_pretrained(job.out).eval()
        best = model(**tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")).logits.argmax(-1)
    right = [model.config.id2label[int(i)] == row["label"] for i, row in zip(best, rows, strict=True)]
    assert sum(right) > 0.9 * len(right)
