"""What a form of a model said where it was made, to be asked again on another processor, as int8 may differ there."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file

from burnish.data.features import Batch
from burnish.engine.runtime import Runtime
from burnish.errors import InputError

FILE = "witness.safetensors"
_ROUNDING = {"f32": 1e-3, "bf16": 0.05, "int8": 0.05, "w8": 0.05}  # of the largest logit


def write(runtime: Runtime, batch: Batch, folder: Path) -> None:
    """Keep a batch, of made-up rows, with its logits."""
    ((_, logits),) = runtime.run([batch])
    save_file({**batch, "logits": logits.float().cpu().contiguous()}, folder / FILE)


def check(runtime: Runtime, folder: Path, precision: str) -> None:
    """Compare what the form says here with what it said where it was made.

    Raises:
        InputError: when it says something else.
    """
    if not (folder / FILE).is_file():
        return
    batch = load_file(folder / FILE)
    expected = batch.pop("logits")
    ((_, logits),) = runtime.run([batch])
    error, scale = float((logits.float().cpu() - expected).abs().max()), float(expected.abs().max())
    if not error <= _ROUNDING.get(precision, 0.05) * scale:  # not a number is no small difference
        raise InputError(
            f"'{folder}' was made on another processor, and computes something else on this one (logits of up to "
            f"{scale:.3g} are up to {error:.3g} off); make it again here, with burnish compress or export"
        )
