"""A store in a file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from burnish.errors import InputError
from burnish.monitoring.database import PATIENCE, Database


class SQLite(Database):
    """A file, in write-ahead mode: readers do not wait for a writer, nor it for them."""

    Error = sqlite3.Error
    begin = "BEGIN IMMEDIATE"
    alone = "SELECT 1"  # `begin` already does

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.name = path.absolute(), str(path)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise InputError(f"cannot write the store '{path}': {error.strerror}; name another file") from None

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",  # never makes a new file with wider permissions
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _log_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")  # a commit waits for the disk
            connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def rows(self, connection: sqlite3.Connection, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        return connection.execute(statement, values)

    def lost(self, error: Exception) -> bool:
        return False

    def wipe(self) -> None:
        with self.lock, suppress(sqlite3.Error):  # at the latest the last one who closes the file does it
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def explained(self, error: Exception) -> InputError:
        kind = getattr(error, "sqlite_errorname", "")
        if kind == "SQLITE_FULL":
            return InputError(f"the disk with the store '{self.name}' is full; free some space")
        if kind == "SQLITE_NOTADB" or kind.startswith("SQLITE_CORRUPT"):
            return InputError(
                f"the store '{self.name}' is damaged, or no store ({error}); it is left as it is: "
                "put a copy of it back, or move it away to begin a new one"
            )
        if kind.startswith("SQLITE_BUSY"):
            return InputError(f"another process keeps the store '{self.name}' locked; end it, or name another store")
        return InputError(f"cannot use the store '{self.name}': {error}; name another one if this stays")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Set the write-ahead mode, which stays with the file."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:  # here SQLite itself does not wait for another process
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.05)
