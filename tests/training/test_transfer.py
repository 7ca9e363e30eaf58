"""Transfer: the encoder comes along, heads start anew, and the gain over the source's own base model is measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from burnish import job as flow
from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.engine import Engine
from burnish.errors import BurnishError, InputError
from burnish.training import transfer
from burnish.training.fit import identity
from tests import tiny

STILL = {"learning_rate": 1e-12, "head_learning_rate": 1e-12, "weight_decay": 0.0}  # weights stay where they began


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def source(folder: Path, task: str, **tune: Any) -> Job:
    job = tiny.job(folder, task, epochs=1, **tune).model_copy(update={"out": str(folder / f"source-{task}")})
    flow.tune(job)
    return job


def target(folder: Path, task: str, model: str, **tune: Any) -> Job:
    return tiny.job(folder, task, **{"epochs": 1, **tune}).model_copy(update={"model": model})


def encoder(folder: str) -> dict[str, torch.Tensor]:
    weights = load_file(Path(folder) / "model.safetensors")
    return {name: value for name, value in weights.items() if name.startswith("bert.") and "pooler" not in name}


@pytest.mark.parametrize(
    ("first", "second"),
    [("classify", "classify"), ("classify", "tag"), ("tag", "tag"), ("pair", "classify"), ("tag", "score")],
)
def test_the_encoder_comes_along_and_the_gain_is_measured(first: str, second: str, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    made = source(tmp_path / "first", first)
    job = target(tmp_path, second, made.out, **STILL)
    said: list[str] = []
    report = flow.tune(job, say=said.append).report

    before, after = encoder(made.out), encoder(job.out)
    base = load_file(Path(made.model) / "model.safetensors")
    assert set(before) == set(after)
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in after)
    assert any(not torch.allclose(after[name], base[name.removeprefix("bert.")], atol=1e-4) for name in after)

    found = report.transfer
    assert found is not None
    assert (found.source, found.task, found.base, found.missing) == (made.out, first, made.model, "")
    assert found.comparison is not None
    reached = report.before[f"from {made.model}"]
    assert found.comparison.first_value == pytest.approx(reached.metrics[found.comparison.metric])
    assert found.comparison.second_value == pytest.approx(report.after.metrics[found.comparison.metric])
    assert any("as well" in line for line in said)
    for page in ("report.html", "MODEL_CARD.md"):
        assert "The same job was also run from" in (Path(job.out) / page).read_text(encoding="utf-8")
    assert Engine.open(job.out).predict(["the film was good"])
    assert not list(tmp_path.glob(".*.work"))


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_run_from_the_base_model_is_the_job_itself(multi_label: bool, tmp_path: Path) -> None:
    """What stands in the report is what the same job with the base model as `model` reaches."""
    made = source(tmp_path, "classify")
    job = target(tmp_path, "classify", made.out)
    job = job.model_copy(update={"data": job.data.model_copy(update={"multi_label": multi_label})})
    compared = flow.tune(job).report.before[f"from {made.model}"]
    alone = flow.tune(job.model_copy(update={"model": made.model})).report.after
    assert compared.metrics == alone.metrics


def test_word_shapes_are_carried_from_tag_to_tag(tmp_path: Path) -> None:
    made = source(tmp_path, "tag", head_learning_rate=0.05)
    trained = load_file(Path(made.out) / "burnish.safetensors")["shape.weight"]
    job = target(tmp_path, "tag", made.out, **STILL)
    flow.tune(job)
    assert torch.allclose(load_file(Path(job.out) / "burnish.safetensors")["shape.weight"], trained, atol=1e-6)


def test_a_source_without_word_shapes_gives_none(tmp_path: Path) -> None:
    made = source(tmp_path, "tag", word_shape=False)
    job = target(tmp_path, "tag", made.out)
    flow.tune(job)
    assert Artifact.open(job.out).word_shape


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "burnish.safetensors"])
def test_a_damaged_artifact_is_refused(name: str, tmp_path: Path) -> None:
    made = source(tmp_path, "classify")
    path = Path(made.out) / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=name) as error:
        flow.tune(target(tmp_path, "classify", made.out))
    assert error.value.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_base_model_that_is_gone_is_said_and_the_rest_is_done(tmp_path: Path) -> None:
    made = source(tmp_path, "classify")
    job = target(tmp_path, "classify", made.out)
    shutil.rmtree(made.model)
    tuned = flow.tune(job)
    assert tuned.report.transfer is not None
    assert tuned.report.transfer.comparison is None
    assert made.model in tuned.report.transfer.missing
    assert "the gain of the transfer is unknown" in (Path(job.out) / "report.html").read_text(encoding="utf-8")


def test_paths_an_artifact_names_are_not_followed_out_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = source(tmp_path, "classify")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    artifact = Artifact.open(made.out)
    with pytest.raises(InputError, match="working directory"):
        transfer.base_job(made, artifact, "fp32", tmp_path / "base")


def test_from_scratch_is_compared_with_a_model_of_the_same_size(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", scratch={"layers": 1, "hidden": 16, "heads": 2, "vocabulary": 100})
    made = job.model_copy(update={"model": "scratch", "out": str(tmp_path / "source")})
    flow.tune(made)
    found = flow.tune(target(tmp_path, "classify", made.out)).report
    assert "from scratch" in found.before
    other = transfer.base_job(
        target(tmp_path, "classify", made.out), Artifact.open(made.out), "fp32", tmp_path / "base"
    )
    assert other.tune.scratch == made.tune.scratch
    few = flow.tune(target(tmp_path, "classify", made.out, method="few-shot")).report
    assert few.transfer is not None
    assert "from scratch" in few.transfer.missing


def test_both_runs_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(tmp_path, "classify")
    job = target(tmp_path, "classify", made.out, epochs=2, checkpoint_seconds=0.0, dropout=0.1)
    whole = flow.tune(job).report
    weights = (Path(job.out) / "model.safetensors").read_bytes()

    other = job.model_copy(update={"out": str(tmp_path / "killed")})
    report = tiny.tune_with_kills(other, monkeypatch, every=3, times=3).report
    assert (Path(other.out) / "model.safetensors").read_bytes() == weights
    assert report.before.keys() == whole.before.keys()
    assert report.before[f"from {made.model}"].metrics == whole.before[f"from {made.model}"].metrics


def test_a_source_that_was_tuned_again_starts_anew(tmp_path: Path) -> None:
    parts = flow.load_rows(tiny.job(tmp_path, "classify"))
    made = source(tmp_path, "classify")
    job = parse(target(tmp_path, "classify", made.out).model_dump())
    before = identity(job, parts)
    assert identity(job, {**parts, "dev": parts["train"]}) != before, "dev chooses the weights"
    flow.tune(made.model_copy(update={"seed": 1}))
    assert identity(job, parts) != before


def test_a_run_from_a_folder_whose_weights_changed_starts_anew(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify")
    train = flow.load_rows(job)["train"]
    before = identity(job, {"train": train})
    assert identity(job, {"train": train}) == before
    weights = tiny.encoder(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert identity(job, {"train": train}) != before


def test_a_comparison_that_diverges_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").mkdir()
    made = source(tmp_path / "first", "classify")

    def diverge(*_: Any) -> Engine:
        raise BurnishError("the loss was not finite for 20 steps")

    monkeypatch.setattr(transfer, "_tuned", diverge)
    report = flow.tune(target(tmp_path, "classify", made.out)).report
    assert report.transfer is not None
    assert "not finite" in report.transfer.missing
    assert Artifact.open(tmp_path / "out").task == "classify"
