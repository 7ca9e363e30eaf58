"""Predictions line by line, for any number of inputs: application/x-ndjson in, and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import orjson

from burnish.serving import intake
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.intake import Asked, Receive, Scope, Send
from burnish.serving.registry import Registry, Served

NDJSON = "application/x-ndjson"
_CHUNK, _AHEAD = 64, 4  # inputs of a part, and parts that are under way


class Answering(Protocol):
    """Who answers the lines."""

    registry: Registry
    limits: Limits

    async def answered(
        self, asked: Asked, inputs: list[Any], last: bool, each: bool
    ) -> tuple[list[bytes], dict[str, Any], bytes]:
        """A part for each input, what answered, and what it took."""


async def stream(service: Answering, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """A line of answer for each line of input, each as soon as it is known, while others are still read. What comes
    before a mistake in the body is answered, and the mistake told behind it.

    Raises:
        Problem: for a model that is not served.
    """
    served = service.registry.get(asked.model)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", NDJSON.encode())]})
    try:
        async with asyncio.TaskGroup() as group:
            room, parts = asyncio.Semaphore(_AHEAD), asyncio.Queue[asyncio.Task[bytes] | None]()
            group.create_task(_sent(parts, room, send))
            try:
                async for lines in _chunks(service, scope, receive):
                    await room.acquire()
                    parts.put_nowait(group.create_task(_lines(service, asked, served, lines)))
            except intake.Gone:
                raise
            except Problem as problem:
                parts.put_nowait(group.create_task(_told(problem)))
            parts.put_nowait(None)
    except* intake.Gone:
        pass  # nobody waits for the rest


async def _sent(parts: asyncio.Queue[asyncio.Task[bytes] | None], room: asyncio.Semaphore, send: Send) -> None:
    """Send what becomes of each part, in order, up to None, and make room for one more."""
    while part := await parts.get():
        await send({"type": "http.response.body", "body": await part, "more_body": True})
        room.release()
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


async def _lines(service: Answering, asked: Asked, served: Served, lines: list[bytes]) -> bytes:
    """Answers of some lines, with an error in the place of each that cannot be answered."""
    found: list[bytes | None] = [None] * len(lines)
    inputs, places = [], []
    about = served.active.about
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
            return (await service.answered(asked, inputs, last, each=True))[0]
        except Problem as problem:
            if last or not problem.passing:
                raise
            await asyncio.sleep(0.2)


async def _told(problem: Problem) -> bytes:
    return _failed(problem.status, problem.detail) + b"\n"


def _failed(status: int, detail: str) -> bytes:
    return orjson.dumps({"error": {"status": status, "detail": detail}})
