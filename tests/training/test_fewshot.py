"""Few-shot tuning: its loss and batches, the head it fits, and that it resumes to the same bits and serves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from burnish import job as flow
from burnish.config import load, parse
from burnish.data.features import Features, Ragged
from burnish.engine import Engine
from burnish.errors import ConfigError
from burnish.training import fewshot
from tests import tiny

ROOT = Path(__file__).parents[2]


def files(folder: str) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in Path(folder).glob("*.safetensors")}


def features(labels: list[int], length: int = 5) -> Features:
    return Features({"input_ids": Ragged.build([[1] * length] * len(labels))}, {"labels": np.array(labels)})


def test_contrast_is_the_mean_surprise_over_partners() -> None:
    torch.manual_seed(0)
    vectors, labels = torch.randn(7, 4), [0, 0, 1, 1, 1, 2, 0]
    unit = [v / v.norm() for v in vectors]
    losses = []
    for i, label in enumerate(labels):
        others = [j for j in range(7) if j != i]
        total = sum(float(torch.exp(unit[i] @ unit[j] / 0.1)) for j in others)
        partners = [j for j in others if labels[j] == label]
        if partners:
            losses.append(np.mean([-np.log(float(torch.exp(unit[i] @ unit[j] / 0.1)) / total) for j in partners]))
    found = fewshot.contrast(vectors, torch.tensor(labels), 0.1).item()
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_contrast_without_a_pair_is_zero_and_has_a_gradient() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = fewshot.contrast(vectors, torch.tensor([0, 1, 2]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert vectors.grad is not None
    assert bool(torch.isfinite(vectors.grad).all())


@pytest.mark.parametrize("counts", [(8,) * 20, (3, 1, 200, 2)])
def test_an_epoch_holds_every_row_once_in_bounded_batches(counts: tuple[int, ...]) -> None:
    given = features([label for label, count in enumerate(counts) for _ in range(count)])
    batches = list(fewshot.balanced(given, 10_000, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches)) == list(range(sum(counts)))
    assert max(map(len, batches)) <= 64
    labels = given.targets["labels"]
    alone = sum(int((labels[batch] == labels[row]).sum() == 1) for batch in batches for row in batch)
    assert alone == counts.count(1)


def test_long_rows_make_small_batches() -> None:
    batches = list(fewshot.balanced(features([0, 1] * 8, length=100), 500, np.random.default_rng(0)))
    assert max(map(len, batches)) == 4  # the fifth row would go with its partner past 500


def test_names_of_classes_become_rows_unless_they_are_signs() -> None:
    found = fewshot.names(["card_arrival", "1", "A", "体育", "pos"])
    assert [row["text"] for row in found] == ["card arrival", "体育", "pos"]
    assert found[0]["label"] == "card_arrival"


@pytest.mark.parametrize("dev", [0.0, 0.25])
def test_resumed_run_reaches_the_same_bits_and_serves(
    dev: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job(tmp_path, "classify", method="few-shot", epochs=4, checkpoint_seconds=0.0, dropout=0.1)
    split = job.data.split.model_copy(update={"dev": dev})
    job = job.model_copy(update={"data": job.data.model_copy(update={"split": split})})
    tuned = flow.tune(job)
    other = job.model_copy(update={"out": str(tmp_path / "killed")})
    tiny.tune_with_kills(other, monkeypatch, every=2)
    assert files(other.out) == files(job.out)

    assert tuned.report.after.metrics["accuracy"] > 0.9
    good, bad = Engine.open(job.out).predict(["good film today", "the film was bad"])
    assert (good.label, bad.label) == ("pos", "neg")
    assert sum(good.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_out_of_memory_makes_smaller_contrasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", method="few-shot", epochs=1)
    sizes: list[int] = []
    refused: list[int] = []
    contrast = fewshot.contrast

    def small(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if len(vectors) > 20:
            refused.append(len(vectors))
            raise torch.OutOfMemoryError("not enough memory")
        sizes.append(len(vectors))
        return contrast(vectors, labels)

    monkeypatch.setattr(fewshot, "contrast", small)
    flow.tune(job)
    assert refused
    assert sizes


def test_a_step_of_several_passes_learns_above_the_drawn_layer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    gradients = fewshot.FewShot._gradients

    def watched(self: fewshot.FewShot, step: list[Any]) -> tuple[float, int, int]:
        lowest = self.net.model.bert.encoder.layer[1]
        monkeypatch.setattr(self.passes, "draw", lambda: lowest)
        found = gradients(self, step)
        seen.append({name for name, p in self.net.named_parameters() if p.grad is not None and p.grad.any()})
        return found

    monkeypatch.setattr(fewshot.FewShot, "_gradients", watched)
    flow.tune(tiny.job(tmp_path, "classify", method="few-shot", epochs=1, tokens_per_batch=64))
    assert seen
    assert all(".layer.1." in name or ".layer.2." in name for names in seen for name in names)
    assert all(seen)


def test_the_result_lies_halfway_to_the_first_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", method="few-shot", epochs=2)
    split = job.data.split.model_copy(update={"dev": 0.0})
    job = job.model_copy(update={"data": job.data.model_copy(update={"split": split})})
    flow.tune(job)
    half = load_file(f"{job.out}/model.safetensors")
    monkeypatch.setattr(fewshot, "_BACK", 0.0)
    flow.tune(job)
    whole = load_file(f"{job.out}/model.safetensors")
    first = load_file(f"{job.model}/model.safetensors")
    for name in ("encoder.layer.1.output.dense.weight", "encoder.layer.0.attention.self.query.bias"):
        moved = whole[f"bert.{name}"] - first[name]
        assert moved.abs().max() > 0
        assert torch.allclose(half[f"bert.{name}"] - first[name], moved / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("task", "data", "tune"),
    [
        ("tag", {}, {}),
        ("classify", {"multi_label": True}, {}),
        ("classify", {}, {"freeze": "head"}),
        ("classify", {}, {"freeze": "top:0"}),
        ("classify", {}, {"r_drop": 1.0}),
        ("classify", {}, {"tokens_per_step": 4096}),
        ("classify", {}, {"pooling": "cls"}),
        ("classify", {}, {"model": "scratch"}),
    ],
)
def test_what_does_not_fit_is_refused(task: str, data: dict[str, Any], tune: dict[str, Any]) -> None:
    model = tune.pop("model", "minilm")
    with pytest.raises(ConfigError, match="few-shot"):
        parse(
            {"task": task, "model": model, "data": {"train": "x.csv", **data}, "tune": {"method": "few-shot", **tune}}
        )


def test_the_method_brings_its_defaults_and_a_job_may_change_them() -> None:
    recipe = load(ROOT / "recipes" / "few-shot.yaml")
    assert recipe.tune.epochs > 3
    assert load(ROOT / "recipes" / "few-shot.yaml", ("tune.epochs=5",)).tune.epochs == 5
    assert parse(recipe.model_dump(mode="json")) == recipe
