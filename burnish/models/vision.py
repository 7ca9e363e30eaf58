"""A small convolutional network for images, for those who have no pretrained one; and what any image network reads.

A stem, then stages; each is half as large and twice as wide as the one before, with a residual block (He et al. 2016)
behind it. It ends in the mean over all places, so that one network reads images of any size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from burnish.errors import InputError
from burnish.models.small import Convolution, Small, widths

MODEL_TYPE = "burnish_vision"
PREPROCESSOR = "preprocessor_config.json"
OUTLINES = "outlines"  # of such a file: a summary stands beside the network
FRAMES = "num_frames"  # of such a file: what is read are clips of so many frames
CLIPS = ("videomae",)  # architectures that read all frames of a clip together
_DEFAULTS: dict[str, Any] = {"num_channels": 3, "hidden_dropout_prob": 0.1}


def fresh_config(layers: int, hidden: int) -> dict[str, Any]:
    """The `config.json` of a network of so many stages, the last one `hidden` wide."""
    return {"model_type": MODEL_TYPE, "num_hidden_layers": layers, "hidden_size": hidden}


def preprocessing(folder: str | Path) -> dict[str, Any]:
    """The `preprocessor_config.json` of a model folder.

    Raises:
        InputError: when it is missing or damaged.
    """
    path = Path(folder, PREPROCESSOR)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"'{path}' is missing or damaged ({error}); copy or tune the model again") from None


class Scaled(nn.Module):
    """Bytes to what a network was trained on: mean and spread of each channel taken out, in the order it expects.

    It takes images as they are kept, uint8 of shape (n, height, width, 3), so that an exported network does too.
    """

    kind = "image"
    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], reverse: bool = False, outlines: bool = False
    ) -> None:
        """`outlines` says that a linear model stands beside the network (`models/summary.py`)."""
        super().__init__()
        self.reverse, self.outlines = reverse, outlines
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(std).view(-1, 1, 1)), persistent=False)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Scaled:
        """As a `preprocessor_config.json` says; -1 to 1 where it says nothing. Where it names frames, for clips."""
        if FRAMES in given:
            cls = Frames
        reverse = bool(given.get("do_flip_channel_order", False))
        if not given.get("do_normalize", not reverse):  # MobileViT, which turns colours round, leaves this out
            return cls((0.0,) * 3, (1.0,) * 3, reverse)
        half = (0.5,) * 3
        mean, std = (tuple(given.get(name) or half) for name in ("image_mean", "image_std"))
        return cls(mean, std, reverse, cls is Scaled and bool(given.get(OUTLINES)))

    def ask(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of a model for the images of a batch, (n, outputs); of one that finds boxes (n, places, outputs), with
        the middle, width and height of the box of each place, as shares of the image, behind them."""
        found = model(pixel_values=self(batch["pixels"]))
        logits: torch.Tensor = found.logits
        boxes = getattr(found, "pred_boxes", None)
        return logits if boxes is None else torch.cat([logits.float(), boxes.float()], -1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Floats of shape (n, ..., 3, height, width), channels last in memory as the bytes were."""
        mean, scale, width = self.mean.flatten(), self.scale.flatten(), pixels.shape[-2]
        if self.reverse:
            mean, scale = mean.flip(0), scale.flip(0)
        # Whole lines at a time, which takes a third of the time that threes of colours take.
        lines = pixels.flatten(-2).to(mean.dtype)
        planes = ((lines - mean.repeat(width)) * scale.repeat(width)).reshape(pixels.shape).movedim(-1, -3)
        return planes.flip(-3) if self.reverse else planes


class Frames(Scaled):
    """The same for clips, uint8 of shape (n, frames, height, width, 3).

    A network of images is asked for every frame, and its logits are averaged (temporal segment networks, Wang et al.
    2016), which with a linear head is the same as averaging what the head reads.
    """

    kind = "video"

    def ask(self, model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of a model for the clips of a batch, (n, outputs)."""
        clips = self(batch["clips"])
        together = getattr(model.config, "model_type", "") in CLIPS
        logits: torch.Tensor = model(pixel_values=clips if together else clips.flatten(0, 1)).logits
        return logits if together else logits.view(*clips.shape[:2], -1).mean(1)


class Stage(nn.Module):
    """Halve and widen, and a residual block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.widen = Convolution(before, after, stride=2)
        self.residual = nn.Sequential(Convolution(after, after), Convolution(after, after))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = self.widen(states)
        added: torch.Tensor = self.residual(states)
        return states + added


class _Encoder(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        wide = widths(config)
        self.embeddings = Convolution(config.num_channels, wide[0])
        self.layers = nn.ModuleList(Stage(a, b) for a, b in pairwise(wide))

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Means over all places, shape (n, hidden)."""
        states: torch.Tensor = self.embeddings(planes)
        for layer in self.layers:
            states = layer(states)
        return states.mean((2, 3))


class Vision(Small):
    """The network with its head."""

    base_model_prefix = "vision"
    main_input_name = "pixel_values"

    def __init__(self, config: Mapping[str, Any], outputs: int) -> None:
        config = {**_DEFAULTS, **config}
        super().__init__(config, config["hidden_size"], outputs)
        self.vision = _Encoder(self.config)

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        logits = self.classifier(self.dropout(self.vision(pixel_values)))
        return SimpleNamespace(logits=logits)
