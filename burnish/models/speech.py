"""A small network that writes down what it hears, for those who have no pretrained one; and how any of them answers.

It reads energies in bands over time. Convolutions over both thin out the bands, and the time to a step for each three
hundredths of a second; then come convolutions over time alone, each beside what it adds to, that look further and
further (as in Wav2Letter, Collobert et al. 2016, and Jasper, Li et al. 2019). Each step says how likely each character
is, or that none is written (CTC, Graves et al. 2006).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from burnish.models.small import Convolution, Small

MODEL_TYPE = "burnish_speech"
BLANK = 0  # output of a new head that writes nothing
NOTHING = -1e4  # logit of all but the blank beyond the end of a sound
_DEFAULTS: dict[str, Any] = {"num_mel_bins": 64, "hidden_dropout_prob": 0.1, "pad_token_id": BLANK}
_NARROWER = (8, 4, 4)  # channels of the convolutions over both: the width of the layers, divided by these
_THINNED = 3  # frames of a step
_WIDE, _APART = 5, (1, 2, 4)  # steps that a convolution over time looks at, and how far apart they are, in turn


def fresh_config(layers: int, hidden: int, bands: int) -> dict[str, Any]:
    """The `config.json` of a network of so many layers over time, `hidden` wide, for so many bands."""
    return {"model_type": MODEL_TYPE, "num_hidden_layers": layers, "hidden_size": hidden, "num_mel_bins": bands}


def ended(parts: Sequence[torch.Tensor], counts: torch.Tensor, blank: int) -> torch.Tensor:
    """Logits of sounds, each (k, steps, outputs), as one tensor (n, most steps, outputs). Beyond the `counts` of steps
    that a sound has, nothing is written for certain, so that logits know their own end: see `inside`."""
    logits = pad_sequence([row for part in parts for row in part], batch_first=True)
    nothing = logits.new_full(logits.shape[2:], NOTHING)
    nothing[blank] = 0.0
    beyond = torch.arange(logits.shape[1], device=logits.device) >= counts.to(logits.device)[:, None]
    return torch.where(beyond[..., None], nothing, logits)


def inside(logits: torch.Tensor) -> torch.Tensor:
    """Which steps (n, steps) of logits (n, steps, outputs) lie inside of their sounds."""
    return (logits > NOTHING / 2).sum(-1) > 1


class _Further(nn.Module):
    """A convolution over time, whose answer is added to what it was given."""

    def __init__(self, width: int, apart: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, _WIDE, padding=apart * (_WIDE // 2), dilation=apart)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        given = (self.norm(states) * inside).transpose(1, 2)
        found: torch.Tensor = self.dropout(self.convolution(given).relu().transpose(1, 2))
        return states + found


class _Stem(nn.Module):
    """Convolutions over time and bands, and what is left of the bands put together."""

    def __init__(self, hidden: int, bands: int) -> None:
        super().__init__()
        wide = [max(8, hidden // part) for part in _NARROWER]
        strides = [(_THINNED, 4), *[(1, 2)] * (len(wide) - 1)]
        self.convolutions = nn.ModuleList(
            Convolution(a, b, 3 if a > 1 else 5, stride)
            for (a, b), stride in zip(pairwise([1, *wide]), strides, strict=True)
        )
        for _, stride in strides:
            bands = -(-bands // stride)
        self.join = nn.Linear(wide[-1] * bands, hidden)

    def forward(self, bands: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        states = bands[:, None].contiguous(memory_format=torch.channels_last)
        for layer in self.convolutions:
            states = layer(states) * steps[:, None, :, None]
        joined: torch.Tensor = self.join(states.permute(0, 2, 1, 3).flatten(2))
        return joined


class _Encoder(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        hidden, dropout = config.hidden_size, config.hidden_dropout_prob
        self.embeddings = _Stem(hidden, config.num_mel_bins)
        self.layers = nn.ModuleList(
            _Further(hidden, _APART[layer % len(_APART)], dropout) for layer in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(hidden)

    def forward(self, bands: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        """States of each step, shape (n, steps, hidden)."""
        steps = heard[:, ::_THINNED].to(bands.dtype)
        states: torch.Tensor = self.embeddings(bands, steps)
        for layer in self.layers:
            states = layer(states, steps[..., None])
        found: torch.Tensor = self.norm(states)
        return found


class Speech(Small):
    """The network with its head."""

    base_model_prefix = "speech"
    main_input_name = "input_features"

    def __init__(self, config: Mapping[str, Any], outputs: int) -> None:
        config = {**_DEFAULTS, **config}
        super().__init__(config, config["hidden_size"], outputs)
        self.speech = _Encoder(self.config)

    def forward(self, input_features: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.classifier(self.dropout(self.speech(input_features, attention_mask))))

    @staticmethod
    def _get_feat_extract_output_lengths(frames: torch.Tensor) -> torch.Tensor:
        """Steps of sounds of so many frames, under the name that transformers has for it."""
        return -(-frames // _THINNED)


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that the outputs of a network stand for.

    Attributes:
        tokens: in the order of the outputs.
        blank: output that writes nothing.
        space: token that stands between words.
    """

    tokens: tuple[str, ...]
    blank: int
    space: str

    @classmethod
    def of(cls, place: str) -> Vocabulary | None:
        """That of a model folder or hub id whose head writes characters; None where there is none."""
        found = {name: _document(place, name) for name in ("vocab.json", "config.json", "tokenizer_config.json")}
        words, config = found["vocab.json"], found["config.json"]
        heads = config.get("architectures") or []
        if not (config.get("model_type") == MODEL_TYPE or any(str(name).endswith("ForCTC") for name in heads)):
            return None
        if sorted(map(str, words.values())) != sorted(map(str, range(len(words)))) or not words:
            return None  # a vocabulary for each of several languages, or none at all
        if config.get("model_type") != MODEL_TYPE and config.get("vocab_size", 32) != len(words):
            return None
        tokens = tuple(sorted(words, key=words.__getitem__))
        space = str(found["tokenizer_config.json"].get("word_delimiter_token") or "|")
        return cls(tokens, int(config.get("pad_token_id") or 0), space)

    def save(self, folder: Path) -> None:
        """Write it in the form of transformers' `Wav2Vec2CTCTokenizer`."""
        letters = [token for token in self.tokens if len(token) == 1]
        special = {
            name: next((token for token in self.tokens if token in usual), None)
            for name, usual in {
                "bos_token": ("<s>", "[BOS]"), "eos_token": ("</s>", "[EOS]"), "unk_token": ("<unk>", "[UNK]")
            }.items()
        }  # fmt: skip
        about = {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            **special,
            "unk_token": special["unk_token"] or self.tokens[self.blank],
            "pad_token": self.tokens[self.blank],
            "word_delimiter_token": self.space,
            "do_lower_case": any(map(str.isupper, letters)) and not any(map(str.islower, letters)),
        }
        vocabulary = {token: number for number, token in enumerate(self.tokens)}
        for name, document in (("vocab.json", vocabulary), ("tokenizer_config.json", about)):
            written = json.dumps(document, ensure_ascii=False, indent=1)
            (folder / name).write_text(written + "\n", encoding="utf-8")


def _document(place: str, name: str) -> dict[str, Any]:
    """A JSON object of a model; empty where it has none of that name."""
    path = Path(place, name)
    if not Path(place).is_dir():
        from transformers.utils.hub import cached_file

        with suppress(OSError, ValueError):
            path = Path(str(cached_file(place, name)))
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}
