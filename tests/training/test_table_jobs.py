from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

import burnish
from burnish import job as flow
from burnish.batch import batch
from burnish.config import parse
from burnish.errors import ConfigError, InputError
from burnish.job import Tuned
from burnish.predicting import predict_lines
from burnish.starter import guess
from tests import tiny, tiny_tables


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    place = tmp_path_factory.mktemp("table")
    return flow.tune(tiny_tables.job(place, tiny_tables.table(place, tiny_tables.rows(400))))


def test_learns_what_neither_column_says_alone(tuned: Tuned) -> None:
    assert tuned.report.after.metrics["accuracy"] >= 0.9
    assert "boosted trees of the columns" in tuned.report.before
    assert tuned.report.inputs == "table"


def test_a_number_is_learnt_too(tmp_path: Path) -> None:
    found = flow.tune(tiny_tables.job(tmp_path, tiny_tables.table(tmp_path, tiny_tables.rows(400)), "score"))
    assert found.report.after.metrics["pearson"] > 0.97
    (told,) = burnish.Engine.open(found.artifact.folder).predict([{"age": 40, "town": "Bonn"}])
    assert told.value == pytest.approx(100, abs=20)


def test_cells_may_be_missing_or_new(tuned: Tuned) -> None:
    engine = burnish.Engine.open(tuned.artifact.folder)
    told = engine.predict([{"age": 70, "town": "Bonn"}, {"age": "70"}, {"age": 70, "town": "Paris"}, {"town": "Bonn"}])
    assert told[0].label == "yes"
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in told)


def test_a_file_is_predicted_row_by_row(tuned: Tuned, tmp_path: Path) -> None:
    rows = tiny_tables.rows(30, seed=5)
    rows[3]["age"] = "old"
    source = tiny_tables.table(tmp_path, rows)
    lines = list(predict_lines(tuned.artifact.folder, str(source)))
    assert lines[3] == {"fault": "'old' in column 'age' is no number"}
    assert lines[0]["table"]["town"] == rows[0]["town"]
    said: list[str] = []
    report = batch(tuned.artifact.folder, source, tmp_path / "out.csv", say=said.append)
    assert (report.rows, report.empty) == (30, 1)
    assert any("'old' in column 'age'" in line for line in said)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["prediction"] for row in written] == [line.get("label", "") for line in lines]


def test_a_file_without_a_column_is_refused(tuned: Tuned, tmp_path: Path) -> None:
    source = tiny_tables.table(tmp_path, [{"age": "3", "place": "Bonn", "income": "3"}])
    with pytest.raises(InputError, match="no column 'town'"):
        batch(tuned.artifact.folder, source, tmp_path / "out.csv")


def test_rows_from_elsewhere_are_evaluated(tuned: Tuned, tmp_path: Path) -> None:
    source = tiny_tables.table(tmp_path, tiny_tables.rows(100, seed=9))
    assert burnish.evaluate(tuned.artifact.folder, str(source)).metrics["accuracy"] >= 0.85


def test_what_is_for_texts_says_so(tuned: Tuned) -> None:
    with pytest.raises(InputError, match="a guard works on models of texts so far"):
        tuned.artifact.must_go_with("a guard")


def test_what_is_for_texts_is_refused(tmp_path: Path) -> None:
    data = tiny_tables.table(tmp_path)
    with pytest.raises(InputError, match=r"tune.lora: for texts alone so far, and the rows hold a row of a table"):
        flow.tune(tiny_tables.job(tmp_path, data, lora={}))
    with pytest.raises(InputError, match=r"tune\.vary: mirror"):
        flow.tune(tiny_tables.job(tmp_path, data, vary="mirror"))
    for options, words in (({"image_size": 32}, "is for images"), ({"frames": 3}, "is for videos")):
        with pytest.raises(
            InputError, match=rf"tune\.{next(iter(options))} {words}, and the rows hold a row of a table"
        ):
            flow.tune(tiny_tables.job(tmp_path, data, **options))
    with pytest.raises(InputError, match=r"tune\.frames is for videos, and the rows hold a text each; leave it out"):
        flow.tune(tiny.job(tmp_path, "classify", frames=3))
    job = tiny_tables.job(tmp_path, data).model_dump(mode="json") | {"model": "minilm"}
    with pytest.raises(InputError, match="reads texts, and the rows hold tables"):
        flow.tune(parse(job))


def test_a_table_has_defaults_of_its_own(tmp_path: Path) -> None:
    columns = {"number": "age", "label": "buys"}
    job = parse({"task": "classify", "data": {"train": "a.csv", "columns": columns}, "tune": {"epochs": 3}})
    assert (job.model, job.tune.epochs, job.tune.learning_rate, job.tune.scratch.hidden) == ("scratch", 3, 2e-3, 192)
    assert job.tune.metric is None
    assert parse(job.model_dump(mode="json")) == job
    number = parse({"task": "score", "data": {"train": "a.csv", "columns": columns}})
    assert number.tune.metric == "rmse"
    both = parse({"task": "classify", "data": {"train": "a.csv", "columns": columns | {"text": "title"}}})
    assert (both.model, both.tune.learning_rate) == ("minilm", 2e-4)
    assert both.parts["table"].tune is not None
    assert both.parts["table"].tune.learning_rate == 2e-3
    with pytest.raises(ConfigError, match=r"data\.columns\.number"):
        parse({"task": "classify", "data": {"train": "a.csv", "columns": {"number": {"a": 1}}}})


def test_a_text_and_a_table_answer_together(tmp_path: Path) -> None:
    rows = [row | {"note": f"a visitor number {i} of the shop"} for i, row in enumerate(tiny_tables.rows(300))]
    source = tiny_tables.table(tmp_path, rows)
    small = {"layers": 1, "hidden": 32, "heads": 2, "vocabulary": 200}
    job = parse(
        {
            "task": "classify",
            "model": "scratch",
            "out": str(tmp_path / "out"),
            "data": {"train": str(source), "columns": tiny_tables.COLUMNS | {"text": "note", "label": "buys"}},
            "tune": {"epochs": 1, "precision": "fp32", "scratch": small},
            "parts": {"table": {"tune": {"precision": "fp32"}}},
            "report": {"bootstrap": 0},
        }
    )
    report = flow.tune(job).report
    assert report.after.metrics["accuracy"] >= 0.85
    assert report.shares is not None
    assert report.shares["table"] > report.shares["text"]
    engine = burnish.Engine.open(tmp_path / "out")
    whole, part = engine.predict(
        [{"text": "a visitor", "table": {"age": 70, "town": "Bonn"}}, {"table": {"age": 70, "town": "Bonn"}}]
    )
    assert whole.label == part.label == "yes"


def test_init_tells_numbers_from_categories(tmp_path: Path) -> None:
    rows = [row | {"customer_id": str(i % 9), "row": str(i)} for i, row in enumerate(tiny_tables.rows(90))]
    for row in rows:
        del row["spent"]
        row["income"] = row["income"].replace(",", "")
    start = guess(str(tiny_tables.table(tmp_path, rows)))
    job = parse(yaml.safe_load(start.text))
    columns = job.data.columns
    assert (columns.number, columns.category, columns.label) == (("age", "income"), ("town", "customer_id"), "buys")
    assert job.model == "scratch"
    assert any("row" in reason and "left out" in reason for reason in start.reasons)
    assert start.task == "classify"
