"""The store of requests and feedback: the service writes it, drift checks and refits read it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, get_args

from burnish.errors import InputError, nearest
from burnish.monitoring import export
from burnish.monitoring.database import Database, Execute
from burnish.monitoring.postgres import Postgres
from burnish.monitoring.records import (
    Feedback,
    Request,
    cell,
    checked,
    from_row,
    plain,
    text_of,
    to_row,
    without_personal,
)
from burnish.monitoring.sqlite import SQLite

Keep = Literal["none", "redacted", "texts"]
Kept = TypeVar("Kept", Request, Feedback)

QUEUE = 10_000  # requests that may wait to be written
_BATCH = 500  # requests of one transaction
_PAUSE = 0.5  # seconds between transactions while fewer wait
_HOUR = 3600.0
_SLICE = 5000  # rows deleted in one transaction, so that no writer waits long for it
_ONE_REQUEST = "DELETE FROM burnish_requests WHERE time = ? AND id = ? AND input = ?"  # the time has an index
_COLUMNS = {kind: [f.name for f in fields(kind)] for kind in (Request, Feedback)}
_TABLES = {Request: "burnish_requests", Feedback: "burnish_feedback"}
_log = logging.getLogger(__name__)


class Store:
    """Requests and feedback in a database. All methods may be called from any thread, and by several processes.

    Attributes:
        dropped: requests that were not kept: the queue was full, or the database did not take them.
        problem: why the last requests were dropped by the database; None when it takes them.
    """

    def __init__(self, place: Database, keep: Keep, redact: bool, days: float | None, queue: int) -> None:
        self.dropped = 0
        self.problem: str | None = None
        self._place, self._keep, self._redact, self._days, self._limit = place, keep, redact, days, queue
        self._waiting: deque[Request] = deque()
        self._noting = threading.Lock()  # held for moments only: the queue and its counter
        self._wake, self._closing = threading.Event(), threading.Event()
        place.open()
        self._thread = threading.Thread(target=self._work, name="burnish-store", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls, url: str, *, keep: Keep = "none", redact: bool = False, days: float | None = None, queue: int = QUEUE
    ) -> Self:
        """Open a store, and make it where there is none.

        Args:
            url: `sqlite:///path` or a path: a file, made with mode 0600; or `postgresql://user:password@host/database`.
            keep: whether requests keep their input: not at all, without personal data, or as it is.
            redact: take personal data out of feedback too.
            days: how long requests are kept; without it for ever.
            queue: how many requests may wait to be written; more are dropped.

        Raises:
            InputError: when it cannot be opened, is damaged, or was written by a newer burnish, and for other values of
                `keep` and `days`.
            MissingExtra: for PostgreSQL without psycopg.
        """
        if keep not in get_args(Keep):
            raise InputError(f"a store cannot keep '{keep}' of a request; {nearest(keep, get_args(Keep))}")
        if days is not None and not days > 0:
            raise InputError(f"requests cannot be kept for {days} days; give a number above 0")
        return cls(_place(url), keep, redact, days, queue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        with self._noting:
            if self._closing.is_set():
                return
            self._closing.set()
        self._wake.set()
        self._thread.join()
        self.flush()
        self._place.close()

    def note(self, request: Request) -> bool:
        """Queue a request and return at once: within half a second it is written. False when it had to be dropped."""
        if self._keep == "none":
            request = replace(request, input=None)
        with self._noting:
            if self._closing.is_set() or len(self._waiting) >= self._limit:
                self.dropped += 1
                return False
            self._waiting.append(request)
            if len(self._waiting) == _BATCH:
                self._wake.set()
        return True

    def feedback(self, record: Feedback) -> str:
        """Write a feedback and return its id. It is on the disk then; call this from a thread that may wait for it.

        Raises:
            InputError: when its input or label does not go with its task, or the database does not take it.
        """
        record = checked(record)
        if self._redact:
            record = without_personal(record)
        try:
            row = to_row(record)
        except RecursionError:
            raise InputError("prediction: its values are nested too deeply") from None
        self._place.write(partial(_insert, Feedback, [row]))
        return record.id

    def requests(
        self, model: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[Request]:
        """Requests from `since` up to, not including, `until` (Unix seconds), the oldest first, as they are read."""
        return self._read(Request, model, since, until)

    def feedback_rows(
        self, model: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[Feedback]:
        """Feedback from `since` up to, not including, `until` (Unix seconds), the oldest first, as it is read."""
        return self._read(Feedback, model, since, until)

    def export(
        self,
        path: Path,
        model: str,
        *,
        multi_label: bool = False,
        since: float | None = None,
        until: float | None = None,
    ) -> int:
        """Write the feedback on a model as JSONL that `data.train` reads, and return the number of rows.

        classify: text, label; with `multi_label` a list. pair and score: text, text_b, label. tag: text, entities.
        Beside these, id and time (ISO 8601). A file that is there is replaced in one step.

        Raises:
            InputError: when the file cannot be written, the model had feedback on different tasks, or a feedback gives
                several classes to a model that is not `multi_label`.
        """
        return export.write(self.feedback_rows(model, since, until), path, multi_label)

    def prune(self, days: float) -> int:
        """Delete requests that are older than `days`, and return how many. Feedback stays.

        Raises:
            InputError: when the database does not take it.
        """
        before = time.time() - days * 86400
        end = "SELECT time FROM burnish_requests WHERE time < ? ORDER BY time LIMIT 1 OFFSET ?"
        statement = f"DELETE FROM burnish_requests WHERE time < ? AND time <= COALESCE(({end}), ?)"
        values = (before, before, _SLICE, before)
        gone = 0
        while deleted := self._place.write(lambda execute: int(execute(statement, values).rowcount)):
            gone += deleted
            time.sleep(0.01)  # whoever waits to write comes first
        return gone

    def forget(self, *, id: str | None = None, text: str | None = None) -> int:
        """Delete feedback and requests for good, and return how many.

        Args:
            id: of a feedback, or of a request with all feedback on it.
            text: all rows that contain it, whatever the case of its letters; a name, for example. What was kept
                redacted, or without its text, is not found by what is no longer in it.

        Raises:
            InputError: without an id or a text, or when the database does not take it.
        """
        if not (id or text):
            raise InputError("name what is to be forgotten: an id, or a text")
        self.flush()
        gone = self._forget_id(plain(id)) if id else 0
        gone += self._forget_text(text.casefold()) if text else 0
        self._place.wipe()
        return gone

    def _forget_id(self, id: str) -> int:
        def work(execute: Execute) -> int:
            feedback = execute("DELETE FROM burnish_feedback WHERE id = ? OR request_id = ?", (id, id))
            return int(feedback.rowcount + execute("DELETE FROM burnish_requests WHERE id = ?", (id,)).rowcount)

        return self._place.write(work)

    def _forget_text(self, text: str) -> int:
        said = (f for f in self._read(Feedback) if text in f"{text_of(f)}\n{f.comment or ''}".casefold())
        feedback = [(f.id,) for f in said]
        asked = (r for r in self._read(Request, kept=True) if text in text_of(r).casefold())
        requests = [(r.time, r.id, cell("input", r.input)) for r in asked]
        self._delete("DELETE FROM burnish_feedback WHERE id = ?", feedback)
        self._delete(_ONE_REQUEST, requests)
        return len(feedback) + len(requests)

    def _delete(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement for each row."""
        for start in range(0, len(rows), _SLICE):
            some = rows[start : start + _SLICE]
            self._place.write(lambda execute, some=some: execute(statement, some, many=True))  # type: ignore[misc]
            time.sleep(0.01)  # whoever waits to write comes first

    def flush(self) -> None:
        """Write what waits now; what the database does not take is dropped and counted."""
        while self._write_some():
            pass

    def _write_some(self) -> bool:
        """Write up to a batch. False when nothing waits, nor is being written by another thread."""
        with self._place.lock:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not batch:
                return False
            rows = [to_row(without_personal(one) if self._keep == "redacted" else one) for one in batch]
            try:
                self._place.write(partial(_insert, Request, rows))
                self.problem = None
            except InputError as error:
                if self.problem is None:
                    _log.warning("requests are dropped: %s", error)
                self.problem = str(error)
                with self._noting:
                    self.dropped += len(batch)
            return True

    def _read(
        self,
        kind: type[Kept],
        model: str | None = None,
        since: float | None = None,
        until: float | None = None,
        kept: bool = False,
    ) -> Iterator[Kept]:
        """Rows of a table; with `kept` those alone whose input was kept."""
        self.flush()
        asked = {"model = ?": model and plain(model), "time >= ?": since, "time < ?": until}
        given: dict[str, Any] = {condition: value for condition, value in asked.items() if value is not None}
        where = " AND ".join([*given, "input IS NOT NULL" if kept else "1 = 1"])
        statement = f"SELECT {', '.join(_COLUMNS[kind])} FROM {_TABLES[kind]} WHERE {where} ORDER BY time"
        for row in self._place.stream(statement, tuple(given.values())):
            yield from_row(kind, row)

    def _work(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set():
            self._wake.wait(_PAUSE)
            self._wake.clear()
            self.flush()
            if self._days is not None and time.monotonic() >= due:
                due = time.monotonic() + _HOUR
                try:
                    self.prune(self._days)
                except InputError as error:
                    _log.warning("old requests are not deleted: %s", error)


def _insert(kind: type[Request] | type[Feedback], rows: list[tuple[Any, ...]], execute: Execute) -> None:
    """A feedback that is there already stays: it was written before the connection broke."""
    names = _COLUMNS[kind]
    places = ", ".join("?" * len(names))
    again = " ON CONFLICT (id) DO NOTHING" if kind is Feedback else ""
    execute(f"INSERT INTO {_TABLES[kind]} ({', '.join(names)}) VALUES ({places}){again}", rows, many=True)


def _place(url: str) -> Database:
    scheme, separator, rest = url.partition("://")
    if not separator or (scheme == "sqlite" and len(rest) > 1 and rest[0] == "/"):
        return SQLite(Path(rest[1:] if separator else url))
    if scheme in ("postgresql", "postgres"):
        return Postgres(url)
    known = ("sqlite:///path", "postgresql://user:password@host:5432/database")
    raise InputError(f"no store can be opened at '{scheme}://...'; {nearest(f'{scheme}:///', known)}, or give a path")
