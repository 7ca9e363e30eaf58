"""Finished steps of a search, in SQLite: a search that was killed does none of them again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.errors import InputError


@dataclass(frozen=True)
class Done:
    """A finished step: its value and the seconds it took."""

    value: Any
    seconds: float


class Journal:
    """What steps have found, by name. Values are what JSON holds.

    Args:
        path: the database; one of another `fingerprint` is emptied, and the folders beside it are removed.

    Raises:
        InputError: when another process has it, it is damaged, or the disk is full.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            self._begin(fingerprint)
        except sqlite3.OperationalError as error:
            self.close()
            raise InputError(f"'{path}' could not be written: {error}") from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise InputError(
                f"'{path}' is damaged ({error}); remove '{path.parent}' and run the command again"
            ) from None

    def _begin(self, fingerprint: str) -> None:
        path = self._path
        try:
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("BEGIN EXCLUSIVE")
            self._base.execute("COMMIT")  # the lock stays until the process ends
        except sqlite3.OperationalError as error:
            raise InputError(f"'{path}' cannot be written ({error}); is the same search running already?") from None
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute("CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, value TEXT, seconds REAL)")
        if self._read("fingerprint") not in (None, Done(fingerprint, 0.0)):
            self._base.execute("DELETE FROM steps")
        if not self.steps():  # what lies beside belongs to another search
            for other in path.parent.iterdir():
                if other.is_dir():
                    shutil.rmtree(other)
        self._write("fingerprint", Done(fingerprint, 0.0))

    def once(self, name: str, work: Callable[..., Any], *given: Any) -> Any:
        """The value of a step: from an earlier run, or of `work(*given)`, which is then kept."""
        found = self._read(name)
        if found is None:
            started = time.perf_counter()
            found = Done(work(*given), time.perf_counter() - started)
            self._write(name, found)
        return found.value

    def spent(self) -> float:
        """Seconds of all steps, over all runs."""
        return float(self._base.execute("SELECT COALESCE(SUM(seconds), 0) FROM steps").fetchone()[0])

    def steps(self) -> dict[str, Done]:
        """All finished steps in their order."""
        lines = self._base.execute("SELECT name, value, seconds FROM steps WHERE name != 'fingerprint' ORDER BY rowid")
        return {name: Done(json.loads(value), seconds) for name, value, seconds in lines}

    def close(self) -> None:
        self._base.close()

    def remove(self) -> None:
        """Remove the whole folder, the steps first: none may outlive what it stands for."""
        self.close()
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self._path.parent, ignore_errors=True)

    def _read(self, name: str) -> Done | None:
        line = self._base.execute("SELECT value, seconds FROM steps WHERE name = ?", (name,)).fetchone()
        return None if line is None else Done(json.loads(line[0]), line[1])

    def _write(self, name: str, done: Done) -> None:
        try:
            self._base.execute(
                "INSERT OR REPLACE INTO steps VALUES (?, ?, ?)", (name, json.dumps(done.value), done.seconds)
            )
        except sqlite3.OperationalError as error:
            raise InputError(f"'{self._path}' could not be written: {error}") from None
