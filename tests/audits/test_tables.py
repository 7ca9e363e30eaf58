"""An audit of a model of tables: what it finds out, and what it says is for texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.auditing import audit
from burnish.audits.groups import _quarters
from burnish.data.table import Table
from burnish.engine import Engine
from burnish.extras import have
from burnish.job import tune
from burnish.reporting.audit import audit_html
from tests import tiny_tables

GROUPS = "town" if have("fairlearn") else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("audited")
    return tune(tiny_tables.job(place, tiny_tables.table(place, tiny_tables.rows(400)), epochs=12)).artifact.folder


@pytest.fixture(scope="module")
def reader(folder: Path) -> Table:
    found = Engine.open(folder, "torch").tokenizer
    assert isinstance(found, Table)
    return found


def test_every_audit_says_something(folder: Path, tmp_path: Path) -> None:
    rows = tiny_tables.rows(150, seed=8)
    for row in rows:  # where the model is worse: Köln has the label of the others
        row["buys"] = {"yes": "no", "no": "yes"}[row["buys"]] if row["town"] == "Köln" else row["buys"]
    report = audit(folder, str(tiny_tables.table(tmp_path, rows, "other.csv")), quick=True, sensitive=GROUPS)
    sections = {section.name: section for section in report.forms["torch"]}
    assert set(sections) == {"slices", "bias", "robustness", "calibration", "scope", "privacy", "security"}
    found = sections["slices"]
    groups = {(row[0], row[1]) for table in found.tables[:1] for row in table.rows}
    assert ("town", "Köln") in groups
    assert {by for by, _ in groups} >= {"town", "age", "income", "label"}
    assert "town Köln" in str(found.tables[1].rows[0][0])
    assert found.figures["worst_gap"] > 0.3
    assert GROUPS is None or sections["bias"].figures["group_gap"] > 0.3
    assert set(sections["robustness"].figures) == {f"{way}_{w}" for way in Table.ways for w in ("drop", "flips")}
    assert "membership_auc" in sections["privacy"].figures
    assert "ece" in sections["calibration"].figures
    for name in ("bias", "robustness", "privacy"):
        assert any("texts" in line for line in sections[name].impossible), name
    assert {gate.name for gate in report.gates if not gate.passed} >= {"slices.worst_gap"}
    assert "Köln" in audit_html(report)


def test_rows_of_the_training_are_found_by_their_cells(folder: Path, tmp_path: Path) -> None:
    report = audit(folder, str(tiny_tables.table(tmp_path, tiny_tables.rows(400)[:60])), quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    assert sections["slices"].figures["leaked"] > 0.4


@pytest.mark.parametrize("way", Table.ways)
def test_rows_get_worse_with_the_strength_and_the_same_each_time(way: str, reader: Table) -> None:
    rows = [reader.row({k: v for k, v in row.items() if k in reader.columns}) for row in tiny_tables.rows(80)]
    right = reader.features(rows).dense["table"][np.arange(80)]
    weak, strong = Table.ways[way]
    far = []
    for strength in (weak, strong):
        worse = [reader.corrupted(row, way, strength, 0) for row in rows]
        assert worse == [reader.corrupted(row, way, strength, 0) for row in rows]
        far.append(float(np.abs(reader.features(worse).dense["table"][np.arange(80)] - right).mean()))
        assert all(any(v is not None for v in json.loads(row["table"]).values()) for row in worse)
    assert 0 < far[0] < far[1]
    if way == "noise":
        assert all(
            json.loads(a["table"])["town"] == json.loads(b["table"])["town"] for a, b in zip(worse, rows, strict=True)
        )


def test_a_row_without_numbers_stays_as_it_is(reader: Table) -> None:
    row = reader.row({"town": "Bonn"})
    assert reader.corrupted(row, "noise", 0.2, 0) is row
    assert reader.corrupted(row, "missing", 1.0, 0) is row, "the last cell stays"


def test_numbers_without_a_value_are_a_group_of_their_own() -> None:
    values = np.array([0.001, 0.002, 0.003, 0.004, np.nan, 0.005])
    found: Any = {(group.name, len(group)) for group in _quarters("dose", values)}
    assert found == {
        ("(empty)", 1),
        ("0.001 to 0.002", 2),
        ("0.003 to 0.003", 1),
        ("0.004 to 0.004", 1),
        ("0.005 to 0.005", 1),
    }
    assert _quarters("dose", np.array([np.nan, np.nan])) == []
