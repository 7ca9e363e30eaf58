"""A folder is as its maker signed it, or it is refused with what is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from burnish import job as flow
from burnish import signature, variant
from burnish.artifact import Artifact
from burnish.errors import InputError
from tests import tiny


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A signed model folder, and the private key."""
    root = tmp_path_factory.mktemp("signed")
    flow.tune(tiny.job(root, "classify"))
    signature.new_key(root / "key")
    signature.sign(root / "out", root / "key")
    return root / "out", root / "key"


def copied(signed: tuple[Path, Path], folder: Path) -> tuple[Path, str]:
    shutil.copytree(signed[0], folder / "model")
    return folder / "model", signature.public_key(f"{signed[1]}.pub")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "burnish", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_was_signed_is_good(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, key = copied(signed, tmp_path)
    assert signature.verify(model, key) == signature.Verified(key, ())
    assert signature.verify(model).good


def _weights(model: Path) -> None:
    path = model / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _manifest(model: Path) -> None:
    """Weights and the checksum of them: checksums alone do not tell."""
    from burnish.artifact import Artifact, sha256

    _weights(model)
    manifest = json.loads((model / "burnish.json").read_text())
    manifest["files"]["model.safetensors"] = sha256(model / "model.safetensors")
    (model / "burnish.json").write_text(json.dumps(manifest))
    Artifact.open(model)


def _signature(model: Path) -> None:
    _weights(model)
    given = json.loads((model / "signature.json").read_text())
    given["files"] = signature.digests(model)
    (model / "signature.json").write_text(json.dumps(given))


def _variant(model: Path) -> None:
    (model / "variants" / "fast").mkdir(parents=True)
    (model / "variants" / "fast" / "variant.json").write_text("{}")


def _link(model: Path) -> None:
    path = model / "report.html"
    path.rename(model.parent / "elsewhere.html")
    path.symlink_to(model.parent / "elsewhere.html")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda model: (model / "signature.json").unlink(), "it is not signed"),
        (lambda model: (model / "signature.json").write_text("[]"), "is damaged"),
        (_weights, "'model.safetensors' was changed"),
        (_manifest, "the manifest 'burnish.json' was changed"),
        (_signature, "the signature does not hold"),
        (_variant, "'variants/fast/variant.json' was added"),
        (lambda model: (model / "chat_template.jinja").write_text("x"), "'chat_template.jinja' was added"),
        (lambda model: (model / "tokenizer.json").unlink(), "'tokenizer.json' is missing"),
        (_link, "is a link"),
    ],
)
def test_what_changed_is_named(
    signed: tuple[Path, Path], tmp_path: Path, change: Callable[[Path], object], told: str
) -> None:
    model, key = copied(signed, tmp_path)
    change(model)
    assert told in signature.verify(model, key).faults[0]
    with pytest.raises(InputError, match="a signature is required"):
        signature.require(model, key)


def test_another_key_is_refused_and_says_so(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, key = copied(signed, tmp_path)
    other = signature.public_key(signature.new_key(tmp_path / "other"))
    assert "another key" in signature.verify(model, other).faults[0]
    signature.sign(model, tmp_path / "other")  # one who has access and a key of his own
    assert signature.verify(model).good
    assert "another key" in signature.verify(model, key).faults[0]
    given = json.loads((model / "signature.json").read_text())
    (model / "signature.json").write_text(json.dumps(given | {"key": key}))
    assert "does not hold" in signature.verify(model, key).faults[0]


def test_keys_are_their_owners_and_never_overwritten(tmp_path: Path) -> None:
    key = tmp_path / "key"
    public = signature.new_key(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes(), public.read_bytes()
    with pytest.raises(InputError, match="there already"):
        signature.new_key(key)
    public.unlink()
    with pytest.raises(InputError, match="there already"):
        signature.new_key(key)
    assert key.read_bytes() == before[0]
    assert not public.exists()
    with pytest.raises(InputError, match="private key"):
        signature.public_key(key)


def test_a_key_that_others_may_read_does_not_sign(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = copied(signed, tmp_path)
    signature.new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        signature.sign(model, tmp_path / "key")
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(InputError, match="no Ed25519 private key"):
        signature.sign(model, tmp_path / "text")


def test_a_damaged_folder_is_not_signed(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = copied(signed, tmp_path)
    _weights(model)
    with pytest.raises(InputError, match="changed or damaged"):
        signature.sign(model, signed[1])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_name_that_is_no_text_is_signed_like_any_other(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = copied(signed, tmp_path)
    (model / os.fsdecode(b"caf\xe9.txt")).write_text("a", encoding="utf-8")
    assert signature.verify(model, signature.sign(model, signed[1])).good


def test_a_manifest_of_a_variant_that_holds_no_object_is_no_best_one(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = copied(signed, tmp_path)
    (model / "variants" / "fast").mkdir(parents=True)
    (model / "variants" / "fast" / "variant.json").write_text("[]", encoding="utf-8")
    assert variant.best(Artifact.open(model)) is None


def test_a_signed_folder_may_be_tuned_anew(signed: tuple[Path, Path], tmp_path: Path) -> None:
    from burnish.artifact import must_be_replaceable

    model, _ = copied(signed, tmp_path)
    must_be_replaceable(model)


def test_the_verbs(signed: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = copied(signed, tmp_path)
    made = run("sign", "--new-key", tmp_path / "own", "--json")
    assert made.returncode == 0
    assert "PRIVATE" not in made.stdout + made.stderr
    assert run("sign", model, "--key", tmp_path / "own").returncode == 0
    good = run("verify", model, "--key", tmp_path / "own.pub", "--json")
    assert (good.returncode, json.loads(good.stdout)["good"]) == (0, True)
    bad = run("verify", model, "--key", f"{signed[1]}.pub")
    assert (bad.returncode, "another key" in bad.stdout) == (1, True)
    assert run("sign", model).returncode == 2
