"""Transfer: a job that starts from an earlier artifact, and the job it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open

from burnish.artifact import Artifact
from burnish.config import FromScratch, Job
from burnish.data.rows import Rows
from burnish.device import Precision
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.models.load import Source, resolve
from burnish.models.net import EXTRAS_FILE, Net
from burnish.results import Evaluation, Transfer
from burnish.training.evaluate import compare, evaluation


def source_of(job: Job) -> Artifact | None:
    """The artifact a job starts from, every file checked; None where it starts from something else.

    Raises:
        InputError: when the artifact was changed or damaged after it was written.
    """
    source = resolve(job.model)
    return Artifact.open(source.place) if source.kind == "artifact" else None


def carry_word_shape(net: Net, source: Source) -> None:
    """Take over the trained word-shape embedding of an artifact where both networks have one.

    The encoder itself comes with the folder, and heads always start anew.

    Raises:
        InputError: when the embedding has another size, as one of another version of burnish may have.
    """
    if source.kind != "artifact" or not net.word_shape or not Artifact.open(source.place, verify=False).word_shape:
        return
    with safe_open(Path(source.place) / EXTRAS_FILE, framework="pt") as file:
        trained = file.get_tensor("shape.weight")
    weight = net.get_parameter("extras.shape.weight")
    if trained.shape != weight.shape:
        raise InputError(
            f"the word-shape input of '{source.place}' has the size {tuple(trained.shape)}, this burnish uses "
            f"{tuple(weight.shape)}; tune that model again, or set tune.word_shape: false"
        )
    with torch.no_grad():
        weight.copy_(trained)


def gain(
    job: Job,
    source: Artifact,
    engine: Engine,
    precision: Precision,
    *,
    out: Path,
    fit: Callable[[Job], Engine],
    rows: Rows,
    split: str,
    say: Callable[[str], None],
) -> tuple[Transfer, dict[str, Evaluation]]:
    """Run the same job from the model `source` was tuned from, and compare it with `engine` on the same rows.

    The run is the job itself in all but its start: rows, seed, precision and options are the same ones. Where it
    cannot be done the Transfer says why, and nothing else is lost.

    Args:
        out: place of the base model's run, which keeps checkpoints there and saves no model.
        fit: trains a job to the end.
    """
    base = str(source.manifest["job"]["model"])
    about = Transfer(job.model, source.task, base)
    try:
        other = base_job(job, source, precision, out)
        say(f"'{job.model}' was tuned from {base}: running the same job from {base} as well, to compare the two")
        reached = fit(other)
    except InputError as error:
        say(f"no comparison with {base}: {error}")
        return replace(about, missing=str(error)), {}
    kept, task, name = list(rows), engine.task, f"from {base}"
    guesses = reached.predict_rows(kept)
    references = [task.reference(row) for row in kept]
    comparison = compare(task, guesses, engine.predict_rows(kept), references, names=(name, "tuned"))
    before = evaluation(
        task, guesses, kept, split=split, metric=job.tune.metric, bootstrap=job.report.bootstrap, seed=job.seed
    )
    return replace(about, comparison=comparison), {name: before}


def base_job(job: Job, source: Artifact, precision: Precision, out: Path) -> Job:
    """The same job from the model that `source` was tuned from, to be measured and thrown away.

    The name comes from the artifact's manifest, so a folder counts only inside of the working directory.

    Raises:
        InputError: when that model is not on this machine.
    """
    made = source.manifest["job"]
    name = str(made["model"])
    place = Path(name).expanduser()
    if place.is_dir():
        if place.resolve() == source.folder.resolve():
            raise InputError(f"'{name}' was written in the place of its own base model")
        if not place.resolve().is_relative_to(Path.cwd().resolve()):
            raise InputError(
                f"'{name}' lies outside of the working directory, and paths that an artifact names are not followed "
                "there; start the run from a folder above it"
            )
    resolve(name)
    tune = job.tune.model_copy(
        update={"precision": precision, "scratch": FromScratch.model_validate(made["tune"]["scratch"])}
    )
    return job.model_copy(update={"model": name, "tune": tune, "track": (), "out": str(out)})
