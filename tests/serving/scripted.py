"""A service that answers as it is told to, and a clock that stands still, for tests of the Python client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from burnish.serving import exchange as module
from burnish.serving.client import AsyncClient, Client

KEY = "sk-very-secret-1"
Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """No test sleeps, and each wait is as long as its limit."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: high))
    monkeypatch.setattr(Client, "_sleep", staticmethod(clock.sleep))
    monkeypatch.setattr(AsyncClient, "_sleep", staticmethod(clock.asleep))
    return clock


class Service:
    """Plays the service: keeps the requests, and answers with what is scripted before it answers well."""

    def __init__(self, *script: httpx.Response | Exception) -> None:
        self.script, self.requests = list(script), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            return httpx.Response(step.status_code, content=step.content, headers=step.headers)
        return good(request)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def good(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/v1/feedback"):
        return httpx.Response(201, json={"id": "f1"})
    if request.url.path.endswith("/v1/predict") and request.headers["content-type"] == "application/x-ndjson":
        inputs = [json.loads(line) for line in request.content.split(b"\n") if line]
        return httpx.Response(200, content="".join(json.dumps(answer(one)) + "\n" for one in inputs))
    if request.url.path.endswith("/v1/predict"):
        return httpx.Response(
            200, json={"predictions": [{"label": one} for one in json.loads(request.content)["inputs"]]}
        )
    return httpx.Response(404, json={"detail": "no such path"})


def answer(one: Any) -> dict[str, Any]:
    if one == "bad":
        return {"error": {"status": 422, "detail": "give a text"}}
    return {"label": one}


def problem(status: int, detail: str = "why and what to do", **headers: str) -> httpx.Response:
    content = json.dumps({"type": "about:blank", "title": "no", "status": status, "detail": detail, "request_id": "1"})
    return httpx.Response(status, content=content, headers={"content-type": "application/problem+json", **headers})


class Asked:
    """One of the two clients, asked in the same way."""

    def __init__(self, kind: type[Client] | type[AsyncClient], handler: Handler, **options: Any) -> None:
        self.client = kind(transport=httpx.MockTransport(handler), **options)

    def __call__(self, name: str, *args: Any, **more: Any) -> Any:
        result = getattr(self.client, name)(*args, **more)
        if isinstance(self.client, Client):
            return list(result) if name == "stream" else result
        return asyncio.run(self._all(result) if name == "stream" else result)

    @staticmethod
    async def _all(lines: Any) -> list[Any]:
        return [line async for line in lines]


@pytest.fixture(params=[Client, AsyncClient])
def ask(request: pytest.FixtureRequest) -> Callable[..., Asked]:
    return lambda handler, **options: Asked(request.param, handler, **options)
