"""`guard init` on a tiny encoder: the whole flow, a second call, and a call that was cut off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from burnish import guarding
from burnish.artifact import Artifact
from burnish.cli import app
from burnish.engine import Engine
from burnish.errors import InputError
from tests import tiny

SHARE = 0.02
QUICK = {"epochs": 1, "max_tokens": 48, "freeze": "none", "precision": "fp32"}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of one epoch on short rows."""
    quick = {
        name: replace(
            recipe, tune={**recipe.tune, "epochs": 1, "max_tokens": 48, "freeze": "none", "precision": "fp32"}
        )
        for name, recipe in guarding.RECIPES.items()
    }
    monkeypatch.setattr(guarding, "RECIPES", quick)


def test_init_writes_a_policy_and_measured_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, said = tmp_path / "guard", []
    made = guarding.init(folder, base=str(tiny.encoder(tmp_path)), share=SHARE, say=said.append)
    assert [one.name for one in made] == ["injection", "harmful", "harm", "personal", "injection-zh"]
    assert any("harm-zh: no rows" in line for line in said)
    checks = yaml.safe_load((folder / "policy.yaml").read_text(encoding="utf-8"))["checks"]
    assert [check["check"] for check in checks] == [
        "secrets", *["injection"] * 3, "harm", "harm", "personal", *["injection"] * 3,
    ]  # fmt: skip
    for check in checks[1:]:
        artifact = Artifact.open(folder / check["model"])  # also verifies every checksum
        card = (artifact.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        assert "## As a guard" in card
        assert "false positives" in card
        assert ("| neither: counter |" in card) == (check["check"] == "harm")
        if "label" in check:
            assert set(check["label"]) <= set(artifact.state["labels"])
            assert 0 < check["threshold"] < 1
    assert not list(folder.rglob(".*"))
    (said_of,) = Engine.open(folder / "models" / "harm").predict("hello")
    assert said_of.probabilities.keys() == {"hate", "offensive", "neither"}
    policy = (folder / "policy.yaml").read_text(encoding="utf-8")

    times = {path: path.stat().st_mtime_ns for path in folder.glob("models/*/burnish.json")}
    again = guarding.init(folder, base=str(tiny.encoder(tmp_path)), share=SHARE, say=said.append)
    assert [one.seconds for one in again] == [0.0] * 5
    assert [one.points for one in again] == [one.points for one in made]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("models/*/burnish.json")} == times
    assert (folder / "policy.yaml").read_text(encoding="utf-8") == policy

    recipe = guarding.RECIPES["harmful"]
    looser = replace(recipe, checks=(replace(recipe.checks[0], limits={"hard": 1.0}),))
    monkeypatch.setitem(guarding.RECIPES, "harmful", looser)
    weights = (folder / "models" / "harmful" / "model.safetensors").read_bytes()
    (made,) = guarding.init(folder, base=str(tiny.encoder(tmp_path)), share=SHARE, models=("harmful",), say=said.append)
    assert [one.threshold for one in made.points] == [0.001]
    assert said[-2] == "harmful: kept, as it was trained from the same rows; other checks are measured"
    assert (folder / "models" / "harmful" / "model.safetensors").read_bytes() == weights
    assert (folder / "models" / "harmful" / "MODEL_CARD.md").read_text(encoding="utf-8").count("## As a guard") == 1


def test_a_call_that_is_cut_off_keeps_finished_models_and_writes_no_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, base = tmp_path / "guard", str(tiny.encoder(tmp_path))
    keep = guarding._keep

    def killed(place: Path, name: str, *rest: object) -> None:
        if name == "harm":
            raise KeyboardInterrupt
        keep(place, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(guarding, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            guarding.init(folder, base=base, share=SHARE, models=("injection", "harm"))
    assert not (folder / "policy.yaml").exists()
    made = guarding.init(folder, base=base, share=SHARE, models=("injection", "harm"))
    assert made[0].seconds == 0.0
    assert made[1].seconds > 0.0
    assert (folder / "policy.yaml").exists()


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of public sets"):
        guarding.init(tmp_path / "guard", data=tmp_path / "nowhere")
    with pytest.raises(InputError, match="no model of the default policy"):
        guarding.init(tmp_path / "guard", models=("harms",))
    taken = tmp_path / "taken" / "models" / "injection"
    taken.mkdir(parents=True)
    (taken / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"notes\.txt"):
        guarding.init(tmp_path / "taken", base=str(tiny.encoder(tmp_path)), share=SHARE)
    assert (taken / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, init = str(tiny.encoder(tmp_path)), guarding.init
    monkeypatch.setattr(
        guarding,
        "init",
        lambda folder, data, share, **rest: init(folder, data, base, 0.02, ("injection",), **rest),
    )
    done = CliRunner().invoke(app, ["guard", "init", str(tmp_path / "guard"), "--quick", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(found["models"]) == {"injection"}
    assert {"threshold", "recall", "precision", "false_positives", "rows", "groups"} == set(
        found["models"]["injection"][0]
    )
