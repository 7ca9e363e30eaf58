"""Tiny sets of videos and tiny models for them, built on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from burnish.config import Job
from tests import tiny_files

LABELS = ("blue", "red")


def frames(label: str, seed: int, count: int = 12, size: tuple[int, int] = (36, 48)) -> NDArray[np.uint8]:
    """A square in red or blue that moves over dim noise, (count, height, width, 3)."""
    chance = np.random.default_rng(seed)
    found = chance.integers(0, 60, (count, *size, 3))
    top, left = chance.integers(0, size[0] // 2, 2)
    for place in range(count):
        across = (left + 2 * place) % (size[1] - 14)
        found[place, top : top + 14, across : across + 14] = (220, 30, 30) if label == "red" else (30, 30, 220)
    return found.astype(np.uint8)


def written(path: Path, clip: NDArray[np.uint8], codec: str = "mpeg4", gop: int = 12, **options: Any) -> Path:
    """A file of some frames, 12 a second; the ending says of which format."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 1_000_000
        stream.codec_context.gop_size = gop
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


def _write(path: Path, label: str, seed: int) -> None:
    written(path.with_suffix(".mp4"), frames(label, seed))


def folder(place: Path, count: int = 12) -> Path:
    """A sub-folder of MP4 files for each of two classes."""
    return tiny_files.folder(place, LABELS, _write, count)


def table(place: Path, count: int = 12) -> Path:
    """The same as a CSV file that names them in its column `clip`."""
    return tiny_files.table(place, "clip", ".mp4", LABELS, _write, count)


def job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    size = {"frames": 4, "image_size": 32, "scratch": {"layers": 2, "hidden": 16}}
    settings = {"epochs": 4, "tokens_per_batch": 64, **size, **tune}
    return tiny_files.job(place, data or folder(place / "data"), {"video": "clip"}, model, **settings)


def videomae(place: Path) -> Path:
    """A hub-format folder of a VideoMAE for four frames of 32 by 32 pixels."""
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=32, patch_size=8, num_frames=4, tubelet_size=2, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=32, num_labels=3,
    )  # fmt: skip
    VideoMAEForVideoClassification(config).save_pretrained(place)
    size, crop = {"shortest_edge": 32}, {"height": 32, "width": 32}
    VideoMAEImageProcessor(size=size, crop_size=crop).save_pretrained(place)
    return place
