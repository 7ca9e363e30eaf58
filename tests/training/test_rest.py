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
from tests import tiny, tiny_images


def said(folder: Path, images: bool, **tune: Any) -> list[list[float]]:
    """Probabilities of a few inputs after training."""
    folder.mkdir()
    if images:
        start = flow.tune(tiny_images.job(folder / "start")).artifact.folder
        job = tiny_images.job(folder, model=str(start), vary="none", freeze="head", dropout=0.0, **tune)
    else:
        job = tiny.job(folder, "classify", freeze="head", dropout=0.0, **tune)
    engine = Engine.open(flow.tune(job).artifact.folder)
    given: list[Any] = (
        [tiny_images.picture(label, 900) for label in ("red", "blue")] if images else ["good film", "bad"]
    )
    return [list(one.probabilities.values()) for one in engine.predict(given)]


@pytest.mark.parametrize("images", [False, True])
def test_the_head_learns_the_same(images: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"epochs": 3, "precision": "fp32", "head_learning_rate": 1e-2}
    made_of: list[int] = []
    original = fitting.vectors

    def vectors(net: Net, features: Features, *some: Any) -> Features:
        made_of.append(len(features))
        return original(net, features, *some)

    monkeypatch.setattr(fitting, "vectors", vectors)
    kept = said(tmp_path / "kept", images, **options)
    assert len(made_of) == 2  # train and dev
    monkeypatch.setattr(fitting, "rests", lambda *_: False)
    every = said(tmp_path / "every", images, **options)
    assert np.allclose(kept, every, atol=1e-5)


@pytest.mark.parametrize("changed", [{"freeze": "top:1"}, {"r_drop": 1.0}, {"bigrams": True}])
def test_where_it_would_not_be_the_same(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise AssertionError("made vectors")

    monkeypatch.setattr(fitting, "vectors", none)
    flow.tune(tiny.job(tmp_path, "classify", **{"freeze": "head", "epochs": 1} | changed))
