"""A small convolutional network for sounds, for those who have no pretrained one; and what any such network reads.

It reads energies in bands over time as an image of one channel: a stem, then stages with a residual block (He et al.
2016), each half as large and twice as wide. What is left of the bands is put together, and mean and spread over the
time that has sound in it (Snyder et al. 2018) go to the head, so that sounds of any length are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from burnish.models.small import Convolution, Small, widths
from burnish.models.speech import ended

MODEL_TYPE = "burnish_sound"
ONE_PITCH = "one_pitch"  # of `config.json`: whatever the front says, this network is asked at the own pitch alone
_DEFAULTS: dict[str, Any] = {"num_mel_bins": 64, "hidden_dropout_prob": 0.1}
_GROWING = frozenset({"sound"})
_NEAR = 5.0  # e-folds, 22 dB: what is further below the loudest frame tells little of how loud a sound is
SPREAD = 3.0  # e-folds, about that of energies in speech
_KALDI = (-4.2677393, 4.5689974)  # mean and spread that the Audio Spectrogram Transformer expects


def fresh_config(layers: int, hidden: int, bands: int) -> dict[str, Any]:
    """The `config.json` of a network of so many stages, the last one `hidden` wide, for so many bands."""
    return {"model_type": MODEL_TYPE, "num_hidden_layers": layers, "hidden_size": hidden, "num_mel_bins": bands}


class Levelled(nn.Module):
    """Sounds as they are kept to what a network was trained on: mean and spread taken out, in the place it expects.

    It takes `sound`, waves (n, samples) or bands (n, frames, bands), and `frames`, (n,), how many of each are sound. Of
    burnish's own bands the mean of the whole is taken out; with `band_mean`, a share, that of the loud frames, so that
    silence around a sound changes nothing, and by that share the mean of each band by itself, which tells more of the
    microphone and the speaker than of what is said. What stands behind the bands, `voice`, a network does not read.

    With `pitches`, factors, a trained network is also asked about the same sound from longer and shorter vocal tracts,
    and its answers are averaged: a speaker whom it has never heard comes nearer to those whom it has.
    """

    kind = "audio"
    low: torch.Tensor | None
    part: torch.Tensor

    def __init__(self, given: Mapping[str, Any]) -> None:
        """As a `preprocessor_config.json` says."""
        super().__init__()
        self.extractor = str(given.get("feature_extractor_type"))
        self.normalize = bool(given.get("do_normalize", True))
        self.masked = bool(given.get("return_attention_mask", False))
        self.mean, self.std = (
            float(given.get(name, usual)) for name, usual in zip(("mean", "std"), _KALDI, strict=True)
        )
        self.band_mean, self.voice = float(given.get("band_mean") or 0.0), bool(given.get("voice"))
        self.bands, pitches = int(given.get("feature_size") or 0), given.get("pitches")
        low, part = _sources(self.bands, float(given["sampling_rate"]) / 2, pitches) if pitches else (None, None)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("part", part, persistent=False)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Levelled:
        return cls(given)

    @property
    def pitches(self) -> int:
        """At how many a trained network is asked."""
        return 1 if self.low is None else len(self.low)

    def ask_at_one_pitch(self) -> None:
        """Leave the other pitches out from now on."""
        self.low = None

    @property
    def growing(self) -> frozenset[str]:
        """Inputs whose second axis is as long as the longest sound of a batch."""
        return frozenset() if self.extractor in ("ASTFeatureExtractor", "WhisperFeatureExtractor") else _GROWING

    def ask(self, model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of a model for the sounds of a batch, (n, outputs), or (n, steps, outputs) of one that writes.

        A model of waves that knows no mask is asked for each by itself: what pads one sound to the length of another
        would change its answer.
        """
        sound, frames = batch["sound"], batch["frames"]
        if self.low is not None and not model.training:
            parts = [self.mean_of(self._logits(model, *self.seen(sound, frames)))]
        elif self.extractor != "Wav2Vec2FeatureExtractor" or self.masked:
            parts = [self._logits(model, sound, frames)]
        else:
            alone = (sound[i : i + 1, : int(count)] for i, count in enumerate(frames))
            parts = [self._logits(model, one, frames[i : i + 1]) for i, one in enumerate(alone)]
        if parts[0].dim() == 3:
            return ended(parts, self.steps(model, batch), model.config.pad_token_id)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    @staticmethod
    def steps(model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """Steps in which a model that writes answers for each sound of a batch, (n,)."""
        found: torch.Tensor = model._get_feat_extract_output_lengths(torch.as_tensor(batch["frames"])).clamp(min=0)
        return found

    def seen(self, sound: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each sound as it is, and at the other pitches behind it: (n * pitches, frames, bands), (n * pitches,)."""
        if self.low is None:
            return sound, frames
        bands, voice = sound[..., : self.bands].float(), sound[..., self.bands :].float()
        above = (self.low + 1).clamp(max=self.bands - 1)
        moved = torch.lerp(bands[..., self.low], bands[..., above], self.part).transpose(1, 2)
        every = torch.cat([moved, voice.unsqueeze(1).expand(-1, moved.shape[1], -1, -1)], 3)
        return every.flatten(0, 1), frames.repeat_interleave(moved.shape[1])

    def mean_of(self, answers: torch.Tensor) -> torch.Tensor:
        """Of answers to what was `seen`, one for each sound."""
        return answers if self.low is None else answers.view(-1, self.low.shape[0], *answers.shape[1:]).mean(1)

    def _logits(self, model: nn.Module, sound: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(**self(sound, frames)).logits
        return logits

    def forward(self, sound: torch.Tensor, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the model is given, by name."""
        sound = sound.float()
        if self.extractor == "ASTFeatureExtractor":
            return {"input_values": (sound - self.mean) / (2 * self.std) if self.normalize else sound}
        if self.extractor == "WhisperFeatureExtractor":
            return {"input_features": sound.transpose(1, 2)}
        inside = torch.arange(sound.shape[1], device=sound.device) < frames[:, None]
        if self.extractor == "Wav2Vec2FeatureExtractor":
            mask = {"attention_mask": inside.long()} if self.masked else {}
            return {"input_values": _standard(sound, inside) if self.normalize else sound, **mask}
        sound = sound[..., : self.bands] if self.voice else sound
        cells = inside[..., None]
        weights = _loud(sound, inside) if self.band_mean else inside.float() / frames[:, None]
        means = (sound * weights[..., None]).sum(1, keepdim=True)
        mean = torch.lerp(means.mean(2, keepdim=True), means, self.band_mean)
        return {"input_features": (sound - mean) * cells / SPREAD, "attention_mask": inside}


def _sources(bands: int, highest: float, pitches: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the energy of each band comes from, as it is and at each pitch: above which band, and how far above it,
    (1 + pitches, bands). Bands lie evenly on the mel scale, from 50 Hz on."""
    first, last = (1127 * math.log1p(edge / 700) for edge in (50.0, highest))
    step = (last - first) / (bands + 1)
    hertz = 700 * torch.expm1((first + step * torch.arange(1, bands + 1, dtype=torch.float64)) / 1127)
    factors = torch.tensor([1.0, *pitches], dtype=torch.float64)[:, None]
    source = ((1127 * torch.log1p(hertz * factors / 700) - first) / step - 1).clamp(0, bands - 1)
    low = (source + 1e-9).long()
    return low, (source - low).clamp(min=0).float()


def _loud(sound: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Weights (n, frames), one in sum, of the frames that are nearly as loud as the loudest."""
    energy = sound.logsumexp(2).masked_fill(~inside, -torch.inf)
    weights = torch.sigmoid(2 * (energy - energy.amax(1, keepdim=True) + _NEAR))
    return weights / weights.sum(1, keepdim=True)


def _standard(wave: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    count = inside.sum(1, keepdim=True)
    centred = (wave - (wave * inside).sum(1, keepdim=True) / count) * inside
    return centred / (centred.square().sum(1, keepdim=True) / count + 1e-7).sqrt()


class _Stage(nn.Module):
    """Halve and widen, and a residual block. Beyond the end of a sound all stays zero, as if there was nothing."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.widen = Convolution(before, after, stride=2)
        self.first, self.second = Convolution(after, after), Convolution(after, after)

    def forward(self, states: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        states = self.widen(states) * inside
        added: torch.Tensor = self.second(self.first(states) * inside) * inside
        return states + added


class _Encoder(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        wide = widths(config)
        self.embeddings = Convolution(1, wide[0], 5, stride=2)
        self.layers = nn.ModuleList(_Stage(a, b) for a, b in pairwise(wide))
        left = config.num_mel_bins
        for _ in wide:
            left = -(-left // 2)
        self.join = nn.Sequential(
            nn.Linear(wide[-1] * left, config.hidden_size, bias=False), nn.BatchNorm1d(config.hidden_size), nn.ReLU()
        )

    def forward(self, bands: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Means and spreads over the time that is inside, shape (n, 2 * hidden)."""
        mask = inside[:, None, ::2, None].to(bands.dtype)
        states: torch.Tensor = self.embeddings(bands[:, None].contiguous(memory_format=torch.channels_last)) * mask
        for layer in self.layers:
            mask = mask[:, :, ::2]
            states = layer(states, mask)
        if not self.training:  # norms are fixed then, so that nothing has to be picked out
            return self._over(states, mask[:, 0, :, 0])
        heard = mask[:, 0, :, 0] > 0
        found = states.permute(0, 2, 1, 3).flatten(2)[heard]
        found = self._joined(found).float()
        rows = torch.repeat_interleave(torch.arange(len(bands), device=bands.device), heard.sum(1))
        counts = heard.sum(1, keepdim=True)
        empty = found.new_zeros(len(bands), found.shape[1])
        mean = empty.index_add(0, rows, found) / counts
        spread = empty.index_add(0, rows, (found - mean[rows]).square()) / counts
        return torch.cat([mean, (spread + 1e-5).sqrt()], 1)

    def _joined(self, found: torch.Tensor) -> torch.Tensor:
        """`join` in training; one moment alone has no spread to be divided by, and gets that of those before it."""
        if len(found) > 1:
            joined: torch.Tensor = self.join(found)
            return joined
        linear, norm, bend = cast(tuple[nn.Linear, nn.BatchNorm1d, nn.ReLU], tuple(self.join))
        known = F.batch_norm(linear(found), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        joined = bend(known)
        return joined

    def _over(self, states: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        """The same from states of all times, (n, channels, time, bands), and which of them are heard, (n, time)."""
        flat = states.permute(0, 2, 1, 3).flatten(2)
        found = self.join(flat.flatten(0, 1)).float().unflatten(0, flat.shape[:2])
        inside = heard.unsqueeze(-1).float()
        counts = inside.sum(1)
        mean = (found * inside).sum(1) / counts
        spread = ((found - mean.unsqueeze(1)).square() * inside).sum(1) / counts
        return torch.cat([mean, (spread + 1e-5).sqrt()], 1)


class Sound(Small):
    """The network with its head."""

    base_model_prefix = "sound"
    main_input_name = "input_features"

    def __init__(self, config: Mapping[str, Any], outputs: int) -> None:
        config = {**_DEFAULTS, **config}
        super().__init__(config, 2 * config["hidden_size"], outputs)
        self.sound = _Encoder(self.config)

    def forward(self, input_features: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        logits = self.classifier(self.dropout(self.sound(input_features, attention_mask)))
        return SimpleNamespace(logits=logits)
