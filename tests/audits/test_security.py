"""Files that run or lie are found by their content."""

from __future__ import annotations

import json
import pickle
import random
import struct
from pathlib import Path

import pytest

from burnish.artifact import sha256
from burnish.audits.scan import runs, scan


def _weights(path: Path, offsets: tuple[int, int] = (0, 16), length: int = 0) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": offsets}}).encode().ljust(length)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    _weights(folder / "model.safetensors")
    _manifest(folder)
    return folder


def _manifest(folder: Path) -> None:
    files = {path.name: sha256(path) for path in folder.iterdir() if path.name != "burnish.json"}
    (folder / "burnish.json").write_text(json.dumps({"files": files}))


def test_an_honest_folder_has_no_fault(model: Path) -> None:
    assert scan(model).faults == ()
    assert scan(model).unexpected == ()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_found_whatever_its_name(model: Path, protocol: int) -> None:
    (model / "model.safetensors").write_bytes(pickle.dumps(random.Random(0), protocol))
    _manifest(model)
    assert any("is a pickle" in one for one in scan(model).faults)


_CALL = b"cos\ngetpid\n)R."


@pytest.mark.parametrize(
    "before",
    [b"N0" * 600_000, b"N0" * 300_000, b"X" + struct.pack("<I", 2 << 20) + b"a" * (2 << 20) + b"0", b"I0x10\n0"],
)
def test_a_pickle_without_a_magic_number_is_found_whatever_stands_before_the_call(model: Path, before: bytes) -> None:
    assert isinstance(pickle.loads(before + _CALL), int)  # noqa: S301 - which is what the scan has to tell of
    (model / "notes").write_bytes(before + _CALL)
    assert any("'notes' is a pickle" in one for one in scan(model).faults)


def test_what_only_starts_like_a_pickle_is_none() -> None:
    for content in (
        b"",
        b"c",
        b"cos\ngetpid",
        b"ios",
        b"N" + _CALL[:-3],
        b"N.",
        b"c\xff\nb\n)R.",
        b"\x8e" + b"\xff" * 30,
    ):
        assert not runs(content), content


def test_what_has_more_steps_than_anything_else_counts_as_a_pickle() -> None:
    assert runs(b"N0" * (2 << 20))
    assert not runs(b"N0" * 1000)


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_weights_whose_length_looks_like_the_start_of_a_pickle(model: Path, length: int) -> None:
    _weights(model / "model.safetensors", length=length)
    _manifest(model)
    assert scan(model).faults == ()
    (model / "model.bin").write_bytes((model / "model.safetensors").read_bytes())
    assert any("'model.bin' is a pickle" in one for one in scan(model).faults)


def test_a_header_beyond_the_file_a_link_and_a_changed_file(model: Path) -> None:
    _weights(model / "model.safetensors", (0, 1 << 20))
    assert any("beyond its end" in one for one in scan(model).faults)
    assert any("was changed" in one for one in scan(model).faults)
    (model / "out").symlink_to("/etc/hostname")
    assert any("leads out" in one for one in scan(model).faults)
    (model / "config.json").write_text('{"auto_map": {"AutoModel": "x.Y"}}')
    found = scan(model)
    assert any("auto_map" in one for one in found.faults)
    assert found.unexpected == ("config.json",)
