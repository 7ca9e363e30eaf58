"""What an input is like as a whole, and a linear model of it beside a network, which few inputs are enough for.

Numbers of a sound are of the kind that moods are told by (Eyben et al. 2016, "The Geneva Minimalistic Acoustic
Parameter Set"): how bright it is and how it moves, how high its voice is and how it goes up and down. Those of an image
say where edges of which direction run (Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection"),
and which colours are where.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from burnish.models.sound import SPREAD, Levelled
from burnish.models.vision import Scaled

_PARTS, _COEFFICIENTS = 4, 20  # stretches of time, and terms of a cosine series over the bands in each
_VOICED, _NEAR = 0.4, 6.0  # least strength of a voice, and e-folds below the loudest frame in which there may be one
_STEP = 0.3  # octaves: a voice that moves by more in a frame was mistaken for another
_SHARP = 10.0  # of a soft maximum, per octave
_SECOND = 100  # frames
_SILENT = -1e4  # for what is no sound
_OF_VOICE = 22  # numbers
_DIRECTIONS, _CELLS = 8, 8  # of edges, and cells along each side
_FAINT = 1e-6  # square of an edge that has no direction


class Summary(nn.Module):
    """Logits from the numbers of an input, each brought to mean 0 and spread 1. Starts at zero.

    Attributes:
        mean, spread: of the numbers, (k,).
        weight: (k, outputs).
    """

    mean: torch.Tensor
    spread: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    firm: float  # inverse of the penalty on its weights
    needs_dev: bool  # to say how much it counts; without dev it is left out

    def __init__(self, count: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("spread", torch.ones(count))
        self.register_buffer("weight", torch.zeros(count, outputs))
        self.register_buffer("bias", torch.zeros(outputs))

    def numbers(self, front: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Numbers (n * times, k) of the inputs of a batch, each as many times as it is looked at."""
        raise NotImplementedError

    def forward(self, front: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits (n * times, outputs)."""
        values = (self.numbers(front, batch) - self.mean) / self.spread
        return (values.unsqueeze(-1) * self.weight).sum(1) + self.bias


class OfSound(Summary):
    """Of a sound, at all pitches that a network is asked at."""

    firm, needs_dev = 0.1, False

    def __init__(self, bands: int, outputs: int) -> None:
        super().__init__(3 * bands + _PARTS * _COEFFICIENTS + _OF_VOICE, outputs)

    def numbers(self, front: Levelled, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        sound, frames = front.seen(batch["sound"], batch["frames"])
        given = front(sound, frames)
        return summary(SPREAD * given["input_features"], given["attention_mask"], sound[..., front.bands :].float())

    def forward(self, front: Levelled, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits (n, outputs), the mean of those at all pitches."""
        return front.mean_of(super().forward(front, batch))


class OfImage(Summary):
    """Of an image of any size."""

    firm, needs_dev = 0.003, True  # of many images a network tells more than edges and colours do

    def __init__(self, outputs: int) -> None:
        super().__init__((_DIRECTIONS + 3) * _CELLS**2, outputs)

    def numbers(self, front: Scaled, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return outlines(front(batch["pixels"]))


def summary_for(front: nn.Module | None, outputs: int) -> Summary | None:
    """The linear model that a `front` asks for, if any."""
    if isinstance(front, Levelled) and front.voice:
        return OfSound(front.bands, outputs)
    if isinstance(front, Scaled) and front.outlines:
        return OfImage(outputs)
    return None


def outlines(planes: torch.Tensor) -> torch.Tensor:
    """Numbers (n, k) of images (n, 3, height, width): for each cell of a grid the root of how strong edges of each
    direction are, in all colours together, and the mean of each colour."""
    angles = torch.arange(_DIRECTIONS, device=planes.device, dtype=planes.dtype) * (math.pi / _DIRECTIONS)
    edges = planes.new_zeros(())
    for plane in torch.split(planes, 1, 1):  # in turns, as directions take much memory
        across = F.pad(plane[..., 2:] - plane[..., :-2], (1, 1, 0, 0))
        down = F.pad(plane[..., 2:, :] - plane[..., :-2, :], (0, 0, 1, 1))
        square = across.square() + down.square() + _FAINT
        along = across * angles.cos()[:, None, None] + down * angles.sin()[:, None, None]
        share = (along.square() / square).square().square()  # so sharply are directions told apart
        edges = edges + share / share.sum(1, keepdim=True).clamp(min=_FAINT) * square.sqrt()
    rows, columns = (_cells(size, planes) for size in planes.shape[2:])
    strong, colours = ((rows @ one @ columns.T).flatten(1) for one in (edges, planes))
    return torch.cat([(strong + _FAINT).sqrt(), colours], 1)  # a root has no slope at zero


def _cells(size: int, like: torch.Tensor) -> torch.Tensor:
    """Means over equal stretches of a side, (cells, size)."""
    edges = torch.linspace(0, size, _CELLS + 1, device=like.device, dtype=like.dtype)
    place = torch.arange(size, device=like.device, dtype=like.dtype)
    inside = torch.minimum(edges[1:, None], place + 1) - torch.maximum(edges[:-1, None], place)
    return inside.clamp(min=0) * (_CELLS / size)


def summary(bands: torch.Tensor, inside: torch.Tensor, voice: torch.Tensor) -> torch.Tensor:
    """Numbers (n, k) of sounds: mean, spread and change of each band, and a cosine series over the bands in each
    quarter of the time; how high, strong and lively the voice is, and how the loudness goes.

    Args:
        bands: logarithms of energies, (n, frames, bands).
        inside: which frames are sound, (n, frames).
        voice: height and strength of the voice, (n, frames, 2), see `data/spectrogram.py`.
    """
    count, cells = inside.sum(1, keepdim=True), inside.unsqueeze(-1).to(bands.dtype)
    mean, spread = _moments(bands, cells)
    both = cells[:, 1:] * cells[:, :-1]
    change = (bands.diff(dim=1).abs() * both).sum(1) / both.sum(1).clamp(min=1)
    place = torch.arange(bands.shape[1], device=bands.device)
    series = _series(bands)
    parts = []
    for part in range(_PARTS):
        first, last = count * part // _PARTS, torch.maximum(count * (part + 1) // _PARTS, count * part // _PARTS + 1)
        within = ((place >= first) & (place < last)).unsqueeze(-1).to(bands.dtype)
        parts.append((bands * within).sum(1) / within.sum(1) @ series)
    height, strength = voice.unbind(2)
    return torch.cat([mean, spread, change, *parts, _of_voice(bands.logsumexp(2), inside, height, strength)], 1)


def _series(bands: torch.Tensor) -> torch.Tensor:
    place = torch.arange(bands.shape[2], device=bands.device, dtype=bands.dtype) + 0.5
    terms = torch.arange(_COEFFICIENTS, device=bands.device, dtype=bands.dtype)
    return torch.cos(math.pi / bands.shape[2] * place[:, None] * terms)


def _of_voice(loud: torch.Tensor, inside: torch.Tensor, height: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    heard = inside.to(loud.dtype)
    loud = loud - loud.masked_fill(~inside, _SILENT).amax(1, keepdim=True)
    voiced = ((strength > _VOICED) & (loud > -_NEAR) & inside).to(loud.dtype)
    high, lively = _moments(height, voiced)
    above = height - high.unsqueeze(1)
    skewed = _mean(above**3, voiced)
    top, bottom = (
        torch.log(_mean((sign * _SHARP * above).clamp(max=60).exp(), voiced) + 1e-6) / _SHARP for sign in (1, -1)
    )
    steps = height.diff(dim=1)
    smooth = voiced[:, 1:] * voiced[:, :-1] * (steps.abs() < _STEP)
    time = torch.arange(loud.shape[1], device=loud.device) / heard.sum(1, keepdim=True)
    middle, around = _moments(time, voiced)
    slope = _mean((time - middle.unsqueeze(1)) * above, voiced) / (around**2 + 1e-3)
    seconds = heard.sum(1) / _SECOND
    begun = (voiced[:, 1:] * (1 - voiced[:, :-1])).sum(1) / seconds
    level = loud.clamp(min=-9.0)
    turns, both = level.diff(dim=1), heard[:, 1:] * heard[:, :-1]
    found = [
        high, lively, skewed.sign() * skewed.abs().clamp(min=1e-9) ** (1 / 3), top, bottom,
        _mean(steps.clamp(min=0), smooth), _mean(-steps.clamp(max=0), smooth), _moments(steps, smooth)[1], slope,
        _mean(voiced, heard), begun, *_moments(strength, voiced), _mean(strength, heard), seconds.log(),
        *_moments(level, heard), *_moments(level, voiced),
        _mean(turns.clamp(min=0), both), _mean(-turns.clamp(max=0), both), _moments(turns, both)[1],
    ]  # fmt: skip
    return torch.stack(found, 1)


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Over the second axis; zero where nothing counts."""
    return (values * weights).sum(1) / weights.sum(1).clamp(min=1)


def _moments(values: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and spread over the second axis."""
    mean = _mean(values, weights)
    return mean, (_mean((values - mean.unsqueeze(1)).square(), weights) + 1e-6).sqrt()
