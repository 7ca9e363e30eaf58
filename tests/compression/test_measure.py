"""Timing in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from burnish import job as flow
from burnish.compression import measure as timing
from burnish.compression.measure import measure, size_of
from burnish.errors import BurnishError
from tests import tiny


def _child(monkeypatch: pytest.MonkeyPatch, program: str) -> timing._Process:
    whole = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: whole([sys.executable, "-c", program], **more))
    return timing._Process(Path(), None, Path())


def test_lines_of_libraries_are_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with _child(monkeypatch, "input(); print('proxy on'); print('7'); print('answer [1, 2]')") as process:
        assert process.ask("all") == [1, 2]


def test_a_process_that_answers_amiss_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import time; input(); print('answer {', flush=True); time.sleep(60)"
    started = time.monotonic()
    with _child(monkeypatch, program) as process, pytest.raises(BurnishError, match="could not be timed"):
        process.ask("all")
    assert time.monotonic() - started < 30


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    flow.tune(job)
    with pytest.raises(BurnishError, match=r"could not be timed: .*no such variant|could not be timed: .*No such file"):
        measure(Path(job.out), {"gone": tmp_path / "gone"}, [{"text": "good"}], tmp_path)
    assert size_of(Path(job.out), None) == sum(f.stat().st_size for f in Path(job.out).glob("*.safetensors"))
