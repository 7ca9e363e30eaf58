"""Readers by the kind of input."""

from __future__ import annotations

from collections.abc import Iterable

from burnish.data.pixels import Pixels
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.table import Table
from burnish.data.waves import Waves

TEXT = "text"
READERS: dict[str, type[Reader]] = {Pixels.kind: Pixels, Waves.kind: Waves, Table.kind: Table}
# Tasks with other inputs than texts, and which.
OTHER_INPUTS = {"classify": tuple(READERS), "score": tuple(READERS), "transcribe": (Waves.kind,)}
TEXTLESS = ("transcribe",)  # those of them that read no texts


def ready(task: str, kind: str) -> frozenset[str]:
    """Verbs that models of a task for such inputs go with, beside those that every model goes with."""
    verbs = READERS[kind].verbs if kind in READERS else frozenset()
    return verbs if task == "classify" else verbs & {"batch"} if task == "score" else frozenset()


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
