"""Run an exported graph in OpenVINO."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from burnish.data.features import Batch
from burnish.device import fast_bf16
from burnish.engine.flat import arrays, spread
from burnish.extras import need

GRAPH = "model.xml"


def library() -> Any:
    """OpenVINO without its telemetry, which reports to its makers unless somebody has turned it off."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it then takes a stub
    return need("openvino", "openvino")


def convert(program: torch.export.ExportedProgram, names: Sequence[str]) -> Any:
    """An exported program as a model of OpenVINO's."""
    model = library().convert_model(program)
    for place, name in zip(model.inputs, names, strict=True):
        place.get_tensor().set_names({name})
    return model


def save(model: Any, path: Path, half: bool = False) -> None:
    """Write a model as OpenVINO's IR, its weights in half precision if asked for."""
    library().save_model(model, str(path), compress_to_fp16=half)


class OpenVino:
    """A compiled graph with one stream a thread; batches run side by side and come back in order, one run at a time.

    Args:
        precision: f32, or bf16 (left to itself, OpenVINO takes it where the CPU has it, and says nothing); int8 and w8
            stand for what is in the graph already, and compute the rest in bf16 where the CPU has it.
        longest: tokens of a row that the graph takes, so that a few rows may be padded up to it; 0 pads none.
    """

    def __init__(self, graph: Path | Any, precision: str, threads: int | None = None, longest: int = 0) -> None:
        self._longest = longest
        ov = library()
        core = ov.Core()
        threads = threads or torch.get_num_threads()
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision != "f32" and fast_bf16() else "f32",
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "THROUGHPUT",
            "SNIPPETS_MODE": "DISABLE",  # generated attention takes twice the time of the built-in one on short rows
        }
        compiled = core.compile_model(graph if not isinstance(graph, Path) else str(graph), "CPU", settings)
        self._names = [one.get_any_name() for one in compiled.inputs]
        self._free = deque(compiled.create_infer_request() for _ in range(threads + 1))

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        running: deque[tuple[Any, Batch]] = deque()
        try:
            for batch in batches:
                given = arrays(batch, self._names, self._longest)
                if not self._free:
                    yield self._finish(*running.popleft())
                request = self._free.popleft()
                running.append((request, batch))
                request.start_async(given)
            while running:
                yield self._finish(*running.popleft())
        finally:  # what an error or an early end left under way
            for request, _ in running:
                request.wait()
                self._free.append(request)

    def _finish(self, request: Any, batch: Batch) -> tuple[Batch, torch.Tensor]:
        request.wait()
        logits = spread(request.get_output_tensor(0).data.copy(), batch)
        self._free.append(request)
        return batch, logits
