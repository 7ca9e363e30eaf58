"""Checkpoints: one safetensors file, written beside and renamed, so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from burnish.artifact import disk_error
from burnish.errors import InputError
from burnish.models.net import Net


def write(path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, Any]) -> None:
    """Write tensors and notes (JSON) atomically.

    Raises:
        InputError: when the disk is full or may not be written; an earlier checkpoint then stays as it was.
    """
    fresh = path.with_suffix(".writing")
    # Tied weights share memory, which safetensors refuses: each tensor is stored on its own.
    kept = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    try:
        save_file(kept, fresh, {"notes": json.dumps(notes)})
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except (OSError, SafetensorError) as error:
        fresh.unlink(missing_ok=True)
        raise disk_error(error, path) from None


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Read a checkpoint, or return None where there is none.

    Raises:
        InputError: when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()["notes"])
            return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise InputError(f"the checkpoint '{path}' is damaged ({error}); delete it to start anew") from None


def learning(net: Net) -> dict[str, torch.Tensor]:
    """The weights that training changes, and buffers; frozen ones come from the base model."""
    frozen = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in net.state_dict().items() if name not in frozen}


def load_learning(net: Net, tensors: dict[str, torch.Tensor]) -> None:
    net.load_state_dict(tensors, strict=False)


def flatten(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """State of an optimizer as named tensors."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
        if value is not None
    }


def restore(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what `flatten` gave."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
