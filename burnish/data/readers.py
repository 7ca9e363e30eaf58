"""Readers by the kind of input."""

from __future__ import annotations

from collections.abc import Iterable

from burnish.data.pixels import Pixels
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.table import Table
from burnish.data.waves import Waves

TEXT = "text"
OTHER_TASKS = ("classify", "score")  # tasks whose rows may hold other inputs than texts
READERS: dict[str, type[Reader]] = {Pixels.kind: Pixels, Waves.kind: Waves, Table.kind: Table}


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
