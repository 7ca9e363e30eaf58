"""Make a convolutional network narrower in whole channels, so that speed follows.

A channel matters as much as the norm behind it lets through: the size of its factor (network slimming, Liu et al.
2017). Channels that a residual adds up stay or go together.
"""

from __future__ import annotations

from copy import deepcopy

import torch

from burnish.models.net import Net
from burnish.models.vision import Vision

SHARES = (7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 1 / 4, 3 / 16)  # of the channels, that are tried


def narrowed(net: Net, hidden: int) -> Net:
    """A new network of the same stages, the last of them `hidden` wide, of the channels that matter most; its weights
    are copies."""
    old: Vision = net.model
    small = Vision({**old.kept, "hidden_size": hidden}, old.classifier.out_features)
    weights = old.state_dict()
    shapes = {name: value.shape for name, value in small.state_dict().items()}

    def best(norms: list[str]) -> torch.Tensor:
        """The channels of largest factors that stay, in their order."""
        score = sum((weights[f"{norm}.weight"].abs() for norm in norms), torch.zeros(()))
        return score.topk(shapes[f"{norms[0]}.weight"][0]).indices.sort().values

    kept = {}

    def take(name: str, after: torch.Tensor, before: torch.Tensor | None) -> None:
        """A convolution of some channels to others, and the norm behind it."""
        values = weights[f"{name}.0.weight"][after]
        kept[f"{name}.0.weight"] = values if before is None else values[:, before]
        for part, value in weights.items():
            if part.startswith(f"{name}.1."):
                kept[part] = value[after] if value.dim() else value

    places = best(["vision.embeddings.1"])
    take("vision.embeddings", places, None)
    for stage in range(len(old.vision.layers)):
        name = f"vision.layers.{stage}"
        joint, inner = best([f"{name}.widen.1", f"{name}.residual.1.1"]), best([f"{name}.residual.0.1"])
        take(f"{name}.widen", joint, places)
        take(f"{name}.residual.0", inner, joint)
        take(f"{name}.residual.1", joint, inner)
        places = joint
    kept["classifier.weight"] = weights["classifier.weight"][:, places]
    kept["classifier.bias"] = weights["classifier.bias"]
    small.load_state_dict({name: value.clone() for name, value in kept.items()})
    result = deepcopy(net)
    result.model = small.train(old.training)
    return result
