"""What comes in from outside: bodies within their limits, JSON that is JSON, inputs that fit the task."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from burnish.errors import nearest
from burnish.serving import files
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TEXT = "text"
_PIECE = 1 << 16
_SECONDS = 60.0  # that a whole body may take
_NAMED, _LONGEST = 5, 100  # names of fields in a message, and characters of one


class Gone(Problem):
    """The client has gone before its body was complete."""

    def __init__(self) -> None:
        super().__init__(400, "the client is gone")


@dataclass(frozen=True)
class Asked:
    """A request to predict: of which model, what it is called, and the trace that it is a part of."""

    model: str | None
    variant: str | None
    identity: str
    parent: str


def header(scope: Scope, name: bytes) -> str:
    """The value of a header, by its name in small letters; empty when there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def media_type(scope: Scope) -> str:
    return header(scope, b"content-type").partition(";")[0].strip().lower()


async def pieces(scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
    """A body as it arrives, unpacked where it is in gzip: no more of it than was asked for is ever held.

    Raises:
        Problem: 400 for a client that is gone or for broken gzip, 415 for another encoding.
    """
    packed = header(scope, b"content-encoding").strip().lower()
    if packed not in ("", "identity", "gzip"):
        raise Problem(415, f"Content-Encoding '{packed[:40]}' is not known here; send gzip, or none")
    unpack = zlib.decompressobj(wbits=31) if packed == "gzip" else None
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        data, more = message.get("body", b""), message.get("more_body", False)
        if unpack is None:
            yield data
            continue
        try:
            while data:
                if unpack.eof:  # one more of several, as `cat a.gz b.gz` makes them
                    unpack = zlib.decompressobj(wbits=31)
                yield unpack.decompress(data, _PIECE)
                data = unpack.unconsumed_tail or unpack.unused_data
        except zlib.error:
            raise Problem(400, "the body says that it is gzip, and is not") from None
    if unpack and not unpack.eof:
        raise Problem(400, "the gzip body is cut off")


async def body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body.

    Raises:
        Problem: 413 for one of more than `most` bytes, 408 for one that takes too long; see `pieces`.
    """
    stated = header(scope, b"content-length")
    if stated.isdigit() and int(stated) > most:
        raise _too_large(most)
    found = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for piece in pieces(scope, receive):
                found += piece
                if len(found) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Problem(408, f"the body took longer than {_SECONDS:g} seconds; send it in parts") from None
    return bytes(found)


def parsed(raw: bytes) -> Any:
    """JSON from bytes; NaN, lone surrogates and bytes that are no UTF-8 are none.

    Raises:
        Problem: 400, with the place of the mistake.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not valid JSON: {error}") from None


def listed(given: Any, limits: Limits) -> list[Any]:
    """`inputs` of a request as a list; a single text or file is one of one.

    Raises:
        Problem: 422 when there is none, 413 when there are too many.
    """
    inputs = [given] if isinstance(given, str) or (isinstance(given, dict) and given) else given
    if not isinstance(inputs, list) or not inputs:
        raise Problem(422, "'inputs' has to be a list with one input or more")
    if len(inputs) > limits.max_inputs:
        told = f"'inputs' has {len(inputs):,} inputs, and a request may have {limits.max_inputs:,}"
        raise Problem(413, f"{told}; send several, or application/x-ndjson, which takes any number")
    return inputs


def fitting(
    inputs: Sequence[Any], task: str, limits: Limits, kind: str = TEXT, fields: Mapping[str, Any] | None = None
) -> list[Any]:
    """Inputs as the process of the model takes them, when they are what the task takes.

    Args:
        kind: what the model reads; files come as their base64.
        fields: what an input consists of, where it is an object; that comes as its JSON.

    Raises:
        Problem: 422 naming the first that is not, 413 for one that is too long.
    """
    if fields:
        return [_object(place, one, fields, limits) for place, one in enumerate(inputs)]
    if kind != TEXT:
        return [_file(place, one, kind) for place, one in enumerate(inputs)]
    for place, one in enumerate(inputs):
        texts = _texts(one, task)
        if texts is None:
            raise Problem(422, f"inputs[{place}]: {_TAKES[task]}, not {_kind(one)}")
        if sum(map(len, texts)) > limits.max_characters:
            raise Problem(413, f"inputs[{place}] has more than {limits.max_characters:,} characters; send it in parts")
    return list(inputs)


def kept(one: Any, kind: str, fields: Mapping[str, Any] | None = None) -> Any:
    """What a store holds of an input that `fitting` gave: files by their digest."""
    if kind == TEXT or (fields and not any(field["type"] == "file" for field in fields.values())):
        return one
    if not fields:
        return files.digest(one)
    held = parsed(one)
    for name in [name for name, value in held.items() if fields[name]["type"] == "file" and isinstance(value, str)]:
        held[name] = files.digest(held[name])
    return orjson.dumps(held).decode()


def must_not_hide_texts(fields: Mapping[str, Any] | None) -> None:
    """A policy reads inputs that are texts, so that a text within an object would pass it by.

    Raises:
        Problem: 403 where inputs hold such a text.
    """
    if any(field["type"] == "text" for field in (fields or {}).values()):
        raise Problem(
            403, "a policy guards this service and cannot look into inputs of several kinds; serve this one alone"
        )


def _object(place: int, one: Any, fields: Mapping[str, Any], limits: Limits) -> str:
    """The JSON of an object; what is in it the process of the model looks at."""
    if not isinstance(one, dict):
        named = ", ".join(f'"{name}"' for name in list(fields)[:_NAMED]) + (", ..." if len(fields) > _NAMED else "")
        raise Problem(422, f"inputs[{place}]: this model takes an object with any of {named}, not {_kind(one)}")
    if "" in one and "" not in fields:
        raise Problem(422, f"inputs[{place}]: this model knows no column without a name")
    if wrong := next((name for name in one if name not in fields), None):
        told = nearest(wrong[:_LONGEST], fields)
        raise Problem(422, f"inputs[{place}]: this model knows no '{wrong[:_LONGEST]}'; {told}")
    texts = (value for name, value in one.items() if fields[name]["type"] == "text" and isinstance(value, str))
    if sum(map(len, texts)) > limits.max_characters:
        raise Problem(413, f"inputs[{place}] has more than {limits.max_characters:,} characters; send it in parts")
    held = {name: _unwrapped(place, name, value, fields[name]) for name, value in one.items()}
    try:
        return orjson.dumps(held).decode()
    except TypeError as error:
        raise Problem(422, f"inputs[{place}]: {error}") from None


def _unwrapped(place: int, name: str, value: Any, field: Mapping[str, Any]) -> Any:
    """What an object holds under a name: of a file {"file": base64} its base64 alone."""
    if field["type"] != "file" or not isinstance(value, dict):
        return value
    try:
        return files.encoded(value, field["kind"])
    except Problem:
        told = f"'{name}' takes the base64 of a file, alone or as {{\"file\": base64}}"
        raise Problem(422, f"inputs[{place}]: {told}") from None


def _file(place: int, one: Any, kind: str) -> str:
    try:
        return files.encoded(one, kind)
    except Problem as problem:
        raise Problem(problem.status, f"inputs[{place}]: {problem.detail}") from None


_TAKES = {
    "classify": "classify takes a text",
    "pair": "pair takes two texts, as [text, text]",
    "score": "score takes a text, or two as [text, text]",
    "tag": "tag takes a text or a list of words",
    "embed": "embed takes a text, or two that may belong together as [text, text]",
}


def _texts(one: Any, task: str) -> Sequence[str] | None:
    if isinstance(one, str):
        return (one,) if task != "pair" else None
    if task == "classify" or not isinstance(one, list) or not one or not all(isinstance(text, str) for text in one):
        return None
    return one if task == "tag" or len(one) == 2 else None


def _kind(one: Any) -> str:
    if isinstance(one, list):
        return f"a list of {len(one)}"
    return {str: "a text", dict: "an object", bool: "true or false", type(None): "null"}.get(type(one), "a number")


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body has more than {most:,} bytes; send it in parts, or as application/x-ndjson")
