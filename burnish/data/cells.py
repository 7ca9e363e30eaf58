"""Values of typed sources as cells: text, a list of text, or JSON text for what is deeper."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with U+FFFD for half a surrogate pair, which no tokenizer takes; places stay as they are."""
    return text if text.isascii() or text.isprintable() else SURROGATE.sub("\ufffd", text)


def kind_of(cell: Any) -> str:
    """none, text, list (of scalars), empty (a list) or nested."""
    if cell is None:
        return "none"
    if isinstance(cell, list):
        if not cell:
            return "empty"
        return "nested" if any(isinstance(c, list | dict) for c in cell) else "list"
    return "nested" if isinstance(cell, dict) else "text"


def settle(kinds: Iterable[str]) -> str:
    """The one kind (text, list or nested) that holds all cells of a column."""
    kinds = set(kinds) - {"none"}
    if kinds <= {"text"}:
        return "text"
    return "list" if kinds <= {"list", "empty"} else "nested"


def as_cell(value: Any, kind: str) -> Any:
    """Turn a value into what a column of `kind` stores; an empty text is None."""
    if value is None:
        return None
    if kind == "list":
        return ["" if v is None else as_text(v) for v in value]
    if isinstance(value, list | dict):
        return SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False, default=str))
    return as_text(value) or None


def as_text(value: Any) -> str:
    """A scalar as JSON writes it; half a surrogate pair cannot be stored and becomes U+FFFD."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return SURROGATE.sub("\ufffd", str(value))
