"""Files that run or lie are found by their content."""

from __future__ import annotations

import json
import pickle
import random
import struct
from pathlib import Path

import pytest

from burnish.artifact import sha256
from burnish.audits.scan import scan


def _weights(path: Path, offsets: tuple[int, int] = (0, 16)) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": offsets}}).encode()
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
