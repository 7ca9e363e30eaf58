"""Videos: how fast frames are taken of the clips of video_clips_mmaction2, what memory ten minutes take beside ten
seconds, and whether both kinds of classifier learn.

The clips have no labels. For the classifiers each is cut into pieces of 0.4 seconds, and the class of a piece is the
clip that it comes from: pieces of the first 60 % of a clip are learnt from, those of the next 15 % choose, and those of
the last 25 % are measured. That shows that the whole way works, from files to a model; it says nothing of how well
videos of a real task are told apart. The VideoMAE has random weights, as no trained one can be had here.

Ten minutes are one clip of ten seconds sixty times over, its packets copied: as MP4, which lists its frames, so that a
reader may go to some of them, and as a transport stream, which does not, so that every frame is decoded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import measure

CLIPS = ("demo.mp4", "test.mp4", "test.avi", "S001C001P001R001A001_rgb.avi")
LOOPED, TURNS = "test.mp4", 60
FRAMES = 16
PIECE, SIZE, RATE = 0.4, (160, 120), 20  # seconds, pixels and frames a second of a piece
SETS = {"train": (0.0, 0.6), "dev": (0.6, 0.75), "test": (0.75, 1.0)}
SCRATCH = {
    "epochs": 12, "frames": 8, "image_size": 32, "scratch": {"layers": 3, "hidden": 64}, "tokens_per_batch": 128,
    "learning_rate": 3e-3, "layer_decay": 1.0,
}  # fmt: skip
MAE = {"epochs": 20, "tokens_per_batch": 512, "learning_rate": 1e-3, "layer_decay": 1.0}


def looped(source: Path, path: Path, turns: int) -> Path:
    """The packets of a clip, time and again."""
    import av

    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as out,
    ):
        (stream,) = given.streams.video
        made = out.add_stream_from_template(stream)
        packets = [
            (bytes(one), one.pts, one.dts, one.duration, one.is_keyframe) for one in given.demux(stream) if one.size
        ]
        for turn in range(turns):
            for data, pts, dts, duration, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.duration, packet.is_keyframe = (
                    made,
                    stream.time_base,
                    duration,
                    key,
                )
                packet.pts, packet.dts = pts + turn * stream.duration, dts + turn * stream.duration
                out.mux(packet)
    return path


def taken(path: Path) -> measure.Child:
    """Take frames of one file in a process of its own."""
    return measure.run([sys.executable, __file__, "--take", str(path)], {"PYTHONPATH": str(measure.ROOT)})


def take(path: str) -> None:
    from burnish.data import video

    start = time.perf_counter()
    count = sum(1 for _ in video.frames(path, FRAMES))
    print(json.dumps({"seconds": time.perf_counter() - start, "frames": count}))


def speed(data: Path) -> list[list[Any]]:
    """Of each clip: frames it has, seconds to take some of them, and frames passed by in a second."""
    import av

    rows = []
    for name in CLIPS:
        with av.open(str(data / name)) as container:
            stream = container.streams.video[0]
            about = f"{stream.codec_context.name}, {stream.width} x {stream.height}"
            count = sum(1 for packet in container.demux(stream) if packet.size)
        seconds = min(taken(data / name).result["seconds"] for _ in range(3))
        rows.append([name, about, count, seconds, count / seconds])
    return rows


def pieces(data: Path, folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Folders of pieces, a sub-folder for each clip, for train, dev and test."""
    import av

    from burnish.data import video

    for name in names:
        seconds = video.extent(data / name)[0]
        every = round(seconds / PIECE)
        each = round(PIECE * RATE)
        frames = [frame.resize(SIZE) for frame in video.frames(data / name, every * each)]
        for number, (a, b) in enumerate(pairwise(range(0, len(frames) + 1, each))):
            role = next(role for role, (low, high) in SETS.items() if low <= number / every < high)
            place = folder / role / Path(name).stem / f"{number:03}.mp4"
            place.parent.mkdir(parents=True, exist_ok=True)
            with av.open(str(place), "w") as container:
                stream = container.add_stream("mpeg4", rate=RATE)
                (stream.width, stream.height), stream.pix_fmt, stream.bit_rate = SIZE, "yuv420p", 1_000_000
                for frame in frames[a:b]:
                    container.mux(stream.encode(av.VideoFrame.from_image(frame)))
                container.mux(stream.encode(None))
    return {role: folder / role for role in SETS}


def videomae(place: Path) -> Path:
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=64, patch_size=16, num_frames=8, hidden_size=96, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=192,
    )  # fmt: skip
    VideoMAEForVideoClassification(config).save_pretrained(place)
    side = {"height": 64, "width": 64}
    VideoMAEImageProcessor(size={"shortest_edge": 64}, crop_size=side).save_pretrained(place)
    return place


def learnt(sets: dict[str, Path], out: Path, model: str, tune: dict[str, Any], quick: bool) -> dict[str, Any]:
    """Tune on pieces; rows, accuracy on test of the model and of the linear one beside it, and seconds."""
    from burnish.config import parse
    from burnish.job import tune as run

    settings = {**tune, "precision": "fp32", **({"epochs": 2} if quick else {})}
    given = {"train": str(sets["train"]), "dev": str(sets["dev"]), "test": str(sets["test"])}
    report = run(parse({"task": "classify", "model": model, "out": str(out), "data": given, "tune": settings})).report
    before = {name: one.metrics["accuracy"] for name, one in report.before.items()}
    return {"rows": report.rows, "accuracy": report.after.metrics["accuracy"], **before, "seconds": report.seconds}


def main() -> None:
    parser = measure.options(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", help="the folder video_clips_mmaction2")
    parser.add_argument("--take", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.take:
        return take(args.take)
    data, turns = Path(args.data), 6 if args.quick else TURNS
    passed = speed(data)
    measure.table(["clip", "form", "frames", f"seconds for {FRAMES}", "frames passed a second"], passed)
    with tempfile.TemporaryDirectory() as name:
        folder, memory = Path(name), {}
        for ending in ("mp4", "ts"):
            for times in (1, turns):
                child = taken(looped(data / LOOPED, folder / f"{times}.{ending}", times))
                memory[f"{10 * times} s, {ending}"] = {"peak_mb": child.peak_mb, **child.result}
        measure.table(["clip", "peak MB", "seconds"], [[k, v["peak_mb"], v["seconds"]] for k, v in memory.items()])
        sets = pieces(data, folder / "pieces", CLIPS[2:] if args.quick else CLIPS)
        models = {"frame by frame": ("scratch", SCRATCH), "VideoMAE": (str(videomae(folder / "mae")), MAE)}
        found = {who: learnt(sets, folder / who, *how, args.quick) for who, how in models.items()}
    measure.table(["model", *found["VideoMAE"]], [[who, *map(str, one.values())] for who, one in found.items()])
    growth = {
        form: memory[f"{10 * turns} s, {form}"]["peak_mb"] / memory[f"10 s, {form}"]["peak_mb"]
        for form in ("mp4", "ts")
    }
    ratios = {f"memory_{form}": ratio for form, ratio in growth.items()}
    measure.finish(args, ratios, {"speed": passed, "memory": memory, "classifiers": found})


if __name__ == "__main__":
    main()
