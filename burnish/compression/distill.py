"""Teach a smaller network to say what a larger one says (Hinton et al. 2015)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from burnish.artifact import Artifact
from burnish.config import Augment, Tune
from burnish.data.augment import augment
from burnish.data.features import Batch, Features, Ragged, by_length, collate, rows_in
from burnish.data.reader import Reader
from burnish.data.rows import Rows
from burnish.device import Precision, choose_device, generator, measure_precision
from burnish.engine import net_of
from burnish.engine.run import unlabelled
from burnish.engine.runtime import Runtime
from burnish.models.freeze import freeze
from burnish.models.net import Net
from burnish.tasks import Task, task_named
from burnish.tasks.base import LossOptions
from burnish.training.events import Event
from burnish.training.loop import Setting, Trainer

_TOKENS, _ROWS = 2048, 64  # of a step; rows where each costs the same
_MOST, _GROUP = 1 << 30, 256  # bytes of varied copies, and how many are made at a time
_TIMES = 4  # passes of files for one of texts: in training, too, each look at a file was at a varied one
_RATE = 1.5e-3  # learning rate: a student is small and its task is easy, so that it bears much
# Changed copies show a student more of what its teacher knows; their labels do not matter, as the teacher gives them.
_MENTIONS, _WORDS = Augment(mention=0.9), Augment(delete=0.5, swap=0.5)


def lessons(task: Task, rows: Rows, copies: int, tokenizer: Any, max_tokens: int, seed: int) -> Features:
    """Inputs for a student: training rows, and `copies` passes of changed ones; of files more, as memory allows."""
    if isinstance(tokenizer, Reader):
        return _varied(tokenizer, rows, _TIMES * copies, seed)
    change = _MENTIONS if task.kind == "token" else _WORDS
    changed = (augment(rows, task.name, change, seed + 1 + turn) for turn in range(copies))
    return task.encode(unlabelled(chain(rows, *changed)), tokenizer, max_tokens)


def _varied(reader: Reader, rows: Rows, copies: int, seed: int) -> Features:
    """Rows as they are, and as they are varied in training, as often as memory allows."""
    features = reader.features(list(unlabelled(rows))).kept()
    some = collate(features, np.linspace(0, len(features) - 1, min(len(features), _GROUP)).astype(np.int64), 0)
    size = sum(value.nbytes for value in some.values()) * len(features) // rows_in(some)
    draw = generator(seed)

    def batches() -> Iterator[Batch]:
        for turn in range(1 + min(copies, _MOST // max(1, size))):
            for start in range(0, len(features), _GROUP):
                batch = collate(features, np.arange(start, min(start + _GROUP, len(features))), 0)
                yield reader.vary(batch, draw) if turn else batch

    return reader.gathered(batches())


def tokens_of_a_step(features: Features) -> int:
    """Tokens of a step of training."""
    return _TOKENS if features.ragged else _ROWS * int(np.median(features.lengths))


@dataclass(frozen=True)
class Lesson:
    """What a student learns, by itself or beside others.

    Attributes:
        model: folder of the tuned model, for its task.
        features: file with what is learnt from, softened.
        start, out: folders of the student before and after; `out` appears when it has learnt all.
    """

    model: str
    features: str
    start: str
    out: str
    epochs: int
    pad_id: int
    seed: int
    precision: Precision


def taught(lesson: Lesson, features: Features | None = None) -> Iterator[Event]:
    """Teach a student and keep it, yielding the events of its training; one that was killed goes on.

    Args:
        features: those of the file, where they are at hand.
    """
    out = Path(lesson.out)
    if out.is_dir():
        return
    features = features or Features.of(load_file(lesson.features))
    artifact = Artifact.open(lesson.model, verify=False)
    task = task_named(artifact.task).restore(artifact.state)
    net = net_of(artifact, task, Path(lesson.start))
    fit = out.with_name(f"{out.name}.fit")
    torch.manual_seed(lesson.seed)
    yield from distill(
        net,
        task,
        features,
        Tune(
            epochs=lesson.epochs,
            learning_rate=_RATE,
            backward="full",
            tokens_per_batch=tokens_of_a_step(features),
            precision=lesson.precision,
        ),
        folder=fit,
        fingerprint=str(lesson.epochs),
        pad_id=lesson.pad_id,
        seed=lesson.seed,
    )
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    net.cpu().save(fresh)
    fresh.rename(out)
    shutil.rmtree(fit, ignore_errors=True)


def distill(
    student: Net,
    task: Task,
    features: Features,
    tune: Tune,
    *,
    folder: Path,
    fingerprint: str,
    pad_id: int,
    seed: int,
    evaluate: Callable[[Precision], float] | None = None,
) -> Iterator[Event]:
    """Train a student in place on softened features, yielding the events of the one training loop.

    Args:
        folder, fingerprint: where it is resumed, from a checkpoint with the same fingerprint.
        evaluate: value on rows to choose on, larger is better; without it the last weights stay.
    """
    for parameter in student.parameters():
        parameter.requires_grad_(True)
    freeze(student, tune.freeze)
    place = choose_device()
    hidden = student.model.config.hidden_size
    precision = measure_precision(place, hidden) if tune.precision == "auto" else tune.precision
    yield from Trainer(
        student,
        task,
        features,
        tune,
        LossOptions(),
        Setting(fingerprint, precision, torch.get_num_threads()),
        folder=folder,
        pad_id=pad_id,
        seed=seed,
        device=place,
        evaluate=evaluate,
    ).run()


def soften(features: Features, teacher: Runtime, pad_id: int) -> Features:
    """The same inputs with the logits that the teacher gives for them as `soft`, in half precision.

    Each row is looked at once, however many epochs follow: memory is 2 bytes a token (or row) and class.
    """
    token, lengths = "words" in features.ragged, features.lengths
    offsets = features.ragged["input_ids"].offsets if token else np.zeros(1, np.int64)
    places = int(offsets[-1]) if token else len(features)
    soft: NDArray[np.float16] = np.zeros((places, 0), np.float16)
    for pieces, logits in _said(features, teacher, pad_id):
        if not soft.shape[1]:
            soft = np.zeros((places, logits.shape[-1]), np.float16)
        if token:
            for piece, row in zip(pieces, logits, strict=True):
                soft[offsets[piece] : offsets[piece + 1]] = row[: lengths[piece]]
        else:
            soft[pieces] = logits
    ragged = {name: value for name, value in features.ragged.items() if name != "labels"}
    if token:
        return Features(ragged | {"soft": Ragged(soft, offsets)}, {}, features.row, features.cut)
    return replace(features, ragged=ragged, targets={"soft": soft})


def _said(features: Features, teacher: Runtime, pad_id: int) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    groups = list(by_length(features.lengths, 4096))
    runs = teacher.run(collate(features, pieces, pad_id) for pieces in groups)
    for pieces, (_, logits) in zip(groups, runs, strict=True):
        yield pieces, logits.float().cpu().numpy().astype(np.float16)
