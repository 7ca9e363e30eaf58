"""How fast forms of a model are here: processes of their own, in turns, from rows to predictions.

`python -m burnish.compression.measure MODEL FOLDER ROWS` is such a process: it opens the variant in FOLDER, or the
model itself when that is empty, and answers each line it is given with one line: `answer` and JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np

from burnish import device
from burnish.artifact import Artifact
from burnish.compressed import Speed
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.errors import BurnishError
from burnish.variant import MANIFEST, Variant

SINGLES = 200  # rows predicted one by one in a pass
_ANSWER = "answer "


class _Process:
    """A form of a model in a process of its own, idle between passes."""

    def __init__(self, model: Path, folder: Path | None, rows: Path) -> None:
        given = [str(model), str(folder or ""), str(rows)]
        command = [sys.executable, "-P", "-m", "burnish.compression.measure", *given]
        self._words = TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, text=True
        )

    def ask(self, what: str) -> Any:
        """Its answer to `all`, `single` or `peak`.

        Raises:
            BurnishError: with its last words when it has died.
        """
        process = self._process
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(what + "\n")
            process.stdin.flush()
            while line := process.stdout.readline():
                if line.startswith(_ANSWER):  # others are of libraries
                    return json.loads(line.removeprefix(_ANSWER))
            raise EOFError
        except (OSError, EOFError, ValueError):
            process.kill()
            process.wait()
            self._words.seek(0)
            words = self._words.read().strip().split("\n")[-1]
            raise BurnishError(f"a form of the model could not be timed: {words[:300]}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._words.close()


def measure(
    model: Path, folders: Mapping[str, Path | None], rows: Sequence[Row], work: Path, repeats: int = 5
) -> dict[str, Speed]:
    """Time forms of a model side by side.

    Args:
        model: the model folder.
        folders: for each name the folder of a variant; None for the tuned model itself.
        rows: canonical rows to predict.
        work: a folder to write the rows to.
    """
    place = work / "rows.jsonl"
    place.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
    passes: dict[str, list[float]] = {name: [] for name in folders}
    joules: dict[str, list[float]] = {name: [] for name in folders}
    singles: dict[str, list[list[float]]] = {name: [] for name in folders}
    peaks: dict[str, int] = {}
    with ExitStack() as stack:
        running = {name: stack.enter_context(_Process(model, folder, place)) for name, folder in folders.items()}
        for process in running.values():  # the first pass compiles kernels and reads files
            process.ask("all")
            process.ask("single")
        for _ in range(repeats):
            for name, process in running.items():
                seconds, energy = process.ask("all")
                passes[name].append(len(rows) / seconds)
                joules[name].append(energy / len(rows))
                singles[name].append(process.ask("single"))
        for name, process in running.items():
            peaks[name] = process.ask("peak")
    found = {}
    for name, folder in folders.items():
        p50, p95, p99 = (float(value) for value in np.percentile(np.median(singles[name], 0), (50, 95, 99)))
        rates = passes[name]
        size = size_of(model, folder)
        found[name] = Speed(
            median(rates), min(rates), max(rates), p50, p95, p99, peaks[name], size, median(joules[name])
        )
    return found


def size_of(model: Path, folder: Path | None) -> int:
    """Bytes of a variant's files; of the tuned model those of its weights."""
    files: Iterable[Path] = folder.rglob("*") if folder else model.glob("*.safetensors")
    return sum(file.stat().st_size for file in files if file.is_file() and file.name != MANIFEST)


def _answer() -> None:
    model, folder, place = sys.argv[1:]
    variant = None
    if folder:
        manifest = json.loads(Path(folder, MANIFEST).read_text(encoding="utf-8"))
        variant = Variant(Path(folder), manifest)
    engine = Engine.of(Artifact.open(model, verify=False), variant)
    rows = [json.loads(line) for line in Path(place).read_text(encoding="utf-8").splitlines()]
    meter = device.Meter()
    for line in sys.stdin:
        found: Any
        if line.strip() == "all":
            before, started = meter.joules(), time.perf_counter()
            engine.predict_rows(rows)
            found = time.perf_counter() - started, meter.joules() - before
        elif line.strip() == "single":
            found = []
            for row in rows[:SINGLES]:
                started = time.perf_counter()
                engine.predict_rows([row])
                found.append(1000 * (time.perf_counter() - started))
        else:
            found = device.peak_memory()
        print(f"{_ANSWER}{json.dumps(found)}", flush=True)


if __name__ == "__main__":
    _answer()
