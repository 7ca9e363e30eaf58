"""Weights and activations in eight bits, by the runtimes' own tools."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from burnish.device import cpu_flags
from burnish.engine.flat import Arrays
from burnish.engine.openvino import library
from burnish.extras import need

_ATTENTION = frozenset({"Softmax", "ScaledDotProductAttention"})
_CONVOLUTION = frozenset({"Convolution", "GroupConvolution", "Conv"})
_PRODUCT = frozenset({"MatMul", "Gemm"})
Nodes = Sequence[tuple[str, str, Sequence[str]]]
"""Of a graph, in order: the name of each node, what it does, and the names of those that it reads."""


def exact(nodes: Nodes) -> list[str]:
    """Names of nodes of a convolutional graph that eight bits would ruin; none where there is attention.

    What comes before the first convolution levels an input or sums it up, and stands for itself: differences that are
    small beside their terms, tables of a transform, features of a linear model. Behind the last one are means and
    spreads, of which only the learned products bear it.
    """
    kinds = {kind for _, kind, _ in nodes}
    if kinds & _ATTENTION or not kinds & _CONVOLUTION:
        return []
    behind: set[str] = set()
    for name, kind, read in nodes:
        if kind in _CONVOLUTION or not behind.isdisjoint(read):
            behind.add(name)
    before: set[str] = set()
    for name, kind, read in reversed(nodes):
        if kind in _CONVOLUTION or name in before:
            before.update(read)
    bears = {name for name, kind, _ in nodes if kind in _CONVOLUTION or name in before or kind in _PRODUCT}
    return [name for name, _, read in nodes if read and name not in behind & bears]


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
            nodes_to_exclude=exact(_of_onnx(whole)),
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
    given, nodes = list(inputs), _of_openvino(model)
    attends = any(kind in _ATTENTION for _, kind, _ in nodes)
    with redirect_stdout(StringIO()):  # it draws its own progress there
        return nncf.quantize(
            model,
            nncf.Dataset(given),
            subset_size=len(given),
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=exact(nodes), validate=False),
        )


def weights(model: Any) -> Any:
    """An OpenVINO model with int8 weights, those of embeddings as well, which is computed in floating point."""
    nncf, nodes = _nncf(), _of_openvino(model)
    if left := exact(nodes):  # in several streams OpenVINO has made nonsense of the products behind convolutions
        left += [name for name, kind, _ in nodes if kind in _PRODUCT]
    with redirect_stdout(StringIO()):
        return nncf.compress_weights(
            model,
            mode=nncf.CompressWeightsMode.INT8_SYM,
            ignored_scope=nncf.IgnoredScope(names=left, validate=False),
        )


def _of_openvino(model: Any) -> Nodes:
    return [
        (
            one.get_friendly_name(),
            one.get_type_name(),
            [place.get_node().get_friendly_name() for place in one.input_values()],
        )
        for one in model.get_ordered_ops()
    ]


def _of_onnx(path: Path) -> Nodes:
    nodes = need("onnx", "onnx").load(path, load_external_data=False).graph.node
    made_by = {name: node.name for node in nodes for name in node.output}
    return [(node.name, node.op_type, [made_by[name] for name in node.input if name in made_by]) for node in nodes]


def _nncf() -> Any:
    library()  # which keeps its telemetry out
    nncf = need("nncf", "openvino")
    nncf.set_log_level(logging.ERROR)
    return nncf
