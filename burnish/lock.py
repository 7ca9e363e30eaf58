"""A lock on a folder of unfinished work, which one process holds at a time and which ends with that process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from burnish.errors import InputError

try:
    import fcntl
except ImportError:  # a system without it goes without the lock
    fcntl = None  # type: ignore[assignment]

_NAME = "lock"


@contextmanager
def alone(folder: Path, busy: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is made for it, and leave no folder behind that holds nothing else.

    Raises:
        InputError: `busy`, when somebody holds it already; and when the folder cannot be written.
    """
    path = folder / _NAME
    try:
        file = _locked(path)
    except BlockingIOError:
        raise InputError(busy) from None
    except OSError as error:
        raise InputError(f"'{folder}' could not be written: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):  # gone with the folder, or the folder holds what a later run goes on from
            path.unlink()
            folder.rmdir()
        os.close(file)


def _locked(path: Path) -> int:
    """Open the file and lock it; one that was removed between the two is no lock, and is made anew."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file)):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int) -> None:
    """Lock an open file.

    Raises:
        BlockingIOError: when it is locked.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return
