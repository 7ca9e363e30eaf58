"""The verb on tuned models: gates, exit codes, what is said where rows are gone, and the page."""

from __future__ import annotations

import json
import re
import shutil
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from burnish.audited import Section, Table
from burnish.auditing import _extra, audit
from burnish.audits.gates import GATES, judged, must_be_known
from burnish.cli import app
from burnish.config import parse
from burnish.data.load import load, load_file
from burnish.errors import ConfigError, InputError
from burnish.reporting.audit import audit_html, audit_json, pictures


def _gates(figures: dict[str, float], stated: dict[str, float] | None = None) -> dict[str, tuple[float | None, bool]]:
    sections = {"torch": (Section("calibration", "", figures),)}
    found = judged(sections, "classify", stated or {}, quick=False, tuned="torch")
    return {gate.name: (gate.value, gate.passed) for gate in found}


def test_gates_pass_and_fail_by_the_sign_of_their_limit() -> None:
    assert _gates({"ece": 0.05})["calibration.ece"] == (0.05, True)
    assert _gates({"ece": 0.2})["calibration.ece"] == (0.2, False)
    assert _gates({"ece": 0.2}, {"calibration.ece": 0.3})["calibration.ece"] == (0.2, True)
    assert _gates({"ece": 0.0, "coverage_5": 0.4}, {"calibration.coverage_5": 0.5})["calibration.coverage_5"] == (
        0.4,
        False,
    )
    assert _gates({})["calibration.ece"] == (None, False)
    assert _gates({"ece": float("nan")})["calibration.ece"] == (None, False)


def test_a_gate_on_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'calibration\.ece'"):
        must_be_known({"calibration.ecc": 0.1})
    must_be_known(dict.fromkeys(GATES, 0.0))


def test_a_variant_has_gates_of_its_own() -> None:
    sections = {form: (Section("calibration", "", {"ece": 0.0}),) for form in ("torch", "throughput")}
    names = [gate.name for gate in judged(sections, "tag", {}, quick=False, tuned="torch")]
    assert names == ["calibration.ece", "calibration.ece@throughput"]


@pytest.mark.parametrize("task", ["classify", "score", "tag"])
def test_every_task_is_audited(tuned: dict[str, Path], task: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["audit", str(tuned[task]), "--quick", "--json", "--html", str(tmp_path / "a.html")]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.strip().split("\n")[-1])
    assert list(found)[-1] == "gates"
    assert found["gates"]
    assert all(set(gate) == {"name", "value", "limit", "passed"} for gate in found["gates"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|(src|href)=\"(?!#)", page)
    assert "small" in page or "under 30" in page


def test_strict_alone_turns_a_failed_gate_into_an_exit_code(tuned: dict[str, Path], tmp_path: Path) -> None:
    given = ["audit", str(tuned["classify"]), "--quick", "--json", "--html", str(tmp_path / "a.html")]
    result = CliRunner().invoke(app, given)
    failed = [gate for gate in json.loads(result.stdout.strip().split("\n")[-1])["gates"] if not gate["passed"]]
    assert failed  # a dozen rows are too few for most figures, which then do not pass
    assert CliRunner().invoke(app, [*given, "--strict"]).exit_code == 1


def test_a_folder_stays_as_it_was(tuned: dict[str, Path]) -> None:
    folder = tuned["score"]
    before = sorted(folder.rglob("*"))
    assert CliRunner().invoke(app, ["audit", str(folder), "--quick"]).exit_code == 0
    assert sorted(folder.rglob("*")) == before
    assert folder.with_name("out-audit.html").is_file()


def test_training_rows_that_are_gone_are_said(tuned: dict[str, Path], tmp_path: Path) -> None:
    model, rows = tuned["classify"], tmp_path / "rows.csv"
    train = model.parent / "train.csv"
    shutil.copy(train, rows)
    kept = train.read_bytes()
    train.unlink()
    try:
        with pytest.raises(InputError, match="--data FILE"):
            audit(model, quick=True)
        report = audit(model, str(rows), quick=True)
        moved = audit(model, str(rows), quick=True, train=str(rows))
    finally:
        train.write_bytes(kept)
    slices = report.forms["torch"][0]
    assert "no longer at" in slices.impossible[0]
    assert {gate.name: gate.passed for gate in report.gates}["slices.leaked"] is False
    assert moved.forms["torch"][0].figures["leaked"] > 0.5  # most of these rows are those of the tuning


def test_a_wrong_column_names_the_nearest(
    tuned: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label,place\n" + "good film today,pos,north\n" * 40, encoding="utf-8")
    monkeypatch.setattr("burnish.auditing.need", lambda module, extra: None)
    with pytest.raises(InputError, match="did you mean 'place'"):
        audit(tuned["classify"], str(rows), quick=True, sensitive="plaice")


def test_other_columns_make_groups(tuned: dict[str, Path], tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    lines = [
        f"{'good film today' if i % 2 else 'very bad film'},{'pos' if i % 2 else 'neg'},{'ab'[i % 3 == 0]}"
        for i in range(120)
    ]
    rows.write_text("text,label,place\n" + "\n".join(lines), encoding="utf-8")
    report = audit(tuned["classify"], str(rows), quick=True)
    groups = [row[:3] for row in report.forms["torch"][0].tables[0].rows]
    assert ("place", "a", 80) in groups
    assert ("place", "b", 40) in groups
    assert audit_json(report)["rows"] == 120
    assert "place a" in audit_html(report)


def _people(count: int) -> list[dict[str, str]]:
    return [{"text": f"good film {i}", "label": "pos", "gender": "fm"[i % 3 == 0]} for i in range(count)]


@pytest.mark.parametrize("form", ["csv", "two.json", "parquet"])
def test_other_columns_stay_with_their_rows(tmp_path: Path, form: str) -> None:
    people, place = _people(60), tmp_path / f"people.{form}"
    if form == "csv":
        place.write_text("text,label,gender\n" + "".join(",".join(one.values()) + "\n" for one in people))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(people), place)
    else:
        pairs = (", ".join(map(json.dumps, people[i : i + 2])) for i in range(0, 60, 2))
        place.write_text("[\n" + ",\n".join(pairs) + "\n]")
    split = {"by": "stratify", "dev": 0.2, "test": 0.5}
    job = parse({"task": "classify", "data": {"train": str(place), "split": split}})
    rows = load(job)["test"]
    rows = rows.select(range(3, len(rows)))
    gender = {one["text"]: one["gender"] for one in people}
    assert _extra(rows, job, None) == {"gender": [gender[row["text"]] for row in rows]}


def test_only_the_cells_of_the_audited_rows_are_kept(tmp_path: Path) -> None:
    place = tmp_path / "long.csv"
    place.write_text("text,label,comment\n" + "".join(f"film {i},pos,{f'c{i} ' * 500}\n" for i in range(5000)))
    job = parse({"task": "classify", "data": {"train": str(place)}})
    rows = load_file(str(place), job).select(range(7, 5000, 500))
    tracemalloc.start()
    try:
        found = _extra(rows, job, None)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(found["comment"][1]).startswith("c507 ")
    assert most < 3_000_000  # the column is some 13 MB


@pytest.mark.parametrize(("metric", "worst"), [("error", "g19"), ("accuracy", "g0")])
def test_the_worst_groups_are_drawn_and_the_worst_stands_out(metric: str, worst: str) -> None:
    rows = tuple(("town", f"g{i}", 40, i / 20, i / 20, i / 20) for i in range(20))
    columns = ("by", "group", "rows", metric, "low", "high")
    (drawn,) = pictures(Section("slices", "", {}, (Table("By group", columns, rows),)))
    said = re.findall(rf'aria-label="{metric} by group: ([^"]*)"', drawn)[0].split(", ")
    assert len(said) == 12
    assert said[-1].startswith(f"town {worst} ")


def test_rows_in_the_home_folder_are_found(tuned: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tuned["classify"].parent))
    report = audit(tuned["classify"], quick=True, train="~/train.csv")
    assert not any("no longer" in said for said in report.forms["torch"][0].impossible)


def test_a_page_without_a_folder_is_refused_before_the_work(
    tuned: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("burnish.auditing.audit", lambda *_, **__: pytest.fail("it has begun"))
    found = CliRunner().invoke(app, ["audit", str(tuned["score"]), "--html", str(tmp_path / "none" / "a.html")])
    assert isinstance(found.exception, InputError)
    assert "there is no folder" in str(found.exception)
