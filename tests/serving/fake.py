"""A service that speaks the HTTP contract with made-up predictions, for tests of the page."""

from __future__ import annotations

import json
import mimetypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import sin
from pathlib import Path
from typing import Any

import burnish

PAGE = Path(burnish.__file__).parent / "serving" / "page"
KEY = "right-key"
NAMES = {
    "Anna Berger": "PER",
    "Amara Okafor": "PER",
    "欧阳雨桐": "PER",
    "沈晓峰": "PER",
    "Berlin": "LOC",
    "Oslo": "LOC",
    "Kyoto": "LOC",
    "北京": "LOC",
    "奥斯陆": "LOC",
    "𠮷野": "LOC",
    "Red Cross": "ORG",
    "Northwind Labs": "ORG",
    "金叶能源有限公司": "ORG",
    "<b>Bold</b>": "<img src=x onerror=bad()>",
}
CLASSES = ["card_arrival", "charged_twice", "refund", "pin_change", "exchange_rate", "wrong_item", "close_account"]
SHARES = {
    "throughput": [0.04, 0.02, 0.71, 0.03, 0.08, 0.09, 0.03],
    "torch": [0.03, 0.02, 0.35, 0.03, 0.06, 0.48, 0.03],
}


def _model(name: str, task: str, labels: list[str], metrics: dict[str, float], **more: Any) -> dict[str, Any]:
    same = {"version": "3f9c2a1b7d5e", "multi_label": False, "variant": "throughput", "max_tokens": 256}
    variants = {"variants": ["torch", "throughput"], "state": "ready"}
    return {"name": name, "task": task, "labels": labels, "metrics": metrics, **same, **variants, **more}


def models() -> list[dict[str, Any]]:
    labels = ["LOC", "MISC", "ORG", "PER", "<img src=x onerror=bad()>"]
    return [
        _model("conll", "tag", labels, {"f1": 0.938, "precision": 0.931}),
        _model("intents", "classify", CLASSES, {"accuracy": 0.912}),
        _model("topics", "classify", ["health", "politics", "sports"], {"f1": 0.88}, multi_label=True),
        _model("same-question", "pair", ["different", "same"], {"accuracy": 0.86}, variants=["throughput"]),
        _model("urgency", "score", [], {"pearson": 0.92}),
    ]


def predict(model: dict[str, Any], variant: str, given: Any) -> dict[str, Any]:
    if model["task"] == "score":
        return {"value": 4.2 if variant == "throughput" else 4.5}
    if model["task"] == "tag":
        found = {"Oslo"} if variant == "torch" else set()
        entities = [
            {
                "start": given.find(name),
                "end": given.find(name) + len(name),
                "label": label,
                "text": name,
                "score": 0.987,
            }
            for name, label in NAMES.items()
            if name in given and name not in found
        ]
        entities.sort(key=lambda entity: given.find(entity["text"]))
        words = given.split()
        return {"words": words, "tags": ["O"] * len(words), "entities": entities, "scores": [0.9] * len(words)}
    shares = SHARES[variant] if len(model["labels"]) == len(CLASSES) else [0.2, 0.7, 0.6]
    probabilities = dict(zip(model["labels"], shares, strict=False))
    likely = [label for label, share in probabilities.items() if share > 0.5]
    best = max(probabilities, key=lambda label: probabilities[label])
    labels = likely if model["multi_label"] else [best]
    return {"label": best, "labels": labels, "probabilities": probabilities}


def explained(model: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Of each text the first word speaks for the answer and the last one against it."""
    told: dict[str, Any]
    if model.get("inputs") == "image":
        told = {"target": body.get("target"), "against": None, "at": None, "scores": [], "method": "occlusion"}
        told |= {"grid": [[1.5, -0.5], [0.25, 0.0]], "picture": body["input"], "form": "itself", "value": 2.25}
        told |= {
            "baseline": {"kind": "mean", "value": -1.25},
            "delta": 0.0,
            "probability": 0.9,
            "points": 4,
            "unread": 0,
        }
        return {key: model[key] for key in ("name", "version", "variant")} | {"explanation": told}
    if model.get("fields"):
        names = list(model["fields"])
        told = {"target": body.get("target"), "against": None, "at": None, "scores": [], "method": "shapley"}
        told |= {
            "grid": [[1.5, -0.5][: len(names)]],
            "picture": "",
            "form": "itself",
            "value": 2.25,
            "probability": 0.9,
        }
        told |= {"baseline": {"kind": "typical", "value": 1.25}, "delta": 0.0, "points": 4, "unread": 0}
        told |= {"names": names, "cells": [str(body["input"].get(name, "–")) for name in names]}
        return {key: model[key] for key in ("name", "version", "variant")} | {"explanation": told}
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    scores = []
    for place, text in enumerate(texts):
        first, last = text.split()[0], text.split()[-1]
        scores.append({"start": 0, "end": len(first), "score": 1.5, "second": place > 0})
        scores.append({"start": len(text) - len(last), "end": len(text), "score": -0.5, "second": place > 0})
    told = {
        "grid": [],
        "picture": "",
        "target": body.get("target", "LOC"),
        "against": None,
        "at": body.get("at"),
        "scores": scores,
    }
    told |= {"method": "occlusion", "form": "itself", "value": 2.25, "probability": 0.9, "points": 4, "unread": 0}
    told |= {"baseline": {"kind": "nothing", "value": -1.25}, "delta": 0.0}
    return {key: model[key] for key in ("name", "version", "variant")} | {"explanation": told}


class Fake:
    """What the service knows and was sent.

    Attributes:
        keyed: whether it wants `KEY`.
        problem: status, detail and headers to answer the next prediction or correction with, once.
        models: what it serves.
        feedback: bodies that came to /v1/feedback; `asked`: those that came to /v1/predict,
            `explained`: those that came to /v1/explain.
        address: where the page is.
    """

    def __init__(self) -> None:
        self.keyed = False
        self.models = models()
        self.problem: tuple[int, str, dict[str, str]] | None = None
        self.feedback: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.explained: list[dict[str, Any]] = []
        self.address = ""

    def answer(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        if self.keyed and key != f"Bearer {KEY}":
            return 401, problem(401, "this needs a key"), {}
        if path == "/v1/models":
            return 200, {"models": self.models}, {}
        if path == "/v1/stats":
            return 200, stats(), {}
        if path == "/v1/explain":
            self.explained.append(body)
            return 200, explained(next(model for model in self.models if model["name"] == body["model"]), body), {}
        (self.feedback if path == "/v1/feedback" else self.asked).append(body)
        if self.problem:
            (status, detail, headers), self.problem = self.problem, None
            return status, problem(status, detail), headers
        if path == "/v1/feedback":
            return 201, {"id": f"c{len(self.feedback)}"}, {}
        model = next(model for model in self.models if model["name"] == body["model"])
        variant = body.get("variant", model["variant"])
        time.sleep(0.02 if variant == "torch" else 0.005)
        predictions = [predict(model, variant, given) for given in body["inputs"]]
        timing = f"queue;dur=0.4, model;dur={19.7 if variant == 'torch' else 4.6}"
        said = {"model": model["name"], "version": model["version"], "variant": variant, "predictions": predictions}
        return 200, said, {"Server-Timing": timing}


def problem(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": "Problem", "status": status, "detail": detail, "request_id": "r1"}


def stats() -> dict[str, Any]:
    now = int(time.time())
    seconds = []
    for t in range(now - 59, now + 1):
        n = round(14 + 6 * sin(t / 5) + 3 * sin(t * 1.7))
        quiet = now - t in (20, 21, 22)
        tempo = {"p50_ms": None if quiet else 6 + sin(t / 7), "p99_ms": None if quiet else 16 + 5 * sin(t / 3)}
        seconds.append(
            {
                "t": t,
                "requests": 0 if quiet else n,
                "rows": 0 if quiet else 2 * n,
                "errors": 0 if quiet else int(t % 13 == 0) * 3,
                **tempo,
            }
        )
    whole = {"requests": 12345, "rows": 24690, "errors": 7, "rejected": 3, "queued": 2}
    return {
        "uptime": 7512.3,
        "rejected": 4,
        "models": {"conll": {**whole, "p50_ms": 6.1, "p95_ms": 14.2, "p99_ms": 19.8, "seconds": seconds}},
    }


@contextmanager
def serve() -> Iterator[Fake]:
    """Run the fake on a free port of this machine, in a thread."""
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/" or self.path.startswith("/page/"):
                file = PAGE / (self.path.removeprefix("/page/").strip("/") or "index.html")
                kind = mimetypes.guess_type(file)[0] or "text/javascript"
                self.send(200, file.read_bytes(), {"Content-Type": kind})
            else:
                self.send_json(*fake.answer("GET", self.path, self.headers.get("Authorization", ""), None))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_json(*fake.answer("POST", self.path, self.headers.get("Authorization", ""), body))

        def send_json(self, status: int, body: Any, headers: dict[str, str]) -> None:
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send(status, json.dumps(body).encode(), {"Content-Type": kind, "X-Request-Id": "r1", **headers})

        def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            policy = "default-src 'self'; img-src 'self' data:; media-src data:; frame-ancestors 'none'; "
            policy += "base-uri 'none'; form-action 'self'"
            more = {"Content-Length": str(len(content)), "Content-Security-Policy": policy}
            for name, value in {**headers, **more, "X-Content-Type-Options": "nosniff"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    fake.address = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
