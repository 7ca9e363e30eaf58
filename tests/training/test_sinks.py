"""Trackers: each gets every loss and dev value, says how the run ended, and is asked for before any work is done."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from burnish import job as flow
from burnish.config import Job
from burnish.errors import InputError, MissingExtra
from burnish.training import sinks
from burnish.training.loop import Trainer
from tests import tiny


def tracked(folder: Path, name: str, **tune: Any) -> Job:
    return tiny.job(folder, "classify", **tune).model_copy(update={"track": (name,)})


def logged(job: Job) -> dict[str, dict[int, float]]:
    """Losses and dev values by step, from the file that is always written."""
    found: dict[str, dict[int, float]] = {"train/loss": {}, "dev/value": {}}
    for line in (Path(job.out) / "events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "step":
            found["train/loss"][event["step"]] = event["loss"]
        elif event["event"] == "evaluated":
            found["dev/value"][event["step"]] = event["value"]
    return found


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_tracker_names_its_command_before_any_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(job: Job) -> None:
        raise AssertionError("the data was read first")

    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(flow, "load_rows", work)
    with pytest.raises(MissingExtra, match=r"pip install 'burnish\[track\]'") as error:
        flow.tune(tracked(tmp_path, name))
    assert error.value.exit_code == 2


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    job = tracked(tmp_path, "tensorboard")
    for _ in range(2):  # the second run hides what the first one wrote
        flow.tune(job)
        read = EventAccumulator(f"{job.out}.tensorboard")
        read.Reload()
        for name, values in logged(job).items():
            assert {e.step: e.value for e in read.Scalars(name)} == pytest.approx(values)


def test_a_full_disk_under_tensorboard_costs_its_curves_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    calls = []

    def full(self: SummaryWriter, *given: Any) -> None:
        calls.append(given)
        raise OSError("no space left on device")

    monkeypatch.setattr(SummaryWriter, "add_scalar", full)
    with pytest.warns(UserWarning, match="TensorBoard takes no more values"):
        flow.tune(tracked(tmp_path, "tensorboard"))
    assert len(calls) == 1


def test_tensorboard_goes_on_where_a_killed_run_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Killed(BaseException):
        pass

    job = tracked(tmp_path, "tensorboard", epochs=3, checkpoint_seconds=0.0)
    whole = Trainer._measure
    seen = 0

    def kill(self: Trainer) -> Any:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise Killed
        return whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_measure", kill)
        with pytest.raises(Killed):
            flow.tune(job)
    flow.tune(job)
    read = EventAccumulator(f"{job.out}.tensorboard")
    read.Reload()
    steps = [e.step for e in read.Scalars("train/loss")]
    assert steps == list(range(1, steps[-1] + 1))


def test_a_tracker_that_cannot_begin_ends_those_that_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[type[BaseException] | None] = []

    def begin(job: Job, stack: ExitStack) -> Any:
        stack.push(lambda kind, error, trace: ended.append(kind))

    def refuse(job: Job, stack: ExitStack) -> Any:
        raise InputError("no server")

    monkeypatch.setattr(sinks, "_tensorboard", begin)
    monkeypatch.setattr(sinks, "_mlflow", refuse)
    job = tracked(tmp_path, "tensorboard").model_copy(update={"track": ("tensorboard", "mlflow")})
    with pytest.raises(InputError, match="no server"):
        sinks.Sinks(job, tmp_path, quiet=True)
    assert ended == [InputError]


def test_a_tracker_hears_how_a_run_ended_and_need_not_answer() -> None:
    heard: list[bool] = []
    leave = sinks._ending(heard.append, "a tracker", ValueError)
    leave(None, None, None)
    leave(RuntimeError, RuntimeError(), None)
    assert heard == [True, False]

    def refuse(well: bool) -> None:
        raise ValueError("server gone")

    with pytest.warns(UserWarning, match="a tracker did not take the end of the run: server gone"):
        sinks._ending(refuse, "a tracker", ValueError)(None, None, None)


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    job = tracked(tmp_path, "mlflow")
    flow.tune(job)
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.info.status == "FINISHED"
    assert run.data.params["tune.epochs"] == "2"
    for name, values in logged(job).items():
        assert {m.step: m.value for m in client.get_metric_history(run.info.run_id, name)} == pytest.approx(values)


def test_mlflow_is_told_of_a_failure_and_its_own_do_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())

    def broken(self: Trainer, step: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_gradients", broken)
        with pytest.raises(RuntimeError, match="broken"):
            flow.tune(tracked(tmp_path, "mlflow"))
    assert [run.info.status for run in mlflow.MlflowClient().search_runs(["0"])] == ["FAILED"]

    def refuse(*args: Any, **options: Any) -> None:
        raise mlflow.exceptions.MlflowException("server gone")

    monkeypatch.setattr(mlflow, "log_metrics", refuse)
    with pytest.warns(UserWarning, match="server gone"):
        flow.tune(tracked(tmp_path, "mlflow"))
    monkeypatch.setattr(mlflow, "start_run", refuse)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        flow.tune(tracked(tmp_path, "mlflow"))


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    kept: list[dict[str, Any]] = []
    log = wandb.Run.log
    monkeypatch.setattr(
        wandb.Run, "log", lambda run, data, step: (kept.append({"step": step, **data}), log(run, data, step=step))
    )
    job = tracked(tmp_path, "wandb")
    flow.tune(job)
    for name, values in logged(job).items():
        assert {line["step"]: line[name] for line in kept if name in line} == pytest.approx(values)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"dev/value" in file.read_bytes()
