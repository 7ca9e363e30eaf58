"""What tiny sets of images and of sounds have in common: two classes of files, by folder or by table, and a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from burnish.config import Job, parse

Write = Callable[[Path, str, int], None]
"""Writes the file of a label and a seed, the path without its ending."""


def folder(place: Path, labels: tuple[str, str], write: Write, count: int) -> Path:
    """A sub-folder of files for each of two classes."""
    for number, label in enumerate(labels):
        (place / label).mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            write(place / label / f"{seed:02}", label, seed + 1000 * number)
    return place


def table(place: Path, column: str, ending: str, labels: tuple[str, str], write: Write, count: int) -> Path:
    """The same as a CSV file with a column of their names."""
    folder(place / f"{column}s", labels, write, count)
    names = [f"{column}s/{label}/{seed:02}{ending},{label}" for seed in range(count) for label in labels[::-1]]
    (place / "rows.csv").write_text("\n".join([f"{column},kind", *names]) + "\n", encoding="utf-8")
    return place / "rows.csv"


def job(place: Path, data: Path, columns: dict[str, str], model: str, **tune: Any) -> Job:
    settings = {"learning_rate": 1e-2, "layer_decay": 1.0, "precision": "fp32", **tune}
    return parse(
        {
            "task": "classify",
            "model": model,
            "out": str(place / "out"),
            "data": {
                "train": str(data),
                "columns": {} if data.is_dir() else columns | {"label": "kind"},
                "split": {"dev": 0.25},
            },
            "tune": settings,
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )
