"""A lock on a folder of unfinished work, which one process holds at a time and which ends with that process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from burnish.errors import InputError

if sys.platform != "win32":
    import fcntl

_NAME = "lock"


@contextmanager
def alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is made for it, and leave no folder behind that holds nothing else.

    Raises:
        InputError: `busy`, when somebody holds it already; and when the folder cannot be written.
    """
    try:
        file = locked(folder)
    except OSError as error:
        raise InputError(f"'{folder}' could not be written: {error.strerror}") from None
    if file is None:
        raise InputError(busy)
    with file:
        try:
            yield
        finally:
            with suppress(OSError):  # gone with the folder, or the folder holds what a later run goes on from
                (folder / _NAME).unlink()
                folder.rmdir()


def locked(folder: Path) -> IO[bytes] | None:
    """The lock of `folder`, which is made for it, until the file is closed; None while another process holds it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / _NAME).open("ab")
        except FileNotFoundError:  # the one that had the folder has just removed it
            continue
        if not _lock(file):
            file.close()
            return None
        with suppress(FileNotFoundError):  # a file that was removed meanwhile is no lock
            if os.path.samestat(os.fstat(file.fileno()), (folder / _NAME).stat()):
                return file
        file.close()


def _lock(file: IO[bytes]) -> bool:
    """Lock a file; False where another process has. True, too, where files cannot be locked."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
    return True
