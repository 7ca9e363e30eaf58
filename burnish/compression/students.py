"""Students of a network: what trials are made with, and how students are taught."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from burnish import device
from burnish.artifact import Artifact
from burnish.compression import forms
from burnish.compression.beside import together
from burnish.compression.distill import Lesson, lessons, soften, taught, tokens_of_a_step
from burnish.compression.export import example_of
from burnish.compression.forms import Form
from burnish.compression.prune import Shape, importance, merged, shrunk
from burnish.data.features import Batch, Features, collate, shuffled
from burnish.data.rows import Rows
from burnish.device import autocast, choose_device, measure_precision
from burnish.engine import Engine, net_of, witness
from burnish.engine.run import unlabelled
from burnish.engine.runtime import Eager, Runtime
from burnish.models.net import Net
from burnish.tasks import Task
from burnish.training.sinks import Sink, progress
from burnish.variant import MANIFEST, Variant

COPIES = 2  # changed copies of the rows that a student learns from, beside the rows themselves
_SAMPLES = 100  # rows that the scales of int8 are fitted to
_STEPS = 7  # that a pace is taken from
_TAYLOR = 1000  # rows that the pieces of a network are judged on


@dataclass(frozen=True)
class World:
    """A network, its task, and rows: what trials are made with.

    Attributes:
        home: folder of the network's weights.
    """

    artifact: Artifact
    home: Path
    task: Task
    net: Net
    tokenizer: Any
    rows: Rows
    seed: int

    @property
    def pad_id(self) -> int:
        return self.tokenizer.pad_token_id or 0

    def encode(self, rows: Rows) -> Features:
        return self.task.encode(unlabelled(rows), self.tokenizer, self.artifact.max_tokens)

    def opened(self, form: Form, folder: Path) -> Engine:
        """A form of a network of this world."""
        return Engine.of(self.artifact, Variant(folder, form.manifest), self.home)

    def merged(self) -> World:
        """The same with a network that has vectors only for words of the rows."""
        used = np.unique(self.encode(self.rows).ragged["input_ids"].values).tolist()
        return replace(self, net=merged(self.net, [self.pad_id, *used]))

    def _example(self, net: Net) -> Batch:
        made = example_of(self.task, net, self.tokenizer, self.artifact.max_tokens)
        return collate(made, np.arange(8), self.pad_id)

    def written(self, net: Net, form: Form, folder: Path) -> Engine:
        """The network in some form, in a folder, opened from there."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        example = self._example(net)
        samples: list[Batch] = []
        if form.precision == "int8":
            features = self.encode(spread(self.rows, _SAMPLES))
            samples = [collate(features, [piece], self.pad_id) for piece in range(len(features))]
        forms.write(net, form, folder, example, self.artifact.max_tokens, samples)
        (folder / MANIFEST).write_text(json.dumps(form.manifest), encoding="utf-8")
        engine = self.opened(form, folder)
        witness.write(engine.runtime, example, folder)
        return engine


class Learner:
    """Students of a network, which go on from rung to rung.

    Attributes:
        pieces: what is learnt from in one epoch.
    """

    def __init__(self, world: World, teacher: Runtime, work: Path, quiet: bool) -> None:
        self.world, self.work, self.quiet = world, work, quiet
        features = lessons(world.task, world.rows, COPIES, world.tokenizer, world.artifact.max_tokens, seed=world.seed)
        teacher = _to_learn_from(world.net, teacher)
        self.features = soften(features, teacher, world.pad_id)
        self.pieces = len(self.features)
        self._file = work / "lessons.safetensors"
        work.mkdir(parents=True, exist_ok=True)
        save_file(self.features.arrays(), self._file)
        some = world.encode(spread(world.rows, _TAYLOR))
        self._precision = measure_precision(choose_device(), world.net.model.config.hidden_size)
        self._importance = importance(world.net, world.task, soften(some, teacher, world.pad_id), world.pad_id)

    def pace(self, shape: Shape, threads: int) -> float:
        """Rows a second in training on some threads, from a few steps of it."""
        net = shrunk(self.world.net, shape, self._importance).train()
        place = choose_device()
        net.to(place).requires_grad_(True)
        if net.words is not None:
            net.words.requires_grad_(False)
        steps = shuffled(self.features.lengths, tokens_of_a_step(self.features), np.random.default_rng(0))
        seconds, rows = [], []
        with device.threads(threads):
            for pieces in steps[:_STEPS]:
                started = time.perf_counter()
                batch = {k: v.to(place) for k, v in collate(self.features, pieces, self.world.pad_id).items()}
                with autocast(place, self._precision):
                    loss = self.world.task.loss_to(net(batch), batch, 1.0)
                loss.backward()  # type: ignore[no-untyped-call]
                if place.type != "cpu":
                    torch.accelerator.synchronize()
                seconds.append(time.perf_counter() - started)
                rows.append(len(pieces))
        return sum(rows) / len(rows) / median(seconds)

    def learn(self, epochs: Mapping[Shape, int], rung: int) -> dict[str, float]:
        """Let students learn on, from where they stood after the rung before, side by side on a CPU.

        Returns:
            For each shape, by name, the seconds it took.
        """
        given = []
        for shape, count in epochs.items():
            place = self.work / str(shape)
            start = place / (str(rung - 1) if rung else "start")
            if not rung:
                shutil.rmtree(start, ignore_errors=True)
                start.mkdir(parents=True)
                shrunk(self.world.net, shape, self._importance).save(start)
            given.append(
                Lesson(
                    model=str(self.world.artifact.folder),
                    features=str(self._file),
                    start=str(start),
                    out=str(place / str(rung)),
                    epochs=count,
                    pad_id=self.world.pad_id,
                    seed=self.world.seed,
                    precision=self._precision,
                )
            )
        with ExitStack() as stack:
            show = None if self.quiet else progress(stack, ", ".join(map(str, epochs)))
            if len(given) > 1 and device.cores() > 1:
                return dict(zip(map(str, epochs), together(given, device.cores(), show), strict=True))
            return dict(zip(map(str, epochs), (self._alone(lesson, show) for lesson in given), strict=True))

    def student(self, shape: Shape, rung: int) -> Net:
        """A student as it was after a rung."""
        return net_of(self.world.artifact, self.world.task, self.work / str(shape) / str(rung))

    def _alone(self, lesson: Lesson, show: Sink | None) -> float:
        started = time.perf_counter()
        for event in taught(lesson, self.features):
            if show:
                show(event)
        return time.perf_counter() - started


def _to_learn_from(net: Net, teacher: Runtime) -> Runtime:
    """What students have to say: without a summary, which stands beside them as it is. Lessons hold no voice, which
    an exported network would ask for."""
    if "summary" not in net.extras and not getattr(net.scaled, "voice", False):
        return teacher
    bare = deepcopy(net)
    if "summary" in bare.extras:
        del bare.extras["summary"]
    return Eager(bare)


def spread(rows: Rows, count: int) -> Rows:
    """Up to `count` rows at equal distances: a file may be sorted."""
    return rows.select(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))
