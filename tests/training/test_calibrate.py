"""A temperature makes probabilities honest, changes no decision, and goes where the model goes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from burnish.artifact import MANIFEST
from burnish.config import parse
from burnish.data.load import load_file
from burnish.data.rows import Row, Rows
from burnish.engine import Engine
from burnish.explanation import explain
from burnish.job import tune
from burnish.tasks.classify import Classify
from burnish.training.calibrate import LEAST, calibrate
from burnish.verbs import export
from tests import tiny


class Planted:
    """An engine whose logits are known: row i of the file has row i of them."""

    def __init__(self, task: Classify, logits: np.ndarray) -> None:
        self.task, self.logits = task, torch.tensor(logits, dtype=torch.float32)

    def stream(self, rows: Iterable[Row]) -> Iterator[Any]:
        for row in rows:
            (answer,) = self.task.decode(self.logits[int(row["text"])][None], {})
            yield self.task.assemble([answer], row)


def planted(folder: Path, count: int, by: float) -> tuple[Engine, dict[str, Rows]]:
    """Labels drawn from a distribution, and a model that is surer than that by a factor of its logits."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 1.5, (count, 3))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    lines = [f"{i},{'abc'[draw.choice(3, p=chances[i])]}" for i in range(count)]
    place = folder / "dev.csv"
    place.write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    job = parse({"task": "classify", "data": {"train": str(place)}})
    return cast(Engine, Planted(Classify("abc"), by * logits)), {"dev": load_file(str(place), job)}


@pytest.mark.parametrize("by", [0.4, 3.0])
def test_a_planted_temperature_is_found_and_no_decision_changes(tmp_path: Path, by: float) -> None:
    engine, parts = planted(tmp_path, 1500, by)
    before = list(engine.stream(parts["dev"]))
    found = calibrate(engine, parts)
    assert found is not None
    assert found.temperature == pytest.approx(by, rel=0.15)
    assert found.nll < found.nll_before - 0.02
    assert found.ece < found.ece_before / 2
    after = list(engine.stream(parts["dev"]))
    assert [one.label for one in after] == [one.label for one in before]
    assert abs(after[0].probabilities["a"] - before[0].probabilities["a"]) > 1e-3


def test_what_says_too_little_stores_nothing(tmp_path: Path) -> None:
    engine, parts = planted(tmp_path, LEAST - 1, 3.0)
    few = calibrate(engine, parts)
    assert few is not None
    assert "100 are needed" in few.missing
    engine, parts = planted(tmp_path, 300, 1.0)
    sure = 30 * np.eye(3)[["abc".index(row["label"]) for row in parts["dev"]]]
    perfect = Planted(Classify("abc"), sure)
    never = calibrate(cast(Engine, perfect), parts)
    assert never is not None
    assert "0 times" in never.missing
    assert perfect.task.temperature == 1.0
    assert "no dev rows" in (calibrate(engine, {}) or few).missing


def test_classes_of_several_a_text_keep_their_decisions() -> None:
    task = Classify("ab", multi_label=True, thresholds=(0.3, 0.8))
    logits = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * 3
    task.temperature = 2.5
    chosen, _ = task.choose(logits)
    said = [task.assemble([answer], {}).labels for answer in task.decode(logits, {})]
    assert [tuple(name for name, on in zip("ab", row, strict=True) if on) for row in chosen.tolist()] == said


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained long on labels of which a quarter are wrong."""
    folder, draw = tmp_path_factory.mktemp("calibrate"), random.Random(0)
    lines = []
    for index in range(560):
        good = draw.random() < 0.5
        text = " ".join(["good" if good else "bad", *draw.choices(tiny.WORDS[:10], k=4), str(index)])
        lines.append(f"{text},{'pos' if good != (draw.random() < 0.25) else 'neg'}")
    (folder / "train.csv").write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    job = tiny.job(folder, "classify", epochs=10, learning_rate=3e-3, tokens_per_batch=512)
    return tune(job).artifact.folder


TEXTS = ["good anna lives in paris 3", "bad ben works at acme 900", "good bad rome 7"]


def test_it_is_kept_in_the_folder_and_explained(tuned: Path) -> None:
    manifest = json.loads((tuned / MANIFEST).read_text(encoding="utf-8"))
    about = manifest["calibration"]
    assert about["temperature"] > 1.2
    assert about["nll"] < about["nll_before"]
    assert manifest["state"]["temperature"] == about["temperature"]
    assert "temperature" in (tuned / "MODEL_CARD.md").read_text(encoding="utf-8")
    engine = Engine.open(tuned)
    (said,) = engine.predict(TEXTS[0])
    assert explain(engine, TEXTS[0]).probability == pytest.approx(said.probabilities[said.label], abs=1e-5)


def test_a_variant_and_an_old_folder(tuned: Path) -> None:
    pytest.importorskip("onnxruntime")
    export(tuned, "onnx")
    said = Engine.open(tuned, "torch").predict(TEXTS)
    other = Engine.open(tuned, "onnx").predict(TEXTS)
    for one, two in zip(said, other, strict=True):
        assert two.probabilities == pytest.approx(one.probabilities, abs=1e-4)
    path = tuned / MANIFEST
    kept = path.read_text(encoding="utf-8")
    manifest = json.loads(kept)
    warmth = manifest["state"].pop("temperature")
    del manifest["calibration"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    try:
        old = Engine.open(tuned, "torch").predict(TEXTS)
    finally:
        path.write_text(kept, encoding="utf-8")
    for one, two in zip(said, old, strict=True):
        assert one.label == two.label
        odds = [np.log(p["pos"] / p["neg"]) for p in (one.probabilities, two.probabilities)]
        assert odds[1] == pytest.approx(odds[0] * warmth, rel=1e-4)
