"""Sounds changed at random in training, in ways that keep what is said.

Parts are hidden (SpecAugment, Park et al. 2019), noise and colour are added (FilterAugment, Nam et al. 2022), speed (Ko
et al. 2015) and the length of the vocal tract, by stretched bands (Jaitly and Hinton 2013), are changed, time is
warped, and rooms echo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

_DROPPED = 0.08  # share of a sound left out at each end, at most
_BRIEF = 0.08  # seconds that hide no whole word
_PAUSED = 0.6  # share of sounds with more silence around them
_PAUSE, _LONG = 0.3, 0.5  # how much of it at each end at most: of their length, and seconds
_SPEED, _PITCH = 0.2, 0.15  # faster and slower, higher and lower by this share, at most
_WARP, _WAVES = 0.1, 2  # share by which a moment is faster or slower than the whole, and how often it turns at most
_KNEE = 0.6  # of the highest pitch: what lies above is stretched so that the highest stays
_BREAK = 700.0  # Hz, where the mel scale bends
_ECHOING, _WET = 0.4, 0.5  # share of sounds that echo, and of the energy that comes late, at most
_FALL, _ROOM = (10, 60), 60  # frames in which an echo falls by 60 dB, and of it that are heard
_GAIN, _CURVES = 1.0, 4  # e-folds of energy, 4 dB, of each of so many curves over the bands, the first of them flat
_NOISY, _NOISE = 0.5, (4.0, 14.0)  # share of sounds, and e-folds of energy, 17 to 61 dB, that noise lies below the top
_TILT, _ROUGH = 3.0, 0.6  # of the noise: e-folds from the lowest to the highest band, and its own spread
_MASKS, _TIME, _BANDS = 2, 0.15, 0.2  # masks of each kind, and the share of the frames or bands that one hides at most
_APART = 8  # brief masks: one for each so many times of its longest


@dataclass(frozen=True)
class Disturb:
    """Changes a batch of sounds and its numbers of frames.

    Attributes:
        unit: what one e-fold of energy is in the bands.
        fixed: all keep the length they are padded to.
        strong: change speed and pitch as well, and let rooms echo.
        highest: pitch of the bands, Hz, which lie evenly on the mel scale.
        second: frames in a second.
        whole: all that is said counts: the ends stay, and where time is hidden it is only for a moment, the more often
            the longer a sound is.
    """

    unit: float
    fixed: bool
    strong: bool
    highest: float
    second: int
    whole: bool = False

    def __call__(
        self, sound: torch.Tensor, frames: torch.Tensor, draw: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sounds and frames as they have become.

        Args:
            sound: waves (n, samples), or bands (n, frames, bands).
            frames: how many of each are sound, (n,); the rest is padding.
        """
        brief = round(_BRIEF * self.second) if self.whole else None
        found, frames = self._moved(sound.float(), frames, draw)
        inside = torch.arange(found.shape[1], device=found.device) < frames[:, None]
        if found.dim() == 2:
            return _masked(_noisy_wave(found, inside, draw), frames, inside, brief, draw), frames
        changed = found
        if self.strong:
            changed = self.unit * _echoing(_pitched(found, self.highest, draw) / self.unit, inside, draw)
        noisy = self.unit * _noisy_bands(changed / self.unit, inside, draw)
        return torch.where(inside[..., None], _masked(noisy, frames, inside, brief, draw), found), frames

    def _moved(
        self, sound: torch.Tensor, frames: torch.Tensor, draw: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A little left out at both ends, or silence put there, and the rest faster or slower, by turns more so and
        less. What was padding stays padding."""
        n, width = sound.shape[:2]
        speed, dropped = _SPEED if self.strong else 0.0, 0.0 if self.whole else _DROPPED
        paused = _drawn(draw, sound) < _PAUSED
        most = torch.where(paused, -(_PAUSE * frames).clamp(max=_LONG * self.second), dropped * frames)
        first, last = (most * _drawn(draw, sound) for _ in range(2))
        faster, span = 1 + speed * (2 * _drawn(draw, sound) - 1), frames - first - last
        lengths = (span / faster).long().clamp(min=1)
        lengths = lengths.clamp(max=width) if self.fixed else lengths
        place = torch.arange(width if self.fixed else int(lengths.max()), device=sound.device)
        source = first[:, None] + place * faster[:, None]
        if self.strong and sound.dim() == 3:
            turns = 2 * torch.pi * (1 + (_WAVES * _drawn(draw, sound)).long())[:, None]
            along = (place * (faster / span.clamp(min=1))[:, None]).clamp(max=1)
            begin = 2 * torch.pi * _drawn(draw, sound, 1)
            source = source + (span * _WARP)[:, None] * (torch.sin(turns * along + begin) - torch.sin(begin)) / turns
        within = place < lengths[:, None]
        silent = within & ((source < 0) | (source > (frames - 1)[:, None]))
        source = torch.where(within, source, torch.maximum(place, frames.clamp(max=width - 1)[:, None]))
        source = source.clamp(0, width - 1)
        low = source.long()
        part, rows = source - low, torch.arange(n, device=sound.device)[:, None]
        part = part.view(*part.shape, *[1] * (sound.dim() - 2))
        found = torch.lerp(sound[rows, low], sound[rows, (low + 1).clamp(max=width - 1)], part)
        if sound.dim() == 2:
            return found.masked_fill(silent, 0.0), lengths
        row, moment = silent.nonzero(as_tuple=True)
        beyond = torch.arange(width, device=sound.device) >= frames[:, None]
        quiet = sound.amin(2).masked_fill(beyond, torch.inf).amin(1)[row, None]
        found[row, moment] = quiet + self.unit * _ROUGH * _normal(draw, sound, len(row), sound.shape[2]).abs()
        return found, lengths


def _drawn(draw: torch.Generator, like: torch.Tensor, *shape: int) -> torch.Tensor:
    """Between 0 and 1, a number for each of a batch; drawn on the CPU."""
    return torch.rand(len(like), *shape, generator=draw).to(like.device)


def _normal(draw: torch.Generator, like: torch.Tensor, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=draw).to(like.device)


def _pitched(bands: torch.Tensor, highest: float, draw: torch.Generator) -> torch.Tensor:
    """As from a longer or a shorter vocal tract: pitches times a factor, those above the knee drawn to the highest."""
    count, top = bands.shape[2], math.log1p(highest / _BREAK)
    factor = 1 + _PITCH * (2 * _drawn(draw, bands, 1) - 1)
    pitch = _BREAK * torch.expm1(torch.arange(1, count + 1, device=bands.device) * top / (count + 1))
    knee = _KNEE * highest * factor.clamp(max=1) / factor
    above = highest - (highest - pitch) * (highest - knee * factor) / (highest - knee)
    source = torch.log1p(torch.where(pitch <= knee, pitch * factor, above) / _BREAK) * (count + 1) / top - 1
    source = source.clamp(0, count - 1)
    low = source.long()
    part = (source - low)[:, None]
    below, above = (
        bands.gather(2, place[:, None].expand(bands.shape)) for place in (low, (low + 1).clamp(max=count - 1))
    )
    return torch.lerp(below, above, part)


def _echoing(energy: torch.Tensor, inside: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Some of them in a room, where a part of the energy, here no logarithm, comes late in each band."""
    echoing = (_drawn(draw, energy) < _ECHOING).nonzero().squeeze(1)
    if not len(echoing):
        return energy
    part = energy[echoing]
    quick, slow = _FALL
    fall = 6 * math.log(10) / (quick + (slow - quick) * _drawn(draw, part, 1))
    room = torch.exp(-fall * torch.arange(_ROOM, device=energy.device))
    room = room / room.sum(1, keepdim=True)
    power = part.exp() * inside[echoing][..., None]
    late = F.conv1d(F.pad(power.permute(2, 0, 1), (_ROOM - 1, 0)), room.flip(1)[:, None], groups=len(part))
    wet = _WET * _drawn(draw, part, 1, 1)
    heard = (1 - wet) * power + wet * late.permute(1, 2, 0)
    return energy.index_copy(0, echoing, heard.clamp(min=torch.finfo(heard.dtype).tiny).log())


def _noisy_bands(energy: torch.Tensor, inside: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Louder, softer, brighter or darker, and over half of them noise, by the sum of both energies; all of them
    logarithms."""
    noisy = (_drawn(draw, energy) < _NOISY).nonzero().squeeze(1)
    part = energy[noisy]
    top = part.masked_fill(~inside[noisy][..., None], -torch.inf).amax((1, 2))
    quiet, loud = _NOISE
    under = quiet + (loud - quiet) * _drawn(draw, part)
    slope = torch.linspace(-0.5, 0.5, energy.shape[2], device=energy.device) * _TILT * (2 * _drawn(draw, part, 1) - 1)
    rough = _ROUGH * _normal(draw, part, *part.shape)
    noise = (top - under)[:, None, None] + slope[:, None] + rough
    place = torch.arange(energy.shape[2], device=energy.device) + 0.5
    curves = torch.cos(torch.pi / energy.shape[2] * place * torch.arange(_CURVES, device=energy.device)[:, None])
    colour = _GAIN * (2 * _drawn(draw, energy, _CURVES) - 1) @ curves
    return energy.index_copy(0, noisy, torch.logaddexp(part, noise)) + colour[:, None]


def _noisy_wave(wave: torch.Tensor, inside: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    strength = wave.square().sum(1, keepdim=True) / inside.sum(1, keepdim=True)
    quiet, loud = _NOISE
    under = quiet + (loud - quiet) * _drawn(draw, wave, 1)
    noise = (strength * torch.exp(-under)).sqrt() * _normal(draw, wave, *wave.shape)
    noise = noise * (inside & (_drawn(draw, wave, 1) < _NOISY))
    return (wave + noise) * torch.exp(_GAIN / 2 * (2 * _drawn(draw, wave, 1) - 1))


def _masked(
    sound: torch.Tensor, frames: torch.Tensor, inside: torch.Tensor, brief: int | None, draw: torch.Generator
) -> torch.Tensor:
    """Stretches of time, and ranges of bands, at the mean; of a wave, silence."""
    hidden = torch.zeros_like(inside)
    place = torch.arange(sound.shape[1], device=sound.device)
    masks = _MASKS if brief is None else max(_MASKS, int(frames.max()) // (_APART * brief))
    for _ in range(masks):
        hidden |= _stretch(draw, place, frames, _TIME, brief)
    if sound.dim() == 2:
        return sound.masked_fill(hidden, 0.0)
    cells, bands = hidden[..., None].expand(sound.shape).clone(), torch.arange(sound.shape[2], device=sound.device)
    for _ in range(_MASKS):
        cells |= _stretch(draw, bands, torch.full_like(frames, len(bands)), _BANDS)[:, None]
    mean = (sound * inside[..., None]).sum((1, 2)) / (frames * sound.shape[2])
    return torch.where(cells, mean[:, None, None], sound)


def _stretch(
    draw: torch.Generator, place: torch.Tensor, length: torch.Tensor, share: float, most: int | None = None
) -> torch.Tensor:
    longest = share * length if most is None else (share * length).clamp(max=most)
    wide = longest * _drawn(draw, length)
    start = _drawn(draw, length) * (length - wide)
    return (place >= start[:, None]) & (place < (start + wide)[:, None])
