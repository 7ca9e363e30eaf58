"""Readers by the kind of input."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from burnish.data.pixels import Pixels
from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.data.waves import Waves

TEXT = "text"
READERS: dict[str, type[Reader]] = {Pixels.kind: Pixels, Waves.kind: Waves}
FILE_TASKS = {"classify": tuple(READERS), "transcribe": (Waves.kind,)}  # tasks with other inputs than texts, and which
TEXTLESS = ("transcribe",)  # those of them that read no texts


def ready(task: str, kind: str) -> frozenset[str]:
    """Verbs that models of a task for such inputs go with, beside those that every model goes with."""
    return READERS[kind].verbs if kind in READERS and task == "classify" else frozenset()


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
