"""Tiny sets of images and tiny models for them, built on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from burnish.config import Job
from tests import tiny_files

LABELS = ("blue", "red")


def picture(label: str, seed: int, size: tuple[int, int] = (20, 18)) -> Image.Image:
    """Noise that is mostly red or mostly blue, (height, width)."""
    noise = np.random.default_rng(seed).integers(0, 120, (*size, 3))
    noise[..., 0 if label == "red" else 2] += 100
    return Image.fromarray(noise.astype(np.uint8))


def _write(path: Path, label: str, seed: int) -> None:
    picture(label, seed).save(path.with_suffix(".png"))


def folder(place: Path, count: int = 12) -> Path:
    """A sub-folder of PNG files for each of two classes."""
    return tiny_files.folder(place, LABELS, _write, count)


def table(place: Path, count: int = 12) -> Path:
    """The same as a CSV file that names them in its column `photo`."""
    return tiny_files.table(place, "photo", ".png", LABELS, _write, count)


def job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    settings = {"epochs": 3, "tokens_per_batch": 32, "scratch": {"layers": 2, "hidden": 16}, **tune}
    return tiny_files.job(place, data or folder(place / "data"), {"image": "photo"}, model, **settings)


def vit(place: Path) -> Path:
    """A hub-format folder of a ViT for images of 32 by 32 pixels."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        num_labels=3,
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(place)
    size = {"height": 32, "width": 32}
    ViTImageProcessor(size=size, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]).save_pretrained(place)
    return place


def mobilevit(place: Path) -> Path:
    """A hub-format folder of a MobileViT: BGR, no mean taken out, the middle of the image."""
    import torch
    from transformers import MobileViTConfig, MobileViTForImageClassification, MobileViTImageProcessor

    torch.manual_seed(0)
    config = MobileViTConfig(
        image_size=32, hidden_sizes=[8, 12, 16], neck_hidden_sizes=[4, 8, 8, 8, 12, 16, 24], num_attention_heads=2,
        num_labels=3,
    )  # fmt: skip
    MobileViTForImageClassification(config).save_pretrained(place)
    size, crop = {"shortest_edge": 36}, {"height": 32, "width": 32}
    MobileViTImageProcessor(size=size, crop_size=crop).save_pretrained(place)
    return place
