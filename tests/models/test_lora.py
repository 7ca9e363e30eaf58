"""LoRA: updates really count, little else learns, and what is saved is an ordinary folder with the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from burnish import job as flow
from burnish.engine import Engine
from burnish.errors import BurnishError, ConfigError
from burnish.models import lora
from burnish.models.bert import Bert
from burnish.models.net import Kind, Net
from burnish.models.opening import start_net
from burnish.training import checkpoint, fewshot
from tests import tiny

pytest.importorskip("peft")

LORA: dict[str, Any] = {"lora": {"rank": 4, "alpha": 8}, "learning_rate": 1e-2}


def network(folder: Path, kind: Kind = "token", own: bool = True) -> Net:
    """A small BERT: burnish's own, or transformers', by an activation that only the latter knows."""
    place = tiny.encoder(folder)
    if not own:
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        (place / "config.json").write_text(json.dumps(config | {"hidden_act": "silu"}), encoding="utf-8")
    net = start_net(
        str(place),
        kind,
        ("O", "B-X", "I-X"),
        dropout=0.0,
        attention_dropout=0.0,
        pooling="cls" if kind == "token" else "mean",
        word_shape=kind == "token",
    ).eval()
    assert isinstance(net.model, Bert) is own
    return net


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 6, 7, 8, 3], [2, 9, 10, 3, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "shapes": ids % 5, "words": ids - 6}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_updates_start_at_zero_count_when_moved_and_merge_to_the_same_logits(
    kind: Kind, own: bool, tmp_path: Path
) -> None:
    net = network(tmp_path, kind, own)
    names = set(net.state_dict())
    with torch.no_grad():
        plain = net(batch())
        lora.add(net, 4, 8.0)
        assert torch.equal(net(batch()), plain)
        for name, parameter in net.named_parameters():
            if ".lora_B" in name:
                parameter.normal_(std=0.5)
                moved = net(batch())  # every single one is on the way to the logits
                assert not torch.allclose(moved, plain, atol=1e-5), name
                plain = moved
        weights = {name: p.clone() for name, p in net.named_parameters() if name.endswith("query.base_layer.weight")}
        lora.merge(net)
        assert len(weights) == 3
        for name, before in weights.items():
            assert not torch.equal(net.get_parameter(name.replace(".base_layer", "")), before)
        assert torch.allclose(net(batch()), plain, atol=1e-4)
    assert set(net.state_dict()) == names
    assert not any("lora" in name for name, _ in net.named_modules())


def test_only_updates_head_and_extra_inputs_learn(tmp_path: Path) -> None:
    net = network(tmp_path)
    linear = sum(isinstance(m, nn.Linear) for m in net.modules()) - 1  # the head is one
    lora.add(net, 4, 8.0)
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert sum(".lora_A" in name for name in learning) == linear
    assert {name for name in learning if ".lora_" not in name} == net.head_parameters()


def test_only_layers_that_may_learn_are_adapted(tmp_path: Path) -> None:
    from burnish.models.freeze import freeze

    net = network(tmp_path)
    freeze(net, "top:1")
    lora.add(net, 4, 8.0)
    assert {int(name.split(".layer.")[1].split(".")[0]) for name, _ in net.named_parameters() if ".lora_" in name} == {
        2
    }


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_the_saved_folder_is_an_ordinary_one(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    write = checkpoint.write

    def measure(path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, Any]) -> None:
        write(path, tensors, notes)
        sizes.append(path.stat().st_size)

    monkeypatch.setattr(checkpoint, "write", measure)
    job = tiny.job(tmp_path, task, epochs=3, **LORA)
    report = flow.tune(job).report
    tensors = load_file(Path(job.out) / "model.safetensors")
    for name, start in load_file(Path(job.model) / "model.safetensors").items():
        if ".layer." in name:  # linear layers moved, norms and biases did not
            moved = name.endswith("weight") and "LayerNorm" not in name
            assert torch.equal(tensors[f"bert.{name}"], start) is not moved, name
    names = set(tensors)
    adapted = max(sizes)
    sizes.clear()
    plain = tiny.job(tmp_path, task, epochs=1).model_copy(update={"out": str(tmp_path / "plain")})
    full = flow.tune(plain).report
    assert names == set(load_file(Path(plain.out) / "model.safetensors"))
    assert report.trained_parameters < full.trained_parameters
    assert adapted < max(sizes)
    rows = ["anna lives in paris", "the film was bad"]
    assert len(Engine.open(job.out).predict(rows)) == 2
    if task == "tag":  # the head of `classify` begins where it fits
        assert report.curve.losses[-1][1] < report.curve.losses[0][1]


def test_few_shot_tuning_keeps_half_of_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights it keeps are the middle between the first and the tuned ones, also where an update has moved them."""
    name, found = "bert.encoder.layer.1.output.dense.weight", []
    for share in (0.0, 0.5):
        monkeypatch.setattr(fewshot, "_BACK", share)
        job = tiny.job(tmp_path, "classify", method="few-shot", epochs=2, **LORA)
        split = job.data.split.model_copy(update={"dev": 0.0})
        flow.tune(job.model_copy(update={"data": job.data.model_copy(update={"split": split})}))
        found.append(load_file(Path(job.out) / "model.safetensors")[name])
    first = load_file(Path(job.model) / "model.safetensors")[name.removeprefix("bert.")]
    assert not torch.allclose(found[0], first, atol=1e-3)
    assert torch.allclose(found[1], (first + found[0]) / 2, atol=1e-6)


def test_head_alone_and_lora_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tune\.lora"):
        tiny.job(tmp_path, "classify", freeze="head", lora={})


def test_a_missing_peft_names_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BurnishError, match=r"pip install 'burnish\[lora\]'"):
        lora.add(network(tmp_path), 4, 8.0)
