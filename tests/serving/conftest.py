"""A service with a tiny model of each task, in processes as a user has them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from burnish import job as flow
from tests import tiny

ADMIN, READER = "admin-key-of-the-tests", "reader-key-of-the-tests"


@dataclass
class Running:
    """A service that has started."""

    process: subprocess.Popen[str]
    url: str
    folder: Path

    def client(self, key: str = ADMIN) -> httpx.Client:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def workers(self) -> list[int]:
        """Model processes: children of the one that forks them."""
        return [child for parent in children(self.process.pid) for child in children(parent)]


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(one) for one in found.split()]


def start(folders: list[Path], *options: str) -> Running:
    command = [sys.executable, "-m", "burnish", "serve", *map(str, folders), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folders[0].parent, env=os.environ)
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if found := re.match(r"https?://\S+", line):
            return Running(process, found[0], folders[0].parent)
    raise AssertionError(f"it did not start: {said}")


def stop(running: Running) -> int:
    """Its exit code after SIGTERM."""
    running.process.send_signal(signal.SIGTERM)
    return running.process.wait(30)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model folder for each task, called like it."""
    root = tmp_path_factory.mktemp("served")
    for task in ("classify", "pair", "score", "tag"):
        job = tiny.job(tmp_path_factory.mktemp(task), task)
        flow.tune(job.model_copy(update={"out": str(root / task)}))
    return {task: root / task for task in ("classify", "pair", "score", "tag")}


@pytest.fixture(scope="session")
def running(folders: dict[str, Path]) -> Iterator[Running]:
    root = folders["classify"].parent
    keys = root.parent / "keys"
    keys.write_text(f"{ADMIN} scopes=predict,feedback,admin\n{READER} scopes=predict\n", encoding="utf-8")
    keys.chmod(0o600)
    found = start(
        list(folders.values()), "--processes", "1", "--api-key-file", str(keys), "--models", str(root),
        "--max-concurrent-requests", "64", "--max-batch-tokens", "512",
    )  # fmt: skip
    yield found
    found.process.kill()
    found.process.wait()
