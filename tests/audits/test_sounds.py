"""Audits and explanations of a model of sounds: worse sounds, and which stretches of time and bands count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from burnish import verbs
from burnish.auditing import audit
from burnish.data import acoustics
from burnish.data.readers import ready
from burnish.data.waves import Waves
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explanation import explain
from burnish.job import tune
from burnish.reporting.explain import explain_html
from tests import tiny_sounds

RATE = tiny_sounds.RATE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("heard")
    job = tiny_sounds.job(place, tiny_sounds.folder(place / "data", 60), epochs=8)
    tuned = tune(job)
    assert tuned.report.after.value > 0.9
    return tuned.artifact.folder


def test_every_audit_says_something(folder: Path, tmp_path: Path) -> None:
    data = tiny_sounds.folder(tmp_path / "other", 80)  # the first of them are those of training
    report = audit(folder, str(data), quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    assert set(sections["robustness"].figures) == {f"{way}_{what}" for way in Waves.ways for what in ("drop", "flips")}
    assert {row[0] for table in sections["slices"].tables for row in table.rows} >= {"label", "seconds"}
    assert sections["slices"].figures["leaked"] > 0.4
    assert "membership_auc" in sections["privacy"].figures


@pytest.mark.parametrize("way", acoustics.WAYS)
def test_sounds_get_worse_and_the_same_each_time(way: str, folder: Path) -> None:
    reader = Engine.open(folder, "torch").tokenizer
    row = reader.row((tiny_sounds.tone("low", 3), RATE))
    right = reader.wave(row["audio"])
    weak, strong = reader.ways[way]
    worse = [reader.corrupted(row, way, strength, 0)["audio"] for strength in (weak, strong, weak)]
    assert (worse[0][0] == worse[2][0]).all()
    assert all(wave.dtype == np.float32 and rate == reader.form.rate for wave, rate in worse)
    if way == "speed":
        assert len(worse[0][0]) > len(right) > len(worse[1][0])
    else:
        far = [np.square(wave - right).mean() / np.square(right).mean() for wave, _ in worse]
        assert far[0] > 0.005
        assert way == "echo" or far[1] == pytest.approx(10**-0.5, rel=0.1), "5 dB below the sound"


def test_rows_differ_by_length_and_loudness(folder: Path) -> None:
    reader = Engine.open(folder, "torch").tokenizer
    wave = tiny_sounds.tone("low", 3, seconds=0.5)
    found = reader.traits([reader.row((wave, RATE)), reader.row((wave / 10, RATE))])
    assert found["seconds"].tolist() == [0.5, 0.5]
    assert found["loudness"][0] - found["loudness"][1] == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
def test_the_band_and_the_time_of_a_tone_are_found(method: str, folder: Path) -> None:
    engine = Engine.open(folder, "torch")
    wave = 0.01 * np.random.default_rng(5).standard_normal(RATE).astype(np.float32)
    wave[: RATE // 2] += tiny_sounds.tone("high", 5, seconds=0.5)[: RATE // 2]
    found = explain(engine, (wave, RATE), target="high", method=method)
    scores = np.array(found.grid)
    assert scores.shape == (8, 12)
    assert found.picture.startswith("data:image/png")
    assert found.value - found.baseline.value == pytest.approx(scores.sum() + found.delta, abs=1e-3)
    row, column = np.unravel_index(np.abs(scores).argmax(), scores.shape)
    assert 1 <= row <= 4, "1,500 of 4,000 hertz, high ones first"
    assert column <= 6, "the first half"


def test_the_verb_measures_and_draws(folder: Path, tmp_path: Path) -> None:
    source = tiny_sounds.folder(tmp_path / "other", 2) / "high" / "00.wav"
    explanation, quality, *_ = verbs.explain_text(folder, str(source))
    assert np.isfinite(quality.comprehensiveness)
    assert "<image" in explain_html(explanation, quality)


@pytest.mark.parametrize("kind", ["wav2vec2", "ast", "whisper"])
def test_parts_of_every_form(kind: str, tmp_path: Path) -> None:
    model = getattr(tiny_sounds, kind)(tmp_path / kind)
    job = tiny_sounds.job(tmp_path, model=str(model), epochs=1, tokens_per_batch=2048)
    engine = Engine.open(tune(job).artifact.folder, "torch")
    found = explain(engine, (tiny_sounds.tone("low", 1), RATE))
    scores = np.array(found.grid)
    assert scores.shape == ((1, 24) if kind == "wav2vec2" else (8, 12))
    assert np.isfinite(scores).all()


def test_what_is_not_there_yet_says_so(folder: Path) -> None:
    with pytest.raises(InputError, match="a guard works on models of texts so far"):
        Engine.open(folder, "torch").artifact.must_go_with("a guard")  # type: ignore[union-attr]
    assert not ready("transcribe", Waves.kind), "none of these verbs knows transcripts"
