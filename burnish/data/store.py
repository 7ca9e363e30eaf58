"""Tables on disk: written once under a key, then memory-mapped, safe against concurrent runs and kills."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from burnish.data.rows import Row
from burnish.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

LINE = "_line"  # column with the first source line of a row
_VERSION = 4  # part of every key: raise it when a reader changes what it yields
_BATCH_ROWS, _BATCH_CHARACTERS = 1000, 4_000_000
_STALE_SECONDS = 86_400

TEXT, TEXTS, NUMBER, NUMBERS, REAL = pa.string(), pa.list_(pa.string()), pa.int64(), pa.list_(pa.int64()), pa.float64()


@dataclass(frozen=True)
class Content:
    """What a reader found: typed columns, the rows one after another, and what it decided on its own."""

    fields: dict[str, Any]
    rows: Iterator[Row]
    notes: tuple[str, ...] = ()
    format: str = ""


@dataclass(frozen=True)
class Stored:
    """A memory-mapped table with the notes of the reader that wrote it."""

    table: Dataset
    notes: tuple[str, ...]
    format: str


def fingerprint(*parts: object) -> str:
    """Key of a table: what it was made from, and how."""
    return hashlib.sha256(repr((_VERSION, *parts)).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder() -> Path:
    """Where tables lie: `$BURNISH_CACHE/arrow`, else `burnish/arrow` in the user's cache folder."""
    base = os.environ.get("BURNISH_CACHE")
    if base:
        return Path(base).expanduser() / "arrow"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "burnish" / "arrow"


def keep(key: str, make: Callable[[], Content]) -> Stored:
    """Return the table stored under `key`; call `make` and write its rows when there is none.

    The table is written in a folder of its own and then renamed, so that a killed or a concurrent run
    never leaves half a table under the key.

    Raises:
        InputError: when the cache folder cannot be written, and whatever the rows raise.
    """
    place = folder() / key
    if not place.is_dir():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _sweep(place.parent)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
        except OSError as error:
            raise unwritable(error) from None
        try:
            _write(draft, make())
            _publish(draft, place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    import datasets  # a second to import, so not before it is needed

    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    table = datasets.Dataset.from_file(str(place / "rows.arrow"))
    return Stored(table, tuple(about["notes"]), about["format"])


def _write(draft: Path, content: Content) -> None:
    schema = pa.schema(list(content.fields.items()))
    names = list(content.fields)
    with _Sink(draft / "rows.arrow", schema) as sink:
        batch: list[Row] = []
        characters = 0
        for row in content.rows:
            batch.append(row)
            characters += sum(len(v) for v in row.values() if isinstance(v, str))
            if len(batch) >= _BATCH_ROWS or characters > _BATCH_CHARACTERS:
                sink.write({name: [r[name] for r in batch] for name in names})
                batch, characters = [], 0
        if batch:
            sink.write({name: [r[name] for r in batch] for name in names})
    about = {"notes": content.notes, "format": content.format}
    (draft / "about.json").write_text(json.dumps(about), encoding="utf-8")


class _Sink:
    """An Arrow stream whose write errors name the cache, and not the file being read."""

    def __init__(self, path: Path, schema: Any) -> None:
        self.schema = schema
        self.file = pa.OSFile(str(path), "wb")
        self.writer = pa.ipc.new_stream(self.file, schema)

    def __enter__(self) -> _Sink:
        return self

    def write(self, columns: dict[str, list[Any]]) -> None:
        batch = pa.RecordBatch.from_pydict(columns, schema=self.schema)
        try:
            self.writer.write_batch(batch)
        except OSError as error:
            raise unwritable(error) from None

    def __exit__(self, *_: object) -> None:
        try:
            self.writer.close()
        except OSError as error:
            raise unwritable(error) from None
        finally:
            self.file.close()


def _publish(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
    except OSError as error:
        if not place.is_dir():  # otherwise another run was faster with the same rows
            raise unwritable(error) from None


def _sweep(parent: Path) -> None:
    """Drop drafts that killed runs left behind."""
    for draft in parent.glob(".draft-*"):
        try:
            old = time.time() - draft.stat().st_mtime > _STALE_SECONDS
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(draft, ignore_errors=True)


def together(digests: Iterable[str | None]) -> str:
    """One digest of many."""
    return hashlib.sha256("".join(map(str, digests)).encode()).hexdigest()


def array(kind: str, key: str, shape: tuple[int, ...], dtype: DTypeLike, parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """The memory-mapped array under a key beside the tables; where there is none it is written from its parts first.

    Raises:
        InputError: when the cache folder cannot be written, and whatever the parts raise.
    """
    place, draft = folder().with_name(kind) / f"{key}.npy", ""
    try:
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(prefix=".draft-", dir=place.parent)
            os.close(handle)
            written = np.lib.format.open_memmap(draft, mode="w+", dtype=dtype, shape=shape)
            start = 0
            for part in parts:
                written[start : start + len(part)] = part
                start += len(part)
            written.flush()
            del written
            os.replace(draft, place)
        found: NDArray[Any] = np.load(place, mmap_mode="r")
    except OSError as error:
        raise unwritable(error) from None
    finally:
        with suppress(OSError):
            os.unlink(draft)
    return found


def unwritable(error: OSError) -> InputError:
    """The error for a cache folder that does not take what is written."""
    return InputError(f"cannot write the table cache in '{folder()}': {error}; set BURNISH_CACHE to another folder")
