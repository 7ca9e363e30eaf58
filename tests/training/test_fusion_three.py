"""Three kinds of input in one job: each tells one thing of three, and all together the class."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import soundfile

from burnish import job as flow
from burnish.config import parse
from burnish.engine import Engine
from tests import tiny, tiny_images, tiny_sounds

FILES = {"epochs": 8, "learning_rate": 1e-2, "head_learning_rate": 1e-2, "layer_decay": 1.0, "precision": "fp32"}
IMAGE = FILES | {"tokens_per_batch": 16, "scratch": {"layers": 2, "hidden": 16}}
AUDIO = FILES | {"tokens_per_batch": 128, "scratch": {"layers": 3, "hidden": 16}}


def test_all_three_beat_every_pair(tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "class"])
        for number in range(180):
            votes = [(number >> place) % 2 for place in range(3)]
            votes[number % 3] ^= number % 5 == 0  # each is wrong at times
            word, colour, pitch = ("good", "bad")[votes[0]], ("red", "blue")[votes[1]], ("low", "high")[votes[2]]
            tiny_images.picture(colour, number).save(tmp_path / f"{number}.png")
            soundfile.write(tmp_path / f"{number}.wav", tiny_sounds.tone(pitch, number), tiny_sounds.RATE)
            writer.writerow([number, f"the film was {word}", "no" if sum(votes) > 1 else "yes"])
    columns = {"text": "title", "image": "{id}.png", "audio": "{id}.wav", "label": "class"}
    tuned = flow.tune(
        parse(
            {
                "task": "classify",
                "model": str(tiny.encoder(tmp_path)),
                "out": str(tmp_path / "out"),
                "data": {"train": str(tmp_path / "rows.csv"), "columns": columns, "split": {"dev": 0.3, "test": 0.3}},
                "tune": {"epochs": 4, "precision": "fp32", "learning_rate": 1e-3, "tokens_per_batch": 128},
                "parts": {"image": {"tune": IMAGE}, "audio": {"tune": AUDIO}},
                "report": {"bootstrap": 20},
            }
        )
    )
    report = tuned.report
    assert set(report.before) == {"text alone", "image alone", "audio alone"}
    assert {"without text", "without image", "without audio", "dev"} == set(report.further)
    pairs = [value.value for name, value in report.further.items() if name != "dev"]
    assert report.after.value >= 0.9
    assert report.after.value > max(pairs)
    assert max(one.value for one in report.before.values()) < 0.9
    engine = Engine.open(tuned.artifact.folder)
    sound = tiny_sounds.tone("low", 900), tiny_sounds.RATE
    all_three, two = engine.predict(
        [
            {"text": "the film was good", "image": tiny_images.picture("red", 900), "audio": sound},
            {"image": tiny_images.picture("blue", 900), "audio": (tiny_sounds.tone("high", 901), tiny_sounds.RATE)},
        ]
    )
    assert (all_three.label, two.label) == ("yes", "no")
    assert report.shares["audio"] == pytest.approx(1 - report.shares["text"] - report.shares["image"])
