"""Faults of the files of a model, each planted in the folder of a tuned network; and the folder as it was."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from burnish import signature
from burnish.artifact import Artifact, sha256
from burnish.auditing import audit
from burnish.audits.bill import bill
from burnish.cli import app
from burnish.engine import Engine
from burnish.errors import InputError
from tests.audits.planted import passed, section

WEIGHTS = ("model.safetensors", "burnish.safetensors")


@pytest.fixture
def model(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "model"))


def _state_anew(model: Path, name: str) -> None:
    """Give the manifest the checksum that a file has now, as whoever swaps a file can."""
    manifest = json.loads((model / "burnish.json").read_text(encoding="utf-8"))
    manifest["files"][name] = sha256(model / name)
    (model / "burnish.json").write_text(json.dumps(manifest), encoding="utf-8")


def _tamper(path: Path) -> None:
    """Turn over one bit of the last weight."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("name", WEIGHTS)
def test_tampered_weights_are_refused(model: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("cryptography")
    public = signature.public_key(signature.new_key(tmp_path / "release.key"))
    signature.sign(model, tmp_path / "release.key")
    assert signature.verify(model, public).good
    assert Engine.open(model).predict("invoice refund charge")

    _tamper(model / name)
    assert signature.verify(model, public).faults == (f"'{name}' was changed after it was signed",)
    for use in (Engine.open, audit):
        with pytest.raises(InputError, match=f"{name}' was changed or damaged"):
            use(model)

    _state_anew(model, name)  # what checksums alone cannot tell, the signature does
    assert any(name in one for one in signature.verify(model, public).faults)
    with pytest.raises(InputError, match="refused"):
        signature.require(model, public)
    found = section(audit(model, quick=True), "security")
    assert found.figures["signed"] == 0
    assert any(f"'{name}' was changed after it was signed" in one for one in found.findings)


class _Mark:
    """What leaves a mark on the disk when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("protocol", [0, 4])
def test_a_pickle_in_place_of_weights_is_named_and_never_read(
    model: Path, tmp_path: Path, name: str, protocol: int
) -> None:
    mark = tmp_path / "unpickled"
    (model / name).write_bytes(pickle.dumps(_Mark(mark), protocol))
    _state_anew(model, name)
    with pytest.raises(InputError, match=f"'{name}' is a pickle, whatever its name says"):
        audit(model, quick=True)
    with pytest.raises(InputError):
        Engine.open(model)
    assert not mark.exists()


def test_a_pickle_beside_the_weights_fails_the_gate(model: Path, clean: Path, tmp_path: Path) -> None:
    mark = tmp_path / "unpickled"
    (model / "adapter.safetensors").write_bytes(pickle.dumps(_Mark(mark)))
    report = audit(model, quick=True)
    found = section(report, "security")
    assert "'adapter.safetensors' is a pickle, whatever its name says" in found.findings
    assert found.figures["faults"] == found.figures["unexpected"] == 1
    assert not passed(report, "security.faults")
    assert not mark.exists()

    twin = audit(clean, quick=True)
    assert section(twin, "security").figures["faults"] == section(twin, "security").figures["unexpected"] == 0
    assert passed(twin, "security.faults")


def test_the_bill_of_materials(model: Path, tmp_path: Path) -> None:
    """What CycloneDX 1.6 asks for in each part, and that every reference leads somewhere."""
    page = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["audit", str(model), "--quick", "--html", str(page)])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "page.cdx.json").read_text(encoding="utf-8"))
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
    assert found["serialNumber"].startswith("urn:uuid:")
    about = found["metadata"]["component"]
    assert about["type"] == "machine-learning-model"
    files = {one["name"]: one["hashes"] for one in about["components"]}
    assert files["model.safetensors"] == [{"alg": "SHA-256", "content": sha256(model / "model.safetensors")}]
    assert set(files) == {path.name for path in model.iterdir()}
    rows = next(one for one in found["components"] if one["type"] == "data")
    assert rows["hashes"][0]["content"] == Artifact.open(model).manifest["data"]["fingerprint"]
    torch = next(one for one in found["components"] if one["name"] == "torch")
    assert torch["version"] == metadata.version("torch")
    assert torch["purl"] == f"pkg:pypi/torch@{torch['version'].replace('+', '%2B')}"
    assert torch["licenses"]
    parts = [about, *about["components"], *found["components"]]
    assert all(one["type"] and one["name"] for one in parts)
    refs = [one["bom-ref"] for one in parts]
    assert len(set(refs)) == len(refs)
    assert {ref for one in found["dependencies"] for ref in (one["ref"], *one["dependsOn"])} <= set(refs)
    needed = next(one["dependsOn"] for one in found["dependencies"] if one["ref"].startswith("pkg:pypi/burnish@"))
    assert torch["bom-ref"] in needed
    assert str(tmp_path) not in json.dumps(found)


def test_the_bill_names_a_base_model_and_a_licence(model: Path) -> None:
    artifact = Artifact.open(model)
    hub = Artifact(model, artifact.manifest | {"job": artifact.manifest["job"] | {"model": "owner/encoder"}})
    base = next(one for one in bill(hub)["components"] if one["bom-ref"] == "base-model")
    assert base["purl"] == "pkg:huggingface/owner/encoder"
    assert not [one for one in bill(artifact)["components"] if one["bom-ref"] == "base-model"]
    assert bill(artifact, "apache-2.0")["metadata"]["component"]["licenses"] == [{"license": {"name": "apache-2.0"}}]
