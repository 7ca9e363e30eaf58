"""What the service answers when it does not answer with predictions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class Problem(Exception):
    """An answer with an error status; `detail` says what was wrong and the way out, and nothing of what is inside."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered a little later."""
        return self.status in (429, 503) and self.retry_after is not None

    def document(self, request_id: str) -> dict[str, Any]:
        """The body, as RFC 9457 has it."""
        title = HTTPStatus(self.status).phrase
        told = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return told | {"request_id": request_id}

    def headers(self) -> dict[str, str]:
        found = {"content-type": "application/problem+json"}
        if self.retry_after is not None:
            found["retry-after"] = str(max(1, round(self.retry_after)))
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["www-authenticate"] = "Bearer"
        if self.status == HTTPStatus.REQUEST_TIMEOUT:
            found["connection"] = "close"
        return found
