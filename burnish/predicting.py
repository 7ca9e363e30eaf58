"""`predict`: what a model says of a text, of the lines or rows of a file, or of the files of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from burnish.artifact import Artifact
from burnish.config import Job, parse
from burnish.data.files import is_folder_of_files
from burnish.data.formats import TABLES, format_elsewhere
from burnish.data.lines import texts_of
from burnish.data.reader import Reader
from burnish.data.readers import READERS, TEXT
from burnish.data.table import Table
from burnish.data.text import chunked
from burnish.engine import Engine
from burnish.errors import InputError

_BATCH = 256
_NO_TEXT = "no text"


def predict_lines(model: str | Path, given: str, variant: str | None = None) -> Iterator[dict[str, Any]]:
    """Predict for a text, for the rows of a table or the lines of another file, or for standard input (`-`).

    A model that reads files takes the name of one, those that a table names, those in a folder, or their names by
    standard input. A row whose file cannot be read, or without a text, comes with its `fault` and no prediction.

    Raises:
        InputError: for an empty file, one that is not text, or a name like that of a file where there is none.
    """
    engine = Engine.open(model, variant)
    by_name = isinstance(engine.tokenizer, Reader)
    rows = os.path.isfile(given) and _is_table(engine, given)
    if rows or (by_name and is_folder_of_files(Path(given))):
        yield from _predicted_rows(engine, job_for(model, given), given)
    elif by_name and given != "-":
        yield from _predicted(engine, [given])
    else:
        stated = job_for(model, given).data.encoding if os.path.isfile(given) else "auto"
        where = "standard input" if given == "-" else given if os.path.isfile(given) else ""
        yield from _predicted(engine, texts_of(given, stated), where)


def job_for(model: str | Path, data: str) -> Job:
    """The job that reads other rows as those were read that a model was trained on."""
    artifact = Artifact.open(model, verify=False)
    kept = artifact.manifest["job"]
    other: dict[str, Any] = {"train": data, "dev": None, "test": None, "limit": None}
    other["format"] = format_elsewhere(data, kept["data"]["format"])
    other["columns"] = kept["data"]["columns"] | {"group": None, "time": None}  # they are for splitting alone
    single = artifact.inputs != TEXT and not artifact.kinds
    if single and artifact.inputs != Table.kind and not other["columns"].get(artifact.inputs):  # tuned on a folder
        other["columns"][artifact.inputs] = artifact.inputs
    return parse({"task": kept["task"], "data": kept["data"] | other})


def _is_table(engine: Engine, given: str) -> bool:
    """Whether the ending of a file says that it holds more than lines, or the job states a format for that ending."""
    ending = Path(given).suffix.lower()
    data = engine.artifact.manifest["job"]["data"] if engine.artifact else {"format": "auto"}
    return ending in TABLES or (data["format"] != "auto" and ending == Path(data["train"]).suffix.lower())


def _predicted_rows(engine: Engine, job: Job, source: str) -> Iterator[dict[str, Any]]:
    from burnish.data.load import load_file

    only_text = engine.artifact is None or engine.artifact.inputs == TEXT
    for chunk in chunked(load_file(source, job, labelled=False), _BATCH):
        faults = [row.get("fault") or (_NO_TEXT if only_text and _lacks(row) else None) for row in chunk]
        said = iter(engine.predict_rows([row for row, fault in zip(chunk, faults, strict=True) if not fault]))
        for row, fault in zip(chunk, faults, strict=True):
            held = {name: row[name] for name in ("text", "text_b", *READERS) if name in row}
            if fault:
                yield {**(held if only_text else {}), "fault": fault}
            else:
                yield {k: json.loads(v) if k == Table.kind else v for k, v in held.items()} | asdict(next(said))


def _predicted(engine: Engine, lines: Iterable[str], where: str = "") -> Iterator[dict[str, Any]]:
    """Predictions for lines, two texts with a tab between them where the task has two; `where` they stand."""
    kind = engine.artifact.inputs if engine.artifact else TEXT
    for number, chunk in enumerate(chunked(lines, _BATCH)):
        rows = [_held(engine, kind, line) for line in chunk]
        if engine.task.name == "pair" and (wrong := [place for place, row in enumerate(rows, 1) if len(row) < 2]):
            place = f"{where}:line {number * _BATCH + wrong[0]}: " if where else ""
            raise InputError(f"{place}pair takes two texts a line, separated by a tab")
        full = [row for row in rows if not _lacks(row)]
        said = iter(engine.predict([[*row.values()] if len(row) > 1 else row[kind] for row in full]))
        for row in rows:
            yield row | ({"fault": _NO_TEXT} if _lacks(row) else asdict(next(said)))


def _held(engine: Engine, kind: str, line: str) -> dict[str, str]:
    """What a line holds, by name."""
    may = engine.task.name == "pair" or engine.task.two_texts or (engine.task.paired and kind == TEXT)
    return dict(zip((TEXT, "text_b"), line.split("\t", 1), strict=True)) if may and "\t" in line else {kind: line}


def _lacks(row: Mapping[str, Any]) -> bool:
    """Whether a row has the place of a text and nothing in it."""
    return any(name in row and not (row[name] or "").strip() for name in (TEXT, "text_b"))
