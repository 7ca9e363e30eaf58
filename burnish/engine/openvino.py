"""Run an exported graph in OpenVINO."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from burnish.data.features import Batch, rows_in
from burnish.device import fast_bf16
from burnish.engine.flat import Arrays, arrays, spread
from burnish.extras import need

GRAPH = "model.xml"
_OFTEN = 2  # times that a size of a single row is met before a graph of its own pays


def library() -> Any:
    """OpenVINO without its telemetry, which reports to its makers unless somebody has turned it off."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it then takes a stub
    return need("openvino", "openvino")


def convert(program: torch.export.ExportedProgram, names: Sequence[str]) -> Any:
    """An exported program as a model of OpenVINO's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
        model = library().convert_model(program)
    for place, name in zip(model.inputs, names, strict=True):
        place.get_tensor().set_names({name})
    inputs = program.graph_signature.user_inputs
    sizes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.name in inputs}
    model.reshape(  # it takes every size for one that may change
        {
            name: [size if isinstance(size, int) else -1 for size in sizes[given]]
            for name, given in zip(names, inputs, strict=True)
        }
    )
    return model


def save(model: Any, path: Path, half: bool = False) -> None:
    """Write a model as OpenVINO's IR, its weights in half precision if asked for."""
    library().save_model(model, str(path), compress_to_fp16=half)


class _Requests:
    """Requests of a compiled graph, each in the hands of one run at a time; as many as were wanted at once."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._free: deque[Any] = deque()

    def take(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:  # no look before: another thread may take the last one meanwhile
            return self._compiled.create_infer_request()

    def give(self, request: Any) -> None:
        self._free.append(request)


class OpenVino:
    """A compiled graph with one stream a thread; batches run side by side and come back in order. Several threads may
    each have a run of their own.

    A graph for any size works out the shapes of all its parts whenever the size is another than before, which for one
    row takes longer than the network. Single rows therefore come in few sizes (see `arrays`), and each size that is met
    often is compiled by itself, beside the rows that come meanwhile.

    Args:
        precision: f32, or bf16 (left to itself, OpenVINO takes it where the CPU has it, and says nothing); int8 and w8
            stand for what is in the graph already, and compute the rest in bf16 where the CPU has it.
        longest: tokens of a row that the graph takes, so that a few rows may be padded up to it; 0 pads none.
    """

    def __init__(self, graph: Path | Any, precision: str, threads: int | None = None, longest: int = 0) -> None:
        self._longest = longest
        self._core = library().Core()
        self._model = self._core.read_model(str(graph)) if isinstance(graph, Path) else graph
        self._names = [one.get_any_name() for one in self._model.inputs]
        shapes = {
            one.get_any_name(): [size.is_dynamic for size in one.get_partial_shape()] for one in self._model.inputs
        }
        self._growing = [name for name, changes in shapes.items() if changes[1:2] == [True] and not any(changes[2:])]
        threads = threads or torch.get_num_threads()
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision != "f32" and fast_bf16() else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # it would put the threads of several processes on the same cores
            "SNIPPETS_MODE": "DISABLE",  # generated attention takes twice the time of the built-in one on short rows
        }
        compiled = self._compiled(self._model, threads)
        self._requests, self._most = _Requests(compiled), threads + 1
        self._met: Counter[tuple[int, ...]] = Counter()
        self._alone: dict[tuple[int, ...], Future[_Requests]] = {}
        self._counting = threading.Lock()  # held for moments: the two above
        self._maker = ThreadPoolExecutor(1)

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        running: deque[tuple[Any, Batch]] = deque()
        try:
            for batch in batches:
                given = arrays(batch, self._names, self._longest, self._growing)
                alone = self._for_one(given) if rows_in(batch) == 1 else None
                if alone:
                    while running:
                        yield self._finish(*running.popleft())
                    yield batch, _infer(alone, given, batch)
                    continue
                if len(running) == self._most:
                    yield self._finish(*running.popleft())
                request = self._requests.take()
                running.append((request, batch))
                request.start_async(given)
            while running:
                yield self._finish(*running.popleft())
        finally:  # what an error or an early end left under way
            for request, _ in running:
                with suppress(RuntimeError):  # nobody waits for its answer
                    request.wait()
                self._requests.give(request)

    def _for_one(self, given: Arrays) -> _Requests | None:
        """The graph for one row of just this size, if there is one by now: no row waits until it is made."""
        size = tuple(len(array.flat) for array in given.values())
        with self._counting:
            self._met[size] += 1
            if size not in self._alone and self._met[size] > _OFTEN:
                shapes = {name: array.shape for name, array in given.items()}
                self._alone[size] = self._maker.submit(self._fixed, shapes)
            made = self._alone.get(size)
        return made.result() if made and made.done() and not made.exception() else None

    def _fixed(self, shapes: dict[str, tuple[int, ...]]) -> _Requests:
        model = self._model.clone()
        model.reshape(shapes)
        return _Requests(self._compiled(model, 1))

    def _compiled(self, model: Any, streams: int) -> Any:
        hint = "LATENCY" if streams == 1 else "THROUGHPUT"
        settings = self._settings | {"PERFORMANCE_HINT": hint, "NUM_STREAMS": streams}
        return self._core.compile_model(model, "CPU", settings)

    def _finish(self, request: Any, batch: Batch) -> tuple[Batch, torch.Tensor]:
        try:
            request.wait()
            return batch, _logits(request, batch)
        finally:
            self._requests.give(request)


def _infer(requests: _Requests, given: Arrays, batch: Batch) -> torch.Tensor:
    request = requests.take()
    try:
        request.infer(given, share_inputs=True)
        return _logits(request, batch)
    finally:
        requests.give(request)


def _logits(request: Any, batch: Batch) -> torch.Tensor:
    """A copy, as the request's own are overwritten by the next run that takes it."""
    return spread(request.get_output_tensor(0).data, batch)
