"""An overfitted model gives its training rows away; personal data and rows on both sides are counted, never shown."""

from __future__ import annotations

import random
from pathlib import Path

from burnish import job as flow
from burnish.artifact import Artifact
from burnish.audited import Section
from burnish.audits.privacy import privacy
from burnish.audits.subject import Subject
from burnish.data.load import load, load_file
from burnish.engine import Engine
from tests import tiny


def _texts(seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(tiny.WORDS, k=8)) for _ in range(120)]


def _audited(folder: Path, epochs: int) -> Section:
    """A model of labels that follow from nothing, so that whatever it knows of them is by heart.

    By chance it is right, and sure, about half of the other rows as well: an AUC of 0.75 is the most there is.
    """
    folder.mkdir()
    lines = [f'"{text}",{("pos", "neg")[i % 2]}' for i, text in enumerate(_texts(0))]
    lines[0] = '"write to anna@example.org today",pos'
    (folder / "train.csv").write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    held = [f'"{text}",{("pos", "neg")[i % 2]}' for i, text in enumerate(_texts(1))] + lines[1:4]
    (folder / "held.csv").write_text("text,label\n" + "\n".join(held) + "\n", encoding="utf-8")
    job = tiny.job(folder, "classify", epochs=epochs, tokens_per_batch=512, learning_rate=1e-2, backward="full")
    whole = job.data.model_copy(update={"split": job.data.split.model_copy(update={"dev": 0.0})})
    job = job.model_copy(update={"data": whole})  # no dev rows that would choose weights from before it was overfitted
    flow.tune(job)
    artifact, engine = Artifact.open(folder / "out"), Engine.open(folder / "out", "torch")
    rows = load_file(str(folder / "held.csv"), job)
    return privacy(Subject(artifact, engine, "torch", rows, "held.csv", train=load(job)["train"], deep=True))


def test_what_is_learned_by_heart_leaks(tmp_path: Path) -> None:
    apart, by_heart = _audited(tmp_path / "a", 1), _audited(tmp_path / "b", 60)
    assert apart.figures["membership_auc"] < 0.65
    assert by_heart.figures["membership_auc"] > 0.7
    assert any("gives away" in one for one in by_heart.findings)
    assert by_heart.figures["personal_rows"] == 1
    assert 1 <= by_heart.figures["near_duplicates"] <= 3
    assert "anna@" not in repr(by_heart)


def test_without_training_rows_it_says_so(tmp_path: Path) -> None:
    subject = Subject.__new__(Subject)
    object.__setattr__(subject, "train", None)
    object.__setattr__(subject, "train_missing", "they were moved")
    assert "they were moved" in privacy(subject).impossible[0]
