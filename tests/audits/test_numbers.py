"""Models that give an image, a sound or a row a number, through the verbs that those of classes go with."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import soundfile

from burnish import verbs
from burnish.auditing import audit
from burnish.config import Job
from burnish.engine import Engine
from burnish.job import tune
from burnish.reporting.explain import explain_html
from burnish.serving import wire
from burnish.serving.worker import Model
from burnish.verbs import export
from tests import tiny_images, tiny_sounds, tiny_tables

ROWS = 100


def images(place: Path) -> tuple[Job, str]:
    source = tiny_images.table(place, ROWS // 2)
    return tiny_images.job(place, source, epochs=3), str(place / "photos" / "red" / "00.png")


def sounds(place: Path) -> tuple[Job, str]:
    source = tiny_sounds.table(place, ROWS // 2)
    return tiny_sounds.job(place, source, epochs=3), str(place / "clips" / "low" / "00.wav")


def tables(place: Path) -> tuple[Job, str]:
    source = tiny_tables.table(place, tiny_tables.rows(200))
    return tiny_tables.job(place, source, "score", epochs=4), json.dumps({"age": 70, "town": "Bonn"})


def numbered(place: Path) -> None:
    """A number in the place of each class."""
    path = place / "rows.csv"
    if path.is_file():
        chance = np.random.default_rng(0)
        lines = path.read_text(encoding="utf-8").split("\n")
        given = [line.rsplit(",", 1) for line in lines[1:] if line]
        values = [3 * (label in ("red", "high")) + chance.normal(0, 0.2) for _, label in given]
        written = [f"{file},{value:.3f}" for (file, _), value in zip(given, values, strict=True)]
        path.write_text("\n".join([lines[0], *written]) + "\n", encoding="utf-8")


@pytest.mark.parametrize("kind", [images, sounds, tables])
def test_a_number_goes_through_every_verb(kind: Callable[[Path], tuple[Job, str]], tmp_path: Path) -> None:
    job, given = kind(tmp_path)
    numbered(tmp_path)
    folder = tune(job.model_copy(update={"task": "score"})).artifact.folder
    engine = Engine.open(folder, "torch")
    (own,) = engine.predict([given])
    report = audit(folder, job.data.train, quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    assert {"slices", "robustness", "calibration", "privacy"} <= set(sections)
    assert np.isfinite(list(sections["robustness"].figures.values())).all()
    explanation, quality, *_ = verbs.explain_text(folder, given)
    assert explanation.target == "score"
    assert explanation.value == pytest.approx(own.value, abs=0.05)
    assert np.isfinite(quality.comprehensiveness)
    assert "<svg" in explain_html(explanation, quality)
    sent: Any = given if kind is tables else base64.b64encode(Path(given).read_bytes()).decode()
    parts, *_ = wire.parted(Model(folder, "torch").answer([sent]))
    assert orjson.loads(parts[0][1:])["value"] == pytest.approx(own.value, abs=1e-3)
    export(folder, "openvino")
    assert Engine.open(folder, "openvino").predict([given])[0].value == pytest.approx(own.value, abs=0.05)


def test_a_wav_in_memory_is_a_file(tmp_path: Path) -> None:
    job, _ = sounds(tmp_path)
    engine = Engine.open(tune(job).artifact.folder)
    written = io.BytesIO()
    soundfile.write(written, tiny_sounds.tone("low", 5), tiny_sounds.RATE, format="WAV", subtype="FLOAT")
    both = engine.predict([written.getvalue(), (tiny_sounds.tone("low", 5), tiny_sounds.RATE)])
    assert both[0].probabilities == pytest.approx(both[1].probabilities, abs=1e-5)
