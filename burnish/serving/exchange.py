"""What the two clients share: making requests, reading answers, and which of them are tried again."""

from __future__ import annotations

import json
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from burnish.data.cells import whole
from burnish.errors import BurnishError, InputError
from burnish.extras import need

if TYPE_CHECKING:
    from httpx import AsyncBaseTransport, BaseTransport, Request, RequestError, Response

T = TypeVar("T")
# A text; two for pair; words for tag; a file; columns.
Input = str | tuple[str, str] | list[str] | bytes | Path | Mapping[str, Any]
Prediction = dict[str, Any]
Errors = Literal["raise", "yield"]

_FIRST, _LONGEST = 0.25, 8.0  # seconds: the limit of the first wait, doubled with each up to the longest
_CONNECT = 5.0  # seconds after which connecting is tried anew
_BYTES = 1 << 16  # of inputs in a request: what buffers hold of it if the service answers before it has read all
_BUSY = (429, 503)


class ServiceError(BurnishError):
    """The service cannot be reached, stays unavailable or fails; names its URL and the last reason."""


class Fault(Exception):
    """Why an attempt failed: HTTP status (0 for none), whether another one may help, seconds to wait before it."""

    def __init__(self, status: int, reason: str, again: bool = False, after: float = 0.0) -> None:
        self.status, self.reason, self.again, self.after = status, reason, again, after


class Shared:
    """All but sending and waiting, in which the two clients differ."""

    _http_class: ClassVar[str]

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        model: str | None = None,
        variant: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        batch: int = 32,
        transport: BaseTransport | AsyncBaseTransport | None = None,
    ) -> None:
        """Connects when first asked.

        Answers 429 and 503 and failed connections are tried again, after a random wait whose limit doubles each time
        and which comes on top of the service's Retry-After.

        Args:
            model: which one is asked; may be left out when one is served.
            variant: of the model; the one that serves by default when None.
            timeout: seconds for a request with all its retries: none begins later, and each step of an attempt
                (connecting, sending, reading) takes at most what was left when the attempt began.
            batch: inputs a request, at most; fewer when they are long.
            transport: how httpx sends, for example `httpx.HTTPTransport(uds=...)`.

        Raises:
            InputError: for a url, key or number that cannot be used.
            MissingExtra: when httpx is not installed.
        """
        self._httpx = need("httpx", "serve")
        self.url, self.model, self._key = url.rstrip("/"), model, (api_key or "").strip()
        if timeout <= 0 or batch < 1 or retries < 0:
            raise InputError("timeout and batch have to be above 0, and retries not below it")
        if not (self._key.isascii() and self._key.isprintable()):
            raise InputError("api_key: holds characters that no HTTP header can carry; give the key alone")
        self._timeout, self._retries, self._batch = timeout, retries, batch
        self._asked = {name: value for name, value in (("model", model), ("variant", variant)) if value}
        local = _host(self._httpx, url) in ("127.0.0.1", "::1", "localhost")
        self._http: Any = getattr(self._httpx, self._http_class)(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            transport=transport,
            trust_env=not local,  # no proxy of the environment leads back to this machine
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def _predictions(self, inputs: list[Any]) -> Iterator[Exchange[list[Prediction]]]:
        named = [b'"%s": %s' % (name.encode(), _encoded(value, name)) for name, value in self._asked.items()]
        end = 0
        for block in _blocks(_written(inputs), self._batch):
            start, end = end, end + len(block)
            about = f"of inputs {start + 1} to {end}: " if len(block) < len(inputs) else ""
            body = b"{%s}" % b", ".join([*named, b'"inputs": [%s]' % b", ".join(block)])
            read = _counted(lambda answer: answer.json()["predictions"], len(block))
            yield Exchange(self, "POST", "/v1/predict", read, _sent(body), about=about)

    def _lines(self, inputs: Iterable[Any]) -> Iterator[Exchange[list[Prediction]]]:
        if isinstance(inputs, str):
            raise InputError("stream takes many inputs; give [text], or use predict")
        faults: list[BurnishError] = []
        for block in _blocks(_before(_written(inputs), faults), self._batch):
            sent = _sent(b"\n".join([*block, b""]), "x-ndjson") | {"params": self._asked}
            yield Exchange(self, "POST", "/v1/predict", _counted(_read_lines, len(block)), sent)
        if faults:
            raise faults[0]

    def _line(self, number: int, line: Prediction, errors: Errors) -> Prediction:
        if errors == "raise" and "error" in line:
            raise self._error(Fault(line["error"]["status"], f"input {number}: {line['error']['detail']}"))
        return line

    def _feedback(self, **given: Any) -> Exchange[str]:
        body = _encoded(({"model": self.model} if self.model else {}) | given, "feedback")
        return Exchange(self, "POST", "/v1/feedback", lambda answer: answer.json()["id"], _sent(body), safe=False)

    def _get(self, path: str, read: Callable[[Any], T], retries: int | None = None) -> Exchange[T]:
        return Exchange(self, "GET", path, lambda answer: read(answer.json()), {}, retries=retries)

    def _error(self, fault: Fault, tries: int = 1) -> BurnishError:
        told = [f"{tries} tries"] * (tries > 1) + [f"status {fault.status}"] * (fault.status > 0)
        reason = f"{self.url}: {fault.reason}" + (f" ({', '.join(told)})" if told else "")
        kind = InputError if 300 <= fault.status < 500 and fault.status not in _BUSY else ServiceError
        return kind(reason.replace(self._key, "***") if self._key else reason)


@dataclass
class Exchange(Generic[T]):
    """A request, and what follows from each answer to it."""

    service: Shared
    method: str
    path: str
    read: Callable[[Response], T]  # makes the result of an answer; may raise Fault
    sent: dict[str, Any]  # content, headers and params
    retries: int | None = None  # those of the service when None
    safe: bool = True  # whether it does no harm when the service gets it twice
    about: str = ""  # what it is about, for messages

    def __post_init__(self) -> None:
        self.tries, self.ends = 0, time.monotonic() + self.service._timeout
        self.result: T

    def request(self) -> Request:
        """The request of the next attempt."""
        self.tries += 1
        left = max(self.ends - time.monotonic(), 0.001)
        limits = self.service._httpx.Timeout(left, connect=min(left, _CONNECT))
        request: Request = self.service._http.build_request(self.method, self.path, timeout=limits, **self.sent)
        return request

    def wait(self, answer: Response | RequestError) -> float | None:
        """Seconds to wait before the next attempt; None when there is a result.

        Raises:
            InputError, ServiceError: when another attempt is of no use, or no time or retry is left.
        """
        try:
            self.result = self.read(self._good(answer))
            return None
        except Fault as one:
            fault = one
        except (ValueError, LookupError, TypeError):
            fault = Fault(0, "not the answer of a burnish service; check the url")
        retries = self.service._retries if self.retries is None else self.retries
        wait = fault.after + random.uniform(0, min(_LONGEST, _FIRST * 2 ** (self.tries - 1)))
        if fault.again and self.tries <= retries and time.monotonic() + wait < self.ends:
            return wait
        fault.reason = self.about + fault.reason
        raise self.service._error(fault, self.tries)

    def _good(self, answer: Response | RequestError) -> Response:
        http = self.service._httpx
        if isinstance(answer, Exception):
            reason = str(answer) or type(answer).__name__
            if isinstance(answer, http.ConnectError | http.ConnectTimeout | http.ProxyError):
                raise Fault(0, f"cannot connect: {reason}; is `burnish serve` running there?", again=True)
            if not self.safe:
                raise Fault(0, f"{reason}; it may have been stored all the same: look before sending it again")
            if isinstance(answer, http.TimeoutException):
                raise Fault(0, f"no answer within {self.service._timeout:g} s; raise timeout or lower batch")
            raise Fault(0, reason, again=isinstance(answer, http.NetworkError | http.RemoteProtocolError))
        if answer.is_success:
            return answer
        status, after = answer.status_code, answer.headers.get("retry-after", "")
        # A service that stores no feedback says 503 too, and does not ask to come back.
        again = status == 429 or (status == 503 and (self.safe or after != ""))
        seconds = float(after) if after.isdecimal() else 0.0
        wish = (
            "; the client takes it as api_key" if status == 401 else f"; asks to wait {seconds:g} s" if seconds else ""
        )
        raise Fault(status, _detail(answer) + wish, again, seconds)


def _host(httpx: Any, url: str) -> str:
    """The host of a url that can be one, and holds nothing that must not turn up in messages."""
    if any(sign in url for sign in "@?#"):
        raise InputError("url: takes no user, password or query; give the key as api_key")
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host or (parts.port or 0) > 65535:
        raise InputError(f"url: '{url}' is no address of a service; write it like http://127.0.0.1:8000")
    return str(parts.host)


def is_ready(told: Any) -> bool:
    return bool(told["status"] == "ready")


def listed_inputs(inputs: Any) -> list[Any]:
    if isinstance(inputs, list):
        return inputs
    if isinstance(inputs, str | tuple | bytes | Path | Mapping):
        return [inputs]
    told = type(inputs).__name__
    raise InputError(
        "predict takes a text, a tuple of two texts, a file (Path or bytes), a mapping of columns or a list, "
        f"not {told}; see stream"
    )


def _encoded(value: Any, what: str) -> bytes:
    try:
        return whole(json.dumps(value, default=_file, ensure_ascii=False, allow_nan=False)).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} cannot be written as JSON: {error}") from None


def _file(value: Any) -> dict[str, str]:
    """A file, of which a path or its bytes are given, as it is sent: in base64, and not to be taken for a text."""
    if isinstance(value, bytes):
        return {"file": b64encode(value).decode()}
    if not isinstance(value, Path):
        raise TypeError(f"{type(value).__name__} is no JSON")
    try:
        return {"file": b64encode(value.read_bytes()).decode()}
    except OSError as error:
        raise InputError(f"'{value}' cannot be read: {error.strerror}") from None


def _sent(body: bytes, kind: str = "json") -> dict[str, Any]:
    return {"content": body, "headers": {"Content-Type": f"application/{kind}"}}


def _written(inputs: Iterable[Any]) -> Iterator[bytes]:
    return (_encoded(one, f"input {number}") for number, one in enumerate(inputs, 1))


def _before(lines: Iterator[bytes], faults: list[BurnishError]) -> Iterator[bytes]:
    """The lines before the first that cannot be read, and in `faults` why that one cannot."""
    try:
        yield from lines
    except BurnishError as error:
        faults.append(error)


def _blocks(lines: Iterable[bytes], batch: int) -> Iterator[list[bytes]]:
    """Inputs as JSON, up to `batch` and `_BYTES` together; a longer one alone. None is taken before it is needed."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and size + len(line) > _BYTES:
            yield block
            block, size = [], 0
        block.append(line)
        size += len(line)
        if len(block) == batch:
            yield block
            block, size = [], 0
    if block:
        yield block


def _counted(read: Callable[[Response], list[T]], size: int) -> Callable[[Response], list[T]]:
    def counted(answer: Response) -> list[T]:
        found = read(answer)
        if len(found) != size:
            raise Fault(0, f"{len(found):,} answers to {size:,} inputs", again=True)
        return found

    return counted


def _read_lines(answer: Response) -> list[Prediction]:
    # Bytes, as text would be split at U+2028 and the like too.
    lines: list[Prediction] = [json.loads(line) for line in answer.content.split(b"\n") if line.strip()]
    for error in (line["error"] for line in lines if "error" in line):
        if error["status"] in _BUSY:
            raise Fault(error["status"], error["detail"], again=True)
    return lines


def _detail(answer: Response) -> str:
    """What the problem document of an answer says."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return f"{answer.reason_phrase or 'refused'}, not in the words of a burnish service; check the url"
