"""A peer of `burnish serve` in a process of its own: python bench/serve_peers.py NAME '{"model": ..., "port": ...}'

`pipeline` and `onnx` are what a newcomer writes with FastAPI. `litserve` forms batches as its documentation advises and
hands each to `burnish.Engine`, which divides it by length; `litserve_padded` hands it to the same model in one piece.
All take {"inputs": [...]} at /v1/predict and answer {"predictions": [...]}. `engine` serves nothing: it prints, as
JSON, the speed of the model alone, asked for some texts at a time.
"""

import json
import multiprocessing
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import litserve as ls
import numpy as np

HOST, PATH = "127.0.0.1", "/v1/predict"
CORES = len(os.sched_getaffinity(0))
PATIENCE = 600.0  # seconds for the model alone
PIPELINES = {"tag": "token-classification", "classify": "text-classification"}


def plain(prediction: Any) -> dict[str, Any]:
    """A prediction of burnish's as JSON has it."""
    found = dict(vars(prediction))
    if "entities" in found:
        found["entities"] = [vars(entity) for entity in found["entities"]]
    return found


def fastapi(predict: Any, port: int) -> None:
    """Serve a function from texts to predictions, which FastAPI calls in its threads."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Body(BaseModel):
        inputs: list[str]

    app = FastAPI()

    @app.post(PATH)
    def endpoint(body: Body) -> dict[str, Any]:
        return {"predictions": predict(body.inputs)}

    uvicorn.run(app, host=HOST, port=port, log_level="warning")


def pipeline(given: dict[str, Any]) -> None:
    """The tuned model as plain transformers reads it."""
    from transformers import pipeline as made

    task = json.loads(Path(given["model"], "burnish.json").read_text(encoding="utf-8"))["task"]
    options: dict[str, Any] = {"aggregation_strategy": "simple"} if task == "tag" else {"top_k": None}
    pipe = made(PIPELINES[task], model=given["model"], **options)

    def predict(texts: list[str]) -> list[Any]:  # scores are NumPy's, which FastAPI does not write
        return [[{**one, "score": float(one["score"])} for one in found] for found in pipe(texts)]

    fastapi(predict, given["port"])


def onnx(given: dict[str, Any]) -> None:
    """The tuned model, exported, in ONNX Runtime."""
    from burnish import Engine

    engine = Engine.open(given["model"], "onnx")
    fastapi(lambda texts: [plain(one) for one in engine.predict(texts)], given["port"])


class Api(ls.LitAPI):
    """The same variant as burnish serves. It lives at the top, as LitServe's workers import it by name."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(given["max_batch_size"], given["batch_timeout"], api_path=PATH)
        self.given = given

    def setup(self, device: str) -> None:
        import torch

        from burnish import Engine

        torch.set_num_threads(max(1, CORES // self.given["workers"]))
        self.engine = Engine.open(self.given["model"], self.given["variant"])
        if self.given.get("padded"):
            self.engine.predict = self._padded  # type: ignore[method-assign,assignment]

    def _padded(self, texts: list[str]) -> list[Any]:
        """Predictions for one batch as LitServe made it, padded to its longest text."""
        from burnish.data.features import collate

        engine = self.engine
        rows = [engine.task.row(text) for text in texts]
        features = engine.encode(rows)
        batch = collate(features, np.arange(len(features)), engine.pad_id)
        ((run, logits),) = engine.runtime.run([batch])
        answers = engine.task.decode(logits, run)
        own = [[answers[at] for at in np.flatnonzero(features.row == index)] for index in range(len(rows))]
        return [engine.task.assemble(one, row) for one, row in zip(own, rows, strict=True)]

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # without a type it is the JSON of the body
        return request["inputs"]

    def predict(self, requests: list[list[str]]) -> list[list[dict[str, Any]]]:
        answers = iter(self.engine.predict([text for texts in requests for text in texts]))
        return [[plain(next(answers)) for _ in texts] for texts in requests]

    def encode_response(self, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {"predictions": output}


def litserve(given: dict[str, Any]) -> None:
    """LitServe, which forms batches of at most `max_batch_size` requests."""
    server = ls.LitServer(
        Api(given),
        accelerator="cpu",
        devices=1,
        workers_per_device=given["workers"],
        fast_queue=given["fast_queue"],
        timeout=given["deadline"],
    )
    server.run(host=HOST, port=given["port"], log_level="warning", generate_client_file=False)


def alone(given: dict[str, Any], processes: int, together: Any, told: Any) -> None:
    """One of some processes that predict at the same time: texts and CPU seconds a second, for each size of a call."""
    import torch

    from burnish import Engine

    torch.set_num_threads(max(1, CORES // processes))
    opened = Engine.open(given["model"], given["variant"])
    texts = json.loads(Path(given["texts"]).read_text(encoding="utf-8"))
    found = {}
    for size in given["sizes"]:
        chunks = [texts[start : start + size] for start in range(0, len(texts), size)]
        for span in (given["warm"], given["seconds"]):
            together.wait()
            count, begin, cpu = 0, time.perf_counter(), time.process_time()
            while (seconds := time.perf_counter() - begin) < span:
                count += len(opened.predict(chunks[0]))
                chunks.append(chunks.pop(0))
        found[size] = count / seconds, (time.process_time() - cpu) / seconds
    told.put(found)


def engine(given: dict[str, Any]) -> None:
    """Texts a second, and CPU microseconds a text, of the model alone in so many processes."""
    context, processes = multiprocessing.get_context("spawn"), given["processes"]
    together, told = context.Barrier(processes), context.Queue()
    running = [context.Process(target=alone, args=(given, processes, together, told)) for _ in range(processes)]
    for process in running:
        process.start()
    found = [told.get(timeout=PATIENCE) for _ in running]
    for process in running:
        process.join()
    sums = {size: [sum(one[size][place] for one in found) for place in (0, 1)] for size in given["sizes"]}
    result = {f"by_{size}": speed for size, (speed, _) in sums.items()}
    print(json.dumps(result | {f"cpu_us_by_{size}": 1e6 * cpu / speed for size, (speed, cpu) in sums.items()}))


def padded(given: dict[str, Any]) -> None:
    """LitServe with its own batches: each is padded to its longest text and runs as it is."""
    litserve({**given, "padded": True})


PEERS = {"pipeline": pipeline, "litserve": litserve, "litserve_padded": padded, "onnx": onnx, "engine": engine}

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    PEERS[sys.argv[1]](json.loads(sys.argv[2]))
