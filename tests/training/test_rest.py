"""An encoder at rest is asked once, and the head learns the same as if it were asked in every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from burnish import job as flow
from burnish.data.features import Features
from burnish.models.net import Net
from burnish.training import fit as fitting
from tests import tiny, tiny_images


def made(folder: Path, images: bool, **tune: Any) -> dict[str, torch.Tensor]:
    folder.mkdir()
    if images:
        start = flow.tune(tiny_images.job(folder / "start")).artifact.folder
        job = tiny_images.job(folder, model=str(start), vary="none", freeze="head", dropout=0.0, **tune)
    else:
        job = tiny.job(folder, "classify", freeze="head", dropout=0.0, **tune)
    folder = flow.tune(job).artifact.folder
    return {key: value for file in folder.glob("*.safetensors") for key, value in load_file(file).items()}


@pytest.mark.parametrize("images", [False, True])
def test_the_head_learns_the_same(images: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"epochs": 3, "precision": "fp32", "head_learning_rate": 1e-2}
    made_of: list[int] = []
    original = fitting.vectors

    def vectors(net: Net, features: Features, *some: Any) -> Features:
        made_of.append(len(features))
        return original(net, features, *some)

    monkeypatch.setattr(fitting, "vectors", vectors)
    kept = made(tmp_path / "kept", images, **options)
    assert len(made_of) == 2  # train and dev
    monkeypatch.setattr(fitting, "rests", lambda *_: False)
    every = made(tmp_path / "every", images, **options)
    assert kept.keys() == every.keys()
    for name, value in every.items():
        assert torch.allclose(kept[name].float(), value.float(), atol=1e-5), name


@pytest.mark.parametrize("changed", [{"freeze": "top:1"}, {"r_drop": 1.0}, {"bigrams": True}])
def test_where_it_would_not_be_the_same(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise AssertionError("made vectors")

    monkeypatch.setattr(fitting, "vectors", none)
    flow.tune(tiny.job(tmp_path, "classify", **{"freeze": "head", "epochs": 1} | changed))
