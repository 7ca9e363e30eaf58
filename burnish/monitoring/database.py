"""What the store needs of a database, and the tables in it; SQL is written once, with `?` for values."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, TypeVar

from burnish.errors import InputError

Execute = Callable[..., Any]
"""(statement, values = (), many = False) -> cursor; with `many`, values are rows and the statement runs for each."""

Answer = TypeVar("Answer")

VERSION = 1
_UPGRADES: dict[int, Callable[[Execute], None]] = {}
"""Version -> function that brings a store of that version to the next."""
PATIENCE = 10  # seconds to wait for another process that writes, or for a server
_TABLES = """
CREATE TABLE burnish_requests (
    id TEXT NOT NULL, time DOUBLE PRECISION NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, variant TEXT NOT NULL,
    task TEXT NOT NULL, status INTEGER NOT NULL, latency_ms DOUBLE PRECISION NOT NULL, length INTEGER NOT NULL,
    latin DOUBLE PRECISION NOT NULL, han DOUBLE PRECISION NOT NULL, other DOUBLE PRECISION NOT NULL,
    labels TEXT NOT NULL, confidence DOUBLE PRECISION, value DOUBLE PRECISION, input TEXT);
CREATE INDEX burnish_requests_time ON burnish_requests (time);
CREATE TABLE burnish_feedback (
    model TEXT NOT NULL, version TEXT NOT NULL, task TEXT NOT NULL, input TEXT NOT NULL, label TEXT NOT NULL,
    prediction TEXT, request_id TEXT, comment TEXT, time DOUBLE PRECISION NOT NULL, id TEXT PRIMARY KEY);
CREATE INDEX burnish_feedback_time ON burnish_feedback (time)
"""


class Database(ABC):
    """Where a store lies: one connection that writes, by one thread at a time, and one for each reader.

    Attributes:
        name: for messages; never with a password.
        lock: held while the disk is written; whoever holds it keeps other writers of this process out.
    """

    name: str
    Error: type[Exception]  # what its library raises
    begin: str  # statement: a transaction that writes
    alone: str  # statement: from here on no other process makes the tables until this one has

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._connection: Any = None

    @abstractmethod
    def connect(self) -> Any:
        """A new connection, which commits every statement outside of a transaction by itself."""

    @abstractmethod
    def rows(self, connection: Any, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, few of them in memory at a time."""

    @abstractmethod
    def lost(self, error: Exception) -> bool:
        """Whether an error may be that of the connection, so that a new one is worth a try."""

    @abstractmethod
    def wipe(self) -> None:
        """Take what was deleted off the disk, as far as the database lets."""

    @abstractmethod
    def explained(self, error: Exception) -> InputError: ...

    def written(self, statement: str) -> str:
        """A statement as the library takes it."""
        return statement

    def open(self) -> None:
        """Connect, make the tables where there are none, and bring older ones up to date.

        Raises:
            InputError: when the database cannot be reached or used, or a newer burnish wrote the tables.
        """
        try:
            self._connection = self.connect()
        except self.Error as error:
            raise self.explained(error) from error
        try:
            self.write(self._tables)
        except InputError:
            self.close()
            raise

    def close(self) -> None:
        with self.lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def write(self, work: Callable[[Execute], Answer]) -> Answer:
        """Do `work` in a transaction, which is on the disk when this returns, and undone when it raises.

        Where the connection broke, `work` is done again on a new one.

        Raises:
            InputError: when the database does not take it.
        """
        with self.lock:
            if self._connection is None:
                raise InputError(f"the store '{self.name}' is closed")
            try:
                try:
                    return self._transaction(work)
                except self.Error as error:
                    if not self.lost(error):
                        raise
                self._connection.close()
                self._connection = self.connect()
                return self._transaction(work)
            except self.Error as error:
                raise self.explained(error) from error

    def _transaction(self, work: Callable[[Execute], Answer]) -> Answer:
        connection = self._connection

        def execute(statement: str, values: Sequence[Any] = (), many: bool = False) -> Any:
            cursor = connection.cursor()
            (cursor.executemany if many else cursor.execute)(self.written(statement), values)
            return cursor

        execute(self.begin)
        try:
            answer = work(execute)
            connection.commit()
        except BaseException:
            with suppress(self.Error):  # a broken connection has undone it already
                connection.rollback()
            raise
        return answer

    def stream(self, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, on a connection of its own.

        Raises:
            InputError: when the database cannot be read.
        """
        try:
            with closing(self.connect()) as connection:
                yield from self.rows(connection, self.written(statement), values)
        except self.Error as error:
            raise self.explained(error) from error

    def _tables(self, execute: Execute) -> None:
        execute(self.alone)
        execute("CREATE TABLE IF NOT EXISTS burnish_store (version INTEGER NOT NULL)")
        (found,) = execute("SELECT MAX(version) FROM burnish_store").fetchone()
        if found is None:
            for statement in _TABLES.split(";"):
                execute(statement)
            execute("INSERT INTO burnish_store VALUES (?)", (VERSION,))
            return
        if found > VERSION:
            raise InputError(
                f"the store '{self.name}' was written by a newer burnish (its tables have version {found}, this one "
                f"knows {VERSION}); install the newer burnish, or name another store"
            )
        for version in range(found, VERSION):
            _UPGRADES[version](execute)
        execute("UPDATE burnish_store SET version = ?", (VERSION,))
