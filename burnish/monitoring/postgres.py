"""A store in a database of a PostgreSQL server, through psycopg 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from burnish.errors import InputError
from burnish.extras import need
from burnish.monitoring.database import PATIENCE, Database


class Postgres(Database):
    begin = "BEGIN"
    alone = "SELECT pg_advisory_xact_lock(7310579)"  # any number, as long as it is the same everywhere

    def __init__(self, url: str) -> None:
        super().__init__()
        self._library = need("psycopg", "postgres")
        self.Error = self._library.Error
        try:
            self._library.conninfo.conninfo_to_dict(url)
        except self.Error:  # whose message may hold the password
            raise InputError(
                "the address of the store is no URL of PostgreSQL; it looks like "
                "postgresql://user:password@host:5432/database, with %40 for a @ in a name or password, and %25 for a %"
            ) from None
        parts = urlsplit(url)
        self.url, self.name = url, f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def connect(self) -> Any:
        return self._library.connect(
            self.url,
            autocommit=True,
            connect_timeout=PATIENCE,
            tcp_user_timeout=PATIENCE * 1000,  # a server that is gone without a word
            prepare_threshold=None,  # works behind a pool too
        )

    def written(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def rows(self, connection: Any, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        return iter(connection.cursor().stream(statement, values))

    def lost(self, error: Exception) -> bool:
        return isinstance(error, self._library.OperationalError)

    def wipe(self) -> None:
        pass  # left to the server's vacuum

    def explained(self, error: Exception) -> InputError:
        return InputError(f"cannot use the store '{self.name}': {str(error).strip()}")
