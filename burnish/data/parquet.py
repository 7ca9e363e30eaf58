"""Tables that carry types of their own, Parquet and hub sets, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.data import store
from burnish.data.cells import as_cell
from burnish.data.rows import Row, Rows
from burnish.errors import InputError, nearest

_BATCH = 1000
_SPLITS = {"train": ("train",), "dev": ("validation", "dev", "valid", "val"), "test": ("test",)}


def read_files(path: Path, limit: int | None) -> store.Stored:
    """Read a Parquet file, or all in a folder in the order of their names.

    Raises:
        InputError: for a folder without Parquet files, a broken file, or files with different columns.
    """
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"the folder '{path}' holds no .parquet file; name a file, or a folder of Parquet files")

    def make() -> store.Content:
        from datasets import Features

        try:
            schemas = [pq.read_schema(file) for file in files]
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"'{path}' does not read as Parquet: {error}") from None
        for file, schema in zip(files, schemas, strict=True):
            if schema.names != schemas[0].names:
                raise InputError(f"'{file}' has other columns than '{files[0]}': {schema.names}, {schemas[0].names}")
        return _content(Features.from_arrow_schema(schemas[0]), _tables(files), limit, "parquet")

    return store.keep(store.fingerprint("parquet", [store.digest(f) for f in files], limit), make)


def _tables(files: list[Path]) -> Iterator[Any]:
    for file in files:
        try:
            with pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(_BATCH)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"'{file}' does not read as Parquet: {error}") from None


def read_hub(name: str, role: str, limit: int | None) -> Rows:
    """Read `owner/name[:config][@split]` through the cache of `datasets`.

    Raises:
        InputError: when the set is neither cached nor reachable, or has no such split.
    """
    import datasets

    full, _, split = name.partition("@")
    repository, _, config = full.partition(":")
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        sets = datasets.load_dataset(repository, config or None)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(
            f"cannot load 'hub:{name}' ({first}); check the name and the network, "
            "or give a local file in data.train, data.dev, data.test"
        ) from None
    finally:
        if bars:
            datasets.enable_progress_bars()
    wanted = (split,) if split else _SPLITS.get(role, (role,))
    found = next((s for s in wanted if s in sets), None)
    if found is None:
        raise InputError(f"'hub:{repository}' has no split '{wanted[0]}'; {nearest(wanted[0], list(sets))}")
    table = sets[found]

    def make() -> store.Content:
        return _content(table.features, table.with_format("arrow").iter(_BATCH), limit, "hub")

    stored = store.keep(store.fingerprint("hub", table._fingerprint, limit), make)
    if len(stored.table) == 0:
        raise InputError(f"'hub:{name}' holds no rows in its split '{found}'")
    return Rows(stored.table, f"hub:{full}@{found}", "hub", notes=stored.notes)


def _content(features: Any, tables: Iterator[Any], limit: int | None, form: str) -> store.Content:
    kinds = {name: _kind(feature) for name, feature in features.items()}
    kept = [name for name, kind in kinds.items() if kind]
    left = [name for name in kinds if name not in kept]
    fields = {name: store.TEXTS if kinds[name] == "list" else store.TEXT for name in kept}
    notes = (f"columns that hold no text, left out: {', '.join(left)}",) if left else ()

    def rows() -> Iterator[Row]:
        for table in tables:
            columns = table.select(kept).to_pydict()
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(kept, values, strict=True))
                yield {name: as_cell(_named(value, features[name]), kinds[name]) for name, value in row.items()}

    return store.Content(fields, islice(rows(), limit), notes, form)


def _kind(feature: Any) -> str:
    """text, list, nested, or nothing for what holds no text."""
    from datasets import ClassLabel, LargeList, List, Value

    if isinstance(feature, ClassLabel):
        return "text"
    if isinstance(feature, Value):
        return "" if "binary" in feature.dtype else "text"
    if isinstance(feature, List | LargeList):
        inner = _kind(feature.feature)
        return {"text": "list"}.get(inner, "nested" if inner else "")
    if isinstance(feature, dict):
        return "nested" if all(map(_kind, feature.values())) else ""
    return ""  # images, audio and the like


def _named(value: Any, feature: Any) -> Any:
    """Put the names of classes in place of their numbers."""
    from datasets import ClassLabel, LargeList, List

    if isinstance(feature, ClassLabel):
        return None if value is None or value < 0 else feature.int2str(value)  # -1 stands for a hidden label
    if isinstance(feature, List | LargeList) and isinstance(feature.feature, ClassLabel) and value is not None:
        return [_named(v, feature.feature) for v in value]
    return value
