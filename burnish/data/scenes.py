"""Images in which things are found: of one form, and changed in training together with the boxes in them."""

from __future__ import annotations

import base64
import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from burnish.config import Tune
from burnish.data.features import Batch
from burnish.data.images import decode, size
from burnish.data.pixels import PATCH, SCRATCH, Pixels, of_model
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

_LOOKED_AT = 200  # images whose form decides
_SHORTER = 240  # pixels, where neither job nor model says
_SMALLER, _LARGER = 0.7, 1.4  # in training: scale of an image
_MOVED = 0.25  # share of its sides by which it is moved, at most
_LIT, _TINTED = 0.2, 0.1  # change of brightness and contrast, and of single colours, at most
_SEEN = 0.4  # share of a box that has to be left of it
_FILL = 128
_SHOWN = 320  # pixels: longer side of a picture in a report


@dataclass(frozen=True)
class Scenes(Pixels):
    """Brings whole images to one height and width, in the form that most training images have: others are stretched,
    and the boxes with them, which are shares of both sides."""

    verbs: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        if tune.vary == "speed":
            raise InputError("tune.vary: speed is for sounds; images know auto, mirror, flip, shift and none")
        found = of_model(place) if place else None
        document = {**(found or SCRATCH), "size": _size((found or {}).get("size"), tune.image_size, train)}
        return cls(document, cls.way(tune))

    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """Scale and move, change brightness, contrast and colours, and mirror half, as `tune.vary` says; boxes of which
        little is left are left out."""
        if self.vary_by == "none" or "pixels" not in batch:
            return batch
        pixels, place = batch["pixels"], batch["pixels"].device
        n, height, width, _ = pixels.shape

        def drawn(low: float, high: float, *more: int) -> torch.Tensor:
            return (low + (high - low) * torch.rand(n, *more, generator=draw)).to(place)

        scale = drawn(float(np.log(_SMALLER)), float(np.log(_LARGER))).exp()
        sides = []
        for axis, flips in ((0, self.vary_by in ("mirror", "flip")), (1, self.vary_by == "flip")):
            turned = torch.where(drawn(0, 1) < (0.5 if flips else 0.0), -1.0, 1.0)
            sides.append((scale * turned, 0.5 + drawn(-_MOVED, _MOVED) - 0.5 * scale * turned, (width, height)[axis]))
        columns, lines = (_sources(factor, start, length) for factor, start, length in sides)
        inside = ((lines >= 0)[:, :, None] & (columns >= 0)[:, None, :]).unsqueeze(-1)
        changed = pixels[torch.arange(n, device=place)[:, None, None], lines[:, :, None], columns[:, None, :]].float()
        contrast = drawn(1 - _LIT, 1 + _LIT, 1, 1, 1) * drawn(1 - _TINTED, 1 + _TINTED, 1, 1, 3)
        changed = (changed - _FILL) * contrast + _FILL + 255 * drawn(-_LIT / 2, _LIT / 2, 1, 1, 1)
        changed = torch.where(inside, changed, float(_FILL)).clamp_(0, 255).to(torch.uint8)
        if "boxes" not in batch:
            return {**batch, "pixels": changed}
        return {**batch, "pixels": changed, "boxes": _moved(batch["boxes"], [side[:2] for side in sides])}

    def picture(self, row: Row) -> str:
        image = decode(row[self.kind], draft=_SHOWN)
        image.thumbnail((_SHOWN, _SHOWN))
        written = io.BytesIO()
        image.save(written, "JPEG", quality=80)
        return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"


def _sources(factor: torch.Tensor, start: torch.Tensor, length: int) -> torch.Tensor:
    """For each pixel along a side the one that comes to its place, (n, length); negative where there is none."""
    places = (torch.arange(length, device=factor.device) + 0.5) / length
    found = ((places - start[:, None]) / factor[:, None] * length).floor().long()
    return torch.where((found >= 0) & (found < length), found, -length)  # a valid place, which is then covered


def _moved(boxes: torch.Tensor, sides: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Boxes (n, most, 5) after both sides were scaled and moved, cut at the edges."""
    cut, left = [], torch.ones_like(boxes[..., 0])
    for axis, (factor, start) in enumerate(sides):
        middle = boxes[..., 1 + axis] * factor[:, None] + start[:, None]
        half = boxes[..., 3 + axis] * factor.abs()[:, None] / 2
        low, high = (middle - half).clamp(0, 1), (middle + half).clamp(0, 1)
        left = left * (high - low) / (2 * half).clamp(min=1e-6)
        cut.append(((low + high) / 2, high - low))
    label = torch.where(left >= _SEEN, boxes[..., 0], -1.0)
    return torch.stack([label, *(middle for middle, _ in cut), *(length for _, length in cut)], -1)


def _size(wanted: Any, shorter: int | None, train: Rows) -> dict[str, int]:
    """Height and width: those of a model, or its shorter side, or the job's, in the usual form of the images."""
    given = wanted if isinstance(wanted, dict) else {}
    if shorter is None and {"height", "width"} <= given.keys():
        return {"height": int(given["height"]), "width": int(given["width"])}
    form, longest = _usual_form(train), float(given.get("longest_edge") or np.inf) if shorter is None else np.inf
    short = shorter or int(given.get("shortest_edge") or _SHORTER)
    long = min(longest, short * max(form, 1 / form))
    sides = [max(PATCH, round(side / PATCH) * PATCH) for side in (long / max(form, 1 / form), long)]
    return {"height": sides[form < 1], "width": sides[form >= 1]}


def _usual_form(train: Rows) -> float:
    """Median of width over height."""
    chosen = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(int))
    forms = []
    for row in train.select(chosen):
        if row[Scenes.kind] and Path(row[Scenes.kind]).is_file():
            with suppress(InputError):
                width, height = size(row[Scenes.kind])
                forms.append(width / height)
    return float(np.median(forms)) if forms else 1.0
