"""A tiny table whose label follows from a number and a category, and a job for it."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

from burnish.config import Job, parse

COLUMNS = {"number": ["age", "income"], "category": ["town"]}


def rows(count: int = 240, seed: int = 0) -> list[dict[str, str]]:
    """People who buy where they are old and live in Bonn, or are young and do not; they spend as they are old."""
    chance, found = random.Random(seed), []
    for _ in range(count):
        age, town = chance.randint(18, 80), chance.choice(["Bonn", "Köln", "上海"])
        buys = (age > 45) == (town == "Bonn")
        income = f"{chance.randint(900, 99_000):,}"
        found.append(
            {"age": str(age), "income": income, "town": town, "buys": "yes" if buys else "no", "spent": f"{age * 2.5}"}
        )
    return found


def table(place: Path, given: list[dict[str, str]] | None = None, name: str = "people.csv") -> Path:
    given = rows() if given is None else given
    with (place / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(given[0]))
        writer.writeheader()
        writer.writerows(given)
    return place / name


def job(place: Path, data: Path, task: str = "classify", **tune: Any) -> Job:
    label = "spent" if task == "score" else "buys"
    split = {"dev": 0.2, "test": 0.2, "by": "random"}
    return parse(
        {
            "task": task,
            "out": str(place / "out"),
            "data": {"train": str(data), "columns": COLUMNS | {"label": label}, "split": split},
            "tune": {"precision": "fp32", **tune},
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )
