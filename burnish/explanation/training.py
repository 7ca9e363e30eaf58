"""The rows that a model was tuned on, where they still are."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import exists
from typing import Any

import numpy as np

from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.data.load import fingerprint, load, usable
from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.errors import InputError


def training_rows(engine: Engine, train: str | None = None) -> Rows:
    """The training rows of the model's job, without those that have no text or no label.

    Args:
        train: the file with them, when it is no longer where the job has it.

    Raises:
        InputError: when the file is gone or holds other rows, or the engine was not opened from a model folder.
    """
    if engine.artifact is None:
        raise InputError("this engine was not opened from a model folder, so that its training rows are not known")
    job = job_of(engine.artifact, train)
    place = job.data.train
    if not place.startswith("hub:") and not exists(place):
        raise InputError(
            f"the training rows are no longer at '{place}', so that no examples can be shown; "
            "name the file with them: --train FILE"
        )
    rows = usable(load(job)["train"], engine.task.name)
    if fingerprint(rows) != engine.artifact.manifest["data"]["fingerprint"]:
        raise InputError(
            f"'{place}' does not hold the rows that '{engine.artifact.folder}' was tuned on; name the file with them: "
            "--train FILE"
        )
    return rows


def job_of(artifact: Artifact, train: str | None = None) -> Job:
    """The job that a model was made by."""
    kept: dict[str, Any] = artifact.manifest["job"]
    return parse(kept | {"data": kept["data"] | ({"train": train} if train else {})})


def label_of(row: Row) -> str:
    """The label of a row in words: a class, several, a number, or the types of its entities."""
    if "tags" in row:
        return ", ".join(dict.fromkeys(tag[2:] for tag in row["tags"] if tag != "O")) or "O"
    label = row["label"]
    return ", ".join(label) if isinstance(label, list) else f"{label:g}" if isinstance(label, float) else str(label)


def spread(rows: Sequence[Any] | Rows, count: int) -> list[int]:
    """Indices of at most `count` rows at equal distances."""
    return np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)).tolist() if len(rows) else []
