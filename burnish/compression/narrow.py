"""Make a convolutional network narrower in whole channels, so that speed follows; one of sounds is then asked at one
pitch alone.

A channel matters as much as the norm behind it lets through: the size of its factor (network slimming, Liu et al.
2017). Channels that a residual adds up stay or go together.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import torch

from burnish.models.net import Net
from burnish.models.small import Small, widths
from burnish.models.sound import ONE_PITCH, Levelled, Sound
from burnish.models.vision import Vision

SHARES = (7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 1 / 4, 3 / 16)  # of the channels, that are tried
_RESIDUALS = {Vision: ("residual.0", "residual.1"), Sound: ("first", "second")}  # names of what a stage adds up


def narrowed(net: Net, hidden: int) -> Net:
    """A new network of the same stages, the last of them `hidden` wide, of the channels that matter most; its weights
    are copies."""
    result = deepcopy(net)
    result.model = _narrowed(net.model, hidden).train(net.model.training)
    if isinstance(result.scaled, Levelled):
        result.scaled.ask_at_one_pitch()
    return result


def _narrowed(old: Vision | Sound, hidden: int) -> Small:
    further = {ONE_PITCH: True} if isinstance(old, Sound) else {}
    small = type(old)({**old.kept, **further, "hidden_size": hidden}, old.classifier.out_features)
    weights, own, shapes = old.state_dict(), old.base_model_prefix, {n: v.shape for n, v in small.state_dict().items()}
    kept = {}

    def best(norms: Iterable[str]) -> torch.Tensor:
        """The channels of largest factors that stay, in their order."""
        named = [f"{own}.{norm}.1.weight" for norm in norms]
        score = sum((weights[name].abs() for name in named), torch.zeros(()))
        return score.topk(shapes[named[0]][0]).indices.sort().values

    def take(name: str, after: torch.Tensor, before: torch.Tensor | None) -> None:
        """A layer from some channels to others, and the norm behind it."""
        values = weights[f"{own}.{name}.0.weight"][after]
        kept[f"{own}.{name}.0.weight"] = values if before is None else values[:, before]
        for part, value in weights.items():
            if part.startswith(f"{own}.{name}.1."):
                kept[part] = value[after] if value.dim() else value

    places = best(["embeddings"])
    take("embeddings", places, None)
    first, second = _RESIDUALS[type(old)]
    for stage in range(old.config.num_hidden_layers - 1):
        name = f"layers.{stage}"
        joint, inner = best([f"{name}.widen", f"{name}.{second}"]), best([f"{name}.{first}"])
        take(f"{name}.widen", joint, places)
        take(f"{name}.{first}", inner, joint)
        take(f"{name}.{second}", joint, inner)
        places = joint
    if isinstance(old, Sound):  # all bands of a channel lie side by side; the head reads means, and spreads behind them
        left = weights["sound.join.0.weight"].shape[1] // widths(old.config)[-1]
        joined = best(["join"])
        take("join", joined, (places[:, None] * left + torch.arange(left)).flatten())
        places = torch.cat([joined, joined + old.config.hidden_size])
    kept["classifier.weight"] = weights["classifier.weight"][:, places]
    kept["classifier.bias"] = weights["classifier.bias"]
    small.load_state_dict({name: value.clone() for name, value in kept.items()})
    return small
