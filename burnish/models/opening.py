"""Networks opened from a folder that was saved, and started with a new head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from burnish.errors import InputError
from burnish.models.bert import Bert
from burnish.models.net import EXTRAS_FILE, Front, Net
from burnish.models.pooling import Pooling
from burnish.models.pretrained import SMALL, Kind, last_line, load, reads
from burnish.models.sound import Levelled
from burnish.models.table import Coded
from burnish.models.vision import Frames, Scaled, preprocessing

_FURTHER = ("activation_dropout", "feat_proj_dropout", "final_dropout")  # of sounds; off where a job wants none
FRONTS: dict[str, type[Front]] = {
    Scaled.kind: Scaled,
    Frames.kind: Frames,
    Levelled.kind: Levelled,
    Coded.kind: Coded,
}  # by what a model reads beside texts


def load_modules(folder: str | Path, modules: Mapping[str, nn.Module]) -> None:
    """Give a task's modules the weights that a saved network keeps for them, without loading the network."""
    if not modules:
        return
    found = _extras(Path(folder) / EXTRAS_FILE)
    for name, module in modules.items():
        start = f"{name}."
        module.load_state_dict({key.removeprefix(start): v for key, v in found.items() if key.startswith(start)})


def _extras(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"'{path}' cannot be read as safetensors: {last_line(error)}") from None


def open_net(
    folder: str,
    kind: Kind,
    outputs: int,
    pooling: Pooling,
    word_shape: bool,
    modules: Mapping[str, nn.Module] | None = None,
    inputs: str | None = None,
) -> Net:
    """Load a saved network with all of its weights, those of a task's `modules` included.

    Args:
        inputs: folder that says how inputs are prepared, where that of the weights does not.

    Raises:
        InputError: when weights are missing or do not fit the head.
    """
    model, missing = load(folder, kind, outputs, {}, fresh_head=False)
    kind_read = reads(model)
    scaled = FRONTS[kind_read].of(preprocessing(inputs or folder)) if kind_read in FRONTS else None
    net = Net(model, kind, outputs, pooling, word_shape, modules, scaled)
    path = Path(folder) / EXTRAS_FILE
    found = _extras(path) if net.extras and path.is_file() else {}
    if "summary" in net.extras and not any(name.startswith("summary.") for name in found):
        del net.extras["summary"]  # it counted for nothing
    if net.extras:
        if not found:
            raise InputError(f"'{path}' is missing; the model cannot be used without it")
        net.extras.load_state_dict(found)
    if missing and (pooling == "cls" or not all("classifier" in n or "pooler" in n for n in missing)):
        raise InputError(f"weights are missing in '{folder}': {', '.join(sorted(missing)[:5])}")
    return net


def start_net(
    place: str,
    kind: Kind,
    labels: tuple[str, ...],
    *,
    dropout: float,
    attention_dropout: float,
    pooling: Pooling,
    word_shape: bool,
    modules: Mapping[str, nn.Module] | None = None,
    config: Any = None,
    preprocess: Mapping[str, Any] | None = None,
    fresh_head: bool = True,
    outputs: int | None = None,
) -> Net:
    """Put a new head on a pretrained encoder, or on random weights when a `config` is given.

    Args:
        preprocess: for other inputs than texts, what `preprocessor_config.json` says of mean and spread.
        fresh_head: False keeps that of the encoder's folder, whose outputs are the `labels`.
        outputs: width of the head where it is not that of the labels.
    """
    outputs = len(labels) if outputs is None else outputs
    names: dict[str, Any] = {
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    names = names if labels else {}
    rates = {
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": attention_dropout,
        "dropout": dropout,
        "hidden_dropout": dropout,
        "attention_dropout": attention_dropout,
    }
    if not dropout:
        rates |= dict.fromkeys(_FURTHER, 0.0)
    if config is not None:
        known = {name: rate for name, rate in rates.items() if name.endswith("_prob")}
        if own := SMALL.get(config.get("model_type")):
            small = own({**config, **known, **names}, outputs)
            small.start()
            return Net(small, kind, outputs, scaled=FRONTS[reads(small)].of(preprocess or {}))
        assert kind != "boxes"  # its config is that of a `Detector`
        fresh = Bert({**config, **known, **names}, kind, outputs)
        fresh.start()
        return Net(fresh, kind, outputs, pooling, word_shape, modules)
    model, _ = load(place, kind, outputs, rates=rates, fresh_head=fresh_head, **names)
    scaled = FRONTS[reads(model)].of(preprocess or {}) if reads(model) in FRONTS else None
    return Net(model, kind, outputs, pooling, word_shape, modules, scaled)
