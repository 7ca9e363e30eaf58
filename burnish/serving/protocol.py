"""HTTP/1.1 as uvicorn has it, with an end for clients that send slowly or nothing at all."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD_SECONDS = 10.0
_PIECE_SECONDS = 20.0  # between two pieces of a body
_HEAD_BYTES = 1 << 17  # with what comes of the body in the same piece


class Guarded(HttpToolsProtocol):
    """A connection is closed when a head is too large or late, or nothing more comes of a body."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._late: asyncio.TimerHandle | None = None
        self._head = 0  # bytes of it so far; less than 0 within a body
        self._wait(_HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._late and self._head < 0:
            self._wait(_PIECE_SECONDS)
        elif self._late:
            self._head += len(data)
            if self._head > _HEAD_BYTES:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._late:
            self._head = 0
            self._wait(_HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._done()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._done()
        self._late = self.loop.call_later(seconds, self.transport.close)

    def _done(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None
