"""A small network that finds things in images and starts from random weights: one stage after another, and at each
place of a grid the classes of what is there and the box around it.

Free of anchors, as FCOS (Tian et al. 2019), but on one grid, which the coarser stages are added to (Lin et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from burnish.models.small import Convolution, Small, widths
from burnish.models.vision import Stage

MODEL_TYPE = "burnish_detector"
STRIDE = 8  # pixels between the places of the grid
FEWEST = 3  # stages, the first of which halves twice
_DEFAULTS: dict[str, Any] = {"num_channels": 3, "hidden_dropout_prob": 0.1}
_TOWER = 2  # convolutions before each of the two heads
_RARE = 0.01  # how likely something is at a place, to begin with (Lin et al. 2017, RetinaNet)
_LARGEST = 5.0  # logarithm of the longest side of a box from its place, in strides


def fresh_config(layers: int, hidden: int) -> dict[str, Any]:
    """The `config.json` of a network of so many stages, the last one `hidden` wide."""
    return {"model_type": MODEL_TYPE, "num_hidden_layers": layers, "hidden_size": hidden}


class _Encoder(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        wide = widths(config)
        self.embeddings = Convolution(config.num_channels, wide[0], stride=2)
        self.layers = nn.ModuleList(Stage(a, b) for a, b in pairwise(wide))

    def forward(self, planes: torch.Tensor) -> list[torch.Tensor]:
        """States of the grid and of each coarser stage, (n, channels, rows, columns)."""
        found = [self.embeddings(planes)]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found[2:]


class Detector(Small):
    """The network with its heads."""

    base_model_prefix = "detector"
    main_input_name = "pixel_values"

    def __init__(self, config: Mapping[str, Any], outputs: int) -> None:
        config = {**_DEFAULTS, **config}
        coarser = widths(SimpleNamespace(**config))[2:]
        width = coarser[0]
        super().__init__(config, width, outputs)
        self.detector = _Encoder(self.config)
        self.across = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in coarser)
        self.classes = nn.Sequential(*(Convolution(width, width) for _ in range(_TOWER)))
        self.boxes = nn.Sequential(*(Convolution(width, width) for _ in range(_TOWER)))
        self.sides = nn.Linear(width, 4)

    def start(self) -> None:
        super().start()
        nn.init.normal_(self.sides.weight, std=0.01)
        nn.init.ones_(self.sides.bias)

    def reset_head(self) -> None:
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.constant_(self.classifier.bias, -math.log((1 - _RARE) / _RARE))

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        """`logits` of each class by itself, (n, places, classes), and `pred_boxes`: middle, width and height as shares
        of the image, (n, places, 4). Places are counted along the rows of the grid."""
        stages = self.detector(pixel_values)
        states: torch.Tensor = self.across[-1](stages[-1])
        for across, stage in zip(list(self.across)[-2::-1], stages[-2::-1], strict=True):
            states = across(stage) + F.interpolate(states, size=stage.shape[-2:])
        rows, columns = states.shape[-2:]
        logits = self.classifier(self.dropout(_by_place(self.classes(states))))
        sides = self.sides(_by_place(self.boxes(states))).float().clamp(max=_LARGEST).exp()
        down = (torch.arange(rows, device=sides.device) + 0.5).repeat_interleave(columns)
        along = (torch.arange(columns, device=sides.device) + 0.5).repeat(rows)
        left, above, right, below = sides.unbind(-1)
        middle = [(along + (right - left) / 2) / columns, (down + (below - above) / 2) / rows]
        boxes = torch.stack([*middle, (left + right) / columns, (above + below) / rows], -1)
        return SimpleNamespace(logits=logits, pred_boxes=boxes)


def _by_place(states: torch.Tensor) -> torch.Tensor:
    """(n, channels, rows, columns) as (n, places, channels)."""
    return states.flatten(2).transpose(1, 2)
