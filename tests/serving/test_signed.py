"""A service that requires signatures opens no other model: at the start, later, and after a process has died."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from burnish import signature
from tests.serving.conftest import ADMIN, start, stop

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the service forks")


def test_unsigned_models_are_refused_whenever_they_come(folders: dict[str, Path], tmp_path: Path) -> None:
    for name in ("signed", "unsigned", "tampered"):
        shutil.copytree(folders["classify"], tmp_path / name)
    public = signature.new_key(tmp_path / "key")
    for name in ("signed", "tampered"):
        signature.sign(tmp_path / name, tmp_path / "key")
    (tmp_path / "tampered" / "chat_template.jinja").write_text("what no checksum of the manifest knows")
    (tmp_path / "keys").write_text(f"{ADMIN} scopes=predict,admin\n", encoding="utf-8")
    options = ["--require-signature", str(public), "--processes", "1", "--store", "none"]
    for name in ("unsigned", "tampered"):
        with pytest.raises(AssertionError, match="a signature is required"):
            start([tmp_path / name], *options)

    running = start(
        [tmp_path / "signed"], *options, "--api-key-file", str(tmp_path / "keys"), "--models", str(tmp_path)
    )
    try:
        with running.client() as client:
            asked = {"inputs": ["the film was very good"]}
            assert client.post("/v1/predict", json=asked).status_code == 200
            for name in ("unsigned", "tampered"):
                assert client.post("/v1/models/signed", json={"folder": name}).status_code == 409
            assert client.post("/v1/predict", json=asked).status_code == 200
            (tmp_path / "signed" / "chat_template.jinja").write_text("added while it is served")
            os.kill(running.workers()[0], signal.SIGKILL)
            ends = time.monotonic() + 20
            while client.post("/v1/predict", json=asked).status_code == 200:  # until the death is known
                assert time.monotonic() < ends
            time.sleep(3)  # in which another process has tried to open it
            assert client.post("/v1/predict", json=asked).status_code == 503
            assert not running.workers()
    finally:
        stop(running)
