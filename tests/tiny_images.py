"""Tiny sets of images and tiny models for them, built on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from burnish.config import Job, parse


def picture(label: str, seed: int, size: tuple[int, int] = (20, 18)) -> Image.Image:
    """Noise that is mostly red or mostly blue, (height, width)."""
    noise = np.random.default_rng(seed).integers(0, 120, (*size, 3))
    noise[..., 0 if label == "red" else 2] += 100
    return Image.fromarray(noise.astype(np.uint8))


def folder(place: Path, count: int = 12) -> Path:
    """A sub-folder of PNG files for each of two classes."""
    for label in ("blue", "red"):
        (place / label).mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            picture(label, seed + 1000 * (label == "red")).save(place / label / f"{seed:02}.png")
    return place


def table(place: Path, count: int = 12) -> Path:
    """The same as a CSV file that names them in its column `photo`."""
    folder(place / "photos", count)
    names = [f"photos/{label}/{seed:02}.png,{label}" for seed in range(count) for label in ("red", "blue")]
    (place / "rows.csv").write_text("\n".join(["photo,kind", *names]) + "\n", encoding="utf-8")
    return place / "rows.csv"


def job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    data = data or folder(place / "data")
    columns = {} if data.is_dir() else {"image": "photo", "label": "kind"}
    settings = {
        "epochs": 3,
        "learning_rate": 1e-2,
        "layer_decay": 1.0,
        "tokens_per_batch": 32,
        "precision": "fp32",
        "scratch": {"layers": 2, "hidden": 16},
        **tune,
    }
    return parse(
        {
            "task": "classify",
            "model": model,
            "out": str(place / "out"),
            "data": {"train": str(data), "columns": columns, "split": {"dev": 0.25}},
            "tune": settings,
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )


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
