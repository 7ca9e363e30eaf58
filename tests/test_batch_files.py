"""Prediction for whole tables and folders of images: each row once, and what cannot be read named and left empty."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from burnish.batch import batch, write
from burnish.config import parse
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from tests import tiny_images


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune(tiny_images.job(tmp_path_factory.mktemp("model"))).artifact.folder


def test_a_folder(model: Path, tmp_path: Path) -> None:
    place = tiny_images.folder(tmp_path / "photos", 4)
    (place / "red" / "zz.png").write_bytes(b"no image")
    said: list[str] = []
    report = batch(model, place, tmp_path / "out.csv", say=said.append)
    assert (report.rows, report.empty, report.columns) == (9, 1, ("prediction", "probability"))
    assert "1 without an image" in report.in_words()
    assert said == ["left empty: red/zz.png: it is no image in a known format"]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows][:2] == ["blue/00.png", "blue/01.png"]
    expected = Engine.open(model).predict([place / row["image"] for row in rows[:8]])
    assert [row["prediction"] for row in rows] == [*(one.label for one in expected), ""]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("column", ["photo", "image"])
def test_a_table_that_names_files(model: Path, tmp_path: Path, ending: str, column: str) -> None:
    tiny_images.folder(tmp_path / "in" / "photos", 3)
    tiny_images.picture("red", 1).save(tmp_path / "outside.png")
    (tmp_path / "in" / "photos" / "link.png").symlink_to(tmp_path / "outside.png")
    names = ["photos/red/00.png", "../outside.png", "photos/link.png", str(tmp_path / "outside.png")]
    names += ["https://elsewhere.example/a.png", "", "photos/none.png", "photos/blue/01.png"]
    rows = [{"number": str(n), column: name} for n, name in enumerate(names)]
    rows = [{column: row[column]} for row in rows] if column == "photo" else rows
    source = tmp_path / "in" / f"rows{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), source)
    elif ending == ".jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)
    report = batch(model, source, tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row[column] or "" for row in found] == names
    assert [row["prediction"] for row in found] == ["red", *[None] * 6, "blue"]
    assert report.empty == 6


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_names_that_are_made_of_columns(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny_images.job(tmp_path)
    (tmp_path / "made.csv").write_text(
        "".join(["color,id,label\n", *(f"{label},{n:02d},{label}\n" for n in range(3) for label in ("red", "blue"))]),
        encoding="utf-8",
    )
    tiny_images.folder(tmp_path / "photos", 3)
    columns = {"image": "photos/{color}/{id}.png", "label": "label"}
    data = {"train": str(tmp_path / "made.csv"), "columns": columns}
    model = tune(parse({**job.model_dump(), "data": data})).artifact.folder
    rows = [{"id": n, "color": color} for color, n in (("red", "01"), ("blue", "00"), ("blue", None), ("red", "09"))]
    source = tmp_path / f"rows{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), source)
    elif ending == ".jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        source.write_text("".join(["id,color\n", *(f"{row['id'] or ''},{row['color']}\n" for row in rows)]), "utf-8")
    keys: list[str] = []
    parts = write.Parts
    monkeypatch.setattr("burnish.batch.Parts", lambda out, key, say: (keys.append(key), parts(out, key, say))[1])
    report = batch(model, source, tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert report.empty == 2
    expected = Engine.open(model).predict([tmp_path / "photos" / name for name in ("red/01.png", "blue/00.png")])
    assert [row["prediction"] for row in found] == [*(one.label for one in expected), None, None]
    os.utime(tmp_path / "photos" / "blue" / "00.png", (1, 1))
    batch(model, source, tmp_path / "out.jsonl", force=True)
    assert keys[0] != keys[1]  # another state of a file that a row names
    folder = tiny_images.folder(tmp_path / "folder", 1)
    assert batch(model, folder, tmp_path / "out.csv").rows == 2


def test_a_file_that_was_repaired_is_read_when_a_run_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tiny_images.folder(tmp_path / "photos", 1)
    whole = (place / "red" / "00.png").read_bytes()
    source = place / "rows.csv"
    source.write_text("image\nred/00.png\nblue/00.png\n", encoding="utf-8")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def stopped(resumed_at: int) -> None:
        said: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(write.Parts, "join", interrupt)
            with pytest.raises(KeyboardInterrupt):
                batch(model, source, tmp_path / "out.csv", say=said.append)
        assert any("going on" in line for line in said) == bool(resumed_at)

    (place / "red" / "00.png").write_bytes(b"no image")
    stopped(resumed_at=0)
    stopped(resumed_at=2)  # nothing has changed
    (place / "red" / "00.png").write_bytes(whole)
    report = batch(model, source, tmp_path / "out.csv")
    assert (report.resumed_at, report.empty) == (0, 0)


def test_what_is_no_source(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for source, told in (("empty", "folder|format"), ("none.csv", "no file"), ("rows.csv", "clearly the image")):
        with pytest.raises(InputError, match=told):
            batch(model, tmp_path / source, tmp_path / "out.csv")
    place = tiny_images.folder(tmp_path / "photos", 1)
    with pytest.raises(InputError, match="format"):
        batch(model, place, tmp_path / "out.txt")
