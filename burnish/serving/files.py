"""Inputs that are files: base64 in JSON, or parts of a form. What is in them the process of the model reads."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from email.message import Message
from typing import Any

from burnish.serving.errors import Problem

FORM = "multipart/form-data"
_FIELDS = ("model", "variant")
_ANY = "file"  # name of an input of whichever kind the model reads
_NAME = 100  # characters of a name in a message


def encoded(one: Any, kind: str) -> str:
    """The base64 of an input: it is a text by itself, or in {kind: text} or {"file": text}. A path is never looked up.

    Raises:
        Problem: 422 for anything else.
    """
    found = one.get(kind, one.get(_ANY)) if isinstance(one, dict) and len(one) == 1 else one
    if not isinstance(found, str):
        raise Problem(422, f'this model takes {{"{kind}": base64 of a file}}, or a part "{kind}" of {FORM}')
    if not found.strip():
        raise Problem(422, "it is empty (0 bytes)")
    return found


def digest(one: str) -> str:
    """SHA-256 of the content of a file, as a store keeps it in place of the file, and a data folder names its files."""
    try:
        content = b64decode("".join(one.rpartition(",")[2].split()), validate=True)
    except (binascii.Error, ValueError):
        content = one.encode(errors="replace")
    return hashlib.sha256(content).hexdigest()


def form(raw: bytes, content_type: str, most: int) -> dict[str, Any]:
    """A form as a request in JSON has it: its `model` and `variant`, and every other part as an input of its name.

    Raises:
        Problem: 400 for what is no form, 413 for more than `most` parts.
    """
    boundary = str(_header(content_type).get_param("boundary", "", header="content-type"))
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise Problem(400, f"Content-Type: {FORM} needs its boundary")
    first, *parts = (b"\r\n" + raw).split(b"\r\n--" + boundary.encode(), most + len(_FIELDS) + 2)
    if not parts or first.strip() or not parts[-1].startswith(b"--"):
        if len(parts) > most + len(_FIELDS):
            raise Problem(413, f"a form may have {most:,} inputs")
        raise Problem(400, "the form is cut off, or no form at all")
    given: dict[str, Any] = {"inputs": []}
    for part in parts[:-1]:
        head, gap, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _name(head) if gap else ""
        if not name:
            raise Problem(400, "a part of the form has no name")
        if name in _FIELDS:
            given[name] = content.decode(errors="replace")
        else:
            given["inputs"].append({name: b64encode(content).decode()})
    return given


def _name(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        key, _, value = line.decode(errors="replace").partition(":")
        if key.strip().lower() == "content-disposition":
            found = _header(value.strip()).get_param("name", "", header="content-type")
            return str(found)[:_NAME]
    return ""


def _header(value: str) -> Message:
    """A header whose parameters can be asked for."""
    message = Message()
    message["content-type"] = value.replace("\r", " ").replace("\n", " ")
    return message
