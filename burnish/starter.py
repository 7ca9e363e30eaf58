"""`burnish init`: look at a file, guess task and columns, say why, and write a job file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from burnish.config import Columns, parse
from burnish.data import annotated
from burnish.data import guess as guessing
from burnish.data.annotated import COCO, VOC
from burnish.data.files import FOLDER, KINDS
from burnish.data.read import read
from burnish.data.rows import Rows


@dataclass(frozen=True)
class Start:
    """A guessed job: its YAML, its task, and the reasons for each guess."""

    text: str
    task: str
    reasons: tuple[str, ...]


def guess(data: str) -> Start:
    """Guess a job from a file of labelled rows.

    Raises:
        InputError: when no column looks like a label or none like text; names the columns there are.
    """
    probe = parse({"task": "tag", "data": {"train": data}}).data
    reasons: list[str] = []
    if annotated.is_annotated(Path(data).expanduser()):
        rows = annotated.read(data, probe)
        found = guessing.Guess("detect", {}, ("images with boxes around things: task detect",))
    else:
        rows = read(data, probe)
        if guessing.is_headless(rows):
            rows = read(data, probe, columns=Columns(text="1"))
            reasons = ["the first line looks like a row and not like names: columns by number"]
        found = guessing.guess(rows)
    reasons = [f"read {len(rows):,} rows as {rows.format}", *rows.notes, *reasons, *found.why]
    document: dict[str, Any] = {
        "task": found.task,
        "model": _model(rows, found, reasons),
        "out": f"runs/{_name(Path(data))}",
        "data": {"train": data} | found.data,
    }
    parse(document)
    head = "".join(f"# {' '.join(reason.split())}\n" for reason in reasons)
    text = head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return Start(text, found.task, tuple(reasons))


def _name(path: Path) -> str:
    """Name of a set: that of its folder or file, or of the folder above where the file's says nothing."""
    path = Path(os.path.abspath(path.expanduser()))
    own = path.name if path.is_dir() else path.stem
    return (path.parent.name if own in ("train", "dev", "test", "data") else own) or "model"


def _model(rows: Rows, found: guessing.Guess, reasons: list[str]) -> str:
    named = rows.columns if rows.format in (FOLDER, VOC, COCO) else found.data.get("columns", {})
    if kind := next((kind for kind in KINDS if kind in named), None):
        reasons.append(
            f"a small network learns from random weights; name the folder of a model for {kind} files if you have one"
        )
        return "scratch"
    if {"number", "category"} & set(named):
        reasons.append("a small network learns from random weights")
        return "scratch"
    sample = [c for i in range(min(len(rows), 200)) for c in str(rows[i]) if c.isalpha()]
    han = sum("\u4e00" <= c <= "\u9fff" for c in sample)
    if han > 0.05 * len(sample):
        reasons.append(
            "the text is Chinese, which the bundled English model does not know: model scratch; "
            "name the folder of a Chinese model if you have one"
        )
        return "scratch"
    return "minilm"
