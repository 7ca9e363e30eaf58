"""Weights and activations in eight bits, by the runtimes' own tools."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from burnish.device import cpu_flags
from burnish.engine.flat import Arrays
from burnish.engine.openvino import library
from burnish.extras import need

_ATTENTION = ("Softmax", "ScaledDotProductAttention")


def dynamic(whole: Path, path: Path) -> None:
    """Write an ONNX graph with int8 weights, a scale a channel; activations are scaled as they come."""
    need("onnx", "onnx")
    quantization = need("onnxruntime.quantization", "onnx")
    kind = quantization.QuantType.QInt8
    with _quiet():
        quantization.quantize_dynamic(whole, path, weight_type=kind, per_channel=True)


def fixed(whole: Path, path: Path, inputs: Iterable[Arrays]) -> None:
    """Write an ONNX graph with int8 weights, a scale a channel, and activations whose scales are fitted to `inputs`."""
    need("onnx", "onnx")
    quantization = need("onnxruntime.quantization", "onnx")
    with _quiet():
        quantization.quantize_static(
            whole,
            path,
            _Given(inputs),
            per_channel=True,
            reduce_range="avx512_vnni" not in cpu_flags(),  # older processors add up pairs of products in 16 bits
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without ONNX Runtime's advice to take a step that is for graphs of fixed shape."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Given:
    """Inputs as ONNX Runtime asks for them."""

    def __init__(self, inputs: Iterable[Arrays]) -> None:
        self._rest = iter(inputs)

    def get_next(self) -> Arrays | None:
        return next(self._rest, None)


def static(model: Any, inputs: Iterable[Arrays]) -> Any:
    """An OpenVINO model with int8 weights and activations, their scales fitted to `inputs`, one for each batch."""
    nncf = _nncf()
    given = list(inputs)
    attends = any(one.get_type_name() in _ATTENTION for one in model.get_ops())
    with redirect_stdout(StringIO()):  # it draws its own progress there
        return nncf.quantize(
            model,
            nncf.Dataset(given),
            subset_size=len(given),
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            preset=nncf.QuantizationPreset.MIXED,
        )


def weights(model: Any) -> Any:
    """An OpenVINO model with int8 weights, those of embeddings as well, which is computed in floating point."""
    nncf = _nncf()
    with redirect_stdout(StringIO()):
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)


def _nncf() -> Any:
    library()  # which keeps its telemetry out
    nncf = need("nncf", "openvino")
    nncf.set_log_level(logging.ERROR)
    return nncf
