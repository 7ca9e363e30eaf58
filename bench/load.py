"""A load on an HTTP service here, from a process of its own: python bench/load.py '{"port": ..., ...}' prints JSON.

Closed loop: `connections` clients, each sends its next request once its last is answered. Open loop, where `rate` is
given: requests are due at the moments of a Poisson process, whether or not the service keeps up. Latency counts from
the moment at which a request was due, and not from when it could be sent, so that no omission is coordinated. A request
that finds no free connection within `deadline` seconds is abandoned, as its client has left.

It is HTTP/1.1 over plain sockets and epoll, as the service shares the processor with it; its own CPU time is told.
"""

from __future__ import annotations

import gc
import json
import math
import random
import resource
import select
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

HOST, PATH = "127.0.0.1", "/v1/predict"
OK = 200
REJECTED = (429, 503)


@dataclass
class Load:
    """What is asked for.

    Attributes:
        texts: file with a JSON list of texts; they are sent in a seeded order, again and again.
        inputs: texts of a request.
        body: what else is in the body of each request.
        rate: requests a second; 0 for the closed loop.
        deadline: seconds within which an answer is good.
        patience: seconds for the last answers, and for a connection.
        log: file for the moment (of time.monotonic), status and milliseconds of every answer, a line each.
    """

    port: int
    texts: str
    seconds: float
    connections: int = 32
    inputs: int = 1
    rate: float = 0.0
    body: dict[str, Any] = field(default_factory=dict)
    deadline: float = 5.0
    patience: float = 10.0
    seed: int = 0
    log: str | None = None

    def requests(self) -> list[bytes]:
        """Every request there is, as bytes."""
        texts = json.loads(Path(self.texts).read_text(encoding="utf-8"))
        random.Random(self.seed).shuffle(texts)
        texts = (texts * self.inputs)[: max(len(texts), self.inputs) // self.inputs * self.inputs]
        chunks = (texts[start : start + self.inputs] for start in range(0, len(texts), self.inputs))
        return [self._request(json.dumps({"inputs": chunk, **self.body}).encode()) for chunk in chunks]

    def _request(self, body: bytes) -> bytes:
        lines = f"POST {PATH} HTTP/1.1", f"Host: {HOST}:{self.port}", "Content-Type: application/json"
        return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


class Connection:
    """A keep-alive connection with at most one request under way, which was due at `due`."""

    __slots__ = ("busy", "due", "rest", "socket")

    def __init__(self, port: int, patience: float) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=patience)
        self.socket.settimeout(None)  # it is read when epoll says so, and requests are smaller than its buffer
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.busy, self.due, self.rest = False, 0.0, b""

    def answer(self, data: bytes) -> tuple[int, bool] | None:
        """Status of the answer that `data` completes, if it does, and whether the connection stays open."""
        data = self.rest + data if self.rest else data
        head, found, body = data.partition(b"\r\n\r\n")
        self.rest = data
        if not found:
            return None
        head = head.lower()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            length = int(head[at + 17 :].split(b"\r\n", 1)[0])
            if len(body) < length:
                return None
            if len(body) > length:
                raise ValueError("more than one answer to a request")
        elif not body.endswith(b"0\r\n\r\n"):  # in chunks, the last of which is empty
            return None
        self.rest = b""
        return int(data[9:12]), b"\r\nconnection: close" not in head


class Generator:
    """Sends the load and keeps the moment, status and latency of each answer."""

    def __init__(self, load: Load) -> None:
        self.load, self._bodies, self._random = load, cycle(load.requests()), random.Random(load.seed)
        self._open: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._poll = select.epoll()
        self.moments, self.latencies, self.lags, self.statuses = array("d"), array("d"), array("d"), array("h")
        self.sent = self.broken = self.abandoned = self.connected = self.busy = 0

    def run(self) -> dict[str, Any]:
        load, clock = self.load, time.monotonic
        self._idle = [self._connect() for _ in range(0 if load.rate else load.connections)]
        cpu, start = resource.getrusage(resource.RUSAGE_SELF), clock()
        end, due = start + load.seconds, start
        while (now := clock()) < end or (self.busy and now < end + load.patience):
            wait = end - now if now < end else end + load.patience - now
            if now < end and not load.rate:
                idle, self._idle = self._idle, []
                for connection in idle:
                    self._send(connection, now, now)
            while load.rate and due < end and due <= now:
                if now - due > load.deadline:
                    self.abandoned += 1
                elif free := self._free():
                    self._send(free, due, now)
                else:
                    break
                due += self._random.expovariate(load.rate)
            if load.rate and due < end:
                wait = max(due - now, 0.001)
            for number, _ in self._poll.poll(wait):
                self._receive(self._open[number])
        while load.rate and due < end:
            self.abandoned += 1
            due += self._random.expovariate(load.rate)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return self.result(start, used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime)

    def _connect(self) -> Connection:
        try:
            connection = Connection(self.load.port, self.load.patience)
        except OSError as error:
            raise SystemExit(f"the service on port {self.load.port} takes no connection: {error}") from None
        number = connection.socket.fileno()
        self._open[number] = connection
        self._poll.register(number, select.EPOLLIN)
        self.connected += 1
        return connection

    def _free(self) -> Connection | None:
        if self._idle:
            return self._idle.pop()
        return self._connect() if len(self._open) < self.load.connections else None

    def _send(self, connection: Connection, due: float, now: float) -> None:
        connection.busy, connection.due = True, due
        self.busy += 1
        self.sent += 1
        self.lags.append(now - due)
        try:
            connection.socket.send(next(self._bodies))
        except OSError:
            self._lost(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self._lost(connection)
            return
        if not connection.busy:
            raise ValueError("an answer to no request")
        if (answer := connection.answer(data)) is None:
            return
        now, (status, stays) = time.monotonic(), answer
        self.moments.append(now)
        self.latencies.append(now - connection.due)
        self.statuses.append(status)
        connection.busy = False
        self.busy -= 1
        if stays:
            self._idle.append(connection)
        else:
            self._lost(connection)

    def _lost(self, connection: Connection) -> None:
        """A closed connection: a request that was under way on it stays without an answer."""
        self.broken += connection.busy
        self.busy -= connection.busy
        connection.busy = False
        del self._open[connection.socket.fileno()]
        if connection in self._idle:
            self._idle.remove(connection)
        connection.socket.close()
        if not self.load.rate:
            self._idle.append(self._connect())

    def result(self, start: float, cpu: float) -> dict[str, Any]:
        """Counts and latencies, `rejected_` those of answers that say that the service cannot.

        `per_second` counts answers of 200 within the window, in the closed loop also the part within it of later ones.
        """
        load, end = self.load, start + self.load.seconds
        answers = list(zip(self.moments, self.statuses, self.latencies, strict=True))
        if load.log:
            lines = (f"{moment:.6f} {status} {1000 * seconds:.3f}\n" for moment, status, seconds in answers)
            Path(load.log).write_text("".join(lines), encoding="utf-8")
        right = [(moment, seconds) for moment, status, seconds in answers if status == OK]
        good = sum(seconds <= load.deadline and moment <= end for moment, seconds in right)
        late = 0.0 if load.rate else sum(1 - (moment - end) / seconds for moment, seconds in right if moment > end)
        counts = {str(status): self.statuses.count(status) for status in sorted(set(self.statuses))}
        return {
            "sent": self.sent,
            "answered": len(answers),
            "unanswered": self.busy,
            "broken": self.broken,
            "abandoned": self.abandoned,
            "connected": self.connected,
            "statuses": counts,
            "per_second": (sum(moment <= end for moment, _ in right) + late) / load.seconds,
            "good_per_second": good / load.seconds,
            **percentiles([seconds for _, seconds in right]),
            **percentiles([seconds for _, status, seconds in answers if status in REJECTED], "rejected_"),
            "lag_p99_ms": percentiles(list(self.lags)).get("p99_ms", 0.0),
            "generator_cpu_seconds": cpu,
        }


def percentiles(seconds: list[float], prefix: str = "") -> dict[str, float]:
    """Milliseconds at some percentiles (nearest rank); nothing of nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    ranks = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {f"{prefix}{name}_ms": 1000 * ordered[math.ceil(share * len(ordered)) - 1] for name, share in ranks.items()}


def main() -> None:
    load = Load(**json.loads(sys.argv[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()
    print(json.dumps(Generator(load).run()))


if __name__ == "__main__":
    main()
