"""Tiny images with coloured shapes in them, the boxes around these in each form of annotation, and tiny models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from burnish.config import Job, parse

COLOURS = {"ball": (210, 40, 40), "block": (40, 60, 210)}
SIZE = (96, 64)  # width and height
Boxes = list[tuple[str, int, int, int, int]]


def scene(seed: int, things: int = 2) -> tuple[Image.Image, Boxes]:
    """A red ball in the one half of a grey image and a blue block in the other; or one of them, larger, anywhere."""
    chance = np.random.default_rng(seed)
    image = Image.fromarray(chance.integers(110, 140, (SIZE[1], SIZE[0], 3)).astype(np.uint8))
    draw, boxes, part = ImageDraw.Draw(image), [], SIZE[0] // things
    for place, label in enumerate(chance.permutation(list(COLOURS)).tolist()[:things]):
        side = int(chance.integers(18, 30)) + 12 * (2 - things)
        left, top = place * part + int(chance.integers(0, part - side)), int(chance.integers(0, SIZE[1] - side))
        shape = draw.ellipse if label == "ball" else draw.rectangle
        shape((left, top, left + side - 1, top + side - 1), fill=COLOURS[label])
        boxes.append((label, left, top, left + side, top + side))
    return image, boxes


def _written(place: Path, count: int, things: int = 2) -> list[tuple[str, Boxes]]:
    place.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(count):
        image, boxes = scene(seed, things)
        image.save(place / f"{seed:02}.png")
        found.append((f"{seed:02}.png", boxes))
    return found


def table(place: Path, count: int = 8, things: int = 2) -> Path:
    """A CSV file with a box a row, and one image without a box."""
    lines = ["photo,kind,xmin,ymin,xmax,ymax"]
    for name, boxes in _written(place / "photos", count, things):
        lines += [f"photos/{name},{','.join(map(str, box))}" for box in boxes]
    Image.new("RGB", SIZE, "grey").save(place / "photos" / "empty.png")
    (place / "boxes.csv").write_text("\n".join([*lines, "photos/empty.png,,,,,"]) + "\n", encoding="utf-8")
    return place / "boxes.csv"


def voc(place: Path, count: int = 8) -> Path:
    """A VOC set; returns its folder."""
    (place / "Annotations").mkdir(parents=True)
    for name, boxes in _written(place / "JPEGImages", count):
        (place / "Annotations" / f"{Path(name).stem}.xml").write_text(xml(name, boxes, SIZE), encoding="utf-8")
    return place


def xml(name: str, boxes: Boxes, size: tuple[int, int]) -> str:
    edges = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>{label}</name><bndbox>"
        + "".join(f"<{edge}>{value}</{edge}>" for edge, value in zip(edges, box, strict=True))
        + "</bndbox></object>"
        for label, *box in boxes
    )
    shape = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{shape}{objects}</annotation>"


def coco(place: Path, count: int = 8) -> Path:
    """A COCO file beside a folder of images."""
    kinds = {label: 3 * number + 1 for number, label in enumerate(COLOURS)}
    document: dict[str, Any] = {"images": [], "annotations": []}
    document["categories"] = [{"id": number, "name": label} for label, number in kinds.items()]
    for number, (name, boxes) in enumerate(_written(place / "photos", count)):
        document["images"].append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for label, left, top, right, bottom in boxes:
            one = {"image_id": number, "category_id": kinds[label], "bbox": [left, top, right - left, bottom - top]}
            document["annotations"].append({"id": len(document["annotations"]), **one})
    (place / "annotations").mkdir(exist_ok=True)
    (place / "annotations" / "train.json").write_text(json.dumps(document), encoding="utf-8")
    return place / "annotations" / "train.json"


def job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    """A job that learns the images by heart: dev has the rows of train."""
    source = str(data or table(place / "data"))
    columns = {"image": "photo", "label": "kind"} if source.endswith(".csv") else {}
    settings = {"precision": "fp32", "layer_decay": 1.0, "freeze": "none", "vary": "none", "dropout": 0.0}
    settings |= {"scratch": {"layers": 4, "hidden": 64}, "image_size": 64, "tokens_per_batch": 96}
    return parse(
        {
            "task": "detect",
            "model": model,
            "out": str(place / "out"),
            "data": {"train": source, "dev": source, "columns": columns},
            "tune": settings | tune,
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )


def detr(place: Path) -> Path:
    """A hub-format folder of a DETR with a ResNet of its own."""
    import torch
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessorPil, ResNetConfig

    torch.manual_seed(0)
    backbone = ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    config = DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone_config=backbone, d_model=32, encoder_layers=1,
        decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        num_queries=3, num_labels=5, dropout=0.0, auxiliary_loss=False, init_std=0.1,
    )  # fmt: skip
    DetrForObjectDetection(config).save_pretrained(place)
    DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128}).save_pretrained(place)
    return place


def yolos(place: Path) -> Path:
    """A hub-format folder of a YOLOS."""
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, image_size=[64, 96],
        patch_size=16, num_detection_tokens=3, num_labels=5, use_mid_position_embeddings=False, initializer_range=0.1,
        hidden_dropout_prob=0.0,
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(place)
    YolosImageProcessorPil(size={"height": 64, "width": 96}).save_pretrained(place)
    return place
