"""A student comes to say what its teacher says, of rows without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from burnish import job as flow
from burnish.compression.distill import distill, lessons, soften
from burnish.compression.parity import compare
from burnish.compression.prune import Shape, importance, shrunk
from burnish.data.features import collate
from burnish.data.load import load, usable
from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.training.events import Step
from tests import tiny

TASKS: dict[str, dict[str, Any]] = {"tag": {}, "classify": {}, "pair": {}, "score": {}}


@pytest.mark.parametrize("name", TASKS)
def test_a_student_learns_what_its_teacher_says(name: str, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, name, epochs=4)
    flow.tune(job)
    teacher = Engine.open(job.out)
    task, net = teacher.task, teacher.net
    rows = usable(load(job)["train"], name)
    features = lessons(task, rows, 2, teacher.tokenizer, 32, seed=0)
    assert len(rows) < len(features) <= 5 * len(rows)
    softened = soften(features, teacher.runtime, 0)
    assert "labels" not in softened.ragged | softened.targets
    student = shrunk(net, Shape(2, 2, 32), importance(net, task, softened, 0))
    with torch.no_grad():
        for parameter in student.model.bert.encoder.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(0))
    far = compare(task, features, teacher.runtime, Eager(student), 0)
    tune = job.tune.model_copy(update={"epochs": 12, "learning_rate": 3e-3, "backward": "full"})
    events = list(distill(student, task, softened, tune, folder=tmp_path / "w", fingerprint="a", pad_id=0, seed=0))
    losses = [event.loss for event in events if isinstance(event, Step)]
    near = compare(task, features, teacher.runtime, Eager(student), 0)
    assert near.error < far.error
    assert losses[-1] < losses[0]
    if name != "score":
        assert len(near.flips) <= len(far.flips)


def test_the_loss_is_the_cross_entropy_with_the_teacher(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "tag", epochs=1)
    flow.tune(job)
    engine = Engine.open(job.out)
    rows = usable(load(job)["train"], "tag")
    softened = soften(lessons(engine.task, rows, 0, engine.tokenizer, 32, 0), engine.runtime, 0)
    batch = collate(softened, np.arange(4), 0)
    logits = torch.randn(*batch["words"].shape, len(engine.task.labels))
    expected, count = torch.tensor(0.0), 0
    for row in range(4):
        for place in (batch["words"][row] >= 0).nonzero()[:, 0].tolist():
            target = F.softmax(batch["soft"][row, place].float() / 2, -1)
            expected -= 4 * (target * F.log_softmax(logits[row, place] / 2, -1)).sum()
            count += 1
    assert engine.task.loss_to(logits, batch, 2.0).item() == pytest.approx((expected / count).item(), rel=1e-4)
