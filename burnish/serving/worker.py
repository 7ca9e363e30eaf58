"""A model in a process of its own: it answers batches of inputs that come over a socket.

`python -P -m burnish.serving.worker FD` imports what models need and then makes such a process, by a fork, for each
order that comes over the socket FD, so that a model that has died is back without waiting for the imports.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch

from burnish import variant
from burnish.artifact import Artifact
from burnish.data.features import by_length
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.engine.run import BUDGET, EACH, predictions
from burnish.engine.runtime import Eager
from burnish.errors import BurnishError, InputError
from burnish.extras import have
from burnish.serving import wire
from burnish.signature import require

BUDGETS = (128, 256, 512, 1024, 2048, 4096)  # tokens of a batch that are tried
_NEARLY = 0.95  # of the pace of larger batches, for which a smaller one is taken
_TEXT = "The train from Rome to Paris was late again on Monday , said Anna . "
_GAIN = 2.0  # in pace, for which a few rows go together: one by one, the first of them has not to wait for the last
_MIXED = (4, 7, 11, 16, 22, 34)  # words of the rows that are timed
_WORDS = (4, 7, 11, 16, 22, 28, 34, 40, 56, 80, 110)  # of the rows that a runtime is warmed up with
_NICE = 5  # the process that speaks HTTP goes before those that compute
_SECONDS = 0.15  # of a look at one budget
_LONGEST = 0.4  # seconds of a batch: whoever comes meanwhile has to wait for its end


def main() -> None:
    """Make a process for each order: JSON (folder, variant, threads, budget and so on) and a socket to answer on."""
    for name in ("openvino", "onnxruntime"):
        if have(name):
            with suppress(ImportError):
                __import__(name)
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that serves
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets those that have died
    gc.collect()
    gc.freeze()  # what is there is shared with every child, and stays so when nothing looks through it
    control.sendall(b"+")
    while True:
        order, given, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not order:
            return
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.nice(_NICE)
            try:
                _live(socket.socket(fileno=given[0]), **json.loads(order))
            finally:
                os._exit(0)  # no more than that: threads of a runtime may still be at work
        os.close(given[0])


def _live(
    place: socket.socket, folder: str, asked: str | None, threads: int, budget: int, before: str, signed_by: str
) -> None:
    """Open a model, if it is signed as it has to be, and answer until the other side is gone.

    Args:
        before: what comes before it is ready: `measure` batches, `warm` up, or nothing, where it is in a hurry.
    """
    torch.set_num_threads(threads)
    try:
        if signed_by:  # here, so that it holds for every process that is ever started
            require(folder, signed_by)
        model = Model(Path(folder), asked)
        if before:
            model.warm_up()
        if before == "measure":
            model.measure(budget)
        hello = {"pid": os.getpid(), "about": model.about, "budget": model.budget, "worth": model.worth}
        hello["tokens_per_second"] = model.pace
    except Exception as error:  # whatever a runtime raises has to be told over there
        told = str(error) if isinstance(error, BurnishError) else f"{type(error).__name__}: {error}"
        place.sendall(wire.frame(0, wire.FAILED, told.encode()))
        return
    place.sendall(wire.frame(0, wire.HELLO, json.dumps(hello).encode()))
    while (found := wire.read(place)) is not None:
        number, _, content = found
        try:
            answer = wire.frame(number, wire.ANSWER, model.answer(orjson.loads(content)))
        except Exception as error:
            answer = wire.frame(number, wire.FAILED, f"{type(error).__name__}: {error}"[:500].encode())
        try:
            place.sendall(answer)
        except OSError:
            return


class Model:
    """An engine that answers in JSON.

    Attributes:
        budget: tokens of a batch at most.
        worth: tokens below which rows go one by one, as a batch of them gains nothing; 0 where it does.
        pace: tokens a second, at the budget.
    """

    def __init__(self, folder: Path, asked: str | None) -> None:
        artifact = Artifact.open(folder, verify=False)
        artifact.must_go_with("serve")
        name = asked or variant.best(artifact) or variant.TUNED
        self.engine = Engine.open(folder, name)
        self.about = {"variant": name, **_about(artifact)}
        self.reader = self.engine.tokenizer if isinstance(self.engine.tokenizer, Reader) else None
        if self.reader:
            example = self.engine.encode([self.reader.from_request(self.reader.example())])
            self.about["tokens_each"] = int(example.lengths[0])
            self.about["fields"] = self.reader.fields()
        self.budget = self.worth = 0
        self.pace = 0.0

    def answer(self, inputs: list[Any]) -> bytes:
        """Predictions, each as JSON behind a byte that says whether it is one (+) or an error (-).

        Inputs {"explain": input, "target": label or None, "at": place or None} are explained instead.
        """
        started = time.perf_counter()
        try:
            parts, tokens, padded = self._all(inputs)
        except Exception as error:
            if len(inputs) == 1:
                status = 422 if isinstance(error, InputError) else 500
                told = str(error) if isinstance(error, BurnishError) else "the model failed on this input"
                parts, tokens, padded = [b"-" + orjson.dumps({"status": status, "detail": told})], 0, 0
            else:  # one of them, perhaps: the others are answered all the same
                parts, tokens, padded = [], 0, 0
                for one in inputs:
                    found, *_ = wire.parted(self.answer([one]))
                    parts += found
        return wire.joined(parts, 1000 * (time.perf_counter() - started), tokens, padded)

    def _all(self, inputs: list[Any]) -> tuple[list[bytes], int, int]:
        engine = self.engine
        if isinstance(inputs[0], dict):  # an input is none: files come as their base64, objects as their JSON
            return [b"+" + self._explained(**one) for one in inputs], 0, 0
        rows = [self._row(one) for one in inputs]
        features = engine.encode(rows)
        said = predictions(engine.runtime, engine.task, features, rows, pad_id=engine.pad_id)
        parts = [b"+" + orjson.dumps(one, option=orjson.OPT_SERIALIZE_NUMPY) for one in said]
        lengths = features.lengths
        padded = sum(len(group) * int(lengths[group].max()) for group in by_length(lengths, BUDGET, EACH))
        return parts, int(np.sum(lengths)), padded

    def _row(self, given: Any) -> Row:
        return self.reader.from_request(given) if self.reader else self.engine.task.row(given)

    def _explained(self, explain: Any, target: str | None, at: tuple[int, int] | None) -> bytes:
        """An explanation of an input as JSON, without its text, which who asks has."""
        if self.engine.artifact:
            self.engine.artifact.must_go_with("explain")
        from burnish.explanation import attribute

        try:
            row = self._row(explain)
            told = asdict(attribute.explained(self.engine, row, target=target, at=at).explanation)
        except InputError as error:  # which names options of the command line
            raise InputError(re.sub("^--(target|at): ", "", str(error))) from error
        return orjson.dumps({name: value for name, value in told.items() if name not in ("text", "second")})

    def warm_up(self) -> None:
        """A runtime makes what single rows of a length need once it has met some."""
        for words in _WORDS:
            for _ in range(3):
                self._all([self._example(words)])

    def measure(self, given: int) -> None:
        """Find out how large a batch should be: the smallest at which the model is nearly as fast here as at any size
        that takes no longer than others should wait, unless it is given; and whether few rows gain from each other."""
        examples = [self._example(words) for words in _MIXED]
        tokens = int(self.engine.encode([self._row(one) for one in examples]).lengths.sum())
        paces: dict[int, float] = {}
        for budget in sorted({BUDGETS[0], given}) if given else BUDGETS:
            times = max(1, budget // tokens)
            spent = self._seconds(examples * times, _SECONDS)
            if paces and spent > _LONGEST and not given:
                break
            paces[budget] = times * tokens / spent
        best = max(paces.values())
        self.budget = given or next(budget for budget, pace in paces.items() if pace >= _NEARLY * best)
        self.pace = paces[self.budget]
        single = tokens / sum(self._seconds([one], _SECONDS / len(examples)) for one in examples)
        self.worth = BUDGETS[0] if paces[BUDGETS[0]] < _GAIN * single else 0

    def _seconds(self, inputs: list[Any], span: float) -> float:
        """What a batch takes, on average within a span: on a processor by its own time, which others do not spoil."""
        runtime = self.engine.runtime
        elsewhere = isinstance(runtime, Eager) and runtime.device.type != "cpu"
        clock, threads = (time.perf_counter, 1) if elsewhere else (time.process_time, torch.get_num_threads())
        self._all(inputs)
        count, started = 0, clock()
        while (spent := (clock() - started) / threads) < span:
            self._all(inputs)
            count += 1
        return spent / count

    def _example(self, words: int) -> Any:
        if self.reader:
            return self.reader.example()
        text = " ".join((_TEXT * (words // 15 + 1)).split()[:words])
        return [text, text] if self.engine.task.name == "pair" else text


def _about(artifact: Artifact) -> dict[str, Any]:
    """What a client may know; `version` tells one content of the folder from another."""
    files = json.dumps(artifact.manifest["files"], sort_keys=True)
    labels = [str(label) for label in artifact.state.get("labels", ())]
    if artifact.task == "tag":
        labels = sorted({label[2:] for label in labels if label[1:2] == "-"})
    return {
        "version": hashlib.sha256(files.encode()).hexdigest()[:12],
        "task": artifact.task,
        "inputs": artifact.inputs,
        "labels": labels,
        "multi_label": bool(artifact.state.get("multi_label", False)),
        "variants": [variant.TUNED, *variant.names(artifact)],
        "max_tokens": artifact.max_tokens,
        "metrics": artifact.metrics,
    }


if __name__ == "__main__":
    main()
