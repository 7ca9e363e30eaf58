"""One way to run a model in a process of its own: python bench/infer_peers.py NAME '{"model": ..., ...}' prints JSON.

`reference` is the loop of the field. Every other peer runs the same weights in transformers' own classes, in another
runtime or at another precision, and is given the batches, the tokenizer and the decoding of burnish; `burnish:NAME` is
a variant of the model folder.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from burnish.artifact import Artifact
from burnish.compression.export import made_up
from burnish.data.features import Batch, collate
from burnish.engine import Engine
from burnish.engine import onnx as ort
from burnish.engine import openvino as ov
from burnish.engine.flat import arrays, export, spread
from burnish.engine.run import unlabelled
from burnish.models import bert, opening
from burnish.tasks import task_named
from burnish.training.evaluate import metric_value, outcome
from burnish.variant import TUNED, Variant
from burnish.verbs import _rows

LENGTH, BATCH = 128, 16  # of the reference loop
CALIBRATION = 300  # rows

Answers = Callable[[list[Any]], list[Any]]
Runs = Iterator[tuple[Batch, Any]]


class Torch:
    """Eager or compiled torch on the weights as they are."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def run(self, batches: Iterable[Batch]) -> Runs:
        import torch

        with torch.inference_mode():
            for batch in batches:
                yield batch, self.net(batch).float()


class OpenVino:
    """OpenVINO as its documentation has it: the hint for throughput and a queue of requests."""

    def __init__(self, graph: str, settings: dict[str, Any]) -> None:
        library = ov.library()
        compiled = library.Core().compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", **settings})
        self._names = [one.get_any_name() for one in compiled.inputs]
        count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._free = deque(compiled.create_infer_request() for _ in range(count))

    def run(self, batches: Iterable[Batch]) -> Runs:
        running: deque[tuple[Any, Batch]] = deque()
        for batch in batches:
            if not self._free:
                yield self._finish(*running.popleft())
            request = self._free.popleft()
            request.start_async(arrays(batch, self._names))
            running.append((request, batch))
        while running:
            yield self._finish(*running.popleft())

    def _finish(self, request: Any, batch: Batch) -> tuple[Batch, Any]:
        request.wait()
        logits = spread(request.get_output_tensor(0).data, batch)
        self._free.append(request)
        return batch, logits


def transformers_net(artifact: Artifact, task: Any) -> Any:
    """The tuned weights in transformers' own classes, with what plain transformers lacks beside them."""
    bert.fits = lambda config: False
    return opening.open_net(
        str(artifact.folder), task.kind, task.outputs, artifact.pooling, artifact.word_shape, task.modules()
    ).eval()


def runtime(name: str, artifact: Artifact, task: Any, rows: list[Any], work: Path) -> tuple[Any, int]:
    """The runtime of a peer and the bytes that it needs on disk; exports are kept in `work`."""
    import torch

    net = transformers_net(artifact, task)
    size = weights(artifact)
    batch = collate(made_up(task, net, artifact.max_tokens), np.arange(8), 0)
    if name == "torch":
        return Torch(net), size
    if name == "torch_bf16":
        return Torch(net.to(torch.bfloat16)), size // 2
    if name == "torch_compile_bf16":
        return Torch(torch.compile(net.to(torch.bfloat16), dynamic=True)), size // 2
    if name == "torchao_int8":
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        quantize_(net, Int8DynamicActivationInt8WeightConfig())
        return Torch(torch.compile(net, dynamic=True)), size
    if name.startswith("onnx"):
        graph = work / f"{name}.onnx"
        if not graph.exists():
            ort.save(*export(net, batch, artifact.max_tokens), work / "whole.onnx")
            if name == "onnx_int8":
                from onnxruntime.quantization import QuantType, quantize_dynamic

                quantize_dynamic(work / "whole.onnx", graph, weight_type=QuantType.QInt8, per_channel=True)
            else:
                (work / "whole.onnx").rename(graph)
        return ort.Onnx(graph), graph.stat().st_size
    graph = work / f"{name}.xml"
    if not graph.exists():
        library = ov.library()
        program, names = export(net, batch, artifact.max_tokens)
        model = library.convert_model(program)
        for place, own in zip(model.inputs, names, strict=True):
            place.get_tensor().set_names({own})
        if "int8" in name:
            model = in_int8(model, names, artifact, task, rows[:CALIBRATION], controlled="controlled" in name)
        library.save_model(model, graph, compress_to_fp16="int8" not in name)
    settings = {"INFERENCE_PRECISION_HINT": "f32" if name.endswith("f32") else "bf16"}
    size = graph.stat().st_size + graph.with_suffix(".bin").stat().st_size
    return OpenVino(str(graph), settings), size


def in_int8(
    model: Any, names: tuple[str, ...], artifact: Artifact, task: Any, rows: list[Any], controlled: bool
) -> Any:
    """NNCF's int8, its scales fitted to some rows; with accuracy control, layers go back to floating point until at
    most 0.01 of the metric is lost on these same rows."""
    import nncf

    features = task.encode(unlabelled(rows), artifact.tokenizer(), artifact.max_tokens)
    whole = [place for place, row in enumerate(features.row) if np.count_nonzero(features.row == row) == 1]
    rows = [rows[features.row[place]] for place in whole]  # those that fit in one piece
    batches = [collate(features, np.array([place]), 0) for place in whole]
    data = [arrays(batch, names) for batch in batches]
    options = {"model_type": nncf.ModelType.TRANSFORMER, "subset_size": len(data)}
    if not controlled:
        return nncf.quantize(model, nncf.Dataset(data), **options)
    opening.load_modules(artifact.folder, task.modules())

    def validate(compiled: Any, places: Iterable[int]) -> tuple[float, None]:
        said, seen = [], []
        for place in places:
            logits = spread(next(iter(compiled(data[place]).values())), batches[place])
            said.append(task.assemble(task.decode(logits, batches[place]), rows[place]))
            seen.append(rows[place])
        return metric_value(task, task.metric, outcome(task, said, seen)), None

    sets = nncf.Dataset(data), nncf.Dataset(list(range(len(data))), data.__getitem__)
    return nncf.quantize_with_accuracy_control(model, *sets, validate, max_drop=0.01, **options)


def reference(artifact: Artifact, task: Any) -> Answers:
    """fp32, in the order given, every batch of 16 padded to 128 tokens, the tokenizer's own words."""
    import torch
    from transformers import AutoTokenizer

    net, tokenizer = transformers_net(artifact, task), AutoTokenizer.from_pretrained(artifact.folder)
    form = {"padding": "max_length", "truncation": True, "max_length": LENGTH, "return_tensors": "pt"}
    words = task.kind == "token"

    def predict(inputs: list[Any]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(inputs), BATCH):
            part = inputs[start : start + BATCH]
            encoded = tokenizer(part, is_split_into_words=words, **form)
            batch = {key: encoded[key] for key in ("input_ids", "attention_mask")}
            if words:
                batch["words"], batch["shapes"] = places(encoded, part)
            with torch.inference_mode():
                logits = net(batch)
            answers = task.decode(logits, batch)
            found += [task.assemble([answer], task.row(one)) for answer, one in zip(answers, part, strict=True)]
        return found

    return predict


def places(encoded: Any, sentences: list[Any]) -> Any:
    """Index of the word that each token begins, or -1, and the written shape of its word."""
    import torch

    from burnish.data.shape import shape_id

    words, shapes = [], []
    for row, sentence in enumerate(sentences):
        before, first, shape = None, [], []
        for word in encoded.word_ids(row):
            first.append(-1 if word is None or word == before else word)
            shape.append(0 if word is None else shape_id(sentence[word]))
            before = word
        words.append(first)
        shapes.append(shape)
    return torch.tensor(words), torch.tensor(shapes)


def size_of(artifact: Artifact, name: str) -> int:
    return Variant.open(artifact, name).size if name != TUNED else weights(artifact)


def weights(artifact: Artifact) -> int:
    return sum(file.stat().st_size for file in artifact.folder.glob("*.safetensors"))


def main() -> None:
    warnings.filterwarnings("ignore")
    name, given = sys.argv[1], json.loads(sys.argv[2])
    artifact = Artifact.open(given["model"])
    task = task_named(artifact.task).restore(artifact.state)
    rows = [dict(row) for row in _rows(given["model"], given["data"], print)][: given["rows"]]
    inputs = [row["words"] if task.kind == "token" else row["text"] for row in rows]
    if name == "reference":
        predict, size = reference(artifact, task), weights(artifact)
        inputs, rows = inputs[: given["reference_rows"]], rows[: given["reference_rows"]]
    elif name.startswith("burnish:"):
        engine = Engine.open(given["model"], variant=name.removeprefix("burnish:"))
        predict, size = engine.predict, size_of(artifact, name.removeprefix("burnish:"))
    else:
        Path(given["work"]).mkdir(parents=True, exist_ok=True)
        made, size = runtime(name, artifact, task, rows, Path(given["work"]))
        opening.load_modules(artifact.folder, task.modules())
        predict = Engine(made, task, artifact.tokenizer(), artifact.max_tokens).predict

    predict(inputs)  # kernels are compiled, files are read; words are tokenized anew in each pass
    start = time.perf_counter()
    predictions = predict(inputs)
    seconds = time.perf_counter() - start
    for one in inputs[: given["singles"]]:  # some runtimes compile for each length
        predict([one])
    single = []
    for one in inputs[: given["singles"]]:
        begin = time.perf_counter()
        predict([one])
        single.append(1000 * (time.perf_counter() - begin))
    p50, p95, p99 = np.percentile(single, (50, 95, 99)).tolist()
    result = {
        "rows_per_second": len(inputs) / seconds,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "score": metric_value(task, task.metric, outcome(task, predictions, rows)),
        "size_mb": size / 1e6,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
