"""The Python client of the service: `Client`, and `AsyncClient` with the same methods as coroutines."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import islice, tee
from pathlib import Path
from typing import Any, Self, overload

from burnish.errors import BurnishError, InputError
from burnish.serving.exchange import (
    Errors,
    Exchange,
    Input,
    Prediction,
    ServiceError,
    Shared,
    T,
    is_ready,
    listed_inputs,
)

AT_ONCE = 4  # requests of one call of AsyncClient


class Client(Shared):
    """Asks a service, one request at a time; threads may share it."""

    _http_class = "Client"
    _sleep = staticmethod(time.sleep)

    @overload
    def predict(self, inputs: str | tuple[str, str] | bytes | Path | Mapping[str, Any]) -> Prediction: ...
    @overload
    def predict(self, inputs: list[Any]) -> list[Prediction]: ...
    def predict(self, inputs: Any) -> Any:
        """The prediction for a text (for pair a tuple of two), or those for a list of any length, in order.

        Where a model reads files, `pathlib.Path` and `bytes` are sent as what is in them; a path as a text is not.
        Where it reads columns, an input is a mapping of column to value.

        Raises:
            InputError: when the service refuses one of the requests.
            ServiceError: when it fails, or cannot be reached until the time or the retries are over.
        """
        listed = listed_inputs(inputs)
        found = [one for exchange in self._predictions(listed) for one in self._run(exchange)]
        return found if listed is inputs else found[0]

    def stream(self, inputs: Iterable[Input], *, errors: Errors = "raise") -> Iterator[Prediction]:
        """The predictions for any number of inputs, in order, while these are still being read.

        httpx reads no answer before the request is sent: `batch` inputs at a time are taken, sent and answered, and
        no more than these are in memory.

        Args:
            errors: for an input that cannot be predicted, "raise" with its number, or "yield" in its place
                `{"error": {"status": 422, "detail": "..."}}`.

        Raises:
            InputError, ServiceError: as for `predict`, after the predictions of the inputs before.
        """
        lines = (line for exchange in self._lines(inputs) for line in self._run(exchange))
        for number, line in enumerate(lines, 1):
            yield self._line(number, line, errors)

    def feedback(self, input: Input, label: Any, **more: Any) -> str:
        """Store the right label of an input; returns the id of the entry.

        Sent again only where it cannot have been stored, so that it is never stored twice.

        Args:
            label: a class or a list of classes, a number, or for tag a list of `{"start", "end", "label"}`.
            more: `prediction` (what the model said), `version` (which one did), `request_id` and `comment`.
        """
        return self._run(self._feedback(input=input, label=label, **more))

    def models(self) -> list[dict[str, Any]]:
        """Name, version, task, labels, variants, metrics and state of each model that is served."""
        return self._run(self._get("/v1/models", lambda told: list(told["models"])))

    def stats(self) -> dict[str, Any]:
        """Seconds since the start, and requests, errors and times of each model."""
        return self._run(self._get("/v1/stats", dict))

    def ready(self) -> bool:
        """Whether the service can be reached and its models are ready; asked once."""
        try:
            return self._run(self._get("/health/ready", is_ready, retries=0))
        except ServiceError:
            return False

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _run(self, exchange: Exchange[T]) -> T:
        while True:
            try:
                answer = self._http.send(exchange.request())
            except self._httpx.RequestError as error:
                answer = error
            if (wait := exchange.wait(answer)) is None:
                return exchange.result
            self._sleep(wait)


class AsyncClient(Shared):
    """As `Client`, with up to 4 requests of a long list or stream under way at a time; needs asyncio."""

    _http_class = "AsyncClient"
    _sleep = staticmethod(asyncio.sleep)

    @overload
    async def predict(self, inputs: str | tuple[str, str] | bytes | Path | Mapping[str, Any]) -> Prediction: ...
    @overload
    async def predict(self, inputs: list[Any]) -> list[Prediction]: ...
    async def predict(self, inputs: Any) -> Any:
        listed = listed_inputs(inputs)
        found = [one async for one in self._in_order(self._predictions(listed))]
        return found if listed is inputs else found[0]

    async def stream(self, inputs: Iterable[Input], *, errors: Errors = "raise") -> AsyncIterator[Prediction]:
        number = 0
        async for line in self._in_order(self._lines(inputs)):
            number += 1
            yield self._line(number, line, errors)

    async def feedback(self, input: Input, label: Any, **more: Any) -> str:
        return await self._run(self._feedback(input=input, label=label, **more))

    async def models(self) -> list[dict[str, Any]]:
        return await self._run(self._get("/v1/models", lambda told: list(told["models"])))

    async def stats(self) -> dict[str, Any]:
        return await self._run(self._get("/v1/stats", dict))

    async def ready(self) -> bool:
        try:
            return await self._run(self._get("/health/ready", is_ready, retries=0))
        except ServiceError:
            return False

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def _in_order(self, exchanges: Iterator[Exchange[list[T]]]) -> AsyncIterator[T]:
        running: deque[asyncio.Task[list[T]]] = deque()
        fault: BurnishError | None = None  # of an input; those before it are answered first
        try:
            while True:
                try:
                    for exchange in islice(exchanges, AT_ONCE - len(running)):
                        running.append(asyncio.create_task(self._run(exchange)))
                except BurnishError as error:
                    fault = error
                if not running:
                    if fault:
                        raise fault
                    return
                for one in await running.popleft():
                    yield one
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, exchange: Exchange[T]) -> T:
        while True:
            try:
                answer = await self._http.send(exchange.request())
            except self._httpx.RequestError as error:
                answer = error
            if (wait := exchange.wait(answer)) is None:
                return exchange.result
            await self._sleep(wait)


def predict_lines(client: Client, source: str) -> Iterator[dict[str, Any]]:
    """Predict for a text, for the lines of a file, or for those of standard input (`-`); for pair a tab parts a line.
    Where the model reads files, `source` is one; where it reads columns, a line is a JSON object of them.

    Raises:
        InputError: for an empty file, one that is not text, a table, a folder, or a name like that of a file where
            there is none; and as for `Client.stream`.
    """
    from burnish.data.formats import TABLES
    from burnish.data.lines import texts_of

    if os.path.isfile(source) and Path(source).suffix.lower() in TABLES:
        raise InputError(f"'{source}' holds more than lines; give a file with a text a line, or use burnish predict")
    asked = [one for one in client.models() if client.model in (None, one["name"])]
    place = "standard input" if source == "-" else source if os.path.isfile(source) else ""
    if any(one.get("fields") for one in asked):
        given, objects = tee(_each(_object, texts_of(source), place))
        yield from ({"input": one} | said for said, one in zip(client.stream(objects), given, strict=False))
        return
    kinds = {one.get("inputs", "text") for one in asked}
    if kinds and "text" not in kinds and source != "-":
        yield {kinds.pop(): source, **client.predict(Path(source))}
        return
    texts, inputs = tee(texts_of(source))
    tasks = {one["task"] for one in asked}
    sent: Iterator[Any] = _each(_parted, inputs, place) if tasks == {"pair"} else inputs
    for prediction, text in zip(client.stream(sent), texts, strict=False):  # in this order: the stream raises
        yield {"text": text, **prediction}


def _each(read: Callable[[str], T], lines: Iterable[str], place: str) -> Iterator[T]:
    """What is in each line; one that cannot be read is named by its number and the `place` of the lines, if any."""
    for number, line in enumerate(lines, 1):
        try:
            yield read(line)
        except InputError as error:
            raise InputError(f"{place}:line {number}: {error}" if place else str(error)) from None


def _parted(line: str) -> list[str]:
    parts = line.split("\t", 1)
    if len(parts) != 2:
        raise InputError("pair takes two texts a line, separated by a tab")
    return parts


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        told = 'this model takes a JSON object a line, such as {"age": 41}'
        raise InputError(f"{told}, and not '{line[:40]}'")
    return found
