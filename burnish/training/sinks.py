"""Where events go: a JSONL file, a progress bar, and trackers when they are installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from burnish.config import Job
from burnish.extras import need
from burnish.training.events import Evaluated, Event, Resumed, Shrunk, Skipped, Step, Stopped

Sink = Callable[[Event], None]


class Sinks:
    """Hands each event to all sinks of a job; use it as a context so that every sink is closed."""

    def __init__(self, job: Job, folder: Path, quiet: bool) -> None:
        self._stack = ExitStack()
        self._sinks: list[Sink] = [_jsonl(folder / "events.jsonl", self._stack)]
        if not quiet:
            self._sinks.append(_progress(self._stack))
        makers = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
        self._sinks += [makers[name](job, folder, self._stack) for name in job.track]

    def __call__(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _jsonl(path: Path, stack: ExitStack) -> Sink:
    file = stack.enter_context(path.open("a", encoding="utf-8", buffering=1))

    def write(event: Event) -> None:
        file.write(json.dumps({"event": type(event).__name__.lower(), **asdict(event)}) + "\n")

    return write


def _progress(stack: ExitStack) -> Sink:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = stack.enter_context(
        Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:,.0f} tokens/s  dev {task.fields[dev]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
    )
    task = bar.add_task("training", total=None, loss=float("nan"), speed=0.0, dev="–")
    mean = [float("nan")]

    def show(event: Event) -> None:
        if isinstance(event, Step):
            mean[0] = event.loss if mean[0] != mean[0] else 0.95 * mean[0] + 0.05 * event.loss
            speed = event.tokens / max(event.seconds, 1e-9)
            bar.update(task, completed=event.step, total=event.steps, loss=mean[0], speed=speed)
        elif isinstance(event, Evaluated):
            bar.update(task, dev=f"{event.value:.4f}")
            console.print(f"step {event.step}: dev {event.value:.4f}{' (best)' if event.best else ''}", highlight=False)
        elif isinstance(event, Resumed):
            console.print(f"resumed at step {event.step}", highlight=False)
        elif isinstance(event, Skipped):
            console.print(f"step {event.step}: loss not finite, skipped", highlight=False)
        elif isinstance(event, Shrunk):
            console.print(f"out of memory: {event.tokens_per_batch} tokens a pass from here on", highlight=False)
        elif isinstance(event, Stopped):
            console.print(f"step {event.step}: no more gain, stopped early", highlight=False)

    return show


def _numbers(event: Event) -> dict[str, float]:
    if isinstance(event, Step):
        return {"train/loss": event.loss, "train/learning_rate_factor": event.learning_rate}
    return {"dev/value": event.value} if isinstance(event, Evaluated) else {}


def _tensorboard(job: Job, folder: Path, stack: ExitStack) -> Sink:
    writer = need("torch.utils.tensorboard", "track").SummaryWriter(f"{job.out}.tensorboard")
    stack.callback(writer.close)

    def write(event: Event) -> None:
        for name, value in _numbers(event).items():
            writer.add_scalar(name, value, event.step)

    return write


def _mlflow(job: Job, folder: Path, stack: ExitStack) -> Sink:
    mlflow: Any = need("mlflow", "track")
    mlflow.start_run(run_name=Path(job.out).name)
    stack.callback(mlflow.end_run)

    def write(event: Event) -> None:
        if numbers := _numbers(event):
            mlflow.log_metrics(numbers, step=event.step)

    return write


def _wandb(job: Job, folder: Path, stack: ExitStack) -> Sink:
    run: Any = need("wandb", "track").init(project="burnish", name=Path(job.out).name)
    stack.callback(run.finish)

    def write(event: Event) -> None:
        if numbers := _numbers(event):
            with suppress(OSError):
                run.log(numbers, step=event.step)

    return write
