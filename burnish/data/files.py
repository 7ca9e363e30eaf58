"""Files that rows name: found inside of the data folder or refused, each with a reason."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from burnish.data import images, sounds, store, video
from burnish.errors import InputError, nearest

FOLDER = "folder"  # format of rows that are the files below a folder
LABEL = "label"
KINDS = {
    "image": images.ENDINGS,
    "audio": sounds.ENDINGS,
    "video": video.ENDINGS,
}  # what files are, by the endings of their names
_SLOT = re.compile(r"\{([^{}]+)\}")
_SHOWN = 80  # characters of a name in a message


def kind_of_name(name: str) -> str | None:
    """What a file of this name holds; None where its ending does not say."""
    return next((kind for kind, endings in KINDS.items() if name.lower().endswith(endings)), None)


def found(base: Path, cell: Any, fault: Callable[[Path], str | None]) -> tuple[str | None, str | None, str | None]:
    """Path and SHA-256 of the content of the file that a row names, or why it cannot be read.

    Args:
        base: the folder that names are taken from. Nothing outside of it is read, wherever a name or a link leads.
        fault: why a file is none that can be used; None when it is.
    """
    if not isinstance(cell, str) or not cell.strip():
        return None, None, "the row names no file"
    name = cell.strip()
    try:
        path = inside(base, name)
        reason = fault(path)
        if reason is None:
            return str(path), store.digest(path), None
    except InputError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    shown = name if len(name) <= _SHOWN else f"…{name[-_SHOWN:]}"
    return None, None, f"{shown}: {reason}"


def template(name: str | None, columns: Sequence[str], source: str) -> str:
    """The name of a column as it was given, where it says how names of files are made of columns; else empty.

    Raises:
        InputError: when it uses a column that is not there.
    """
    if not name or name in columns or not _SLOT.search(name):
        return ""
    for slot in _SLOT.findall(name):
        if slot not in columns:
            raise InputError(
                f"data.columns: '{name}' uses {{{slot}}}, which '{source}' lacks; {nearest(slot, columns)}"
            )
    return name


def slots(name: str) -> tuple[str, ...]:
    """The columns that such a template uses."""
    return tuple(dict.fromkeys(_SLOT.findall(name)))


def filled(name: str, row: Mapping[str, Any]) -> str | None:
    """The name of a row's file by such a template; None where a cell is empty."""
    cells = {slot: row[slot] for slot in slots(name)}
    if any(cell is None or not str(cell).strip() for cell in cells.values()):
        return None
    return _SLOT.sub(lambda found: str(cells[found[1]]).strip(), name)


def inside(base: Path, name: str) -> Path:
    """The file of this name below `base`.

    Raises:
        InputError: when it lies outside, is not there, or the name is none that a file can have.
    """
    if "://" in name:
        raise InputError("addresses are not fetched; copy the file into the data folder")
    try:
        path = (base / name).resolve()
        if not path.is_relative_to(base.resolve()):
            raise InputError(f"it lies outside of the data folder '{base}' and is not read")
        if not path.exists():
            raise InputError("there is no such file")
    except (ValueError, OSError):
        raise InputError("a file cannot have this name") from None
    return path


def state(base: Path, names: Iterable[Any]) -> str:
    """SHA-256 over the sizes and times of files, which changes when one of them does, and where they lie."""
    digest = hashlib.sha256(str(base.resolve()).encode("utf-8", "surrogatepass"))
    for name in names:
        try:
            about = (base / str(name or "").strip()).stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}\n".encode())
        except (OSError, ValueError):
            digest.update(b"-\n")
    return digest.hexdigest()


def is_folder_of_files(path: Path) -> bool:
    """Whether a folder holds images, sounds or videos, or sub-folders of them, and no tables."""
    return path.is_dir() and next(_below(path), None) is not None and not any(path.glob("*.parquet"))


def listing(path: Path) -> list[tuple[str, ...]]:
    """The images, sounds or videos in a folder, or in its sub-folders, in the order of their names."""
    return sorted(file.relative_to(path).parts for file in _below(path))


def read_folder(path: Path, limit: int | None) -> store.Content:
    """A row for each of these, or for `limit` at equal distances; its label is the name of the sub-folder.

    Raises:
        InputError: when the folder holds files of several kinds.
    """
    every = listing(path)
    kind, *others = Counter(str(kind_of_name(parts[-1])) for parts in every).most_common()
    if others:
        said = ", ".join(f"{count:,} of the kind {name}" for name, count in (kind, *others))
        raise InputError(
            f"'{path}' holds files of several kinds: {said}; put those of each kind in a folder of its own"
        )
    count = min(len(every), limit or len(every))
    chosen = (every[place * len(every) // count] for place in range(count))
    rows = ({kind[0]: "/".join(parts), LABEL: parts[0] if len(parts) > 1 else None} for parts in chosen)
    return store.Content({kind[0]: store.TEXT, LABEL: store.TEXT}, rows, (), FOLDER)


def _below(path: Path) -> Iterator[Path]:
    for inner in path.iterdir():
        if inner.name.startswith("."):
            continue
        if inner.is_dir():
            yield from (file for file in inner.iterdir() if kind_of_name(file.name) and file.name[0] != ".")
        elif kind_of_name(inner.name):
            yield inner
