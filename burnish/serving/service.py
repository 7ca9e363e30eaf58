"""The service as an ASGI application: who may ask, how much, and the answers of models. All else is in `api`."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any
from urllib.parse import parse_qs

import orjson

from burnish.serving import access, embeddings, files, intake, schemas, streams
from burnish.serving.deployment import FULL, Limits
from burnish.serving.errors import Problem
from burnish.serving.guarding import Guarding
from burnish.serving.intake import Receive, Scope, Send
from burnish.serving.keeper import Keeper
from burnish.serving.keys import Keys
from burnish.serving.registry import Registry
from burnish.serving.request import Request
from burnish.serving.stats import Stats
from burnish.serving.traces import Traces

log = logging.getLogger("burnish.serving")

PREDICT, EMBEDDINGS = "/v1/predict", "/v1/embeddings"
NDJSON = streams.NDJSON
_PARENT = b"traceparent"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ROUNDING = 1e-3  # by which two scores may differ and be the same
_CROWDED = "there are as many requests as the service takes; send it again later"
_GUARD = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]  # status, headers, content


class Service:
    """Takes every request.

    Args:
        keys: whom it answers; None lets everybody in.
        local: whether it listens on this machine alone; without keys it then answers to local names only, so that no
            web page reaches it under a name of its own.
        inner: the application for all but predictions.
    """

    def __init__(self, registry: Registry, stats: Stats, keys: Keys | None, limits: Limits, local: bool) -> None:
        self.registry, self.stats, self.keys, self.limits, self.local = registry, stats, keys, limits, local
        self.inner: Any = None
        self.keeper: Keeper | None = None
        self.traces: Traces | None = None
        self.guarding: Guarding | None = None
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        identity = _identity(intake.header(scope, b"x-request-id").encode("latin-1"))
        begun = False

        async def named(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode()), *_GUARD]
            await send(message)

        try:
            if self.local and not self.keys:
                access.must_be_known_by(scope)
            access.must_have_key(scope, self.keys)
            access.must_be_of_this_site(scope)
            if scope["path"] in (PREDICT, EMBEDDINGS):
                await self._predict(scope, receive, named, identity)
            else:
                scope["state"] = {**scope.get("state", {}), "id": identity}
                content = b"" if access.is_open(scope) else await intake.body(scope, receive, self.limits.max_bytes)
                if content and scope["method"] == "POST":
                    intake.parsed(content)  # FastAPI lets pass what is no JSON, such as NaN and half a surrogate pair
                await self.inner(scope, _given(content, receive), named)
        except Exception as error:
            if begun:
                raise
            problem = error if isinstance(error, Problem) else Problem(500, "the service failed on this request")
            if problem is not error:
                log.exception("request %s failed", identity)
            status, headers, content = _told(problem, identity)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    def refusal(self, headers: list[tuple[bytes, bytes]]) -> Answer | None:
        """The answer to a request to predict where there is no room for one; a stream waits for room.

        It is known before anything of the body is read, so that turning away many takes little from the others.
        """
        crowded = self.open >= self.limits.max_concurrent_requests
        wait = 1.0 if crowded else self.registry.full()
        given = dict(headers) if wait else {}
        if not wait or given.get(b"content-type", b"").startswith(NDJSON.encode()):
            return None
        self.stats.note("", 0.0, 0.0, 0, 429)
        return _told(Problem(429, _CROWDED if crowded else FULL, wait), _identity(given.get(b"x-request-id", b"")))

    async def _predict(self, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        if scope["method"] != "POST":
            raise Problem(405, f"{scope['path']} takes POST")
        kind, embed = intake.media_type(scope), scope["path"] == EMBEDDINGS
        if embed and kind != "application/json":
            raise Problem(415, "send Content-Type: application/json")
        if kind not in ("application/json", NDJSON, files.FORM):
            raise Problem(415, f"send Content-Type: application/json, or {NDJSON}; for files also {files.FORM}")
        with self._room():
            if embed:
                await self._embed(scope, receive, send, identity)
            elif kind == NDJSON:
                query = parse_qs(scope["query_string"].decode("latin-1"))
                model, variant = ((query.get(name) or [None])[0] for name in ("model", "variant"))
                asked = intake.Asked(model, variant, identity, intake.header(scope, _PARENT))
                await streams.stream(self, asked, scope, receive, send)
            else:
                await self._once(scope, receive, send, identity)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """A request among those that are answered at once.

        Raises:
            Problem: 429 where there are as many as the service takes.
        """
        if self.open >= self.limits.max_concurrent_requests:
            self.stats.note("", 0.0, 0.0, 0, 429)
            raise Problem(429, _CROWDED, 1)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def _once(self, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        raw = await intake.body(scope, receive, self.limits.max_bytes)
        if intake.media_type(scope) == files.FORM:
            given = files.form(raw, intake.header(scope, b"content-type"), self.limits.max_inputs)
        else:
            given = intake.parsed(raw)
        if not isinstance(given, dict):
            raise Problem(422, 'the body has to be an object: {"model": NAME, "inputs": [...]}')
        for name in ("model", "variant"):
            if not isinstance(given.get(name), str | None):
                raise Problem(422, f"'{name}' has to be a text")
        asked = intake.Asked(given.get("model"), given.get("variant"), identity, intake.header(scope, _PARENT))
        inputs = intake.listed(given.get("inputs"), self.limits)
        if intake.media_type(scope) == files.FORM and self.registry.get(asked.model).active.about.get("fields"):
            raise Problem(415, "the inputs of this model are objects; send application/json")
        parts, about, timing = await self.answered(asked, inputs)
        for place, part in enumerate(parts):
            if part[:1] == b"-":
                error = orjson.loads(part[1:])
                raise Problem(error["status"], f"inputs[{place}]: {error['detail']}")
        said = b",".join([part[1:] for part in parts])
        head = orjson.dumps(about)[:-1]
        await _answer(send, 200, b'%b,"predictions":[%b]}' % (head, said), [(b"server-timing", timing)])

    async def _embed(self, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        given = embeddings.wanted(intake.parsed(await intake.body(scope, receive, self.limits.max_bytes)))
        served = self.registry.get(given.model)
        embeddings.must_embed(served.active.about, served.name)
        asked = intake.Asked(given.model, None, identity, intake.header(scope, _PARENT))
        parts, _, timing = await self.answered(asked, intake.listed(given.texts, self.limits))
        await _answer(send, 200, embeddings.answer(parts, given, served.name), [(b"server-timing", timing)])

    async def answered(
        self, asked: intake.Asked, inputs: list[Any], last: bool = True, each: bool = False
    ) -> tuple[list[bytes], dict[str, Any], bytes]:
        """A part for each input, what answered, and what it took.

        Args:
            last: whether the request is not sent again where it is refused for now; one that is counts once.
            each: whether the inputs are answered each by itself, also where others of them cannot be.
        """
        loop = asyncio.get_running_loop()
        started, name, status, waited, counts, rows = loop.time(), "", 500, 0.0, True, 0
        try:
            served = self.registry.get(asked.model)
            name = served.name
            deployment = self.registry.pick(served, asked.variant)
            if deployment.state == "starting" and asked.variant:
                async with asyncio.timeout(self.limits.timeout):
                    await deployment.started()
            about, admitted = deployment.about, None
            if about:
                inputs = intake.fitting(inputs, about["task"], self.limits, about["inputs"], about.get("fields"))
            if self.guarding:
                intake.must_not_hide_texts(about.get("fields"))
            if self.guarding and about.get("inputs", intake.TEXT) == intake.TEXT:  # a policy is about texts
                admitted = await self.guarding.admit(inputs, about.get("task", ""))
            if admitted:
                inputs = admitted.inputs
                if not inputs:
                    status = 422
                    return admitted.parts([]), {}, b""
            request = deployment.submit(inputs, self.limits.timeout)
            if served.shadow and asked.variant is None:
                self._compare(name, request, self.registry.shadowed(served, inputs, self.limits.timeout))
            parts = await request.answer
            waited = request.started - request.since
            status = _status(admitted.parts(parts) if admitted else parts)
            rows = sum(part[:1] == b"+" for part in parts) if each or status == 200 else 0
        except asyncio.CancelledError:  # the client has gone
            counts = False
            raise
        except (Problem, TimeoutError) as error:
            late = Problem(503, "this variant is still starting; try again in a moment", 2)
            problem = error if isinstance(error, Problem) else late
            status, counts = problem.status, last or not problem.passing
            raise problem from None
        finally:
            spent = loop.time() - started
            if counts:
                self.stats.note(name, spent, waited, rows, status)
            if self.traces and counts:
                told: dict[str, str | int] = {
                    "burnish.model": name,
                    "burnish.inputs": len(inputs),
                    "burnish.request": asked.identity,
                }
                self.traces.note(asked.parent, told, status, spent, waited)
        about = {"model": name, "version": deployment.about["version"], "variant": deployment.about["variant"]}
        if self.keeper:
            reads = deployment.about["inputs"], deployment.about.get("fields")
            kept = [intake.kept(one, *reads) for one in inputs]
            self.keeper.note(asked.identity, about, deployment.about["task"], kept, parts, 1000 * spent)
        if admitted:
            parts, notes = admitted.parts(parts), admitted.about()
            about |= {"guard": notes} if notes else {}
        timing = f"queue;dur={1000 * waited:.2f}, model;dur={request.milliseconds:.2f}"
        return parts, about, timing.encode()

    async def explained(self, asked: schemas.ExplainRequest) -> bytes:
        """The answer to a request to explain, as JSON. It counts as one of those that are answered at once, and is
        counted apart from predictions, as it takes many times as long."""
        loop = asyncio.get_running_loop()
        started, name, status = loop.time(), "", 500
        try:
            with self._room():
                served = self.registry.get(asked.model)
                name = served.name
                deployment = self.registry.pick(served, asked.variant)
                about = deployment.about
                given: Any = asked.input
                if about:
                    (given,) = intake.fitting([given], about["task"], self.limits, about["inputs"], about.get("fields"))
                if self.guarding:
                    intake.must_not_hide_texts(about.get("fields"))
                if self.guarding and deployment.state == "ready" and about["inputs"] == intake.TEXT:
                    await self.guarding.pass_whole(given, about["task"])
                wanted = {"explain": given, "target": asked.target, "at": asked.at}
                (part,) = await deployment.submit([wanted], self.limits.timeout).answer
                if part[:1] == b"-":
                    raise Problem(**orjson.loads(part[1:]))
                status = 200
        except Problem as problem:
            status = problem.status
            raise
        finally:
            self.stats.explained(name, loop.time() - started, status)
        head = {"model": name, "version": about["version"], "variant": about["variant"]}
        return b'%b,"explanation":%b}' % (orjson.dumps(head)[:-1], part[1:])

    def _compare(self, name: str, own: Request, shadow: Request | None) -> None:
        """Count where the shadow says the same, once both have answered."""
        if shadow is None:
            return

        def told(both: asyncio.Future[tuple[list[bytes] | BaseException, list[bytes] | BaseException]]) -> None:
            first, second = both.result()
            if isinstance(first, list) and isinstance(second, list):
                same = sum(map(_decision_equal, first, second))
                self.stats.shadow(name, same, len(first) - same)

        asyncio.gather(own.answer, shadow.answer, return_exceptions=True).add_done_callback(told)


def _given(content: bytes, rest: Receive) -> Receive:
    """A body that was read already, as the inner application asks for it."""
    first = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return first.pop() if first else await rest()

    return receive


async def _answer(send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    own = [(b"content-length", b"%d" % len(content)), *headers]
    if not any(name == b"content-type" for name, _ in headers):
        own.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": content})


def _status(parts: Sequence[bytes]) -> int:
    """That of the first of the parts that could not be answered; 200 without one."""
    failed = next((part for part in parts if part[:1] == b"-"), None)
    return int(orjson.loads(failed[1:])["status"]) if failed else 200


def _identity(given: bytes) -> str:
    """What a request is called: as its client says, or by chance."""
    return given.decode() if _ID.fullmatch(given) else os.urandom(8).hex()


def _told(problem: Problem, identity: str) -> Answer:
    content = orjson.dumps(problem.document(identity))
    headers = [(name.encode(), value.encode()) for name, value in problem.headers().items()]
    headers += [(b"content-length", b"%d" % len(content)), (b"x-request-id", identity.encode()), *_GUARD]
    return problem.status, headers, content


def _decision_equal(one: bytes, other: bytes) -> bool:
    """Whether two predictions decide the same, whatever their probabilities."""
    if one == other:
        return True
    first, second = orjson.loads(one[1:]), orjson.loads(other[1:])
    if "embedding" in first:
        near = sum(a * b for a, b in zip(first["embedding"], second.get("embedding", ()), strict=False))
        return bool(near >= 1 - _ROUNDING)
    if "similarity" in first:
        return bool(abs(first["similarity"] - second.get("similarity", inf)) <= _ROUNDING)
    if "value" in first:
        return bool(abs(first["value"] - second.get("value", inf)) <= _ROUNDING * max(1.0, abs(first["value"])))
    return bool(first.get("labels") == second.get("labels") and first.get("tags") == second.get("tags"))
