"""What burnish's own small networks share: a head on an encoder, random weights to start from, and their folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from safetensors.torch import load_file, save_file
from torch import nn

WEIGHTS = "model.safetensors"


class Convolution(nn.Sequential):
    """A convolution with the norm and the bend behind it."""

    def __init__(self, before: int, after: int, size: int = 3, stride: int | tuple[int, int] = 1) -> None:
        convolution = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU())


def widths(config: SimpleNamespace) -> list[int]:
    """Channels of each stage: twice as many as of the one before, up to `hidden_size` of the last."""
    stages = config.num_hidden_layers
    return [max(8, config.hidden_size >> (stages - 1 - stage)) for stage in range(stages)]


class Small(nn.Module):
    """A network with the names that transformers uses for what is asked of a model.

    Weights stay in the usual order in memory: a checkpoint gives an optimizer's state back in that order, and the fused
    AdamW walks through both side by side.
    """

    base_model_prefix: ClassVar[str]  # name of the encoder
    main_input_name: ClassVar[str]

    def __init__(self, config: Mapping[str, Any], width: int, outputs: int) -> None:
        """A subclass puts its encoder in place afterwards; `width` is what the head reads of it."""
        super().__init__()
        self.kept = dict(config)
        self.config = SimpleNamespace(**self.kept)
        self.untrained = False
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)
        self.classifier = nn.Linear(width, outputs)

    @property
    def base_model(self) -> nn.Module:
        return self.get_submodule(self.base_model_prefix)

    def start(self) -> None:
        """Say that the weights are random ones (those of He et al. 2015), and let the head begin at zero."""
        self.untrained = True
        for module in self.base_model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.reset_head()

    def reset_head(self) -> None:
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def load(self, folder: str | Path, fresh_head: bool) -> set[str]:
        """Read the weights, without those of the head for a fresh one; return the names of those that are missing.

        Raises:
            RuntimeError: when weights have another shape than the config says.
        """
        found = load_file(Path(folder, WEIGHTS))
        if fresh_head:
            found = {name: value for name, value in found.items() if not name.startswith("classifier.")}
            self.reset_head()
        missing = set(self.load_state_dict(found, strict=False).missing_keys)
        return {name for name in missing if not (fresh_head and name.startswith("classifier."))}

    def save_pretrained(self, folder: Path) -> None:
        """Write weights and `config.json`."""
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / WEIGHTS)
        (folder / "config.json").write_text(json.dumps(self.kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
