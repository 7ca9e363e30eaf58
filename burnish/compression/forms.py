"""What a network can be written as: a runtime and a precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish import device
from burnish.compression import quantize
from burnish.data.features import Batch
from burnish.engine import ONNX, OPENVINO, TORCH, onnx, openvino
from burnish.engine.flat import arrays, growing, has_tokens
from burnish.engine.flat import export as flat_export
from burnish.extras import have
from burnish.models.net import Net


@dataclass(frozen=True)
class Form:
    """A runtime and the precision in it: f32; bf16; int8 for weights and activations; w8 for weights alone."""

    runtime: str
    precision: str

    def __str__(self) -> str:
        return f"{self.runtime}-{self.precision}"

    @classmethod
    def named(cls, name: str) -> Form:
        runtime, precision = name.split("-")
        return cls(runtime, precision)

    @property
    def manifest(self) -> dict[str, Any]:
        """What a variant of this form says of itself."""
        return {"runtime": self.runtime, "precision": self.precision, "environment": device.environment()}


def forms_here() -> list[Form]:
    """Forms that this machine can run, by what is installed and what its processor has."""
    half = device.fast_bf16()
    found = [Form(TORCH, "f32"), *([Form(TORCH, "bf16")] if half else [])]
    if have("onnxruntime") and have("onnxscript"):
        found += [Form(ONNX, "f32"), Form(ONNX, "int8")]
    if have("openvino"):
        found += [Form(OPENVINO, "f32"), *([Form(OPENVINO, "bf16")] if half else [])]
        found += [Form(OPENVINO, "int8"), Form(OPENVINO, "w8")] if have("nncf") else []
    return found


def versions() -> dict[str, str]:
    """Versions of the libraries that forms are written and run with."""
    return {name: device.version(name) for name in ("onnxruntime", "onnxscript", "openvino", "nncf")}


def write(net: Net, form: Form, folder: Path, example: Batch, max_tokens: int, samples: Sequence[Batch] = ()) -> None:
    """Write a network in some form.

    Args:
        example: a batch of at least two rows and, in a token model, two words.
        samples: batches that the scales of int8 are fitted to, where they are fixed.

    Raises:
        InputError: when the runtime does not know something that the network does.
        MissingExtra: when the runtime is not installed.
    """
    if form.runtime == TORCH:
        net.save(folder)
        return
    program, names = flat_export(net, example, max_tokens)
    if form.runtime == ONNX:
        path = folder / onnx.GRAPH
        whole = path if form.precision == "f32" else folder / f"whole.{onnx.GRAPH}"
        onnx.save(program, names, whole)
        if whole != path:
            if has_tokens(example):
                quantize.dynamic(whole, path)
            else:  # scales that come with each batch would cost a convolution more than int8 saves
                quantize.fixed(whole, path, (arrays(batch, names, growing=growing(net)) for batch in samples))
            whole.unlink()
        return
    model = openvino.convert(program, names)
    if form.precision == "int8":
        model = quantize.static(model, (arrays(batch, names, growing=growing(net)) for batch in samples))
    elif form.precision == "w8":
        model = quantize.weights(model)
    openvino.save(model, folder / openvino.GRAPH, half=form.precision == "bf16")
