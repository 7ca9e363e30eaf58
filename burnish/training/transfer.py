"""Transfer: a job that starts from an earlier artifact, and the job it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from burnish import device
from burnish.artifact import Artifact
from burnish.config import FromScratch, Job
from burnish.data.rows import Rows
from burnish.device import Precision
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.errors import BurnishError, InputError
from burnish.models.load import resolve
from burnish.results import Evaluation, Transfer
from burnish.training.build import net_for, task_for, tokenizer_for
from burnish.training.evaluate import compare, evaluation, outcome
from burnish.training.fit import fit, work_folder
from burnish.training.measure import Measured, fit_thresholds


def source_of(job: Job) -> Artifact | None:
    """The artifact a job starts from, every file checked; None where it starts from something else.

    Raises:
        InputError: when the artifact was changed or damaged after it was written.
    """
    source = resolve(job.model)
    return Artifact.open(source.place) if source.kind == "artifact" else None


def gain(
    job: Job,
    source: Artifact | None,
    measured: Measured,
    precision: Precision,
    parts: dict[str, Rows],
    quiet: bool,
    say: Callable[[str], None],
) -> tuple[Transfer | None, dict[str, Evaluation]]:
    """Run the same job from the model `source` was tuned from, and compare the two on the rows of `measured.after`.

    The run is the job itself in all but its start: rows, seed, precision and options are the same ones. It keeps
    checkpoints in the job's work folder and saves no model. Where it cannot be done the Transfer says why, and nothing
    else is lost. Without a source there is nothing to do and to tell.

    Args:
        precision: what the job itself was trained in.
    """
    if source is None:
        return None, {}
    base = str(source.manifest["job"]["model"])
    about = Transfer(job.model, source.task, base)
    try:
        other = base_job(job, source, precision, work_folder(job) / "base")
        say(f"'{job.model}' was tuned from {base}: running the same job from {base} as well, to compare the two")
        engine = _tuned(other, parts, quiet)
    except BurnishError as error:  # also one that diverges: the tuned model is worth more than the comparison
        say(f"no comparison with {base}: {error}")
        return replace(about, missing=str(error)), {}
    split, task, name = measured.after.split, engine.task, f"from {base}"
    fit_thresholds(engine, parts)
    reached = outcome(task, engine.stream(parts[split]), parts[split])
    comparison = compare(task, reached.tallies, measured.tallies, names=(name, "tuned"))
    before = evaluation(
        task, reached, split=split, metric=job.tune.metric, bootstrap=job.report.bootstrap, seed=job.seed
    )
    return replace(about, comparison=comparison), {name: before}


def _tuned(job: Job, parts: dict[str, Rows], quiet: bool) -> Engine:
    device.seed_everything(job.seed)
    tokenizer = tokenizer_for(job, parts["train"])
    task = task_for(job, parts["train"])
    net = net_for(job, task, tokenizer)
    fit(job, parts, task, net, tokenizer, quiet)
    return Engine(Eager(net), task, tokenizer, job.tune.max_tokens)


def base_job(job: Job, source: Artifact, precision: Precision, out: Path) -> Job:
    """The same job from the model that `source` was tuned from, to be measured and thrown away.

    The name comes from the artifact's manifest, so a folder counts only inside of the working directory.

    Raises:
        InputError: when that model is not on this machine, or the job cannot start from it.
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
    if made["tune"].get("method") == "adopt":
        raise InputError(f"'{name}' was taken over as it is, so that this would be the same training twice")
    if resolve(name).kind == "scratch" and job.tune.method == "few-shot":
        raise InputError("tune.method: few-shot needs a pretrained model, and that one began from scratch")
    tune = job.tune.model_copy(
        update={"precision": precision, "scratch": FromScratch.model_validate(made["tune"]["scratch"])}
    )
    return job.model_copy(update={"model": name, "tune": tune, "track": (), "out": str(out)})
