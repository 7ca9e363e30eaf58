"""Predictions line by line, for any number of inputs: application/x-ndjson in, and out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Protocol

import orjson

from burnish.serving import intake
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.intake import Asked, Receive, Scope, Send
from burnish.serving.registry import Registry

NDJSON = "application/x-ndjson"
_CHUNK, _AHEAD = 64, 4  # inputs of a part, and parts that are under way


class Answering(Protocol):
    """Who answers the lines."""

    registry: Registry
    limits: Limits

    async def answered(self, asked: Asked, inputs: list[Any], last: bool) -> tuple[list[bytes], dict[str, Any], bytes]:
        """A part for each input, what answered, and what it took."""


async def stream(service: Answering, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """A line of answer for each line of input, some parts ahead of what was answered.

    Raises:
        Problem: for a model that is not served.
    """
    service.registry.get(asked.model)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", NDJSON.encode())]})
    running: deque[asyncio.Task[bytes]] = deque()
    try:
        async for lines in _chunks(service, scope, receive):
            running.append(asyncio.create_task(_lines(service, asked, lines)))
            while len(running) >= _AHEAD or (running and running[0].done()):
                await send({"type": "http.response.body", "body": await running.popleft(), "more_body": True})
        while running:
            await send({"type": "http.response.body", "body": await running.popleft(), "more_body": True})
    except Problem as problem:
        error = {"error": {"status": problem.status, "detail": problem.detail}}
        await send({"type": "http.response.body", "body": orjson.dumps(error) + b"\n", "more_body": True})
    finally:
        for task in running:
            task.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _chunks(service: Answering, scope: Scope, receive: Receive) -> AsyncIterator[list[bytes]]:
    """Lines of a body, some at a time; no line is longer than a whole body may be.

    Raises:
        Problem: 413 for a longer one.
    """
    rest = bytearray()
    async for piece in intake.pieces(scope, receive):
        rest += piece
        lines = rest.split(b"\n")
        rest = lines.pop()
        for start in range(0, len(lines), _CHUNK):
            yield [bytes(line) for line in lines[start : start + _CHUNK] if line.strip()]
        if len(rest) > service.limits.max_bytes:
            raise Problem(413, f"a line has more than {service.limits.max_bytes:,} bytes")
    if rest.strip():
        yield [bytes(rest)]


async def _lines(service: Answering, asked: Asked, lines: list[bytes]) -> bytes:
    """Answers of some lines, with an error in the place of each that cannot be answered."""
    found: list[bytes | None] = [None] * len(lines)
    inputs, places = [], []
    about = service.registry.get(asked.model).active.about
    for place, line in enumerate(lines):
        try:
            value = intake.parsed(line)
            if about:
                intake.fitting([value], about["task"], service.limits, about["inputs"], about.get("fields"))
            inputs.append(value)
            places.append(place)
        except Problem as problem:
            found[place] = _failed(problem.status, problem.detail.removeprefix("inputs[0]: "))
    try:
        parts = await _patiently(service, asked, inputs) if inputs else []
    except Problem as problem:
        parts = [b"-" + orjson.dumps({"status": problem.status, "detail": problem.detail})] * len(inputs)
    for place, part in zip(places, parts, strict=True):
        found[place] = part[1:] if part[:1] == b"+" else b'{"error":%b}' % part[1:]
    return b"".join(one + b"\n" for one in found if one is not None)


async def _patiently(service: Answering, asked: Asked, inputs: list[Any]) -> list[bytes]:
    """A stream waits where single requests are turned away, and tries again when a process has died."""
    loop = asyncio.get_running_loop()
    end = loop.time() + service.limits.timeout
    while True:
        last = loop.time() > end
        try:
            return (await service.answered(asked, inputs, last))[0]
        except Problem as problem:
            if last or not problem.passing:
                raise
            await asyncio.sleep(0.2)


def _failed(status: int, detail: str) -> bytes:
    return orjson.dumps({"error": {"status": status, "detail": detail}})
