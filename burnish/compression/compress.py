"""`burnish compress`, one line a stage: stand-in, runtimes, students, the chosen one, measured."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

from burnish import device, variant
from burnish.artifact import MANIFEST, Artifact, disk_error
from burnish.compressed import CompressReport
from burnish.compression import forms, last_look, stand_in
from burnish.compression.forms import Form
from burnish.compression.journal import Journal
from burnish.compression.prune import Shape, can_shrink
from burnish.compression.search import Found, Search
from burnish.compression.students import Learner, World
from burnish.config import Compress, Job, Made, parse
from burnish.data.load import fingerprint, load, usable
from burnish.data.reader import Reader
from burnish.data.rows import Rows
from burnish.engine import net_of
from burnish.engine.runtime import Runtime
from burnish.errors import InputError, nearest
from burnish.models.net import Net
from burnish.reporting.html import compress_html
from burnish.tasks import task_named
from burnish.training.build import within_places
from burnish.variant import Variant

Say = Callable[[str], None]
REPORT, RECIPE, JOURNAL = "report.html", "job.yaml", "search.sqlite"
_PATIENCE = 0.7  # a stand-in may take this share of the time
_ROUGHLY = 1.5  # times its minutes that a search may take at the most to learn one more student


def compress(
    model: str | Path,
    options: Compress,
    *,
    train: str | None = None,
    quiet: bool = True,
    say: Say = lambda line: None,
) -> CompressReport:
    """Search the cheapest form of a model that keeps to a budget on this machine, and save it as a variant.

    The rows the model was tuned on are read again. A part of them judges: a stand-in is tuned on the others by the
    model's own job, trials are made with it, and the one that wins is then made of the model itself, with all rows.
    The variant has the name of the goal. A search that was killed goes on when it is called again.

    Args:
        train: file with the training rows, when they are no longer where the job has them.

    Raises:
        InputError: when the model or its rows cannot be read, and when the disk does not take what the search writes.
    """
    artifact = Artifact.open(Path(model).resolve())
    artifact.must_go_with("compress")
    task = task_named(artifact.task).restore(artifact.state)
    own = artifact.manifest["job"].get("tune", {}).get("metric") or task.metric
    options = options.model_copy(update={"metric": options.metric or own})
    must_be_measurable(options)
    if options.metric not in artifact.metrics:
        told = nearest(str(options.metric), artifact.metrics)
        raise InputError(f"--budget: '{options.metric}' is no metric of {task.name}; {told}")
    job = _job(artifact, train, options)
    if job.tune.context:
        raise InputError(f"'{model}' reads sentences with their neighbours (tune.context), and is not compressed yet")
    say("reading the data")
    parts = {name: usable(rows, job.task) for name, rows in load(job).items()}
    _must_be_the_same(artifact, job, parts, say)
    net, tokenizer = net_of(artifact, task).eval(), artifact.tokenizer()
    if isinstance(tokenizer, Reader):
        tokenizer = tokenizer.varying(job.tune)
    tuned = World(artifact, artifact.folder, task, net, tokenizer, parts["train"], job.seed)
    work = work_folder(artifact.folder, options)
    given = [_weights(artifact), options.model_dump(), fingerprint(parts["train"]), device.environment()]
    given += [list(map(str, forms.forms_here())), forms.versions()]
    identity = hashlib.sha256(json.dumps(given).encode()).hexdigest()
    try:
        with closing(Journal(work / JOURNAL, identity)) as journal, device.freed_memory_kept():
            return _compressed(tuned, parts, job, options, journal, work, quiet, say)
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno in (None, errno.ENOENT):  # of a library, or of what is read
            raise
        raise disk_error(error, work) from None


def _compressed(
    tuned: World,
    parts: dict[str, Rows],
    job: Job,
    options: Compress,
    journal: Journal,
    work: Path,
    quiet: bool,
    say: Say,
) -> CompressReport:
    found = _given(options.made) if options.made else _searched(tuned, job, options, journal, work, quiet, say)
    if found.shared:
        tuned = tuned.merged()
    whole = folder = work / "as it is"
    journal.once("written as it is", _written, tuned, tuned.net, found.form, whole)
    while found.shape is not None:
        say(f"{found.shape}: {found.epochs} epochs with the model itself, on all {len(tuned.rows):,} rows")
        teacher, folder = tuned.opened(found.form, whole), work / str(found.shape)
        journal.once(f"written {found.shape}", _taught, tuned, teacher.runtime, found, folder, work / "last", quiet)
        say("measuring")
        report, about = last_look.look(tuned, parts, options, found, folder, journal, work)
        if report.kept or options.made:
            break
        in_time = journal.once(f"time after {found.shape}", _in_time, journal, f"written {found.shape}", options)
        found, folder = found.next() if in_time else replace(found, dearer=()).next(), whole
        late = "" if in_time else f" (for a dearer one, give it more than --minutes {options.minutes:g})"
        other = f"back to the network as it is{late}" if found.shape is None else "the next dearer one"
        say(f"{report.shape} loses {report.lost:.4f} on {report.after.split}, too much: {other}")
    if found.shape is None:
        say("measuring")
        report, about = last_look.look(tuned, parts, options, found, whole, journal, work)
    (folder / REPORT).write_text(compress_html(report), encoding="utf-8")
    (folder / RECIPE).write_text(_recipe(job, options, found), encoding="utf-8")
    _save(tuned.artifact, folder, found.form, options.goal, about)
    journal.remove()
    return report


def _in_time(journal: Journal, step: str, options: Compress) -> bool:
    """Whether there is time for another step like this one, when the minutes are meant roughly."""
    return journal.spent() + journal.steps()[step].seconds <= _ROUGHLY * 60 * options.minutes


def must_be_measurable(options: Compress) -> None:
    """Refuse a search for what this machine cannot tell.

    Raises:
        InputError: for energy, without counters of it, or with an accelerator, which they leave out.
    """
    if options.goal != "energy" or options.made:
        return
    if device.choose_device().type != "cpu":
        raise InputError(
            "compress.goal: energy is read from the processors alone, and here an accelerator does the work"
        )
    if not device.Meter().works:
        raise InputError(
            "compress.goal: energy: this machine does not say what it takes (/sys/class/powercap/intel-rapl:*/energy_uj"
            " is missing or closed to this user, as in most virtual machines); throughput comes nearest"
        )


def work_folder(model: Path, options: Compress) -> Path:
    """Where an unfinished search keeps what it has found: beside the model."""
    return model.with_name(f".{model.name}.{options.goal}.work")


def under_way(job: Job) -> bool:
    """Whether the model of a job is tuned, and the search that follows was begun and not finished."""
    out = Path(job.out).resolve()
    if job.compress is None or not (work_folder(out, job.compress) / JOURNAL).is_file():
        return False
    made = within_places(job).model_dump(mode="json")
    return (out / MANIFEST).is_file() and Artifact.open(out).manifest["job"] == made


def _weights(artifact: Artifact) -> dict[str, str]:
    """Checksums of what a search depends on: of a model's files those that are no report of a run."""
    return {name: sha for name, sha in artifact.manifest["files"].items() if name.endswith((".safetensors", ".json"))}


def _must_be_the_same(artifact: Artifact, job: Job, parts: Mapping[str, Rows], say: Say) -> None:
    """The last look may be at rows that were split off: with other rows, the model may know them.

    Raises:
        InputError: when the rows are not those of the tuning, and those of the last look are no file of their own.
    """
    if fingerprint(parts["train"]) == artifact.manifest["data"]["fingerprint"]:
        return
    if not {"test": job.data.test, "dev": job.data.dev}.get(last_look.judging(parts)):
        raise InputError(
            f"'{job.data.train}' does not hold the rows that '{artifact.folder}' was tuned on; name the file with them "
            "(--train), or tune the model again"
        )
    say("note: the training rows are not those that the model was tuned on")


def _job(artifact: Artifact, train: str | None, options: Compress) -> Job:
    kept = artifact.manifest["job"]
    data = kept["data"] | ({"train": train} if train else {})
    return parse({**kept, "data": data, "compress": options.model_dump()})


def _given(made: Made) -> Found:
    shape = None if made.layers is None else Shape(made.layers, made.heads, made.units)
    return Found(Form.named(made.form), shape, made.epochs, made.shared_words)


def _recipe(job: Job, options: Compress, found: Found) -> str:
    """The job of the model with what was found for it: `burnish run` then makes both again."""
    shape = {} if found.shape is None else {**asdict(found.shape), "epochs": found.epochs}
    made = Made(form=str(found.form), shared_words=found.shared, **shape)
    kept = options.model_copy(update={"made": made})
    again = job.model_copy(update={"compress": kept, "out": f"{Path(job.out)}-again"}).model_dump(mode="json")
    text = yaml.safe_dump(again, allow_unicode=True, sort_keys=False)
    return f"# burnish run makes the model and this variant of it again\n{text}"


def _searched(tuned: World, job: Job, options: Compress, journal: Journal, work: Path, quiet: bool, say: Say) -> Found:
    """Search with a stand-in, where there is time to tune one; the best so far is a variant of the model as soon as
    there is one."""
    learn, judge = stand_in.apart(tuned.rows, job)
    needed, world = stand_in.seconds_to_tune(tuned.artifact, job, len(learn)), replace(tuned, rows=learn)
    short = needed > 60 * options.minutes * _PATIENCE
    if short:
        say(f"tuning a stand-in would take {needed / 60:.0f} minutes: runtimes and precisions alone are tried")
        say(f"for smaller networks, give it --minutes {ceil(needed / 60 / _PATIENCE)} or more")
    elif job.tune.method == "adopt":
        say(f"a model from elsewhere: it is judged by {len(judge):,} rows, which it may know and its students do not")
    else:
        say(f"tuning a stand-in on {len(learn):,} rows, so that {len(judge):,} others can judge")
        world = stand_in.tuned_on(world, job, journal, work / "stand-in", quiet)
    search = Search(world, judge, options=options, journal=journal, work=work, quiet=quiet, say=say)
    say("runtimes and precisions")
    form = search.form()
    if short:
        search.share(form)
        return search.found(form)
    first = tuned.merged() if search.share(form) else tuned
    name = None if _chosen(tuned.artifact, options.goal) else options.goal  # not in the place of a better one
    journal.once("written as it is", _written, first, first.net, form, work / "as it is", name)
    seconds = journal.once("time left", lambda: max(0.0, 60 * options.minutes - journal.spent()))
    return search.run(form, seconds, len(tuned.rows) / len(learn))


def _chosen(artifact: Artifact, name: str) -> bool:
    """Whether an earlier search has chosen the variant of that name, and it can be opened."""
    try:
        return bool(Variant.open(artifact, name).manifest.get("compressed", {}).get("chosen"))
    except InputError:
        return False


def _taught(tuned: World, teacher: Runtime, found: Found, folder: Path, work: Path, quiet: bool) -> dict[str, Any]:
    """Make the student that was found of the model itself."""
    assert found.shape is not None
    learner = Learner(tuned, teacher, work, quiet)
    learner.learn({found.shape: found.epochs}, 0)
    return _written(tuned, learner.student(found.shape, 0), found.form, folder)


def _written(tuned: World, net: Net, form: Form, folder: Path, name: str | None = None) -> dict[str, Any]:
    """Write a network; under a name it is a variant at once, the best one so far."""
    tuned.written(net, form, folder)
    if name:
        _save(tuned.artifact, folder, form, name, {"parity": {}})
    return {"shape": str(Shape.of(net)) if can_shrink(net) else ""}


def _save(artifact: Artifact, folder: Path, form: Form, name: str, about: dict[str, Any]) -> Variant:
    def fill(fresh: Path) -> dict[str, Any]:
        for file in folder.iterdir():
            if file.name != variant.MANIFEST:
                shutil.copy(file, fresh / file.name)
        return {**form.manifest, **about}

    return variant.save(artifact, name, fill)
