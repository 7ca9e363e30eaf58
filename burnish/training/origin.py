"""The job that made a model, and the rows that it was tuned on, where they still are."""

from __future__ import annotations

from os.path import exists, expanduser
from typing import Any

from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.data.load import fingerprint, load, usable
from burnish.data.rows import Rows
from burnish.errors import InputError


def training_rows(artifact: Artifact, train: str | None = None) -> Rows:
    """The training rows of a model's job, without those that have no text or no label.

    Args:
        train: the file with them, when it is no longer where the job has it.

    Raises:
        InputError: when the file is gone, cannot be read, or holds other rows.
    """
    job = job_of(artifact, train)
    place = job.data.train
    if not is_there(place):
        raise InputError(f"the training rows are no longer at '{place}'; name the file with them: --train FILE")
    rows = usable(load(job)["train"], job.task)
    if fingerprint(rows) != artifact.manifest["data"]["fingerprint"]:
        raise InputError(
            f"'{place}' does not hold the rows that '{artifact.folder}' was tuned on; name the file with them: "
            "--train FILE"
        )
    return rows


def is_there(place: str) -> bool:
    """Whether rows of a job may still be read where it has them; of a hub set that is taken for granted."""
    return place.startswith("hub:") or exists(expanduser(place))


def job_of(artifact: Artifact, train: str | None = None) -> Job:
    """The job that a model was made by."""
    kept: dict[str, Any] = artifact.manifest["job"]
    return parse(kept | {"data": kept["data"] | ({"train": train} if train else {})})
