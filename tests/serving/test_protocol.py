"""Requests that are turned away before they are read, by the bytes that go over the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from burnish.serving import protocol
from burnish.serving.api import application
from burnish.serving.deployment import Limits
from burnish.serving.protocol import Guarded
from burnish.serving.service import Service
from burnish.serving.stats import Stats

CHUNKED = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\n"
KIND = b"Content-Type: %b\r\nContent-Length: %d\r\n"


def request(body: bytes = b'{"inputs": ["a"]}', more: bytes = b"", kind: bytes = b"application/json") -> bytes:
    return HEAD + KIND % (kind, len(body)) + more + b"\r\n" + body


class Connection:
    """A connection to a service whose models have `wait` seconds of work before them."""

    def __init__(self, wait: float, open: int = 0) -> None:
        registry: Any = SimpleNamespace(limits=Limits(), served={}, full=lambda: wait)
        self.service = Service(registry, Stats(), None, Limits(), local=True)
        self.service.open, self.sent, self.closed = open, b"", False
        config = Config(self.service, http=Guarded, ws="none", log_config=None, proxy_headers=False)
        config.load()
        self.protocol = Guarded(config, ServerState(), {})
        self.protocol.connection_made(self)

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def answers(self) -> list[tuple[bytes, dict[bytes, bytes], Any]]:
        """Status line, headers and document of each answer so far."""
        found, rest = [], self.sent
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            status, *lines = head.split(b"\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in lines)
            size = int(headers[b"content-length"])
            found.append((status, headers, json.loads(rest[:size])))
            rest = rest[size:]
        return found

    def is_closing(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:  # what else a transport has
        return lambda *_: None


def test_a_full_service_answers_without_a_task() -> None:
    async def run() -> Connection:
        connection = Connection(wait=3.4)
        for _ in range(3):
            connection.protocol.data_received(request())
        assert not connection.protocol.tasks
        return connection

    answers = asyncio.run(run()).answers()
    assert len(answers) == 3
    status, headers, document = answers[0]
    assert status == b"HTTP/1.1 429 Too Many Requests"
    assert headers[b"retry-after"] == b"3"
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"x-request-id"] == b"mine"
    assert document["status"] == 429
    assert document["request_id"] == "mine"


def test_a_body_in_pieces_is_let_pass() -> None:
    async def run() -> Connection:
        connection = Connection(wait=1.0)
        whole = request(b'{"inputs": ["' + b"a" * 5000 + b'"]}')
        for start in range(0, len(whole), 700):
            assert not connection.sent
            connection.protocol.data_received(whole[start : start + 700])
        connection.protocol.data_received(request() + request())
        return connection

    assert [status for status, _, _ in asyncio.run(run()).answers()] == [b"HTTP/1.1 429 Too Many Requests"] * 3


def test_as_many_as_the_service_takes() -> None:
    async def run() -> Connection:
        connection = Connection(wait=0.0, open=Limits().max_concurrent_requests)
        connection.protocol.data_received(request())
        return connection

    assert "as many requests" in asyncio.run(run()).answers()[0][2]["detail"]


@pytest.mark.parametrize(
    ("sent", "wait"),
    [
        (request(), 0.0),
        (request(kind=b"application/x-ndjson"), 3.0),  # a stream waits
        (request(more=b"Expect: 100-continue\r\n"), 3.0),
        (request(more=b"Connection: close\r\n"), 3.0),
        (b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 3.0),
        (request(b" " * (1 << 21)), 3.0),
        (b"GET /v1/predict HTTP/1.1\r\nHost: localhost\r\n\r\n", 3.0),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 3.0),
    ],
    ids=["room", "stream", "expect", "close", "chunked", "large", "get", "models"],
)
def test_all_else_takes_the_usual_way(sent: bytes, wait: float) -> None:
    async def run() -> None:
        connection = Connection(wait=wait)
        for start in range(0, len(sent), 1 << 16):
            connection.protocol.data_received(sent[start : start + (1 << 16)])
        assert connection.protocol.tasks
        assert not connection.sent
        for task in connection.protocol.tasks:
            task.cancel()

    asyncio.run(run())


@pytest.mark.parametrize("trailers", [b"a:\r\n" * 100, b"a: " + b"x" * 400], ids=["many", "long"])
@pytest.mark.parametrize("answered", [False, True])
def test_trailers_are_passed_over_and_have_an_end(trailers: bytes, answered: bool) -> None:
    async def run() -> Connection:
        connection = Connection(wait=0.0)
        connection.protocol.data_received(CHUNKED + b"2\r\n{}\r\n0\r\n")
        if answered:
            await asyncio.gather(*connection.protocol.tasks)
        connection.protocol.data_received(trailers)
        assert not connection.closed
        for _ in range(protocol._HEAD_BYTES // len(trailers)):
            connection.protocol.data_received(trailers if trailers.endswith(b"\n") else b"x" * len(trailers))
        for task in connection.protocol.tasks:
            task.cancel()
        return connection

    found = asyncio.run(run())
    assert found.closed
    assert found.sent.startswith(b"HTTP/1.1 415") is answered
    assert dict(found.protocol.headers).keys() == {b"host", b"transfer-encoding"}


def test_a_head_has_an_end_and_what_comes_of_the_body_with_it_is_none_of_it() -> None:
    async def run(sent: bytes, size: int) -> bool:
        connection = Connection(wait=0.0)
        for start in range(0, len(sent), size):
            connection.protocol.data_received(sent[start : start + size])
        for task in connection.protocol.tasks:
            task.cancel()
        return connection.closed

    assert asyncio.run(run(HEAD + b"a: b\r\n" * 30_000, 1000))
    assert not asyncio.run(run(request(b" " * 300_000)[:200_000], 200_000))


def test_a_body_that_the_service_does_not_read_yet_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_PIECE_SECONDS", 0.02)

    async def busy(*_: Any) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        connection = Connection(wait=0.0)
        connection.protocol.app = busy
        connection.protocol.data_received(CHUNKED + b"%x\r\n" % 100_000 + b" " * 70_000)
        connection.protocol.data_received(b" " * 100)
        await asyncio.sleep(0.2)
        assert not connection.closed
        connection.protocol.flow.resume_reading()
        await asyncio.sleep(0.2)
        assert connection.closed
        for task in connection.protocol.tasks:
            task.cancel()

    asyncio.run(run())


@pytest.mark.parametrize("path", [b"/", b"/health/live", b"/health/ready", b"/page/app.js"])
def test_what_needs_no_key_takes_no_body(path: bytes) -> None:
    async def run() -> Connection:
        connection = Connection(wait=0.0)

        @asynccontextmanager
        async def life(_: Any) -> AsyncIterator[None]:
            yield

        connection.service.inner = application(connection.service, life)
        connection.service.registry.ready = lambda: True  # type: ignore[method-assign]
        connection.protocol.data_received(CHUNKED.replace(b"POST /v1/predict", b"GET " + path) + b"1\r\n")
        await asyncio.wait_for(asyncio.gather(*connection.protocol.tasks), 10)
        return connection

    assert asyncio.run(run()).sent.startswith(b"HTTP/1.1 200")
