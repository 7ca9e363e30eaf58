"""Students that learn side by side, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.numpy import save_file

from burnish import job as flow
from burnish.compression.beside import together
from burnish.compression.distill import Lesson, lessons, soften, taught
from burnish.data.load import load, usable
from burnish.engine import Engine
from burnish.errors import BurnishError
from burnish.training.events import Step
from tests import tiny


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    job = tiny.job(tmp_path, "tag", epochs=1)
    flow.tune(job)
    engine = Engine.open(job.out)
    rows = usable(load(job)["train"], "tag")
    softened = soften(lessons(engine.task, rows, 1, engine.tokenizer, 32, seed=0), engine.runtime, 0)
    save_file(softened.arrays(), tmp_path / "lessons.safetensors")
    start, out = tmp_path / "one" / "start", tmp_path / "one" / "0"
    start.mkdir(parents=True)
    engine.net.save(start)
    return Lesson(
        job.out,
        str(tmp_path / "lessons.safetensors"),
        str(start),
        str(out),
        epochs=2,
        pad_id=0,
        seed=0,
        precision="fp32",
    )


def test_each_learns_what_it_would_alone(lesson: Lesson, tmp_path: Path) -> None:
    other = replace(lesson, out=str(tmp_path / "two" / "0"))
    Path(other.out).parent.mkdir()
    seen: list[Step] = []
    seconds = together([lesson, other], 2, seen.append)
    assert len(seconds) == 2
    assert min(seconds) > 0
    alone = replace(lesson, out=str(tmp_path / "three" / "0"))
    Path(alone.out).parent.mkdir()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    steps = [event for event in taught(alone) if isinstance(event, Step)]
    torch.set_num_threads(before)
    assert seen[-1].steps == 2 * steps[-1].steps
    assert seen[-1].step == 2 * steps[-1].step
    files = [Path(one.out, "model.safetensors").read_bytes() for one in (lesson, other, alone)]
    assert files[0] == files[1] == files[2]
    assert files[0] != Path(lesson.start, "model.safetensors").read_bytes()
    assert not list(taught(alone))  # it has learnt all already


def test_a_student_that_dies_is_told_and_stops_the_others(lesson: Lesson, tmp_path: Path) -> None:
    lost = replace(lesson, start=str(tmp_path / "gone"), out=str(tmp_path / "two" / "0"))
    Path(lost.out).parent.mkdir()
    with pytest.raises(BurnishError, match=r"a student could not learn .*gone"):
        together([replace(lesson, epochs=100_000), lost], 2, None)
    assert not Path(lesson.out).exists()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks for processes as Linux shows them")
def test_students_end_when_nobody_waits_for_them(lesson: Lesson, tmp_path: Path) -> None:
    other = replace(lesson, out=str(tmp_path / "two" / "0"))
    Path(other.out).parent.mkdir()
    long = [asdict(replace(one, epochs=100_000)) for one in (lesson, other)]
    code = (
        "import json, sys\n"
        "from burnish.compression.beside import together\n"
        "from burnish.compression.distill import Lesson\n"
        "together([Lesson(**one) for one in json.loads(sys.argv[1])], 2, lambda step: print(step.step, flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, json.dumps(long)], stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()  # they learn
    assert len(_learning(tmp_path)) == 2
    parent.kill()
    parent.communicate()
    end = time.monotonic() + 30
    while _learning(tmp_path) and time.monotonic() < end:
        time.sleep(0.2)
    assert not _learning(tmp_path)


def _learning(folder: Path) -> list[str]:
    """Processes that learn a lesson in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = place.read_bytes().decode(errors="replace")
            if "burnish.compression.beside" in words and str(folder) in words and "json.loads" not in words:
                found.append(words)
    return found
