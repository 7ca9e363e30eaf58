"""An encoder at rest is asked once, and the head learns the same as if it were asked in every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish import job as flow
from burnish.data.features import Features
from burnish.engine import Engine
from burnish.models.net import Net
from burnish.training import fit as fitting
from tests import tiny, tiny_images, tiny_sounds


def said(folder: Path, tower: str, **tune: Any) -> list[list[float]]:
    """Probabilities of a few inputs after training."""
    folder.mkdir()
    still = {"freeze": "head", "dropout": 0.0, **tune}
    given: list[Any] = ["good film", "bad"]
    if tower == "text":
        job = tiny.job(folder, "classify", **still)
    else:
        kind = tiny_images if tower in ("vision", "vit") else tiny_sounds
        own = tower in ("vision", "sound")
        start = flow.tune(kind.job(folder / "start")).artifact.folder if own else getattr(kind, tower)(folder / "start")
        job = kind.job(folder, model=str(start), vary="none", **still)
        given = (
            [tiny_images.picture(label, 900) for label in ("red", "blue")]
            if kind is tiny_images
            else [(tiny_sounds.tone(label, 900), tiny_sounds.RATE) for label in ("high", "low")]
        )
    engine = Engine.open(flow.tune(job).artifact.folder)
    return [list(one.probabilities.values()) for one in engine.predict(given)]


@pytest.mark.parametrize("tower", ["text", "vision", "sound", "vit", "wav2vec2", "unmasked", "ast", "whisper"])
def test_the_head_learns_the_same(tower: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"epochs": 3, "precision": "fp32", "head_learning_rate": 1e-2}
    made_of: list[int] = []
    original = fitting.vectors

    def vectors(net: Net, features: Features, *some: Any) -> Features:
        made_of.append(len(features))
        return original(net, features, *some)

    monkeypatch.setattr(fitting, "vectors", vectors)
    kept = said(tmp_path / "kept", tower, **options)
    assert len(made_of) >= 2  # train and dev, and again where a network from random weights is trained beside it
    monkeypatch.setattr(fitting, "rests", lambda *_: False)
    every = said(tmp_path / "every", tower, **options)
    assert np.abs(np.subtract(kept, every)).max() <= 1e-5
    assert np.ptp(kept) > 0.01  # it has learnt something


@pytest.mark.parametrize("changed", [{"freeze": "top:1"}, {"r_drop": 1.0}, {"bigrams": True}])
def test_where_it_would_not_be_the_same(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise AssertionError("made vectors")

    monkeypatch.setattr(fitting, "vectors", none)
    flow.tune(tiny.job(tmp_path, "classify", **{"freeze": "head", "epochs": 1} | changed))
