"""`batch`: predict for a file larger than memory. Rows stream in, predictions stream out, a killed run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from burnish.artifact import MANIFEST, VARIANTS, Artifact, disk_error, sha256
from burnish.batch.columns import Inputs, file_of, inputs, once, template
from burnish.batch.read import FORMATS, Portion, Table, listed, look_through
from burnish.batch.write import Format, Parts, answer, free, types
from burnish.config import Job, parse
from burnish.data import files, store
from burnish.data.features import Batch, Features, rows_in
from burnish.data.files import is_folder_of_files
from burnish.data.read import nearest_file
from burnish.data.readers import TEXT, one_of
from burnish.data.rows import Row
from burnish.data.table import Table as Cells
from burnish.engine import Engine
from burnish.engine.run import predictions
from burnish.engine.runtime import Runtime
from burnish.errors import InputError
from burnish.variant import TUNED, best

__all__ = ["BatchReport", "batch"]

T = TypeVar("T")


@dataclass(frozen=True)
class BatchReport:
    """What a run of `batch` did.

    Attributes:
        out: the finished file.
        variant: the form of the model that predicted.
        columns: the names under which the predictions stand.
        rows: rows of the input, and so of the output.
        empty: rows among them that have no text, or name no file that can be read, and so have no prediction.
        resumed_at: rows that an earlier run had done; 0 where there was none.
        seconds: of this run, but for the opening of the model.
        rows_per_second: of this run.
        inputs: what the model reads.
    """

    out: Path
    variant: str
    columns: tuple[str, ...]
    rows: int
    empty: int
    resumed_at: int
    seconds: float
    rows_per_second: float
    inputs: str = TEXT

    def in_words(self) -> str:
        """A few lines for a reader."""
        empty = f"; {self.empty:,} without {one_of(self.inputs)} are left empty" if self.empty else ""
        resumed = f", after {self.resumed_at:,} rows of an earlier run" if self.resumed_at else ""
        return (
            f"{self.rows:,} rows with {' and '.join(self.columns)}{empty}\n"
            f"{self.seconds:,.1f} s{resumed}: {self.rows_per_second:,.0f} rows/s (variant {self.variant})\n"
            f"wrote {self.out}"
        )


def batch(
    model: str | Path,
    source: str | Path,
    out: str | Path,
    variant: str | None = None,
    *,
    force: bool = False,
    quiet: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> BatchReport:
    """Predict for every row of a file, and write each with its prediction, in order, to another.

    A model that reads files takes a folder of them, or a file with a column of their names, which are taken from the
    folder that it lies in; nothing outside of that is read.

    Formats follow from the endings: .csv, .tsv, .jsonl (an object a line) and .parquet, in any combination. The columns
    with the text are found as in the rows that the model was trained on; labels are not needed. Every column of the
    input comes first, as it was, and then, with _2 or the next free number after a name that the input has already:

    - `prediction`: the class (classify, pair), a list of classes (multi-label), the number (score), or a list of
      entities, each with start, end (exclusive, in characters), label, text and score (tag);
    - `probability` (classify, pair): of that class, or of each in the list;
    - `embedding` (embed): in place of these, the vector of the first text that the model reads, or else of the second.

    Both are empty (null) in a row without a text, or whose file cannot be read; such rows are counted and stop nothing.
    In .csv and .tsv, lists and objects are JSON text; .tsv takes no tab and no line break in a cell, which become
    spaces; in .parquet, a key of .jsonl whose values have no type in common is JSON text. Texts are written in UTF-8.

    Memory holds some thousand rows. What is finished lies in a hidden folder beside `out` until all rows are done; then
    `out` appears in one step, for which the disk has to hold it twice. After a kill or Ctrl-C the same call goes on
    behind the last rows that are done; with another input (by its content; by size and time, of files that rows name),
    model or variant it begins anew. While one run writes, a
    second of the same call is refused.

    Args:
        variant: one of the model's; as in `Engine.open` when None.
        force: replace an `out` that exists.
        quiet: without a progress bar.
        say: told of what is gone on with, and what is not.

    Raises:
        InputError: when the model or the input cannot be read, no column is the text, the input has no rows, or `out`
            exists, is the input, has no folder, does not fit on the disk or is being written by another run.
        MissingExtra: when the variant's runtime is not installed.
    """
    source, out = Path(source).expanduser(), Path(out).expanduser()
    artifact = Artifact.open(model, verify=False)
    artifact.must_go_with("batch")
    folder = artifact.inputs != TEXT and is_folder_of_files(source)
    _check(source, out, force, folder)
    chosen = variant or best(artifact) or TUNED
    engine = Engine.open(model, chosen)
    started = time.perf_counter()
    try:
        with _bar(quiet) as show:
            job = _job(artifact, source)
            table = listed(source, artifact.inputs) if folder else look_through(source, job, out.suffix.lower())
            made = "" if folder else template(table, job, str(source), artifact.inputs)
            named = files.slots(made) if made else inputs(table, job, str(source), artifact.inputs)
            once(named, table, str(source))
            key = _key(artifact, chosen, source, table, named, made)
            base = source if folder else source.parent
            format = Format(out.suffix.lower(), table.schema, free(types(engine.task), table.schema.names))
            with closing(Parts(out, key, say)) as parts:
                if resumed_at := parts.done:
                    say(f"going on after {resumed_at:,} of {table.rows:,} rows")
                try:
                    _predict(engine, table, Inputs(engine, base, named, made, say), format, parts, show)
                except KeyboardInterrupt:
                    say(f"stopped after {parts.done:,} of {table.rows:,} rows; the same command goes on from there")
                    raise
                empty = parts.empty
                parts.join(format, table.rows)
    except OSError as error:
        if error.filename and Path(error.filename) == source:
            raise InputError(f"IN: cannot read '{source}': {error.strerror}") from None
        raise disk_error(error, out) from None
    seconds = time.perf_counter() - started
    speed = (table.rows - resumed_at) / seconds
    return BatchReport(out, chosen, tuple(format.added), table.rows, empty, resumed_at, seconds, speed, artifact.inputs)


def _check(source: Path, out: Path, force: bool, folder: bool) -> None:
    for path, place in ((source, "IN"), (out, "OUT"))[folder:]:
        if path.suffix.lower() not in FORMATS:
            raise InputError(f"{place}: the format of '{path}' follows from its ending, one of {', '.join(FORMATS)}")
    if source.is_dir() and not folder:
        raise InputError(f"IN: '{source}' is a folder; name a file")
    if not source.exists():
        there = sorted(path.name for path in source.parent.iterdir())[:200] if source.parent.is_dir() else []
        raise InputError(f"IN: no file at '{source}'; {nearest_file(source.name, there)}")
    if not folder and source.stat().st_size == 0:
        raise InputError(f"IN: '{source}' is empty (0 bytes); give a file with rows in it")
    if not out.parent.is_dir():
        raise InputError(f"OUT: there is no folder '{out.parent}'; make it, or choose another place")
    if out.is_dir():
        raise InputError(f"OUT: '{out}' is a folder; name a file")
    if out.exists() and out.samefile(source):
        raise InputError(f"OUT: '{out}' is the input itself; choose another name")
    if out.exists() and not force:
        raise InputError(f"OUT: '{out}' exists; choose another name, or replace it with --force")


def _job(artifact: Artifact, source: Path) -> Job:
    """The job that reads a file as the rows were read that the model was trained on."""
    kept = artifact.manifest["job"]
    other: dict[str, Any] = {"train": str(source), "dev": None, "test": None, "format": "auto", "limit": None}
    return parse({"task": kept["task"], "data": kept["data"] | other})


def _key(artifact: Artifact, variant: str, source: Path, table: Table, named: tuple[str, ...], made: str) -> str:
    """What a partial result depends on."""
    form = MANIFEST if variant == TUNED else str(Path(VARIANTS[0], variant, VARIANTS[1]))
    made_from = (sha256(artifact.folder / name) for name in (MANIFEST, form))
    if source.is_dir():
        content = files.state(source, ("/".join(parts) for parts in files.listing(source)))
    else:
        content = store.digest(source)
        if artifact.inputs not in (TEXT, Cells.kind):  # it names files
            rows = (row for portion in table.portions(0, named) for row in portion.rows)
            content += files.state(source.parent, (file_of(made, named, row) for row in rows))
    return store.fingerprint("batch", *made_from, content, source.suffix.lower())[:12]


def _predict(
    engine: Engine, table: Table, reads: Inputs, format: Format, parts: Parts, show: Callable[[int, int], None]
) -> None:
    """Predict for the rows that are not done. Beside it, a thread reads the next ones, and another writes the last."""

    def encoded(done: int) -> Iterator[tuple[Portion, list[Row | None], list[Row], Features | None]]:
        for portion in table.portions(done, reads.named if format.suffix == ".parquet" else None):
            rows = [reads.of(cells) for cells in portion.rows]
            full = [row for row in rows if row is not None]
            yield portion, rows, full, engine.encode(full) if full else None

    def keep(portion: Portion, found: list[Any], done: int) -> None:
        blank = (None,) * len(format.added)
        values = [blank if one is None else answer(engine.task, one) for one in found]
        parts.add(format.encode(portion, values), done - len(found), done, found.count(None))

    watched = _Watched(engine.runtime, parts.done, lambda done: show(done, table.rows))
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        kept = writer.submit(lambda: None)
        done = parts.done
        show(done, table.rows)
        for portion, rows, full, features in _ahead(encoded(done), reader):
            given = (
                predictions(watched, engine.task, features, full, pad_id=engine.pad_id)
                if features is not None
                else iter(())
            )
            found = [None if row is None else next(given) for row in rows]
            watched.done = done = done + len(rows)
            kept.result()
            kept = writer.submit(keep, portion, found, done)
            show(done, table.rows)
        kept.result()


def _ahead(items: Iterator[T], executor: Executor) -> Iterator[T]:
    """The items, each made in a thread while the one before is in use."""
    following = executor.submit(next, items, None)
    while (item := following.result()) is not None:
        following = executor.submit(next, items, None)
        yield item


class _Watched:
    """A runtime that tells how many rows are done, as far as it sees: a long row of `tag` is several to it."""

    def __init__(self, runtime: Runtime, done: int, tell: Callable[[int], None]) -> None:
        self.done, self._runtime, self._tell = done, runtime, tell

    def run(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, torch.Tensor]]:
        for given, logits in self._runtime.run(batches):
            self.done += rows_in(given)
            self._tell(self.done)
            yield given, logits


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal that is told of the rows done and of all of them."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("looking through the input", total=None)

        def show(done: int, rows: int) -> None:
            if bar.tasks[0].total is None:
                bar.reset(task, total=rows, completed=done, description="predicting")
            bar.update(task, completed=min(done, rows))

        yield show
