"""The summary of an image, and when it stands beside a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.config import Tune, parse
from burnish.data.load import load
from burnish.data.pixels import Outlined, Pixels
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.job import tune
from burnish.models.opening import start_net
from burnish.models.summary import OfImage, outlines
from burnish.models.vision import Scaled, fresh_config
from burnish.tasks.base import LossOptions
from burnish.training.summary import fit_summary
from burnish.verbs import export
from tests import tiny_images

EDGES = 8 * 8 * 8


def stripes(angle: float, size: tuple[int, int] = (40, 40), wide: float = 8.0) -> torch.Tensor:
    """Waves across an image, whose brightness changes along the angle, (3, height, width)."""
    down, across = torch.meshgrid(*(torch.arange(float(side)) for side in size), indexing="ij")
    along = across * np.cos(angle) + down * np.sin(angle)
    return torch.sin(2 * np.pi * along / wide).expand(3, -1, -1)


def rows_of_images(place: Path) -> Rows:
    data = tiny_images.folder(place / "data", 3)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


@pytest.mark.parametrize("direction", range(8))
@pytest.mark.parametrize("size", [(40, 40), (33, 61)])
def test_edges_are_told_by_their_direction(direction: int, size: tuple[int, int]) -> None:
    found = outlines(stripes(np.pi * direction / 8, size)[None])[0, :EDGES].view(8, 8, 8)
    assert (found.argmax(0) == direction).float().mean() > 0.9
    assert torch.allclose(outlines(-stripes(np.pi * direction / 8, size)[None])[0, :EDGES].view(8, 8, 8), found)


def test_colours_are_told_by_their_place() -> None:
    planes = torch.zeros(1, 3, 20, 20)
    planes[:, 1, :10, 10:] = 0.5
    colours = outlines(planes)[0, EDGES:].view(3, 8, 8)
    assert torch.allclose(colours[1, :4, 4:], torch.tensor(0.5), atol=1e-6)
    assert colours.abs().sum().item() == pytest.approx(0.5 * 16, abs=1e-4)
    flat = outlines(torch.full((1, 3, 20, 20), 0.3))[0]
    assert flat[:EDGES].max() < 0.05
    assert flat.isfinite().all()


@pytest.mark.parametrize("bright_from", [0, 10])
def test_a_flat_image_has_a_slope_to_explain_it_by(bright_from: int) -> None:
    planes = torch.zeros(1, 3, 20, 20)
    planes[..., bright_from:] = 0.4
    outlines(planes.requires_grad_()).sum().backward()
    assert planes.grad is not None
    assert planes.grad.isfinite().all()
    assert planes.grad.abs().max() > 0


def test_only_beside_networks_for_classes_from_random_weights(tmp_path: Path) -> None:
    train = rows_of_images(tmp_path)
    assert Outlined.start("", Tune(), train).document["outlines"]
    assert "outlines" not in Pixels.start("", Tune(), train).document
    assert "outlines" not in Outlined.start(str(tiny_images.vit(tmp_path / "hub")), Tune(), train).document
    assert Scaled.of({"outlines": True}).outlines
    assert not Scaled.of({"outlines": True, "num_frames": 2}).outlines


def test_it_learns_what_a_network_does_not_and_goes_where_it_is_of_no_use(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    pixels = [128 + 40 * stripes(0.2 + k % 2) + 20 * torch.randn(3, 40, 40, generator=draw) for k in range(40)]
    given = torch.stack(pixels).clamp(0, 255).byte().movedim(1, -1).numpy()
    reader = Outlined.start("", Tune(image_size=40), rows_of_images(tmp_path))
    features = reader._featured(given)
    features.targets["labels"] = np.tile([0, 1], 20)

    def started() -> torch.nn.Module:
        config = fresh_config(2, 16)
        return start_net(
            "", "sequence", ("a", "b"), dropout=0.0, attention_dropout=0.0, pooling="mean", word_shape=False,
            config=config, preprocess=reader.document,
        ).eval()  # fmt: skip

    net = started()
    batch = {"pixels": torch.from_numpy(given)}

    def right(_: str) -> float:
        return float((net(batch).argmax(1) == torch.tensor([0, 1] * 20)).float().mean())

    assert right("") == 0.5
    fit_summary(net, features, LossOptions(), "fp32", right)  # type: ignore[arg-type]
    assert isinstance(net.extras["summary"], OfImage)
    assert right("") == 1.0
    net.train()
    assert (net(batch) == 0).all()
    left = started()

    def worse(_: str) -> float:
        return -float(left.extras["summary"].weight.abs().sum())  # type: ignore[index]

    fit_summary(left, features, LossOptions(), "fp32", worse)  # type: ignore[arg-type]
    assert "summary" not in left.extras  # type: ignore[operator]
    without_dev = started()
    fit_summary(without_dev, features, LossOptions(), "fp32", None)  # type: ignore[arg-type]
    assert "summary" not in without_dev.extras  # type: ignore[operator]


@pytest.mark.parametrize("learning_rate", [1e-7, 3e-3])
def test_a_model_is_saved_and_opened_with_or_without_it_and_exported_with_it(
    learning_rate: float, tmp_path: Path
) -> None:
    tuned = tune(tiny_images.job(tmp_path, epochs=4, learning_rate=learning_rate, head_learning_rate=learning_rate))
    engine = Engine.open(tmp_path / "out")
    assert ("summary" in engine.net.extras) == (learning_rate < 1e-3), (
        "a network that knows all needs nothing beside it"
    )
    given = [tiny_images.picture("red", 700), tiny_images.picture("blue", 701)]
    expected = [one.probabilities for one in engine.predict(given)]
    assert tuned.report.after.value == 1.0
    for to in ("onnx", "openvino") if "summary" in engine.net.extras else ():
        made = export(tmp_path / "out", to).manifest["parity"]
        assert made["error"] < 1e-3 * made["scale"]
        for one, right in zip(Engine.open(tmp_path / "out", to).predict(given), expected, strict=True):
            assert one.probabilities == pytest.approx(right, abs=1e-3)
