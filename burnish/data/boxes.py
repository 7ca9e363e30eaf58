"""Boxes as tasks see them: in pixels of the upright image and inside of it, or left out and named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from burnish.config import Job
from burnish.data import annotated, files, store
from burnish.data.annotated import EDGES
from burnish.data.images import stored, upright
from burnish.data.names import stated
from burnish.data.readers import reader_of
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

BOXES, BAD_BOXES = "boxes", "_bad_boxes"
_KIND = "image"
_ONE = pa.struct([("label", store.TEXT), *((edge, store.REAL) for edge in EDGES)])
_LEAST = 1.0  # pixels: what is narrower is no box, and what reaches out by no more is cut in silence
_NAMED = 3  # bad boxes of an image that are named


def canonical(rows: Rows, job: Job, *, labelled: bool = True) -> Rows:
    """Columns `image` (path of a file that can be read), `digest` (its SHA-256), `fault` (why there is none), and,
    where there are annotations, `boxes` (a list, empty where there is nothing in the image; None without an image) and
    `_bad_boxes` (what was cut or left out).

    Boxes are those of the upright image. Where an annotation says how large the image is, and that is the size before
    the quarter turn that a camera noted, its boxes are turned with the image; other turns leave no trace in the size.

    Raises:
        InputError: when the source has no boxes and `labelled` asks for them.
    """
    boxed = "raw" in rows.columns and not (rows.format == annotated.TABLE and rows.table[0]["raw"] is None)
    if labelled and not boxed:
        raise InputError(
            f"'{rows.source}' has no boxes; give a folder or list of VOC annotations, a COCO file, or a table with the "
            f"columns image, label, {', '.join(EDGES)} (or others, by data.columns)"
        )
    base, fault = annotated.base(rows), reader_of(_KIND, job.task).fault
    given = {part: getattr(job.data.columns, part) for part in ("group", "time")}
    kept = {part: stated(rows.columns, part, name, rows.source) for part, name in given.items() if name}
    kept |= {name: name for name in (store.LINE,) if name in rows.columns}
    fields = {_KIND: store.TEXT, "digest": store.TEXT, "fault": store.TEXT}
    fields |= {BOXES: pa.list_(_ONE), BAD_BOXES: store.TEXT} if boxed else {}
    fields |= {to: rows.table.features.arrow_schema.field(name).type for to, name in kept.items()}

    def make() -> store.Content:
        converted = (_row(base, row, fault, boxed) | {to: row[name] for to, name in kept.items()} for row in rows)
        return store.Content(fields, converted)

    state = files.state(base, (row[_KIND] for row in rows))
    stored_rows = store.keep(store.fingerprint("boxes", rows.table._fingerprint, sorted(kept.items()), state), make)
    return replace(rows, table=stored_rows.table)


def _row(base: Path, row: Row, fault: Callable[[Path], str | None], boxed: bool) -> Row:
    path, digest, reason = files.found(base, row[_KIND], fault)
    out: Row = {_KIND: path, "digest": digest, "fault": row.get("fault") or reason or None}
    if not boxed:
        return out
    if path is None:
        return {**out, BOXES: None, BAD_BOXES: None}
    shape, turn = stored(path)
    said = json.loads(row["about"])
    lying = turn >= 5 and bool(said) and tuple(said) == shape and shape[0] != shape[1]
    boxes: list[Row] = []
    bad: list[str] = []
    for label, edges, name in json.loads(row["raw"]):
        box, told = _box(edges, shape, turn, lying)
        if label is None:
            box, told = None, "it has no label that is known"
        if box is not None:
            boxes.append({"label": label, **dict(zip(EDGES, box, strict=True))})
        if told:
            bad.append(f"{name}: {told}")
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    return {**out, BOXES: boxes, BAD_BOXES: f"{Path(path).name}: {'; '.join(bad[:_NAMED])}{more}" if bad else None}


def _box(edges: list[Any], shape: tuple[int, int], turn: int, lying: bool) -> tuple[tuple[float, ...] | None, str]:
    """A box cut at the edges of the upright image, None where nothing is left of it, and what was wrong with it."""
    try:
        given = tuple(float(edge) for edge in edges)
    except (TypeError, ValueError):
        return None, "its edges are no numbers"
    if not all(map(math.isfinite, given)):
        return None, "its edges are no numbers"
    written = f"({', '.join(f'{edge:g}' for edge in given)})"
    if given[2] - given[0] < _LEAST or given[3] - given[1] < _LEAST:
        return None, f"{written} has no area"
    if lying:
        given = upright(given, shape, turn)
    width, height = shape[::-1] if turn >= 5 else shape
    limits = (width, height, width, height)
    cut = tuple(min(max(edge, 0.0), limit) for edge, limit in zip(given, limits, strict=True))
    if cut[2] - cut[0] < _LEAST or cut[3] - cut[1] < _LEAST:
        return None, f"{written} lies outside of the image of {width} x {height} pixels"
    out = max(abs(a - b) for a, b in zip(given, cut, strict=True)) > _LEAST
    return cut, f"{written} reaches out of the image of {width} x {height} pixels and is cut" if out else ""
