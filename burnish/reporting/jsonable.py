"""Results as JSON-safe values, for `--json`, events and `burnish.json`."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_json(result: DataclassInstance) -> dict[str, Any]:
    """Turn a results dataclass into a dict that `json.dumps(..., allow_nan=False)` accepts.

    Raises:
        TypeError: when a value inside is neither data nor a number, text or path.
    """
    return {field.name: plain(getattr(result, field.name)) for field in dataclasses.fields(result)}


def plain(value: Any) -> Any:
    """Turn a value into dicts, lists, text, numbers and None; what is not a finite number becomes None.

    Raises:
        TypeError: when a value has no such form.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):  # also NumPy's integers, which json refuses
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_json(value)
    raise TypeError(f"no JSON form for a value of type {type(value).__name__}")
