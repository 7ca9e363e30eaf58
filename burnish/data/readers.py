"""Readers by the kind of input."""

from __future__ import annotations

from collections.abc import Iterable

from burnish.data.clips import Clips
from burnish.data.pixels import Outlined, Pixels
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.scenes import Scenes
from burnish.data.table import Table
from burnish.data.waves import Voiced, Waves

TEXT = "text"
READERS: dict[str, type[Reader]] = {
    Pixels.kind: Pixels,
    Waves.kind: Waves,
    Clips.kind: Clips,
    Table.kind: Table,
}
_OF_TASKS: dict[tuple[str, str], type[Reader]] = {  # where a task needs another one
    ("detect", Scenes.kind): Scenes,
    ("classify", Outlined.kind): Outlined,
    ("classify", Voiced.kind): Voiced,
}
# Tasks with other inputs than texts, and which.
OTHER_INPUTS = {
    "classify": tuple(READERS),
    "score": tuple(READERS),
    "detect": (Scenes.kind,),
    "transcribe": (Waves.kind,),
    "embed": (Pixels.kind, Waves.kind),
}
_EMBEDDED = frozenset({"export", "serve", "batch"})
TEXTLESS = ("detect", "transcribe")  # those of them that read no texts


def reader_of(kind: str, task: str) -> type[Reader]:
    """The reader of rows of a kind of input, for a task."""
    return _OF_TASKS.get((task, kind), READERS[kind])


def ready(task: str, kind: str) -> frozenset[str]:
    """Verbs that models of a task for such inputs go with, beside those that every model goes with."""
    if kind == TEXT:
        return _EMBEDDED if task == "embed" else frozenset()
    verbs = reader_of(kind, task).verbs if kind in READERS else frozenset()
    if task == "embed":
        return verbs & _EMBEDDED
    return frozenset() if task == "transcribe" else verbs


def kind_of(columns: Iterable[str]) -> str:
    """What rows with these canonical columns hold."""
    return next((kind for kind in READERS if kind in columns), TEXT)


def one_of(kind: str) -> str:
    """`a text`, `an image`, `a sound`: for messages."""
    kind = {Waves.kind: "sound", Table.kind: "row of a table"}.get(kind, kind)
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def shown(row: Row) -> str:
    """What a report shows of a row's input: its text, and what its other kinds of input look like in a line."""
    others = [reader.shown(row[kind]) for kind, reader in READERS.items() if row.get(kind)]
    return " · ".join([str(row[TEXT]), *others] if row.get(TEXT) else others)
