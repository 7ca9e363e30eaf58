"""Keys of an API: kept as hashes, compared in constant time, each with what it may be used for."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from burnish.errors import InputError, nearest

SCOPES = ("predict", "feedback", "admin")
_DEFAULT = frozenset(("predict", "feedback"))
_HASH = "sha256:"
_SHORT = 16  # characters, with fewer of which a key could be guessed


@dataclass(frozen=True)
class Key:
    """A key of the file.

    Attributes:
        digest: SHA-256 of it.
        scopes: what it is for.
        name: what the log calls it.
        short: whether it could be guessed.
    """

    digest: bytes
    scopes: frozenset[str]
    name: str
    short: bool


class Keys:
    """The keys of a file; without any, everybody may do everything."""

    def __init__(self, keys: tuple[Key, ...] = ()) -> None:
        self.keys = keys

    @classmethod
    def read(cls, path: str | Path) -> Keys:
        """Read a file of keys: one a line, `KEY [scopes=predict,feedback,admin] [name=NAME]`, where KEY may be given
        as `sha256:` and the hexadecimal digest of it. Without scopes a key is for predict and feedback.

        Raises:
            InputError: when the file cannot be read, holds no key, or a line is none.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--api-key-file: '{path}' cannot be read: {error}") from None
        found = [
            _key(line.split(), f"{path}:{number}")
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not found:
            raise InputError(f"--api-key-file: '{path}' holds no key; write one a line")
        return cls(tuple(found))

    def find(self, header: str) -> Key | None:
        """The key of an Authorization header; None for one that is not known."""
        kind, _, given = header.partition(" ")
        if kind.lower() != "bearer":
            return None
        digest = hashlib.sha256(given.strip().encode()).digest()
        found = None
        for key in self.keys:  # all of them, so that the time tells nothing
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def _key(words: list[str], where: str) -> Key:
    given, *options = words
    digest = hashlib.sha256(given.encode()).digest()
    if given.startswith(_HASH):
        if not re.fullmatch(r"[0-9a-fA-F]{64}", given.removeprefix(_HASH)):
            raise InputError(f"{where}: after '{_HASH}' there have to be 64 hexadecimal digits")
        digest = bytes.fromhex(given.removeprefix(_HASH))
    scopes, name = _DEFAULT, digest.hex()[:8]
    for option in options:
        key, _, value = option.partition("=")
        if key == "name" and value:
            name = value
        elif key == "scopes":
            scopes = frozenset(value.split(","))
            if unknown := sorted(scopes - set(SCOPES)):
                raise InputError(f"{where}: '{unknown[0]}' is no scope; {nearest(unknown[0], SCOPES)}")
        else:
            raise InputError(f"{where}: '{option}' is neither scopes=... nor name=...")
    return Key(digest, scopes, name, not given.startswith(_HASH) and len(given) < _SHORT)
