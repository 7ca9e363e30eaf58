"""The training loop: a generator of events that knows no task, no file format and no progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.config import Tune
from burnish.data.features import Batch, Features, collate, shuffled
from burnish.data.workers import ahead
from burnish.device import Precision, generator, out_of_memory
from burnish.errors import BurnishError
from burnish.models.net import Net
from burnish.tasks.base import LossOptions, Task
from burnish.training import checkpoint
from burnish.training.average import Average
from burnish.training.events import Begun, Evaluated, Event, Resumed, Saved, Shrunk, Skipped, Step, Stopped
from burnish.training.head import fit_head
from burnish.training.optim import factor, optimizer
from burnish.training.passes import Passes
from burnish.training.plan import Losses, Plan

_LOST = 20  # steps in a row without a finite loss before the run is given up


@dataclass
class Progress:
    """What a resumed run has to know beside the weights; `seconds` are those of the steps, `fitting` of the head."""

    step: int = 0
    rows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    fitting: float = 0.0
    halvings: int = 0
    stale: int = 0
    best: float | None = None
    losses: Losses = field(default_factory=Losses)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    spent: list[tuple[float, float, int]] = field(default_factory=list)  # see `training/accountant.py`


@dataclass(frozen=True)
class Part:
    """A batch of a step: which share of its rows these are, and what they count."""

    batch: Batch
    share: float
    tokens: int
    rows: int
    last: bool


@dataclass(frozen=True)
class Setting:
    """What a run was started with. A checkpoint of another setting is not resumed from."""

    fingerprint: str
    precision: Precision
    threads: int


class Trainer:
    """One run over `features`: resumable, and on a CPU bit-identical however often it was interrupted."""

    def __init__(
        self,
        net: Net,
        task: Task,
        features: Features,
        tune: Tune,
        options: LossOptions,
        setting: Setting,
        *,
        folder: Path,
        pad_id: int,
        seed: int,
        device: torch.device,
        evaluate: Callable[[Precision], float] | None = None,
        vary: Callable[[Batch, torch.Generator], Batch] | None = None,
        apart: Mapping[str, Tune] | None = None,
    ) -> None:
        self.net, self.features, self.tune = net.to(device), features, tune
        self.average = Average(net, tune.average) if tune.average else None
        self.setting, self.folder, self.pad_id, self.device, self.evaluate = setting, folder, pad_id, device, evaluate
        self.vary = vary  # inputs changed at random, each time they are seen
        self._parts: Generator[Part] | None = None  # of the steps to come, made ahead of them
        self.seed = seed
        self.progress = Progress()
        self.optimizer = optimizer(net, tune, apart)
        self.plan = Plan(lambda epoch: self._epoch(seed, epoch), tune.epochs)
        self.passes = Passes(net, task, options, tune, device, len(self.plan))
        self._per_epoch = max(1, len(self.plan) // tune.epochs)

    @property
    def best_file(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def checkpoint_file(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def _epoch(self, seed: int, epoch: int) -> list[list[NDArray[np.int64]]]:
        """Steps of an epoch, each a list of batches whose gradients are added up."""
        batches = shuffled(self.features.lengths, self.tune.tokens_per_batch, np.random.default_rng([seed, epoch]))
        if self.tune.tokens_per_step is None:
            return [[batch] for batch in batches]
        steps: list[list[NDArray[np.int64]]] = [[]]
        held = 0
        for batch in batches:
            if held >= self.tune.tokens_per_step:
                steps.append([])
                held = 0
            steps[-1].append(batch)
            held += int(self.features.lengths[batch].max()) * len(batch)
        return steps

    def run(self) -> Iterator[Event]:
        """Train to the end, yielding events. Afterwards the net holds the best weights that were measured."""
        progress = self.progress
        if self._resume():
            progress = self.progress
            yield Resumed(progress.step)
        else:
            started = time.perf_counter()
            rows = self._begin()
            progress.fitting = time.perf_counter() - started
            if rows:
                yield Begun(progress.step, rows, progress.fitting)
        self.net.train()
        try:
            yield from self._steps()
        finally:
            self._let_go()
        if self.average and not self.evaluate:
            self.average.exchange()
        if self.evaluate and (best := self._best()):
            checkpoint.load_learning(self.net, best)
        self.net.eval()

    def _steps(self) -> Iterator[Event]:
        """Take steps until the end of the plan, or until measurements no longer grow."""
        progress = self.progress
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        every = max(1, self._per_epoch // self.tune.evaluations)
        saved, lost = time.monotonic(), 0
        while progress.step < len(self.plan) and not self._stale:
            started = time.perf_counter()
            rate = factor(progress.step, len(self.plan), self.tune)
            for group in self.optimizer.param_groups:
                group["lr"] = group["base"] * rate
            try:
                loss, tokens, rows = self._gradients(progress.step)
            except RuntimeError as error:
                if not out_of_memory(error) or self.tune.tokens_per_batch >> (progress.halvings + 1) < 16:
                    raise
                self._let_go()
                progress.halvings += 1
                self.optimizer.zero_grad()
                yield Shrunk(progress.step, self.tune.tokens_per_batch >> progress.halvings)
                continue
            if self._update(loss, parameters):
                lost = 0
            else:
                lost += 1
                yield Skipped(progress.step)
                if lost >= _LOST:
                    raise BurnishError(
                        f"the loss was not finite for {lost} steps (to step {progress.step}); "
                        "lower tune.learning_rate, or set tune.precision: fp32"
                    )
            self.optimizer.zero_grad()
            progress.step += 1
            if self.average:
                self.average.update(progress.step)
            progress.tokens += tokens
            progress.rows += rows
            progress.seconds += time.perf_counter() - started
            progress.losses.add(progress.step, loss)
            epoch = (progress.step - 1) // self._per_epoch
            yield Step(
                progress.step, len(self.plan), epoch, loss, rate, progress.rows, progress.tokens, progress.seconds
            )
            last = progress.step == len(self.plan)
            if self.evaluate and (
                last or (progress.step % every == 0 and len(self.plan) - progress.step >= every // 2)
            ):
                with self.average.in_place() if self.average else nullcontext():
                    measured = self._measure()
                yield measured
                if self._stale:
                    yield Stopped(progress.step)
            if last or self._stale or time.monotonic() - saved >= self.tune.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
                yield Saved(progress.step)

    @property
    def _stale(self) -> bool:
        """Whether the measurements have stopped to grow, for as long as the job waits for."""
        return self.tune.patience is not None and self.progress.stale >= self.tune.patience

    def _begin(self) -> int:
        """What is done once before the first step; returns the rows that the head was fitted to."""
        return fit_head(
            self.net, self.passes.task, self.features, self.passes.options, self.pad_id, self.setting.precision
        )

    def _gradients(self, step: int) -> tuple[float, int, int]:
        """Add up the gradients of a step; return its mean loss, its tokens and its rows."""
        total, tokens, rows, lowest = 0.0, 0, 0, self.passes.draw()
        self._parts = self._parts or ahead(self._from(step))
        for part in self._parts:
            total += self.passes.backward(part.batch, part.share, self.setting.precision, lowest)
            tokens, rows = tokens + part.tokens, rows + part.rows
            if part.last:
                break
        return total, tokens, rows

    def _from(self, step: int) -> Iterator[Part]:
        """The batches of this step and of all that come after it, made by one thread beside those of the step."""
        torch.set_num_threads(1)
        for number in range(step, len(self.plan)):
            count = 1 << self.progress.halvings
            parts = [p for batch in self.plan[number] for p in np.array_split(batch, min(len(batch), count))]
            rows, draw = sum(map(len, parts)), self.drawing(number)
            for place, part in enumerate(parts, 1):
                batch = {k: v.to(self.device) for k, v in collate(self.features, part, self.pad_id).items()}
                batch = self.vary(batch, draw) if self.vary else batch
                tokens = int(self.features.lengths[part].sum())
                yield Part(batch, len(part) / rows, tokens, len(part), place == len(parts))

    def _let_go(self) -> None:
        """Forget the batches that were made ahead."""
        if self._parts:
            self._parts.close()
            self._parts = None
            torch.set_num_threads(self.setting.threads)  # of threads to come, too

    def drawing(self, step: int) -> torch.Generator:
        """What the variation of a step is drawn from, the same however often a run was interrupted."""
        return generator(self.seed, step)

    def _update(self, loss: float, parameters: list[nn.Parameter]) -> bool:
        """Take a step by the gradients, of a norm that is not too large; False where they are not finite."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if not (np.isfinite(loss) and bool(torch.isfinite(norm))):
            return False
        if norm > self.tune.clip:  # a factor of one would pass over all gradients, too
            torch.nn.utils.clip_grads_with_norm_(parameters, self.tune.clip, norm)
        self.optimizer.step()
        return True

    def _measure(self) -> Evaluated:
        assert self.evaluate is not None
        progress = self.progress
        value = self.evaluate(self.setting.precision)
        self.net.train()
        progress.evaluations.append((progress.step, value))
        better = progress.best is None or value > progress.best
        if better:
            progress.best, progress.stale = value, 0
            notes = {"fingerprint": self.setting.fingerprint, "step": progress.step, "value": value}
            checkpoint.write(self.best_file, checkpoint.learning(self.net), notes)
        else:
            progress.stale += 1
        return Evaluated(progress.step, value, better)

    def _best(self) -> dict[str, torch.Tensor] | None:
        """The best weights that this run has measured; None where it has kept none, or another one has since."""
        found = checkpoint.read(self.best_file)
        return found[0] if found and found[1].get("fingerprint") == self.setting.fingerprint else None

    def _save(self) -> None:
        tensors = {f"net.{k}": v for k, v in checkpoint.learning(self.net).items()}
        tensors |= {f"optimizer.{k}": v for k, v in checkpoint.flatten(self.optimizer).items()}
        if self.average:
            tensors |= {f"average.{k}": v for k, v in self.average.tensors.items()}
        tensors["rng"] = torch.get_rng_state()
        notes: dict[str, Any] = {"setting": asdict(self.setting), "progress": asdict(self.progress)}
        checkpoint.write(self.checkpoint_file, tensors, notes)

    def _resume(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = checkpoint.read(self.checkpoint_file)
        if found is None or found[1]["setting"]["fingerprint"] != self.setting.fingerprint:
            return False
        tensors, notes = found
        if notes["progress"]["best"] is not None and self._best() is None:
            return False
        checkpoint.load_learning(self.net, _under(tensors, "net."))
        checkpoint.restore(self.optimizer, _under(tensors, "optimizer."))
        if self.average:
            self.average.restore(_under(tensors, "average."))
        torch.set_rng_state(tensors["rng"])
        self.setting = Setting(**notes["setting"])
        torch.set_num_threads(self.setting.threads)
        self.progress = Progress(**notes["progress"] | {"losses": Losses(**notes["progress"]["losses"])})
        return True


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
