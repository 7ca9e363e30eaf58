"""Explanations of what is no text: parts of an image, on any engine, and how far they can be trusted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from burnish import verbs
from burnish.cli import app
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explanation import explain
from burnish.job import tune
from burnish.reporting.explain import explain_html, overview_html
from tests import tiny_images


def spotted(label: str, seed: int, place: int) -> Image.Image:
    """Grey noise with a bright square of the label's colour in one of 16 places."""
    noise = np.random.default_rng(seed).integers(90, 130, (32, 32, 3)).astype(np.uint8)
    top, left = 8 * (place // 4), 8 * (place % 4)
    noise[top : top + 8, left : left + 8] = (255, 0, 0) if label == "red" else (0, 0, 255)
    return Image.fromarray(noise)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has to find a square of 8 by 8 pixels somewhere."""
    root = tmp_path_factory.mktemp("spots")
    for label in ("blue", "red"):
        (root / "data" / label).mkdir(parents=True)
        for seed in range(32):
            spotted(label, seed, seed % 16).save(root / "data" / label / f"{seed:02}.png")
    job = tiny_images.job(root, root / "data", epochs=12, vary="none")
    tuned = tune(job)
    assert tuned.report.after.value > 0.9
    return tuned.artifact.folder


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
def test_the_square_is_found(method: str, folder: Path) -> None:
    engine = Engine.open(folder)
    hits = []
    for place in (0, 6, 9, 15):
        found = explain(engine, spotted("red", 100 + place, place), target="red", method=method)
        scores = np.array(found.grid)
        assert scores.shape == (8, 8)
        assert not found.scores
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        hits.append((row // 2, column // 2) == (place // 4, place % 4))
        assert found.value - found.baseline.value == pytest.approx(scores.sum() + found.delta)
        assert found.baseline.kind == "mean"
    assert sum(hits) >= 3


def test_it_is_faithful_and_follows_from_the_weights(folder: Path, tmp_path: Path) -> None:
    spotted("blue", 7, 5).save(tmp_path / "a.png")
    explanation, quality, change, found = verbs.explain_text(folder, str(tmp_path / "a.png"), target="blue")
    assert (change, found) == (None, None)
    assert quality.comprehensiveness > quality.random
    assert abs(quality.randomised) < 0.8
    page = explain_html(explanation, quality)
    assert page.count("<rect") == 64
    assert '<image href="data:image/png;base64,' in page
    assert not re.search(r"(href|src)=\"(?!data:)", page), "nothing from elsewhere"
    assert "What the model reads" in page
    assert "模型所读的内容" in page
    for options in ({"method": "rollout"}, {"edits": True}, {"examples": True}, {"at": "0:4"}, {"target": "green"}):
        with pytest.raises(InputError):
            verbs.explain_text(folder, str(tmp_path / "a.png"), **options)  # type: ignore[arg-type]
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="no image"):
        verbs.explain_text(folder, str(tmp_path / "b.png"))


def test_many_rows_say_how_far_it_can_be_trusted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for place in range(5):
        spotted("red", place, place).save(tmp_path / "data" / f"{place}.png")
    (tmp_path / "data" / "9.png").write_bytes(b"no image")
    overview = verbs.explain_file(folder, str(tmp_path / "data"), say=lambda line: None)
    assert (overview.rows, overview.labels, overview.faithfulness.texts) == (5, {}, 5)
    assert overview.faithfulness.comprehensiveness > overview.faithfulness.random
    assert "Words by label" not in overview_html(overview)


def test_the_verb_prints_a_grid(folder: Path, tmp_path: Path) -> None:
    spotted("blue", 7, 5).save(tmp_path / "a.png")
    runner = CliRunner()
    said = runner.invoke(app, ["explain", str(folder), str(tmp_path / "a.png"), "--json"])
    told = json.loads(said.stdout)
    assert np.array(told["grid"]).shape == (8, 8)
    assert told["text"].endswith("/a.png")
    assert "faithfulness" in told
    assert runner.invoke(app, ["explain", str(folder), str(tmp_path / "a.png")]).exit_code == 0
