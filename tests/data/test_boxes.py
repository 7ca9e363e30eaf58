"""Boxes as VOC, COCO and tables write them: the same rows, and each mistake left out and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from burnish import starter
from burnish.config import Job, parse
from burnish.data.check import check
from burnish.data.images import decode, size, upright
from burnish.data.load import load, load_file, usable
from burnish.data.rows import Row, Rows
from burnish.data.scenes import Scenes
from burnish.device import generator
from burnish.errors import InputError
from burnish.results import Finding
from tests import tiny_boxes


def _job(source: Path, **columns: str) -> Job:
    data = {"train": str(source), "columns": columns, "split": {"dev": 0.0}}
    return parse({"task": "detect", "model": "scratch", "data": data})


def _rows(source: Path, **columns: str) -> Rows:
    return load(_job(source, **columns))["train"]


def _found(source: Path, name: str, **columns: str) -> Finding:
    job = _job(source, **columns)
    return next(finding for finding in check(load(job), job, None) if finding.name == name)


def _boxes(row: Row) -> list[tuple[Any, ...]]:
    return sorted(tuple(box.values()) for box in row["boxes"])


def test_the_same_boxes_in_every_form(tmp_path: Path) -> None:
    expected = [sorted(tiny_boxes.scene(seed)[1]) for seed in range(4)]
    table = _rows(tiny_boxes.table(tmp_path / "a", 4), image="photo", label="kind")
    assert [_boxes(row) for row in table] == [*expected, []], "an image without a box is a row"
    folder = tiny_boxes.voc(tmp_path / "b", 4)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "some.txt").write_text("02\n00 1\n\n", encoding="utf-8")
    for source in (folder, folder / "Annotations"):
        assert [_boxes(row) for row in _rows(source)] == expected
    assert [_boxes(row) for row in _rows(folder / "ImageSets" / "Main" / "some.txt")] == [expected[2], expected[0]]
    document = tiny_boxes.coco(tmp_path / "c", 4)
    assert [_boxes(row) for row in _rows(document, image="photos/{file_name}")] == expected
    assert len(usable(table, "detect")) == 5
    assert {starter.guess(str(source)).task for source in (folder, document)} == {"detect"}
    plain = load_file(str(folder / "JPEGImages"), _job(folder), labelled=False)
    assert "boxes" not in plain.columns
    assert len(plain) == 4
    with pytest.raises(InputError, match="has no boxes"):
        load_file(str(folder / "JPEGImages"), _job(folder))


def test_other_names_of_columns_and_those_that_are_missing(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    table = tmp_path / "rows.csv"
    table.write_text("file,what,x1,y1,x2,y2\na.png,cat,1,2,30,33\na.png,dog,5,5,20,20\n", encoding="utf-8")
    (row,) = _rows(table, image="file", label="what", boxes="x1, y1, x2, y2")
    assert _boxes(row) == [("cat", 1, 2, 30, 33), ("dog", 5, 5, 20, 20)]
    with pytest.raises(InputError, match=r"data\.columns\.boxes.*'x3'"):
        _rows(table, image="file", label="what", boxes="x1,y1,x3,y2")
    with pytest.raises(InputError, match="name four"):
        _rows(table, image="file", label="what", boxes="x1")


def test_bad_boxes_are_left_out_or_cut_and_named(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    lines = ["a.png,good,0,0,50.5,40", "a.png,cut,40,30,70,38", "a.png,out,60,0,70,10", "a.png,flat,9,9,9,20"]
    lines += ["a.png,turned,30,30,20,20", "a.png,words,a,b,c,d", "a.png,,1,1,9,9", "a.png,inf,0,0,inf,9"]
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(["image,label,xmin,ymin,xmax,ymax", *lines]) + "\n", encoding="utf-8")
    assert _boxes(next(iter(_rows(table)))) == [("cut", 40, 30, 50, 38), ("good", 0, 0, 50, 40)]
    finding = _found(table, "bad_boxes")
    assert finding.verdict == "warn"
    assert finding.places[0].startswith(f"{table}:line 2: a.png: line 3: (40, 30, 70, 38) reaches out of the image")
    assert "line 4: (60, 0, 70, 10) lies outside" in finding.places[0]
    assert "line 5: (9, 9, 9, 20) has no area and 4 more" in finding.places[0]


def test_broken_files_are_named_and_left_out(tmp_path: Path) -> None:
    folder = tiny_boxes.voc(tmp_path / "set", 6)
    notes = folder / "Annotations"
    (notes / "00.xml").write_text("<annotation><object>", encoding="utf-8")
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]>' + (notes / "01.xml").read_text(encoding="utf-8")
    (notes / "01.xml").write_text(bomb, encoding="utf-8")
    (folder / "JPEGImages" / "02.png").unlink()
    whole = (folder / "JPEGImages" / "03.png").read_bytes()
    (folder / "JPEGImages" / "03.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "secret.png").write_bytes(whole)
    (notes / "04.xml").write_text(tiny_boxes.xml("../../secret.png", [], tiny_boxes.SIZE), encoding="utf-8")
    rows = _rows(folder)
    assert [bool(row["fault"]) for row in rows] == [True] * 4 + [False] * 2
    assert rows[4]["image"].endswith("set/JPEGImages/04.png"), "the file of its own name, and not the one outside"
    assert len(usable(rows, "detect")) == 2
    places = " ".join(_found(folder, "broken_files").places)
    for told in (
        "00.xml: it is no XML",
        "01.xml: it declares entities",
        "02.png: there is no such",
        "03.png: it is damaged",
    ):
        assert told in places


def test_images_that_come_later_are_found(tmp_path: Path) -> None:
    folder = tiny_boxes.voc(tmp_path / "set", 2)
    (folder / "JPEGImages").rename(tmp_path / "elsewhere")
    assert all(row["fault"] for row in _rows(folder))
    (tmp_path / "elsewhere").rename(folder / "images")
    assert not any(row["fault"] for row in _rows(folder))


def test_bad_coco_files(tmp_path: Path) -> None:
    path = tiny_boxes.coco(tmp_path, 2)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["annotations"] += [
        {"id": 90, "image_id": 0, "category_id": 99, "bbox": [1, 1, 9, 9]},
        {"id": 91, "image_id": 0, "category_id": 1, "bbox": [1, 1, -9, 9]},
        {"id": 92, "image_id": 0, "category_id": 1, "bbox": "no"},
        {"id": 93, "image_id": 77, "category_id": 1, "bbox": [1, 1, 9, 9]},
        {"id": 94, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "iscrowd": 1},
    ]
    path.write_text(json.dumps(document), encoding="utf-8")
    columns = {"image": "photos/{file_name}"}
    rows = _rows(path, **columns)
    assert [len(row["boxes"]) for row in rows] == [2, 2]
    assert "1 annotations name no image of the file and are left out" in rows.notes
    (place,) = _found(path, "bad_boxes", **columns).places
    assert "annotation 90, category 99: it has no label that is known" in place
    assert "annotation 91, category 1: (1, 1, -8, 10) has no area" in place
    assert "annotation 92, category 1: its edges are no numbers" in place
    for content, told in (
        ("{", "no JSON"),
        ("[]", "no COCO file"),
        ('{"images": [1], "annotations": [], "categories": []}', "objects"),
    ):
        (tmp_path / "bad.json").write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=told):
            _rows(tmp_path / "bad.json")


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_image_keeps_its_boxes(tmp_path: Path, turn: int) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:15, 10:45] = 255  # as it is stored
    note = Image.Exif()
    note[0x0112] = turn
    (tmp_path / "Annotations").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=note)
    (tmp_path / "Annotations" / "a.xml").write_text(
        tiny_boxes.xml("a.png", [("bar", 10, 5, 45, 15)], (60, 40)), encoding="utf-8"
    )
    seen = np.asarray(decode(tmp_path / "a.png"))
    assert size(tmp_path / "a.png") == seen.shape[1::-1]
    down, across = np.nonzero(seen[..., 0])
    there = (across.min(), down.min(), across.max() + 1, down.max() + 1)
    assert upright((10, 5, 45, 15), (60, 40), turn) == there
    (row,) = _rows(tmp_path)
    # By a quarter turn the size tells that the file was annotated as it is stored; else boxes are of the upright one.
    assert _boxes(row) == ([("bar", *there)] if turn >= 5 else [("bar", 10, 5, 45, 15)])


def test_images_and_boxes_are_varied_together(tmp_path: Path) -> None:
    pixels = torch.full((64, 60, 80, 3), 10, dtype=torch.uint8)
    pixels[:, 15:45, 20:40] = 250
    box = torch.tensor([0.0, 30 / 80, 30 / 60, 20 / 80, 30 / 60])
    batch = {"pixels": pixels, "boxes": torch.stack([box, torch.full((5,), -1.0)]).expand(64, 2, 5)}
    varied = Scenes({"size": {"height": 60, "width": 80}}, "flip").vary(batch, generator(0))
    assert (varied["boxes"][:, 1, 0] == -1).all(), "none comes out of nothing"
    kept = 0
    for image, (label, x, y, width, height) in zip(varied["pixels"], varied["boxes"][:, 0].tolist(), strict=True):
        if label < 0:
            continue
        lit = (image.float().mean(-1) > 170).nonzero()
        (top, left), (bottom, right) = lit.amin(0).tolist(), (lit.amax(0) + 1).tolist()
        edges = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]) * [80, 60, 80, 60]
        assert edges == pytest.approx([left, top, right, bottom], abs=1.5)
        kept += 1
    assert kept > 48
    same = Scenes({"size": {"height": 60, "width": 80}}, "none").vary(batch, generator(0))
    assert torch.equal(same["pixels"], pixels)
