"""Run an exported graph in ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from burnish.data.features import Batch
from burnish.engine.flat import arrays, spread
from burnish.extras import need

GRAPH = "model.onnx"


def save(program: torch.export.ExportedProgram, names: Sequence[str], path: Path) -> None:
    """Write an exported program as one ONNX file."""
    need("onnxscript", "onnx")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    torch.onnx.export(
        program, f=str(path), input_names=list(names), output_names=["logits"], external_data=False, verbose=False
    )


class Onnx:
    """A graph with all of ONNX Runtime's own optimizations, on the CPU."""

    def __init__(self, graph: Path, threads: int | None = None, longest: int = 0) -> None:
        self._longest = longest
        ort: Any = need("onnxruntime", "onnx")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._names = [one.name for one in self._session.get_inputs()]
        shapes = {one.name: one.shape for one in self._session.get_inputs()}
        self._growing = [name for name, shape in shapes.items() if len(shape) > 1 and not isinstance(shape[1], int)]

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        for batch in batches:
            (logits,) = self._session.run(None, arrays(batch, self._names, self._longest, self._growing))
            yield batch, spread(logits, batch)
