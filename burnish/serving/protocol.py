"""HTTP/1.1 as uvicorn has it, with an end for clients that are slow, and a short way to turn requests away."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from burnish.serving.service import EMBEDDINGS, PREDICT, Answer

_REFUSED = (PREDICT.encode(), EMBEDDINGS.encode())
_HEAD_SECONDS = 10.0
_PIECE_SECONDS = 20.0  # between two pieces of a body
_SMALL = 1 << 20  # bytes of a body that is let pass unread
_HEAD_BYTES = 1 << 17  # of a head, or of what comes around the pieces of a body, such as trailers


class Guarded(HttpToolsProtocol):
    """A connection is closed when a head is too large or late, or nothing more comes of a body that is waited for.

    Trailers are passed over. Where the service has no room for a request, its body is let pass and the answer is
    written at once, without a task.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._late: asyncio.TimerHandle | None = None
        self._refusal: Answer | None = None  # to the request that is coming in
        self._within = False  # whether its head is complete
        self._beside = 0  # bytes since its begin or the last of its body
        self._wait(_HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._late and self._within:
            self._wait(_PIECE_SECONDS)
        self._beside += len(data)
        super().data_received(data)
        if self._late and self._beside > _HEAD_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._late:
            self._within, self._beside = False, 0
            self._wait(_HEAD_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._within:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._within = True
        self._refusal = self._refused()
        if not self._refusal:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside = 0
        if not self._refusal:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._done()
        if not self._refusal:
            super().on_message_complete()
            return
        status, headers, content = self._refusal
        self._refusal = None
        lines = (b"%b: %b\r\n" % pair for pair in (*self.server_state.default_headers, *headers))
        self.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", content)))
        self.on_response_complete()

    def _refused(self) -> Answer | None:
        """A plain request to predict, the only one of its connection, for which the service has no room."""
        if self.url not in _REFUSED or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return None
        if not self.parser.should_keep_alive() or (self.cycle is not None and not self.cycle.response_complete):
            return None
        stated = dict(self.headers).get(b"content-length", b"")
        if not stated.isdigit() or int(stated) > _SMALL:
            return None
        found: Answer | None = self.app.refusal(self.headers)
        return found

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._done()
        self._late = self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self.flow.read_paused and not self.flow.write_paused:  # the service is late, and not its client
            self._wait(_PIECE_SECONDS)
        else:
            self.transport.close()

    def _done(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None
