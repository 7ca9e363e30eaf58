"""Train a network on the rows of a job: features, trainer, sinks, and the folder an unfinished run lives in."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from burnish import device
from burnish.artifact import Artifact, disk_error
from burnish.config import Job
from burnish.data.augment import augment
from burnish.data.load import fingerprint
from burnish.data.reader import Reader
from burnish.data.rows import Rows
from burnish.data.several import part
from burnish.device import Precision
from burnish.engine.run import predictions, unlabelled
from burnish.engine.runtime import Eager
from burnish.models import lora
from burnish.models.load import resolve
from burnish.models.net import Net
from burnish.results import Curve, Privacy
from burnish.tasks import Task
from burnish.training.bigrams import fit_bigrams
from burnish.training.build import loss_for, pooling_of, sides_of
from burnish.training.contrast import Contrast
from burnish.training.evaluate import metric_value, outcome
from burnish.training.fewshot import FewShot, names
from burnish.training.head import fit_plain_head, plain_states, refit_head
from burnish.training.loop import Setting, Trainer
from burnish.training.private import Private, must_be_apart
from burnish.training.rest import rests, vectors
from burnish.training.sinks import Sinks
from burnish.training.summary import fit_summary


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    Attributes:
        precision: the one it ran in, which `auto` leaves to a measurement.
        trained: parameters that learnt.
        seconds: time of training alone, with that of fitting the head; the speeds are over all of its steps.
        privacy: what a private training has cost.
    """

    precision: Precision
    trained: int
    seconds: float
    curve: Curve
    tokens_per_second: float
    rows_per_second: float
    privacy: Privacy | None = None


AS_IT_IS = Fitted("fp32", 0, 0.0, Curve((), ()), 0.0, 0.0)  # nothing was trained


def work_folder(job: Job) -> Path:
    """Where an unfinished run keeps its checkpoints: beside the model it will become."""
    out = Path(job.out)
    return out.with_name(f".{out.name}.work")


def fit(job: Job, parts: dict[str, Rows], task: Task, net: Net, tokenizer: Any, quiet: bool) -> Fitted:
    """Train `net` in place; afterwards it holds the weights that were best on dev, or the last ones without dev.

    Low-rank updates have then become part of the weights they stood beside.

    Raises:
        InputError: when the disk does not take the checkpoints.
    """
    tune, train = job.tune, parts["train"]
    if tune.privacy:
        must_be_apart(job, parts)
    if job.model == "scratch" and tune.backward == "auto":  # layers that know nothing have to learn in every step
        tune = tune.model_copy(update={"backward": "full"})
    apart = {kind: part(job, kind).tune for kind in sides_of(job)}
    if apart:  # a step has no one layer from which on it could learn
        tune = tune.model_copy(update={"backward": "full"})
    place = device.choose_device()
    few = tune.method == "few-shot"
    rows = chain(train, augment(train, job.task, tune.augment, job.seed), names(task.labels) if few else ())
    features = task.encode(rows, tokenizer, tune.max_tokens).kept()
    options, pad_id = loss_for(job, task, train), tokenizer.pad_token_id or 0
    precision = device.measure_precision(place, net.hidden) if tune.precision == "auto" else tune.precision
    setting = Setting(identity(job, parts), precision, torch.get_num_threads())
    resting = not tune.privacy and not few and rests(net, tune, features)
    seen = features
    if resting:
        seen = vectors(net.to(place), features, pad_id, precision)
        tune = tune.model_copy(update={"backward": "full"})  # there is nothing below the head
    folder = work_folder(job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        device.seed_everything(job.seed)
        trainer = _trainer(job, task)(
            net,
            task,
            seen,
            tune,
            options,
            setting,
            folder=folder,
            pad_id=pad_id,
            seed=job.seed,
            device=place,
            evaluate=None
            if tune.privacy
            else _measure_on_dev(job, parts, task, net, tokenizer, precision if resting else None),
            vary=tokenizer.vary if isinstance(tokenizer, Reader) else None,
            apart=apart,
        )
        with device.freed_memory_kept(), Sinks(job, folder, quiet) as sinks:
            for event in trainer.run():
                sinks(event)
    except OSError as error:
        raise disk_error(error, folder) from None
    progress = trainer.progress
    spent = max(progress.seconds, 1e-9)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    speeds = progress.tokens / spent, progress.rows / spent
    if isinstance(trainer, Private):  # the curve of the loss and heads fitted to the rows would tell of them
        return Fitted(trainer.setting.precision, trained, progress.seconds, Curve(), *speeds, trainer.spent)
    curve = Curve(tuple(progress.losses.points), tuple(progress.evaluations))
    if tune.lora:
        lora.merge(net)
    ran, started = trainer.setting.precision, time.perf_counter()
    states = None
    if not few and not task.paired:
        states = refit_head(
            net, task, features if net.scaled is None else seen, options, pad_id, ran, trainer.evaluate, progress.best
        )
        fit_bigrams(net, features, options, pad_id, ran, trainer.evaluate)
    fit_summary(net, features, options, ran, trainer.evaluate)
    seconds = progress.fitting + progress.seconds + time.perf_counter() - started
    if task.plain_head and (plain := states or plain_states(net, features, pad_id, ran)):
        fit_plain_head(net.model, task, options, plain)
    return Fitted(ran, trained, seconds, curve, *speeds)


def _trainer(job: Job, task: Task) -> type[Trainer]:
    if task.paired:
        return Contrast
    return Private if job.tune.privacy else FewShot if job.tune.method == "few-shot" else Trainer


def _measure_on_dev(
    job: Job, parts: dict[str, Rows], task: Task, net: Net, tokenizer: Any, at_rest: Precision | None
) -> Callable[[Precision], float] | None:
    if "dev" not in parts:
        return None
    dev, pad_id = parts["dev"], tokenizer.pad_token_id or 0
    features = task.encode(unlabelled(dev), tokenizer, job.tune.max_tokens).kept()  # once, not at each measurement
    place = device.choose_device()
    if at_rest:
        features = vectors(net, features, pad_id, at_rest)

    def measure(precision: Precision) -> float:
        said = predictions(Eager(net, place, precision), task, features, dev, pad_id=pad_id)
        return metric_value(task, job.tune.metric or task.metric, outcome(task, said, dev))

    return measure


def identity(job: Job, parts: dict[str, Rows]) -> str:
    """What a checkpoint must have in common with a run that resumes from it, as a SHA-256."""
    kept = job.model_dump(mode="json", exclude={"out", "report", "gates", "track", "compress"})
    source = resolve(job.model)
    # Frozen weights are not in a checkpoint: they have to be the same ones when the run goes on.
    start: dict[str, Any] = {}
    if source.kind == "artifact":
        start = Artifact.open(source.place, verify=False).manifest["files"]
    elif source.kind == "folder":
        seen = ((file.name, file.stat()) for file in sorted(Path(source.place).glob("*.safetensors")))
        start = {name: [about.st_size, about.st_mtime_ns] for name, about in seen}
    if pooling_of(job, source) == "first":  # the model says so, and might not have when the run began
        start = {**start, "pooling": "first"}
    text = json.dumps([kept, start], sort_keys=True)
    text += "".join(fingerprint(parts[name]) for name in ("train", "dev") if name in parts)  # dev chooses the weights
    return hashlib.sha256(text.encode()).hexdigest()
