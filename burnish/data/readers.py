"""Readers by the kind of input."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from burnish.data.pixels import Pixels
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.scenes import Scenes
from burnish.data.waves import Waves

TEXT = "text"
FILE_TASKS = ("classify", "detect")  # tasks whose rows may hold other inputs than texts
READERS: dict[str, type[Reader]] = {Pixels.kind: Pixels, Waves.kind: Waves}
_OF_TASKS: dict[tuple[str, str], type[Reader]] = {("detect", Scenes.kind): Scenes}  # where a task needs another one


def reader_of(kind: str, task: str) -> type[Reader]:
    """The reader of rows of a kind of input, for a task."""
    return _OF_TASKS.get((task, kind), READERS[kind])


def kind_of(columns: Iterable[str]) -> str:
    """What rows with these canonical columns hold."""
    return next((kind for kind in READERS if kind in columns), TEXT)


def one_of(kind: str) -> str:
    """`a text`, `an image`, `a sound`: for messages."""
    kind = "sound" if kind == Waves.kind else kind
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def shown(row: Row) -> str:
    """What a report shows of a row's input: its text, or the name of its file and of the folder that holds it."""
    files = ["/".join(Path(str(row[kind])).parts[-2:]) for kind in READERS if row.get(kind)]
    return " · ".join([str(row[TEXT]), *files] if row.get(TEXT) else files)
