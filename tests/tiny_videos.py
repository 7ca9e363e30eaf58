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


def written(
    path: Path,
    clip: NDArray[np.uint8],
    codec: str = "mpeg4",
    gop: int = 12,
    rate: int = 12,
    turn: int = 0,
    **options: Any,
) -> Path:
    """A file of some frames; the ending says of which format.

    Args:
        turn: degrees against the clock by which they are to be shown turned.
    """
    with av.open(path if hasattr(path, "write") else str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 1_000_000
        stream.codec_context.gop_size = gop
        if turn:
            stream.set_display_rotation(turn)
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


def looped(path: Path, clip: NDArray[np.uint8], times: int, apart: float = 0.0, **options: Any) -> Path:
    """A file that shows some frames, 24 a second, time and again: encoded once, so that a long one costs little.

    Args:
        apart: seconds from the beginning of one turn to that of the next; unset: one comes after the other.
    """
    codec = "mpeg2video" if options.get("format") == "mpegts" else "mpeg4"
    once = written(path.with_name(f"once-{path.name}"), clip, codec, gop=len(clip), rate=24, **options)
    with av.open(str(path), "w", **options) as container, av.open(str(once)) as source:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(source.streams.video[0]) if packet.size]
        step = round((apart or len(clip) / 24) / packets[0].time_base)
        first = [(packet.pts, packet.dts) for packet in packets]
        held = [bytes(packet) for packet in packets]
        for turn in range(times):
            for data, (pts, dts), like in zip(held, first, packets, strict=True):
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.duration = stream, like.time_base, like.duration
                packet.pts, packet.dts, packet.is_keyframe = pts + turn * step, dts + turn * step, like.is_keyframe
                container.mux(packet)
    once.unlink()
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
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]
    VideoMAEImageProcessor(size=size, crop_size=crop, image_mean=mean, image_std=std).save_pretrained(place)
    return place
