"""What sentence-transformers needs beside an encoder to give the same vectors: pooling, projection, length one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from burnish.models.net import EXTRAS_FILE
from burnish.models.pooling import declare, declared

_MODULES = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"), ("3_Normalize", "Normalize")


def write(folder: Path, longest: int) -> None:
    """Add its files to a folder with a saved network whose head reads text vectors.

    Args:
        longest: tokens of a text that are read.
    """
    head = {name: value for name, value in load_file(folder / EXTRAS_FILE).items() if name.startswith("head.")}
    after, before = head["head.weight"].shape
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(_MODULES)
    ]
    _json(folder / "modules.json", modules)
    _json(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    (folder / "2_Dense").mkdir()
    declare(folder, declared(str(folder)), before)
    shape = {"in_features": before, "out_features": after, "bias": True}
    _json(folder / "2_Dense" / "config.json", shape | {"activation_function": "torch.nn.modules.linear.Identity"})
    linear = {name.replace("head.", "linear."): value.contiguous() for name, value in head.items()}
    save_file(linear, folder / "2_Dense" / "model.safetensors", {"format": "pt"})


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
