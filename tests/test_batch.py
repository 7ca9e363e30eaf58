"""Prediction for whole files: every format, every row once and in order, whatever happens on the way."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from burnish import job as flow
from burnish.batch import batch, read, write
from burnish.batch.columns import inputs
from burnish.config import parse
from burnish.data.columns import canonical
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.errors import InputError
from tests import tiny

TEXTS = ["the film was very good", 'a "bad" film, not good', "very\nbad\rtoday", "Ünï 好的 😀 good", "good film today"]
ROWS = [{"id": str(n), "text": f"{text} {n}"} for n, text in enumerate(TEXTS * 4)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def model(task: str) -> Path:
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            made[task] = flow.tune(tiny.job(folder, task, epochs=1)).artifact.folder
        return made[task]

    return model


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "PORTION", 6)


def put(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=8)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                writer = csv.writer(file)
                writer.writerows([list(rows[0]), *map(dict.values, rows)])
            else:
                file.writelines("\t".join(map(str, row)) + "\n" for row in [rows[0], *map(dict.values, rows)])
    return path


def get(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        names, *lines = [line.rstrip("\n").split("\t") for line in file]
        return [dict(zip(names, line, strict=True)) for line in lines]


def left(folder: Path) -> list[str]:
    """Hidden files and folders."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("after", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("before", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_to_every_other(models: Callable[[str], Path], tmp_path: Path, before: str, after: str) -> None:
    flat = [{**row, "text": " ".join(row["text"].splitlines())} for row in ROWS]
    rows = flat if ".tsv" in (before, after) else ROWS
    source, out = put(tmp_path / f"in{before}", rows), tmp_path / f"out{after}"
    report = batch(models("classify"), source, out)
    assert (report.rows, report.empty, report.resumed_at, report.columns) == (20, 0, 0, ("prediction", "probability"))
    found = get(out)
    assert [{name: row[name] for name in row if name not in report.columns} for row in found] == rows
    expected = Engine.open(models("classify")).predict([row["text"] for row in rows])
    assert [row["prediction"] for row in found] == [one.label for one in expected]
    chances = [one.probabilities[one.label] for one in expected]
    assert [float(row["probability"]) for row in found] == pytest.approx(chances, abs=1e-5)
    assert left(tmp_path) == []


def entities(model: Path, given: list[Any]) -> list[list[dict[str, Any]]]:
    return [[vars(one) for one in found.entities] for found in Engine.open(model).predict(given)]


@pytest.mark.parametrize("after", [".csv", ".jsonl", ".parquet"])
def test_entities_of_texts(models: Callable[[str], Path], tmp_path: Path, after: str) -> None:
    rows = [{"text": f"Anna lives in Paris {n}", "entities": "[]"} for n in range(8)]
    batch(models("tag"), put(tmp_path / "in.csv", rows), tmp_path / f"out{after}")
    found = [row["prediction"] for row in get(tmp_path / f"out{after}")]
    expected = entities(models("tag"), [row["text"] for row in rows])
    assert any(expected)
    for one, other in zip([json.loads(one) for one in found] if after == ".csv" else found, expected, strict=True):
        scores = [{**entity, "score": pytest.approx(entity["score"], abs=1e-5)} for entity in other]
        assert one == scores


@pytest.mark.parametrize("before", [".jsonl", ".parquet"])
def test_lists_of_words_are_read_as_they_are(models: Callable[[str], Path], tmp_path: Path, before: str) -> None:
    words = [["Anna-Maria", "lives", "in", "Paris"], ["Ben", "works", "at", "Acme", "Corp", "."]]
    rows = [{"tokens": one, "n": n} for n, one in enumerate(words)]
    batch(models("tag"), put(tmp_path / f"in{before}", rows), tmp_path / "out.jsonl")
    found = get(tmp_path / "out.jsonl")
    places = [[(one["start"], one["end"], one["label"]) for one in row.pop("prediction")] for row in found]
    expected = entities(models("tag"), words)
    assert places == [[(one["start"], one["end"], one["label"]) for one in row] for row in expected]
    assert found == rows


def test_pairs_and_scores(models: Callable[[str], Path], tmp_path: Path) -> None:
    rows = [{"text_a": text, "text_b": "good film"} for text in TEXTS]
    batch(models("pair"), put(tmp_path / "pairs.parquet", rows), tmp_path / "pairs.jsonl")
    expected = Engine.open(models("pair")).predict([[row["text_a"], row["text_b"]] for row in rows])
    assert [row["prediction"] for row in get(tmp_path / "pairs.jsonl")] == [one.label for one in expected]
    batch(models("score"), put(tmp_path / "texts.csv", ROWS), tmp_path / "scores.parquet")
    values = [one.value for one in Engine.open(models("score")).predict([row["text"] for row in ROWS])]
    assert [row["prediction"] for row in get(tmp_path / "scores.parquet")] == pytest.approx(values, abs=1e-4)


def test_several_classes(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    many = job.model_copy(update={"data": job.data.model_copy(update={"multi_label": True})})
    model = flow.tune(many).artifact.folder
    rows = [{"text": text} for text in TEXTS]
    for after in (".jsonl", ".parquet", ".csv"):
        batch(model, put(tmp_path / "in.jsonl", rows), tmp_path / f"out{after}")
    expected = Engine.open(model).predict(TEXTS)
    assert any(one.labels for one in expected)
    for after in (".jsonl", ".parquet", ".csv"):
        for row, one in zip(get(tmp_path / f"out{after}"), expected, strict=True):
            given, chances = row["prediction"], row["probability"]
            if after == ".csv":
                given, chances = json.loads(given), json.loads(chances)
            assert given == list(one.labels)
            assert chances == pytest.approx([one.probabilities[label] for label in one.labels], abs=1e-5)


def test_json_lines_stay_as_they_are_written(models: Callable[[str], Path], tmp_path: Path) -> None:
    lines = ['{"text": "good", "n": 1.50, "deep": {"a": [1, NaN]}}', '{ "text" : "b\\ud800ad", "prediction": 7 }', "{}"]
    (tmp_path / "in.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    report = batch(models("classify"), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert report.columns == ("prediction_2", "probability")
    assert report.empty == 1
    written = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.startswith(one[:-1]) for line, one in zip(written, lines, strict=True)] == [True] * 3
    assert json.loads(written[1])["prediction_2"] in ("pos", "neg")
    assert json.loads(written[2]) == {"prediction_2": None, "probability": None}


def test_types_of_json_in_parquet(models: Callable[[str], Path], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"good {n}", "n": n, "tags": ["a"], "any": n} for n in range(8)]
    rows += [{"text": "b\ud800d", "n": 0.5, "any": "x", "deep": {"a": 1}, "void": {}}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    batch(models("classify"), tmp_path / "in.jsonl", tmp_path / "out.parquet")
    found = get(tmp_path / "out.parquet")
    assert [row["n"] for row in found] == [*map(float, range(8)), 0.5]
    assert [row["any"] for row in found] == [*map(str, range(8)), "x"]
    assert found[-1]["text"] == "b\ufffdd"
    assert (found[0]["tags"], found[0]["deep"], found[-1]["deep"], found[-1]["void"]) == (["a"], None, {"a": 1}, "{}")


def test_types_of_parquet_are_kept_and_can_be_written_as_text(models: Callable[[str], Path], tmp_path: Path) -> None:
    day = datetime(2026, 1, 2, 3, 4, 5)
    table = pa.table(
        {
            "text": pa.array(["good", "bad"]).dictionary_encode(),
            "when": pa.array([day, None], pa.timestamp("us")),
            "price": pa.array([Decimal("1.50"), None]),
            "raw": pa.array([b"\xff", b""]),
            "x": pa.array([float("nan"), 1.5], pa.float32()),
            "prediction": [1, 2],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    for suffix in (".parquet", ".jsonl", ".csv"):
        batch(models("classify"), tmp_path / "in.parquet", tmp_path / f"out{suffix}")
    same = pq.read_table(tmp_path / "out.parquet")
    assert same.column_names == [*table.column_names, "prediction_2", "probability"]
    assert same.select(table.column_names).schema == table.schema
    assert same["raw"].to_pylist() == [b"\xff", b""]
    kept = {"text": "good", "when": str(day), "price": "1.50", "raw": "/w==", "prediction": 1}
    first, second = get(tmp_path / "out.jsonl")
    assert first.items() >= {**kept, "x": None}.items()
    assert second.items() >= {"when": None, "price": None, "raw": "", "x": 1.5}.items()
    assert get(tmp_path / "out.csv")[0].items() >= {**kept, "x": "", "prediction": "1"}.items()


@pytest.mark.parametrize("before", [".csv", ".tsv"])
def test_empty_lines_of_one_column_are_rows(models: Callable[[str], Path], tmp_path: Path, before: str) -> None:
    source = tmp_path / f"in{before}"
    source.write_text("\ntext\n\ngood\n\n\nbad\n\n\n", encoding="utf-8")
    report = batch(models("classify"), source, tmp_path / "out.csv")
    assert [row["text"] for row in get(tmp_path / "out.csv")] == ["", "good", "", "", "bad"]
    assert report.empty == 3
    source.write_text("text,id\n\ngood,1\n\n".replace(",", "\t" if before == ".tsv" else ","), encoding="utf-8")
    assert batch(models("classify"), source, tmp_path / "two.csv").rows == 1


def test_integers_that_decimals_do_not_hold_become_text(models: Callable[[str], Path], tmp_path: Path) -> None:
    large = 2**60 + 1
    rows: list[dict[str, Any]] = [
        {"text": "good", "id": large, "in": {"a": [large], "b": 1}, "n": 2**53} for _ in range(6)
    ]
    rows += [{"text": "bad", "id": 0.5, "in": {"a": [0.5], "b": 2}, "n": 0.5} for _ in range(6)]
    batch(models("classify"), put(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    found = get(tmp_path / "out.parquet")
    assert [row["id"] for row in found] == [str(large)] * 6 + ["0.5"] * 6
    assert [json.loads(row["in"]) for row in found] == [row["in"] for row in rows]
    assert [row["n"] for row in found] == [float(2**53)] * 6 + [0.5] * 6


def test_large_integers_alone_stay_integers(models: Callable[[str], Path], tmp_path: Path) -> None:
    rows = [{"text": "good", "in": {"a": 2**60 + n} | ({"b": 0.5} if n > 5 else {})} for n in range(12)]
    batch(models("classify"), put(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    assert [row["in"]["a"] for row in get(tmp_path / "out.parquet")] == [2**60 + n for n in range(12)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            pa.array([b"good"] * 7 + [b"b\xffd"], pa.binary()).cast(pa.string(), safe=False),
            "row 8 of column 'odd'.*utf-8",
        ),
        (pa.array([0] * 7 + [2**60], pa.timestamp("ms")), "row 8 of column 'odd' cannot be read"),
    ],
)
def test_values_that_python_cannot_hold(models: Callable[[str], Path], tmp_path: Path, values: Any, told: str) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["good"] * 8, "odd": values}), source)
    with pytest.raises(InputError, match=f"IN: '.*in.parquet': {told}"):
        batch(models("classify"), source, tmp_path / "out.csv")
    batch(models("classify"), source, tmp_path / "out.parquet")  # as it is
    assert pq.read_table(tmp_path / "out.parquet")["odd"].chunk(0).equals(values)


def test_two_columns_of_one_name_in_parquet(models: Callable[[str], Path], tmp_path: Path) -> None:
    def source(names: list[str]) -> Path:
        arrays = [pa.array([f"{value} {n}" for n in range(8)]) for value in ("good", "bad", "very")]
        pq.write_table(pa.Table.from_arrays(arrays, names), tmp_path / "in.parquet")
        return tmp_path / "in.parquet"

    for after in (".csv", ".jsonl"):
        with pytest.raises(InputError, match=r"called 'x'; give each its own name, or write \.parquet"):
            batch(models("classify"), source(["text", "x", "x"]), tmp_path / f"out{after}")
    batch(models("classify"), source(["text", "x", "x"]), tmp_path / "out.parquet")
    found = pq.ParquetFile(tmp_path / "out.parquet").read()
    assert found.column_names == ["text", "x", "x", "prediction", "probability"]
    assert [found.column(at)[3].as_py() for at in (1, 2)] == ["bad 3", "very 3"]
    with pytest.raises(InputError, match="two columns are called 'text', which the model reads"):
        batch(models("classify"), source(["text", "text", "id"]), tmp_path / "again.parquet")
    assert left(tmp_path) == []


def test_long_rows_of_json_are_looked_through_a_few_at_a_time(
    models: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    joint = read._joint_type
    monkeypatch.setattr(
        read, "_joint_type", lambda known, cells, large: (sizes.append(len(cells)), joint(known, cells, large))[1]
    )
    monkeypatch.setattr(read, "_BYTES", 100)
    rows = [{"text": "good " * 18, f"key {n}": n} for n in range(8)]  # each row with a key of its own
    batch(models("classify"), put(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    assert sizes == [1] * 16
    del sizes[:]
    batch(models("classify"), tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert sizes == []
    assert [row["key 3"] for row in get(tmp_path / "out.csv")] == ["", "", "", "3", "", "", "", ""]


def test_a_row_without_a_text_has_no_prediction(models: Callable[[str], Path], tmp_path: Path) -> None:
    texts = [
        "good",
        "",
        " \t ",
        "bad",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "good",
    ]  # the second portion holds no text at all
    source = put(tmp_path / "in.csv", [{"id": n, "text": text} for n, text in enumerate(texts)])
    for suffix in (".csv", ".parquet", ".jsonl"):
        assert batch(models("classify"), source, tmp_path / f"out{suffix}").empty == 10
        found = [row["prediction"] for row in get(tmp_path / f"out{suffix}")]
        assert [bool(one) for one in found] == [text in ("good", "bad") for text in texts]
    rows = [{"words": one} for one in (["Anna"], [], None)]
    report = batch(models("tag"), put(tmp_path / "in.jsonl", rows), tmp_path / "tags.jsonl")
    assert report.empty == 2
    assert [row["prediction"] for row in get(tmp_path / "tags.jsonl")][1:] == [None, None]
    assert "2 without a text" in report.in_words()


KILLED = """
import os, signal, sys
from burnish.batch import batch, read, write
read.PORTION = 6
model, source, out, moment = sys.argv[1:]
replace, times = os.replace, 0
def kill(fresh, path):
    global times
    times += str(path).endswith(".part")
    if times == 2 and moment == "part" or str(path) == out and moment == "join":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(fresh, path)
write.os.replace = kill
batch(model, source, out)
"""


@pytest.mark.parametrize("after", [".csv", ".parquet"])
def test_a_killed_run_goes_on(models: Callable[[str], Path], tmp_path: Path, after: str) -> None:
    model, source, out = models("classify"), put(tmp_path / "in.csv", ROWS), tmp_path / f"out{after}"
    quiet = tmp_path / f"quiet{after}"
    batch(model, source, quiet)
    for moment in ("part", "join"):
        ended = subprocess.run([sys.executable, "-c", KILLED, *map(str, (model, source, out)), moment], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert not out.exists()
    told: list[str] = []
    report = batch(model, source, out, say=told.append)
    assert told == ["going on after 20 of 20 rows"]  # the first was killed after 6, the second after all of them
    assert report.resumed_at == report.rows == 20
    assert get(out) == get(quiet)
    assert left(tmp_path) == []


@pytest.fixture
def stopped(models: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The input of a run that was interrupted after its second portion."""
    source = put(tmp_path / "in.csv", ROWS)
    told: list[str] = []
    add = write.Parts.add

    def interrupt(self: write.Parts, data: Any, start: int, end: int, empty: int) -> None:
        add(self, data, start, end, empty)
        if end == 12:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(write.Parts, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            batch(models("classify"), source, tmp_path / "out.csv", say=told.append)
    assert told == ["stopped after 12 of 20 rows; the same command goes on from there"]
    assert len(left(tmp_path)) == 1
    return source


def test_only_the_rows_that_are_left_are_predicted(
    models: Callable[[str], Path], tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    encode = Engine.encode
    monkeypatch.setattr(
        Engine, "encode", lambda self, rows: (seen.extend(r["text"] for r in rows), encode(self, rows))[1]
    )
    monkeypatch.setattr(read, "PORTION", 5)  # how rows were cut before does not matter
    report = batch(models("classify"), stopped, tmp_path / "out.csv")
    assert report.resumed_at == 12
    assert seen == [row["text"] for row in ROWS[12:]]
    assert [row["id"] for row in get(tmp_path / "out.csv")] == [row["id"] for row in ROWS]


@pytest.mark.parametrize("other", ["input", "model"])
def test_another_input_or_model_begins_anew(
    models: Callable[[str], Path], tmp_path: Path, stopped: Path, other: str
) -> None:
    put(stopped, ROWS[::-1] if other == "input" else ROWS)
    told: list[str] = []
    model = models("score" if other == "model" else "classify")
    report = batch(model, stopped, tmp_path / "out.csv", say=told.append)
    assert "begun anew" in told[0]
    assert len(told) == 1
    assert report.resumed_at == 0
    assert [row["text"] for row in get(tmp_path / "out.csv")] == [row["text"] for row in get(stopped)]
    assert left(tmp_path) == []


def test_a_run_beside_another_is_refused(models: Callable[[str], Path], tmp_path: Path, stopped: Path) -> None:
    out = tmp_path / "out.csv"
    folder = tmp_path / left(tmp_path)[0]
    told: list[str] = []
    with closing(write.Parts(out, folder.name.split(".")[-2], told.append)) as other:
        assert other.done == 12
        with pytest.raises(InputError, match=r"another run writes '.*out.csv'; let it end"):
            batch(models("classify"), stopped, out)
        (tmp_path / "in.jsonl").write_text('{"text": "good"}\n', encoding="utf-8")
        batch(models("classify"), tmp_path / "in.jsonl", out)
        assert left(tmp_path) == [folder.name]  # nor are its parts removed by one with another input
    assert batch(models("classify"), stopped, out, force=True).resumed_at == 12
    assert [row["id"] for row in get(out)] == [row["id"] for row in ROWS]


def test_a_part_behind_a_gap_is_none(models: Callable[[str], Path], tmp_path: Path, stopped: Path) -> None:
    folder = tmp_path / left(tmp_path)[0]
    next(folder.glob("000000000000-*.part")).unlink()
    assert batch(models("classify"), stopped, tmp_path / "out.csv").resumed_at == 0
    assert [row["id"] for row in get(tmp_path / "out.csv")] == [row["id"] for row in ROWS]


def test_an_output_that_lacks_rows_is_not_written(
    models: Callable[[str], Path], tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = write.Parts.add
    with monkeypatch.context() as patch:
        patch.setattr(
            write.Parts, "add", lambda self, data, start, end, empty: start == 12 or add(self, data, start, end, empty)
        )
        with pytest.raises(InputError, match=r"holds 12 of 20 rows, so that '.*out.csv' is not written"):
            batch(models("classify"), stopped, tmp_path / "out.csv")
    assert batch(models("classify"), stopped, tmp_path / "out.csv").resumed_at == 12


def test_parts_that_are_being_removed_are_not_gone_on_with(
    models: Callable[[str], Path], tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, ignore_errors: bool) -> None:
        if folder.is_dir():
            raise KeyboardInterrupt

    out = tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr(write.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            batch(models("classify"), stopped, out)
    assert [Path(name).suffix for name in left(tmp_path)] == [".gone"]
    out.unlink()
    assert batch(models("classify"), stopped, out).resumed_at == 0
    assert left(tmp_path) == []


def test_a_full_disk_is_said_and_gone_on_from(
    models: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = put(tmp_path / "in.csv", ROWS), tmp_path / "out.parquet"
    synced = 0

    def full(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(write.os, "fsync", full)
        with pytest.raises(InputError, match=r"the disk is full: '.*out.parquet' could not be written; free some room"):
            batch(models("classify"), source, out)
    assert not out.exists()
    assert batch(models("classify"), source, out).resumed_at == 12
    assert len(get(out)) == 20


def test_an_output_that_exists_is_replaced_only_by_force(models: Callable[[str], Path], tmp_path: Path) -> None:
    source, out = put(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"exists; choose another name, or replace it with --force"):
        batch(models("classify"), source, out)
    assert out.read_text(encoding="utf-8") == "mine"
    batch(models("classify"), source, out, force=True)
    assert len(get(out)) == 20


@pytest.mark.parametrize(
    ("name", "content", "out", "told"),
    [
        ("in.txt", "text\ngood\n", "out.csv", r"IN: the format of .*in.txt.* follows from its ending, one of \.csv"),
        ("in.csv", "text\ngood\n", "out.xlsx", r"OUT: the format of .*out.xlsx"),
        ("in.csv", "text\ngood\n", "gone/out.csv", r"there is no folder .*gone'; make it"),
        ("in.csv", "text\ngood\n", "in.csv", r"is the input itself; choose another name"),
        ("in.csv", "", "out.csv", r"is empty \(0 bytes\)"),
        ("in.csv", "text\n", "out.csv", r"holds no rows; give a file with rows"),
        ("in.jsonl", "\n", "out.csv", r"holds no rows"),
        ("in.csv", "a,b\n1,2\n", "out.csv", r"no column that is clearly the text \(columns: a, b\); call one 'text'"),
        ("in.csv", "text\n" + "good\n" * 30 + "a,b\n", "out.csv", r"in.csv:line 32: 2 cells where there are 1"),
        ("in.jsonl", '{"text": "good"}\n{"text"\n', "out.csv", r"in.jsonl:line 2: not valid JSON"),
        ("in.jsonl", '{"text": "good"}\n["good"]\n', "out.csv", r"in.jsonl:line 2: expected an object"),
        ("in.parquet", "text\ngood\n", "out.csv", r"in.parquet' does not read as Parquet"),
    ],
)
def test_bad_input(models: Callable[[str], Path], tmp_path: Path, name: str, content: str, out: str, told: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        batch(models("classify"), tmp_path / name, tmp_path / out, force=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == content


def test_a_missing_input_names_one_that_is_near(models: Callable[[str], Path], tmp_path: Path) -> None:
    put(tmp_path / "rows.csv", ROWS)
    with pytest.raises(InputError, match=r"no file at .*rwos.csv'; did you mean 'rows.csv'"):
        batch(models("classify"), tmp_path / "rwos.csv", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("task", "columns", "given"),
    [
        ("classify", ["text", "label"], {}),
        ("classify", ["id", "review", "title", "sentiment"], {}),
        ("classify", ["stuff", "category"], {}),
        ("classify", ["stuff"], {"label": "class"}),
        ("classify", ["stuff", "title"], {"text": "stuff", "label": "title"}),
        ("classify", ["note", "title", "body"], {"label": "title, note"}),
        ("pair", ["question1", "question2", "label"], {}),
        ("pair", ["premise", "hypothesis", "text"], {}),
        ("pair", ["text", "reply", "label"], {"text_b": "reply"}),
        ("pair", ["b", "a"], {"text": "a", "text_b": "b"}),
        ("score", ["text", "score"], {}),
        ("score", ["sentence1", "sentence2", "score"], {}),
        ("score", ["sentence1", "sentence2", "score"], {"text": "sentence2"}),
        ("tag", ["text", "entities"], {}),
        ("tag", ["stuff", "entities"], {}),
        ("tag", ["tokens*", "ner_tags*", "text"], {}),
        ("tag", ["parts*", "text"], {"words": "parts"}),
        ("tag", ["tokens*", "body", "spans"], {"spans": "spans"}),
        ("tag", ["tokens", "content"], {}),
    ],
)
def test_the_columns_are_those_of_training(task: str, columns: list[str], given: dict[str, str]) -> None:
    from datasets import Dataset

    several = "," in given.get("label", "")
    job = parse({"task": task, "data": {"train": "x.jsonl", "columns": given, "multi_label": several}})
    names = tuple(name.removesuffix("*") for name in columns)
    lists = frozenset(name.removesuffix("*") for name in columns if name.endswith("*"))
    cells = {name: [["O"] if "tags" in name else [name]] if name in lists else [name] for name in names}
    cells |= {name: ['[{"start": 0, "end": 1, "label": "X"}]'] for name in names if name in ("entities", "spans")}
    row = canonical(Rows(Dataset.from_dict(cells), "x.jsonl", "json"), job, labelled=False)[0]
    read_there = (row["text"], row["text_b"]) if "text_b" in row else (row["text"],)
    table = read.Table(pa.schema([]), names, lists, 1, 1, lambda done, size, wanted: iter(()))
    assert inputs(table, job, "x.jsonl") == read_there
