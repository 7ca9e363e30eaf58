"""Whether weights are what their header and their config say, without loading them.

The form is that of safetensors: the length of a JSON header in 8 bytes, the header, and the values without gaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from burnish.models import vision

_LONGEST = 100 << 20  # bytes of a header, as in the reference implementation
_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U8": 8, "BOOL": 8}
_BITS |= {"U16": 16, "U32": 32, "U64": 64, "F8_E4M3": 8, "F8_E5M2": 8}
_WORDS = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight")
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h)\.(\d+)\.")


def faults_of_tensors(path: Path) -> Iterator[str]:
    """What is wrong with the header of a file of weights, and with where it says that the values lie."""
    size = path.stat().st_size
    try:
        header = header_of(path)
    except ValueError as error:
        yield str(error)
        return
    with path.open("rb") as file:
        data = size - 8 - int.from_bytes(file.read(8), "little")
    places = []
    for name, about in header.items():
        try:
            first, last = about["data_offsets"]
            bits, shape = _BITS[about["dtype"]], about["shape"]
            if not all(type(n) is int and n >= 0 for n in (first, last, *shape)):
                raise TypeError
        except (KeyError, TypeError, ValueError):
            yield f"has an entry that is no tensor: {name[:80]}"
            return
        if not first <= last <= data:
            yield f"has a tensor that lies beyond its end: {name[:80]}"
            return
        if 8 * (last - first) != prod(shape) * bits:
            yield f"has a tensor whose bytes do not fit its shape: {name[:80]}"
            return
        places.append((first, last, name))
    end = 0
    for first, last, name in sorted(places):
        if first != end:
            yield f"has tensors that {'overlap' if first < end else 'leave a gap'}: {name[:80]}"
            return
        end = last
    if end != data:
        yield f"holds {data - end:,} bytes behind its last tensor"


def header_of(path: Path) -> dict[str, Any]:
    """The entries of the header by name, without its metadata.

    Raises:
        ValueError: with what is wrong, when it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(_LONGEST, size - 8):
            raise ValueError("is no safetensors file: its header would be longer than the file")
        written = file.read(length)
    try:
        header = json.loads(written, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ValueError("is no safetensors file: its header is no JSON, or names a tensor twice") from None
    if not isinstance(header, dict):
        raise ValueError("is no safetensors file: its header is no object")
    header.pop("__metadata__", None)
    return header


def mismatches(config: Path) -> Iterator[str]:
    """Where the weights beside a config have other sizes than it declares."""
    weights = config.with_name("model.safetensors")
    try:
        given = json.loads(config.read_text(encoding="utf-8"))
        shapes = {name: about["shape"] for name, about in header_of(weights).items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # which is told of the file itself
    if not isinstance(given, dict):
        return
    for name, shape in shapes.items():
        declared = [given.get("vocab_size"), given.get("embedding_size", given.get("hidden_size"))]
        if name.endswith(_WORDS) and None not in declared and shape != declared:
            yield f"declares {declared[0]} words of size {declared[1]}, the weights have {shape}"
    layers = {int(found[1]) for name in shapes if (found := _LAYER.search(name))}
    declared_layers = given.get("num_hidden_layers")
    count = (
        max(layers, default=0) + 1 + (given.get("model_type") == vision.MODEL_TYPE)
    )  # whose first stage has no number
    if layers and isinstance(declared_layers, int) and count != declared_layers:
        yield f"declares {declared_layers} layers, the weights have {count}"
    head, labels = shapes.get("classifier.weight"), given.get("id2label")
    if head and isinstance(labels, dict) and head[0] not in (len(labels), 1):
        yield f"declares {len(labels)} labels, the head has {head[0]} outputs"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
