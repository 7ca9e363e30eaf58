"""Where events go: a JSONL file, a progress bar, and trackers when they are installed."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from burnish.config import Job
from burnish.errors import InputError
from burnish.extras import need
from burnish.training.events import Begun, Evaluated, Event, Resumed, Shrunk, Skipped, Step, Stopped

Sink = Callable[[Event], None]


def need_trackers(job: Job) -> None:
    """Raise MissingExtra for a tracker of the job that is not installed, before any work is done."""
    for name in job.track:
        need(name, "track")


class Sinks:
    """Hands each event to all sinks of a job; use it as a context so that every sink is closed.

    Raises:
        InputError: when a tracker cannot be started.
    """

    def __init__(self, job: Job, folder: Path, quiet: bool) -> None:
        makers = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
        self._stack = ExitStack()
        try:
            self._sinks: list[Sink] = [_jsonl(folder / "events.jsonl", self._stack)]
            if not quiet:
                self._sinks.append(progress(self._stack))
            for name in job.track:
                self._sinks.append(makers[name](job, self._stack))
        except BaseException:
            self._stack.__exit__(*sys.exc_info())  # what has begun is ended, as failed
            raise

    def __call__(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _jsonl(path: Path, stack: ExitStack) -> Sink:
    files: list[IO[str]] = []

    def write(event: Event) -> None:
        if not files:  # events of a run that is not gone on with are no part of this one
            mode = "a" if isinstance(event, Resumed) else "w"
            files.append(stack.enter_context(path.open(mode, encoding="utf-8", buffering=1)))
        files[0].write(json.dumps({"event": type(event).__name__.lower(), **asdict(event)}) + "\n")

    return write


def progress(stack: ExitStack, what: str = "training") -> Sink:
    """A bar on the terminal that follows a training until `stack` is left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = stack.enter_context(
        Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:,.0f} tokens/s  dev {task.fields[dev]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
    )
    task = bar.add_task(what, total=None, loss=float("nan"), speed=0.0, dev="–")
    mean = [float("nan")]

    def show(event: Event) -> None:
        if isinstance(event, Step):
            mean[0] = event.loss if mean[0] != mean[0] else 0.95 * mean[0] + 0.05 * event.loss
            speed = event.tokens / max(event.seconds, 1e-9)
            bar.update(task, completed=event.step, total=event.steps, loss=mean[0], speed=speed)
        elif isinstance(event, Evaluated):
            bar.update(task, dev=f"{event.value:.4f}")
            console.print(f"step {event.step}: dev {event.value:.4f}{' (best)' if event.best else ''}", highlight=False)
        elif isinstance(event, Begun):
            console.print(f"head fitted to {event.rows:,} rows in {event.seconds:.0f} s", highlight=False)
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
        speed = event.tokens / max(event.seconds, 1e-9)
        return {
            "train/loss": event.loss,
            "train/learning_rate_factor": event.learning_rate,
            "train/tokens_per_second": speed,
        }
    return {"dev/value": event.value} if isinstance(event, Evaluated) else {}


def _tensorboard(job: Job, stack: ExitStack) -> Sink:
    need("tensorboard", "track")  # torch's own error would not say what to install
    from torch.utils.tensorboard import SummaryWriter

    writers: list[SummaryWriter] = []
    start = [0]  # what an earlier or a killed run wrote from here on is hidden by TensorBoard

    def log(event: Event, numbers: dict[str, float]) -> None:
        if not writers:
            writers.append(SummaryWriter(f"{job.out}.tensorboard", purge_step=start[0]))
            stack.push(_ending(lambda well: writers[0].close(), "TensorBoard", OSError))
        for name, value in numbers.items():
            writers[0].add_scalar(name, value, event.step)

    tolerant = _tolerant(log, "TensorBoard", OSError)

    def write(event: Event) -> None:
        if isinstance(event, Resumed):
            start[0] = event.step + 1
        tolerant(event)

    return write


def _mlflow(job: Job, stack: ExitStack) -> Sink:
    mlflow: Any = need("mlflow", "track")
    failed: type[Exception] = mlflow.exceptions.MlflowException
    try:
        mlflow.start_run(run_name=Path(job.out).name, nested=mlflow.active_run() is not None)
        stack.push(_ending(lambda well: mlflow.end_run("FINISHED" if well else "FAILED"), "MLflow", failed))
        mlflow.log_params(_options(job))
    except (failed, OSError) as error:
        raise InputError(
            f"track: MLflow did not start a run: {error}; set MLFLOW_TRACKING_URI, or leave mlflow out of track"
        ) from None
    return _tolerant(lambda event, numbers: mlflow.log_metrics(numbers, step=event.step), "MLflow", failed)


def _wandb(job: Job, stack: ExitStack) -> Sink:
    wandb: Any = need("wandb", "track")
    failed: type[Exception] = wandb.errors.Error
    try:
        run = wandb.init(project="burnish", name=Path(job.out).name, config=_options(job))
    except (failed, OSError) as error:
        raise InputError(
            f"track: Weights & Biases did not start a run: {error}; run `wandb login`, or set WANDB_MODE=offline"
        ) from None
    stack.push(_ending(lambda well: run.finish(exit_code=0 if well else 1), "Weights & Biases", failed))
    return _tolerant(lambda event, numbers: run.log(numbers, step=event.step), "Weights & Biases", failed)


def _tolerant(log: Callable[[Event, dict[str, float]], None], name: str, failed: type[Exception]) -> Sink:
    """A tracker that stops answering is left alone from then on; the training is worth more than its log."""
    lost: list[Exception] = []

    def write(event: Event) -> None:
        numbers = _numbers(event)
        if not numbers or lost:
            return
        try:
            log(event, numbers)
        except (failed, OSError) as error:
            lost.append(error)
            warnings.warn(f"{name} takes no more values, and gets none from here on: {error}", stacklevel=2)

    return write


def _ending(end: Callable[[bool], None], name: str, failed: type[Exception]) -> Callable[..., None]:
    """What tells a tracker how a run ended, and bears that it no longer answers."""

    def leave(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            end(kind is None)
        except (failed, OSError) as lost:
            warnings.warn(f"{name} did not take the end of the run: {lost}", stacklevel=2)

    return leave


def _options(job: Job) -> dict[str, Any]:
    """The job with dotted names: `tune.epochs`."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{path}.{key}" if path else key)
        else:
            found[path] = value

    walk(job.model_dump(mode="json"), "")
    return found
