"""An audit of a model of images: what it finds out, and what it says is for texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from burnish.auditing import audit
from burnish.data import corrupt
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from burnish.reporting.audit import audit_html
from tests import tiny_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("audited")
    job = tiny_images.job(place, tiny_images.folder(place / "data", 100))
    return tune(job).artifact.folder


def test_every_audit_says_something(folder: Path) -> None:
    report = audit(folder, deep=False)
    sections = {section.name: section for section in report.forms["torch"]}
    assert set(sections) == {"slices", "bias", "robustness", "calibration", "scope", "privacy", "security"}
    figures = sections["robustness"].figures
    assert set(figures) == {f"{way}_{what}" for way in corrupt.WAYS for what in ("drop", "flips")}
    (table,) = sections["robustness"].tables
    assert len(table.rows) == 10
    assert {row[0] for table in sections["slices"].tables for row in table.rows} >= {"label", "brightness"}
    assert sections["slices"].figures["leaked"] == 0
    assert "membership_auc" in sections["privacy"].figures
    assert "personal_rows" not in sections["privacy"].figures
    assert "ece" in sections["calibration"].figures
    assert sections["security"].figures["faults"] == 0
    for name in ("bias", "robustness", "privacy"):
        assert any("texts" in line for line in sections[name].impossible), name
    names = {gate.name for gate in report.gates}
    assert "slices.worst_gap" in names
    assert not any(name.startswith(("bias.", "robustness.typos")) for name in names)
    assert "brightness" in audit_html(report)


def test_rows_of_the_training_are_found_by_their_content(folder: Path, tmp_path: Path) -> None:
    tiny_images.folder(tmp_path / "other", 40)  # the same pictures under another name
    report = audit(folder, str(tmp_path / "other"), quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    assert sections["slices"].figures["leaked"] > 0.4
    with pytest.raises(InputError, match="none"):
        audit(folder, str(tmp_path / "none"))


@pytest.mark.parametrize("way", corrupt.WAYS)
def test_corruptions_keep_the_form_and_grow_with_their_strength(way: str, folder: Path) -> None:
    reader = Engine.open(folder).tokenizer
    row = reader.row(tiny_images.picture("red", 5, (40, 40)))
    right = reader.array(row["image"]).astype(float)
    changed = [reader.corrupted(row, way, strength, 0)["image"] for strength in reader.ways[way]]
    again = reader.corrupted(row, way, reader.ways[way][0], 0)["image"]
    assert (changed[0] == again).all()
    assert all(one.shape == (32, 32, 3) and one.dtype == np.uint8 for one in changed)
    far = [np.abs(one - right).mean() for one in changed]
    assert min(far) > 0.5
    assert way == "brightness" or far[1] > far[0]
    assert Image.fromarray(changed[0]).mode == "RGB"
