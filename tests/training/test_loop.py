"""The loop: resumes to the same bits, skips what is not finite, shrinks when memory runs out, stops when it should."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from burnish import job as flow
from burnish.config import Job
from burnish.device import threads
from burnish.engine.runtime import Eager
from burnish.errors import BurnishError, InputError
from burnish.lock import alone
from burnish.training import checkpoint, fit
from burnish.training.events import Evaluated, Event, Saved, Shrunk, Skipped, Stopped
from burnish.training.loop import Trainer
from burnish.training.sinks import Sinks
from tests import tiny


def weights(folder: str) -> str:
    return hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["tag", "classify"])
def test_resumed_run_reaches_the_same_bits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, name, epochs=3, checkpoint_seconds=0.0, dropout=0.1)
    flow.tune(job)
    expected = weights(job.out)
    other = job.model_copy(update={"out": str(tmp_path / "killed")})
    tiny.tune_with_kills(other, monkeypatch, every=4)
    assert weights(other.out) == expected


def test_weights_of_another_run_in_the_same_place_are_not_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job(tmp_path, "classify", epochs=4, checkpoint_seconds=0.0, learning_rate=1e-9, head_learning_rate=1e-9)
    flow.tune(job)
    expected = weights(job.out)
    place = flow.work_folder(job)
    _cut_off(job, monkeypatch, Evaluated)
    best = (place / "best.safetensors").read_bytes()
    _cut_off(job, monkeypatch, Saved)
    _cut_off(
        tiny.job(tmp_path, "classify", epochs=4, learning_rate=0.1, head_learning_rate=0.1), monkeypatch, Evaluated
    )
    assert (place / "best.safetensors").read_bytes() != best
    flow.tune(job)
    assert weights(job.out) == expected


def _cut_off(job: Job, monkeypatch: pytest.MonkeyPatch, kind: type[Event]) -> None:
    """Tune to the first checkpoint after an event of a kind, or to the event where that keeps none."""
    whole, met = Sinks.__call__, 0

    def stop(self: Sinks, event: Event) -> None:
        nonlocal met
        whole(self, event)
        met += isinstance(event, kind)
        if met and (isinstance(event, Saved) or job.tune.checkpoint_seconds):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sinks, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            flow.tune(job)


def test_one_place_is_tuned_to_once_at_a_time(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    with alone(flow.work_folder(job), "taken"), pytest.raises(InputError, match=f"is tuning to '{job.out}'"):
        flow.tune(job)
    flow.tune(job)


def test_a_lock_leaves_nothing_behind_and_ends_with_its_process(tmp_path: Path) -> None:
    place = tmp_path / "work"
    holding = f"with alone(Path({str(place)!r}), ''): print(flush=True); time.sleep(99)"
    code = f"import time; from pathlib import Path; from burnish.lock import alone\n{holding}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(InputError, match="taken"), alone(place, "taken"):
            pass
        other.kill()
    with alone(place, "taken"):
        assert place.exists()
    assert not place.exists()


def test_steps_that_are_not_finite_are_skipped_then_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", epochs=30)
    events: list[Event] = []
    monkeypatch.setattr(Sinks, "__call__", lambda self, event: events.append(event))
    monkeypatch.setattr(Trainer, "_gradients", lambda self, step: (float("nan"), 1, 1))
    with pytest.raises(BurnishError, match="learning_rate"):
        flow.tune(job)
    assert sum(isinstance(event, Skipped) for event in events) == 20


def test_out_of_memory_halves_the_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    events: list[Event] = []
    whole = Trainer._gradients

    def full(self: Trainer, step: Any) -> Any:
        if self.progress.halvings == 0:
            raise torch.OutOfMemoryError("not enough memory")
        return whole(self, step)

    monkeypatch.setattr(Sinks, "__call__", lambda self, event: (events.append(event), _log(self, event)))
    monkeypatch.setattr(Trainer, "_gradients", full)
    flow.tune(job)
    assert [e for e in events if isinstance(e, Shrunk)] == [Shrunk(0, 32)]


def _log(sinks: Sinks, event: Event) -> None:
    for sink in sinks._sinks:
        sink(event)


def test_early_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", epochs=20, patience=2, learning_rate=1e-9, head_learning_rate=1e-9)
    events: list[Event] = []
    monkeypatch.setattr(Sinks, "__call__", lambda self, event: (events.append(event), _log(self, event)))
    flow.tune(job)
    assert any(isinstance(event, Stopped) for event in events)


def test_unknown_metric_is_an_error_that_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match="accuracy"):
        flow.tune(tiny.job(tmp_path, "classify", epochs=1, metric="acuracy"))


def test_full_disk_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1, checkpoint_seconds=0.0)
    flow.tune(job)
    before = weights(job.out)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write", full)
    with pytest.raises(BurnishError, match="disk is full"):
        flow.tune(job)
    assert weights(job.out) == before


def test_a_test_file_without_dev_rows(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    data = job.data.model_copy(update={"test": job.data.train, "split": job.data.split.model_copy(update={"dev": 0.0})})
    report = flow.tune(job.model_copy(update={"data": data})).report
    assert (report.after.split, report.further) == ("test", {})


def test_weights_are_chosen_in_the_precision_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(Eager):
        def run(self, batches: Any) -> Any:
            seen.append(self.precision)
            return super().run(batches)

    monkeypatch.setattr(fit, "Eager", Watched)
    tuned = flow.tune(tiny.job(tmp_path, "tag", precision="bf16"))
    assert set(seen) == {"bf16"}
    assert tuned.report.after.split == "dev"


def test_later_threads_have_as_many_threads_as_before(tmp_path: Path) -> None:
    with threads(2):
        flow.tune(tiny.job(tmp_path, "classify", epochs=1))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2
