"""`burnish compress` for models of images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from burnish import verbs
from burnish.artifact import Artifact
from burnish.cli import app
from burnish.compressed import Speed
from burnish.compression import forms, last_look
from burnish.compression.forms import Form
from burnish.engine import Engine
from burnish.engine.openvino import OpenVino
from burnish.job import tune
from burnish.variant import Variant
from tests import tiny_images

SLOW, FAST = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)


def test_a_search_ends_with_a_variant_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("openvino", "int8")])
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": SLOW, "found": FAST})
    # Tiny networks take no time, so that costs are made up: the form with more files is the cheaper one.
    monkeypatch.setattr("burnish.compression.search.Search._cost", lambda search, value: 1 / value["size"])
    table = tiny_images.table(tmp_path)
    with table.open("a", encoding="utf-8") as file:
        file.write("photos/none.png,red\n")
    folder = tune(tiny_images.job(tmp_path, table)).artifact.folder
    said: list[str] = []
    report = verbs.compress(folder, budget="0.4", minutes=0.1, say=said.append)
    assert [trial.name for trial in report.trials][:2] == ["torch-f32", "openvino-int8"]
    assert report.lost <= report.budget
    assert (report.form, report.chosen) == ("openvino-int8", "throughput")
    found = Variant.open(Artifact.open(folder), "throughput")
    assert found.manifest["parity"]["rows"] == report.after.rows
    engine = Engine.open(folder)
    assert isinstance(engine.runtime, OpenVino)
    labels = [one.label for one in engine.predict([tiny_images.picture("red", 700), tiny_images.picture("blue", 701)])]
    assert labels == ["red", "blue"]
    recipe = folder / "variants" / "throughput" / "job.yaml"
    result = CliRunner().invoke(app, ["run", str(recipe), "--set", f"out={tmp_path / 'again'}", "--json"])
    assert result.exit_code == 0, result.output
    again = Variant.open(Artifact.open(tmp_path / "again"), "throughput").manifest
    assert (again["runtime"], again["precision"], again["shape"]) == ("openvino", "int8", found.manifest["shape"])
