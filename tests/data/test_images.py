"""What image files may be: every good form is read as RGB, every bad one is named by its row."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from burnish.config import Job, Tune, parse
from burnish.data.check import check
from burnish.data.features import collate
from burnish.data.files import found, inside
from burnish.data.images import decode, size, stored
from burnish.data.load import fingerprint, load, usable
from burnish.data.pixels import Pixels
from burnish.data.rows import Rows
from burnish.device import generator
from burnish.errors import ConfigError, InputError
from burnish.starter import guess
from tests import tiny_images

RED = (200, 30, 40)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def near(image: Image.Image, colour: tuple[int, ...] = RED, room: int = 6) -> bool:
    assert image.mode == "RGB"
    return bool((np.abs(np.asarray(image, dtype=int) - colour) <= room).all())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    kind = "tiff" if mode in ("CMYK", "YCbCr") else "png"
    image = Image.new("RGB", (9, 7), RED)
    given = image.quantize() if mode == "P" else image.convert(mode)
    assert near(decode(saved(given, tmp_path / f"a.{kind}")))


def test_cmyk_jpeg(tmp_path: Path) -> None:
    assert near(decode(saved(Image.new("RGB", (16, 16), RED).convert("CMYK"), tmp_path / "a.jpg", quality=95)), room=12)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    values = np.asarray(decode(saved(Image.fromarray(ramp), tmp_path / "a.png")))
    assert values.shape == (16, 16, 3)
    assert (values[..., 0].ravel() == np.arange(256)).mean() > 0.95


def test_many_pixels_of_16_bits_take_little_memory() -> None:
    image = Image.fromarray(np.arange(4_000_000, dtype=np.uint32).astype(np.uint16).reshape(2000, 2000))
    tracemalloc.start()
    grey = np.asarray(decode(image))[..., 0].reshape(-1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48_000_000  # in floats all of them would take 32 million bytes, twice
    assert (grey == np.floor(np.arange(4_000_000) % 65536 / 257 + 0.5)).all()


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    assert near(decode(saved(Image.new("RGBA", (5, 5), (0, 0, 0, 0)), tmp_path / "a.png")), (255, 255, 255))
    grey = Image.new("L", (5, 5), 7)
    assert near(decode(saved(grey, tmp_path / "b.png", transparency=7)), (255, 255, 255))


def test_the_turn_of_the_camera_is_carried_out(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10), "black")
    image.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    for name in ("a.jpg", "a.tif"):
        path = saved(image, tmp_path / name, exif=exif, quality=95)
        turned = decode(path)
        assert turned.size == size(path) == (10, 30)
        assert stored(path) == ((30, 10), 6)
        assert np.asarray(turned)[2, 5].min() > 200
        assert np.asarray(turned)[27, 5].max() < 50
        opened = Image.open(path)
        opened.load()
        assert size(opened) == (10, 30)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, "blue", "green")]
    assert near(decode(saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])))


def bomb(side: int) -> bytes:
    """A PNG whose header alone says that it is large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def broken(folder: Path) -> dict[str, str]:
    """Bad files and names in a folder, each with a word that its reason has to hold."""
    whole = io.BytesIO()
    tiny_images.picture("red", 1, (64, 64)).save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "text.png").write_text("no image at all", encoding="utf-8")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "bomb.png").write_bytes(bomb(30_000))
    (folder / "large.png").write_bytes(bomb(9_500))
    (folder / "program.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (folder / "folder.png").mkdir()
    (folder.parent / "outside.png").write_bytes((folder / "photos/red/00.png").read_bytes())
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    return {
        "cut.jpg": "cut short",
        "text.png": "no image",
        "empty.jpg": "0 bytes",
        "bomb.png": "pixels",
        "large.png": "9,500 by 9,500 pixels",
        "program.eps": "no image",
        "folder.png": "folder",
        "link.png": "outside",
        "../outside.png": "outside",
        str(folder.parent / "outside.png"): "outside",
        "missing.jpg": "no such file",
        "http://example.org/a.png": "not fetched",
        "x" * 5000: "cannot have this name",
        "": "names no file",
    }


def test_bad_files_are_named_by_row_and_left_out(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.mkdir()
    table = tiny_images.table(place)
    reasons = broken(place)
    good = table.read_text(encoding="utf-8").count("\n") - 1
    with table.open("a", encoding="utf-8") as file:
        file.writelines(f"{name},red\n" for name in reasons)
    given = tiny_images.job(tmp_path, table)
    job = given.model_copy(
        update={"data": given.data.model_copy(update={"split": given.data.split.model_copy(update={"dev": 0.0})})}
    )
    parts = load(job)
    (finding,) = [f for f in check(parts, job, None) if f.name == "broken_files"]
    assert (finding.verdict, finding.count) == ("warn", len(reasons))
    assert finding.places[0].startswith(f"{table}:line {good + 2}: cut.jpg: ")
    rows = list(parts["train"])
    for row, (name, word) in zip(rows[good:], reasons.items(), strict=True):
        assert word in row["fault"], name
        assert row["image"] is None
        assert len(row["fault"]) < 250
    kept = usable(parts["train"], "classify")
    assert len(kept) == good
    assert all(Path(row["image"]).is_file() for row in kept)


def test_an_absolute_path_inside_of_the_folder_is_fine(tmp_path: Path) -> None:
    path = saved(tiny_images.picture("red", 1), tmp_path / "a.png")
    assert inside(tmp_path, str(path)) == path.resolve()
    assert found(tmp_path, " a.png ", Pixels.fault)[0] == str(path.resolve())


def test_a_cell_that_is_no_name(tmp_path: Path) -> None:
    tiny_images.folder(tmp_path, count=1)
    rows = [{"photo": "red/00.png", "label": "a"}, {"photo": ["red/00.png", "b"], "label": "b"}, {"label": "b"}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    data = {"train": str(tmp_path / "a.json"), "columns": {"image": "photo"}, "split": {"dev": 0}}
    faults = [row["fault"] for row in load(parse({"task": "classify", "data": data}))["train"]]
    assert faults[0] is None
    assert all(faults[1:])


def test_a_set_with_nothing_to_read_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("photo,label\nx.png,a\ny.png,b\nz.png,a\n", encoding="utf-8")
    document = {"task": "classify", "data": {"train": str(tmp_path / "a.csv"), "columns": {"image": "photo"}}}
    job = parse(document)
    parts = load(job)
    assert {f.name for f in check(parts, job, None) if f.verdict == "fail"} >= {"broken_files"}
    with pytest.raises(InputError, match="both an image and a label"):
        usable(parts["train"], "classify")


def whole(place: Path, data: Path) -> tuple[Job, Rows]:
    columns = {} if data.is_dir() else {"image": "photo", "label": "kind"}
    job = parse({"task": "classify", "data": {"train": str(data), "columns": columns, "split": {"dev": 0}}})
    return job, load(job)["train"]


def test_a_folder_and_a_table_of_it_are_the_same_rows(tmp_path: Path) -> None:
    table = tiny_images.table(tmp_path, count=4)
    _, rows = whole(tmp_path, tmp_path / "photos")
    assert rows.format == "folder"
    assert [row["label"] for row in rows] == ["blue"] * 4 + ["red"] * 4
    _, named = whole(tmp_path, table)
    assert {row["digest"] for row in rows} == {row["digest"] for row in named}
    (tmp_path / "moved").mkdir()
    (tmp_path / "photos").rename(tmp_path / "moved" / "photos")
    assert fingerprint(whole(tmp_path, tmp_path / "moved" / "photos")[1]) == fingerprint(rows)


def test_a_limit_takes_some_of_each_class(tmp_path: Path) -> None:
    data = str(tiny_images.folder(tmp_path, count=6))
    job = parse({"task": "classify", "data": {"train": data, "limit": 4, "split": {"dev": 0}}})
    assert [row["label"] for row in load(job)["train"]] == ["blue", "blue", "red", "red"]


def test_copies_are_found_by_their_content_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    data = tiny_images.folder(tmp_path / "data", count=6)
    (data / "red" / "99.png").write_bytes((data / "red" / "00.png").read_bytes())
    (data / "blue" / "99.png").write_bytes((data / "red" / "00.png").read_bytes())
    job, rows = whole(tmp_path, data)
    findings = {f.name: f for f in check({"train": rows}, job, None)}
    assert findings["duplicates"].count == 2
    assert findings["conflicting_labels"].count == 3
    assert "image" in findings["duplicates"].message
    tiny_images.picture("blue", 77).save(data / "blue" / "99.png")
    again = {f.name: f for f in check({"train": whole(tmp_path, data)[1]}, job, None)}
    assert again["conflicting_labels"].count == 0


def test_pixels_are_kept_once_and_the_same(tmp_path: Path) -> None:
    _, rows = whole(tmp_path, tiny_images.folder(tmp_path / "data", count=4))
    reader = Pixels.start("", Tune(image_size=24), rows)
    made = reader.features(list(rows))
    kept = made.kept()
    assert isinstance(kept.dense["pixels"], np.memmap)
    assert made.lengths.tolist() == [4] * 8  # 24 pixels are covered by 2 x 2 patches of 16
    first, second = collate(made, [5, 0], 0)["pixels"], collate(kept, [5, 0], 0)["pixels"]
    assert first.shape == (2, 24, 24, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, second)


def test_the_size_follows_from_the_images(tmp_path: Path) -> None:
    _, rows = whole(tmp_path, tiny_images.folder(tmp_path / "small", count=2))
    assert Pixels.start("", Tune(), rows).shape == (32, 32)
    (tmp_path / "large" / "a").mkdir(parents=True)
    tiny_images.picture("red", 1, (300, 400)).save(tmp_path / "large" / "a" / "1.png")
    _, rows = whole(tmp_path, tmp_path / "large")
    assert Pixels.start("", Tune(), rows).shape == (96, 96)


def test_what_is_varied_and_what_is_not() -> None:
    given = {"pixels": torch.randint(0, 120, (64, 16, 16, 3), dtype=torch.uint8), "labels": torch.arange(64)}
    before = given["pixels"].clone()
    assert Pixels({}, "none").vary(given, generator(1)) is given
    first = Pixels({}, "mirror").vary(given, generator(1))
    second = Pixels({}, "mirror").vary(given, generator(1))
    assert torch.equal(first["pixels"], second["pixels"])
    assert torch.equal(given["pixels"], before)
    assert torch.equal(first["labels"], given["labels"])
    assert first["pixels"].dtype == torch.uint8
    covered = (first["pixels"] == 128).all(-1).flatten(1).any(1)
    assert 15 < int(covered.sum()) < 50
    ramp = torch.arange(16, dtype=torch.uint8).view(1, 1, 16, 1).expand(64, 16, 16, 3).contiguous()
    kept = Pixels({}, "shift").vary({"pixels": ramp}, generator(0))["pixels"].long()
    steps = kept[:, :, 1:, 0] - kept[:, :, :-1, 0]
    assert ((steps >= 0) | (kept[:, :, 1:, 0] == 128) | (kept[:, :, :-1, 0] == 128)).all()  # never mirrored


def test_init_knows_images(tmp_path: Path) -> None:
    table = tiny_images.table(tmp_path)
    for data, columns in ((table, {"image": "photo", "label": "kind"}), (tmp_path / "photos", None)):
        started = guess(str(data))
        assert started.task == "classify"
        assert "model: scratch" in started.text
        assert ("image: photo" in started.text) == bool(columns)
    with pytest.raises(InputError, match="sub-folder"):
        guess(str(tmp_path / "photos" / "red"))


def test_other_tasks_read_texts(tmp_path: Path) -> None:
    data = tiny_images.folder(tmp_path / "data", count=2)
    with pytest.raises(InputError, match="classify"):
        load(parse({"task": "tag", "data": {"train": str(data)}}))
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        parse({"task": "classify", "data": {"train": "a", "columns": {"imag": "photo"}}})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_no_damage_gets_past(kind: str, tmp_path: Path) -> None:
    whole = io.BytesIO()
    tiny_images.picture("red", 1, (24, 32)).save(whole, kind)
    chance, path, refused = np.random.default_rng(0), tmp_path / "a", 0
    for _ in range(60):
        damaged = bytearray(whole.getvalue())
        for place in chance.integers(0, len(damaged), 6):
            damaged[place] = chance.integers(256)
        path.write_bytes(damaged[: len(damaged) - int(chance.integers(0, 40))])
        try:
            assert decode(path).mode == "RGB"
        except InputError:
            refused += 1
    assert refused or kind == "BMP"
