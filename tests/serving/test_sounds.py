"""Sounds as inputs of the service, and in a batch."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import soundfile

from burnish.batch import batch
from burnish.engine import Engine
from burnish.job import tune
from burnish.serving import wire
from burnish.serving.worker import Model
from tests import tiny_sounds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clips")
    return tune(tiny_sounds.job(place, tiny_sounds.table(place))).artifact.folder


def said(model: Model, *inputs: Any) -> list[tuple[bool, Any]]:
    parts, *_ = wire.parted(model.answer(list(inputs)))
    return [(part[:1] == b"+", orjson.loads(part[1:])) for part in parts]


def wav(samples: np.ndarray, form: str = "WAV") -> bytes:
    written = io.BytesIO()
    soundfile.write(written, samples, tiny_sounds.RATE, format=form)
    return written.getvalue()


def test_a_file_is_answered_as_by_the_engine(folder: Path) -> None:
    model, tone = Model(folder, None), tiny_sounds.tone("low", 900)
    own = Engine.open(folder, "torch").predict([wav(tone)])[0]
    for content, head in ((wav(tone), ""), (wav(tone), "data:audio/wav;base64,"), (wav(tone, "FLAC"), "")):
        ((well, told),) = said(model, head + base64.b64encode(content).decode())
        assert well
        assert told["probabilities"]["low"] == pytest.approx(own.probabilities["low"], abs=1e-3)
    ((well, told),) = said(model, {"explain": base64.b64encode(wav(tone)).decode(), "target": None, "at": None})
    assert well
    assert np.array(told["grid"]).shape == (8, 12)
    assert (model.about["inputs"], model.about["fields"]) == ("audio", {})
    model.warm_up()
    model.measure(128)
    assert model.pace > 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no sound at all", "no sound in a known format"),
        (wav(tiny_sounds.tone("low", 1))[:400], "cut short"),
        (b"RIFF", "no sound|damaged"),
        (wav(np.zeros(0, np.float32)), "no samples"),
    ],
)
def test_what_is_no_sound_is_refused(content: bytes, why: str, folder: Path) -> None:
    good = base64.b64encode(wav(tiny_sounds.tone("low", 1))).decode()
    (first, _), (second, told) = said(Model(folder, None), good, base64.b64encode(content).decode())
    assert (first, second) == (True, False)
    assert told["status"] == 422
    assert re.search(why, told["detail"]), told


def test_a_table_that_names_sounds_goes_through_a_batch(folder: Path, tmp_path: Path) -> None:
    table = tiny_sounds.table(tmp_path, 4)
    with table.open("a", encoding="utf-8") as file:
        file.write("clips/none.wav,low\n")
    report = batch(folder, table, tmp_path / "out.csv", say=lambda line: None)
    assert (report.rows, report.empty) == (9, 1)
