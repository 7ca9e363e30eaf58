"""Students that learn side by side: a process each, on a part of the threads.

A small network keeps one core busy and not two: its products are short, and what lies between them runs on one thread.
`python -m burnish.compression.beside LESSON` is such a process; it writes one line of JSON about every second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Lock

from burnish import device
from burnish.compression.distill import Lesson, taught
from burnish.errors import BurnishError
from burnish.training.events import Step
from burnish.training.sinks import Sink

LESSON = "lesson.json"


def together(lessons: Sequence[Lesson], threads: int, show: Sink | None) -> list[float]:
    """Seconds that each lesson took; they are begun in their order, as many at once as there are threads.

    Args:
        show: gets a step of all of them together.

    Raises:
        BurnishError: with the last words of a student that has died; the others are stopped.
    """
    running: list[subprocess.Popen[str]] = []
    latest: dict[int, Step] = {}
    lock, stopped = Lock(), Event()
    at_once = min(len(lessons), threads)
    left = len(lessons) - len(lessons) % at_once  # from there on fewer learn at once

    def learn(index: int) -> float:
        lesson, started = lessons[index], time.perf_counter()
        if Path(lesson.out).is_dir():
            return 0.0
        place = Path(lesson.out).with_name(LESSON)
        place.write_text(json.dumps(asdict(lesson)), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "burnish.compression.beside", str(place)]
        own = threads // (at_once if index < left else len(lessons) - left)
        env = os.environ | {"OMP_NUM_THREADS": str(own)}
        with TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True, env=env) as process:
                running.append(process)
                if stopped.is_set():
                    process.kill()
                assert process.stdout
                for line in process.stdout:
                    with lock:
                        latest[index] = Step(**json.loads(line))
                        if show:
                            show(_all(list(latest.values())))
            if process.returncode:
                words.seek(0)
                last = words.read().strip().split("\n")[-1][:300] or "it was killed, perhaps for want of memory"
                raise BurnishError(f"a student could not learn (exit code {process.returncode}): {last}")
        return time.perf_counter() - started

    with ThreadPoolExecutor(at_once) as pool:
        tasks = [pool.submit(learn, index) for index in range(len(lessons))]
        try:
            for task in wait(tasks, return_when=FIRST_EXCEPTION).done:
                task.result()
            return [task.result() for task in tasks]
        finally:
            stopped.set()
            for task in tasks:
                task.cancel()
            for process in running:
                process.kill()


def _all(steps: Sequence[Step]) -> Step:
    """What several students have done, as one step; their seconds are of the same time."""
    names = ("step", "steps", "rows", "tokens")
    sums = {name: sum(getattr(one, name) for one in steps) for name in names}
    return replace(steps[-1], **sums, seconds=max(one.seconds for one in steps))


def _learn(place: Path) -> None:
    said = 0.0
    with device.freed_memory_kept():
        for event in taught(Lesson(**json.loads(place.read_text(encoding="utf-8")))):
            if isinstance(event, Step) and (time.monotonic() - said > 1 or event.step == event.steps):
                said = time.monotonic()
                print(json.dumps(asdict(event)), flush=True)  # which ends it when nobody listens any more


if __name__ == "__main__":
    _learn(Path(sys.argv[1]))
