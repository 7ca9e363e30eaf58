from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.data.check import check
from burnish.data.load import fingerprint, load
from burnish.data.table import EMPTY, FIRST, NO_NUMBER, UNSEEN, Table, category, cells, number
from burnish.errors import InputError
from tests import tiny_tables


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("3", 3.0), (" -1.5 ", -1.5), ("1e3", 1000.0), ("1,234.5", 1234.5), ("12,345,678", 12345678.0),
        ("１２３", 123.0), ("1，234", 1234.0), (7, 7.0), (2.5, 2.5),
        ("", None), ("N/A", None), ("nan", None), ("-", None), ("无", None), (None, None),
    ],
)  # fmt: skip
def test_reads_numbers_as_tables_write_them(cell: Any, value: float | None) -> None:
    assert number(cell) == value


@pytest.mark.parametrize("cell", ["abc", "1,23", "3 apples", "inf", "-Infinity", "1e999", "0x10", "1.2.3", True])
def test_what_is_no_number_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)float|inf|e999"):
        number(cell)


def test_a_category_is_what_the_cell_says() -> None:
    assert [category(cell) for cell in (" Bonn ", "NA", 3, True, "  ", None)] == ["Bonn", "NA", "3", "true", None, None]


def test_a_row_says_which_cell_is_wrong() -> None:
    assert cells({"a": "1", "b": "x"}, ["a"], ["b"]) == ('{"a": 1.0, "b": "x"}', "")
    assert cells({"a": "one", "b": "x"}, ["a"], ["b"]) == (None, "'one' in column 'a' is no number")
    assert cells({"a": "", "b": " "}, ["a"], ["b"]) == (None, "every column is empty")


def test_bad_rows_are_named_by_line_and_left_out(tmp_path: Path) -> None:
    rows = tiny_tables.rows(60)
    rows[2]["age"], rows[5] = "forty", dict.fromkeys(rows[5], "") | {"buys": "no"}
    job = tiny_tables.job(tmp_path, tiny_tables.table(tmp_path, rows))
    parts = load(job)
    found = {one.name: one for one in check(parts, job, None)}["broken_cells"]
    assert (found.verdict, found.count) == ("warn", 2)
    said = " ".join(found.places)
    assert "line 4" in said
    assert "'forty' in column 'age' is no number" in said
    assert "every column is empty" in said


def test_a_mistyped_column_gets_the_nearest_name(tmp_path: Path) -> None:
    job = tiny_tables.job(tmp_path, tiny_tables.table(tmp_path))
    columns = job.data.columns.model_copy(update={"number": ("agee",)})
    wrong = job.model_copy(update={"data": job.data.model_copy(update={"columns": columns})})
    with pytest.raises(InputError, match="no column 'agee'; did you mean 'age'"):
        load(wrong)


def test_other_spellings_of_a_number_are_the_same_row(tmp_path: Path) -> None:
    rows = tiny_tables.rows(40)
    found = []
    for name, spell in (("a.csv", lambda age: age), ("b.csv", lambda age: f" {age}.0 ")):
        given = [row | {"age": spell(row["age"])} for row in rows]
        found.append(fingerprint(load(tiny_tables.job(tmp_path, tiny_tables.table(tmp_path, given, name)))["train"]))
    assert found[0] == found[1]


@pytest.fixture
def reader(tmp_path: Path) -> Table:
    rows = [{"age": f"{age}", "income": "1", "town": "Bonn" if age % 3 else "Ulm", "buys": "no"} for age in range(101)]
    rows[0]["town"] = "once"
    job = tiny_tables.job(tmp_path, tiny_tables.table(tmp_path, rows))
    whole = job.model_copy(
        update={
            "data": job.data.model_copy(update={"split": job.data.split.model_copy(update={"dev": 0.0, "test": 0.0})})
        }
    )
    return Table.start("", whole.tune, load(whole)["train"])


def read(reader: Table, **row: Any) -> list[float]:
    features = reader.features([reader.row(row)])
    return features.dense["table"][np.arange(1)][0].tolist()


def test_numbers_are_placed_between_those_of_training(reader: Table) -> None:
    places = reader.document["numbers"]["age"]
    assert (places[0], places[-1], len(places)) == (0.0, 100.0, 33)
    middle = (places[4] + places[5]) / 2
    assert read(reader, age=middle)[0] == pytest.approx(4.5)
    assert read(reader, age=-5)[0] == 0.0
    assert read(reader, age=1e9)[0] == 32.0
    assert read(reader, age=None, town="Bonn")[0] == NO_NUMBER
    assert read(reader, income=77)[1] == 0.0  # a column of one value says nothing


def test_categories_have_ids_by_frequency(reader: Table) -> None:
    assert reader.document["categories"]["town"] == ["Bonn", "Ulm"]  # and not the one of a single row
    ids = [read(reader, age=3, town=town)[2] for town in ("Bonn", "Ulm", "once", "Paris", "", None)]
    assert ids == [FIRST, FIRST + 1, UNSEEN, UNSEEN, EMPTY, EMPTY]


def test_inputs_of_the_wrong_form_are_refused(reader: Table) -> None:
    with pytest.raises(InputError, match="no column 'twon'; did you mean 'town'"):
        reader.row({"twon": "Bonn"})
    with pytest.raises(InputError, match="'old' in column 'age' is no number"):
        reader.row({"age": "old"})
    with pytest.raises(InputError, match="every column is empty"):
        reader.row({})
    for given in ([1, 2], "Bonn", '["Bonn"]', 3):
        with pytest.raises(InputError, match="mapping of column to value"):
            reader.row(given)


def test_an_input_may_be_json(reader: Table) -> None:
    row = reader.row(json.dumps({"age": 30, "town": "Ulm"}))
    assert row == reader.row({"table": {"age": "30", "town": "Ulm"}})
    assert Table.shown(row["table"]) == "age 30.0, town Ulm"


def test_it_is_saved_and_opened(reader: Table, tmp_path: Path) -> None:
    reader.save_pretrained(tmp_path)
    assert Table.open(tmp_path) == reader
    (tmp_path / "preprocessor_config.json").write_text('{"numbers": {}}')
    with pytest.raises(InputError, match="missing or damaged"):
        Table.open(tmp_path)


def test_a_baseline_sees_frequent_categories_one_by_one(reader: Table) -> None:
    numbers = reader.numbers([reader.row({"age": 50, "town": "Ulm"}), reader.row({"age": 1})])
    assert numbers.shape == (2, 6)
    assert numbers[:, 3:].tolist() == [[0, 0, 1], [1, 0, 0]]
