"""Models whose faults are known: each answers by a rule of the text."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from burnish.artifact import Artifact
from burnish.audits.subject import Subject
from burnish.config import parse
from burnish.data.load import load_file, usable
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.job import tune
from burnish.tasks import Task
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.tag import Tag, TagPrediction
from burnish.variant import TUNED
from tests import tiny
from tests.audits import planted

Rule = Callable[[str], float]


class ByRule:
    """An engine for two classes whose probability of `yes` is a function of the text."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.task, self.asked = rule, Classify(("no", "yes")), 0

    def predict_rows(self, rows: Iterable[Row]) -> list[ClassPrediction]:
        found = []
        for row in rows:
            self.asked += 1
            p = self.rule(row["text"])
            label = "yes" if p > 0.5 else "no"
            found.append(ClassPrediction(label, (label,), {"no": 1 - p, "yes": p}))
        return found


class ByWord:
    """A tagger that names as PER the words of a set, and no other."""

    def __init__(self, known: set[str]) -> None:
        self.known, self.task = known, Tag(("O", "B-PER", "I-PER"))

    def predict_rows(self, rows: Iterable[Row]) -> list[TagPrediction]:
        found = []
        for row in rows:
            tags = tuple("B-PER" if word in self.known else "O" for word in row["words"])
            found.append(TagPrediction(tuple(row["words"]), tags, (), (0.9,) * len(tags)))
        return found


Make = Callable[..., Subject]


@pytest.fixture
def subject(tmp_path: Path) -> Make:
    """Make a subject of an engine and (text, label) rows, or of rows of words with tags."""

    def make(
        engine: Any, rows: Sequence[tuple[Any, ...]], header: Sequence[str] = ("text", "label"), **more: Any
    ) -> Subject:
        task: Task = engine.task
        place = tmp_path / ("rows.conll" if task.name == "tag" else "rows.csv")
        if task.name == "tag":
            sentences = ["\n".join(f"{word} {tag}" for word, tag in zip(*row, strict=True)) for row in rows]
            place.write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
        else:
            with place.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([header, *rows])
        columns = {} if task.name == "tag" else {"text": "text", "label": "label"}
        job = parse({"task": task.name, "data": {"train": str(place), "columns": columns}})
        found = usable(load_file(str(place), job), task.name)
        given = {"train_missing": "the training rows are gone", "pace": 1e5, "quick": True} | more
        artifact = cast(Artifact, None)
        return Subject(artifact, cast(Engine, engine), TUNED, found, "test", **given)

    return make


def sentences(count: int, seed: int = 0) -> list[str]:
    """Texts of eight words of a small vocabulary."""
    words = ["card", "payment", "refund", "transfer", "account", "balance", "please"]
    words += ["help", "today", "again", "money", "still", "waiting", "order"]
    chance = np.random.default_rng(seed)
    return [" ".join(chance.choice(words, 8)) + f" {index}" for index in range(count)]


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tuned model of some tasks."""
    found = {}
    for name in ("classify", "score", "tag"):
        job = tiny.job(tmp_path_factory.mktemp(name), name, epochs=2)
        tune(job)
        found[name] = Path(job.out)
    return found


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of rows without any planted fault."""
    return planted.tuned(tmp_path_factory.mktemp("clean"), planted.TRAIN, planted.HELD)
