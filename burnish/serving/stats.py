"""What the service counts: for Prometheus, and second by second for the page."""

from __future__ import annotations

import time
from collections import Counter as Count
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from statistics import quantiles
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from burnish.serving.deployment import Seen
from burnish.serving.registry import Registry

_SECONDS = 60  # that the page sees
_KEPT = 1000  # latencies of a second
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass
class _Second:
    t: int
    requests: int = 0
    rows: int = 0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)


class Traffic:
    """Requests of one model."""

    def __init__(self) -> None:
        self.statuses: Count[int] = Count()
        self.rows = 0
        self._seconds: deque[_Second] = deque(maxlen=_SECONDS)

    def note(self, milliseconds: float, rows: int, status: int) -> None:
        now = int(time.time())
        if not self._seconds or self._seconds[-1].t != now:
            self._seconds.append(_Second(now))
        second = self._seconds[-1]
        second.requests += 1
        second.errors += status >= 500
        self.statuses[status] += 1
        second.rows += rows
        self.rows += rows
        if status == 200 and len(second.latencies) < _KEPT:
            second.latencies.append(milliseconds)

    def as_json(self, queued: int) -> dict[str, Any]:
        now = int(time.time())
        seconds = {one.t: one for one in self._seconds if one.t > now - _SECONDS}
        whole = [value for one in seconds.values() for value in one.latencies]
        shown = [seconds.get(t, _Second(t)) for t in range(now - _SECONDS + 1, now + 1)]
        return {
            "requests": sum(self.statuses.values()),
            "rows": self.rows,
            "errors": sum(count for status, count in self.statuses.items() if status >= 500),
            "rejected": self.statuses[429],
            "queued": queued,
            **_percentiles(whole, "p50", "p95", "p99"),
            "seconds": [
                {"t": one.t, "requests": one.requests, "rows": one.rows, "errors": one.errors}
                | _percentiles(one.latencies, "p50", "p99")
                for one in shown
            ],
        }


def _percentiles(values: list[float], *names: str) -> dict[str, float | None]:
    if not values:
        return {f"{name}_ms": None for name in names}
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return {f"{name}_ms": round(cuts[int(name[1:]) - 1], 3) for name in names}


class Stats:
    """All that is counted, by model."""

    def __init__(self) -> None:
        self.traffic: dict[str, Traffic] = {}
        self.started = time.time()
        self._prometheus = of = CollectorRegistry()
        self._requests = Counter("burnish_requests", "Requests by model and status.", ["model", "status"], registry=of)
        self._rows = Counter("burnish_inputs", "Inputs that were answered.", ["model"], registry=of)
        self._latency = Histogram(
            "burnish_request_seconds", "From the last byte in to the answer.", ["model"], buckets=_BUCKETS, registry=of
        )
        self._queue = Histogram(
            "burnish_queue_seconds", "Waiting for a process.", ["model"], buckets=_BUCKETS, registry=of
        )
        self._explained = Histogram(
            "burnish_explain_seconds", "Explanations, from the last byte in.", ["model", "status"], registry=of
        )
        self._batch = Histogram("burnish_batch_tokens", "Tokens of a batch.", ["model"], buckets=_TOKENS, registry=of)
        self._padding = Counter("burnish_padding_tokens", "Tokens of padding in batches.", ["model"], registry=of)
        self._shadow = Counter(
            "burnish_shadow_inputs", "Inputs that a shadow answered.", ["model", "same"], registry=of
        )

    def seen(self, name: str) -> Seen:
        """What a deployment tells of its batches."""
        batch, padding = self._batch.labels(name), self._padding.labels(name)

        def note(milliseconds: float, inputs: int, tokens: int, padded: int) -> None:
            batch.observe(tokens)
            padding.inc(padded - tokens)

        return note

    def note(self, name: str, seconds: float, waited: float, rows: int, status: int) -> None:
        """A request that has come to its end, and how many of its inputs were answered."""
        if name not in self.traffic:
            self.traffic[name] = Traffic()
        self.traffic[name].note(1000 * seconds, rows, status)
        self._count(name, status).inc()
        if rows or status == 200:
            answered, latency, queue = self._of(name)
            answered.inc(rows)
        if status == 200:
            latency.observe(seconds)
            queue.observe(waited)

    def explained(self, name: str, seconds: float, status: int) -> None:
        """A request to explain that has come to its end."""
        self._explained.labels(name, status).observe(seconds)

    @cache  # noqa: B019  # to find a metric by its labels takes longer than to count
    def _count(self, name: str, status: int) -> Counter:
        return self._requests.labels(name, status)

    @cache  # noqa: B019
    def _of(self, name: str) -> tuple[Counter, Histogram, Histogram]:
        return self._rows.labels(name), self._latency.labels(name), self._queue.labels(name)

    def shadow(self, name: str, same: int, other: int) -> None:
        self._shadow.labels(name, "yes").inc(same)
        self._shadow.labels(name, "no").inc(other)

    def watch(self, registry: Registry) -> None:
        """Give out how much waits, and how many processes there are."""

        class Waiting(Collector):
            def collect(self) -> list[GaugeMetricFamily]:
                queue = GaugeMetricFamily("burnish_queue_tokens", "Tokens that wait, about.", labels=["model"])
                processes = GaugeMetricFamily("burnish_processes", "Model processes that are up.", labels=["model"])
                for name, served in registry.served.items():
                    queue.add_metric([name], sum(one.queue.tokens for one in served.all()))
                    processes.add_metric([name], sum(len(one.workers) for one in served.all()))
                return [queue, processes]

        self._prometheus.register(Waiting())

    def prometheus(self) -> bytes:
        return generate_latest(self._prometheus)

    def as_json(self, registry: Registry) -> dict[str, Any]:
        models = {
            name: self.traffic.get(name, Traffic()).as_json(sum(len(one.queue) for one in served.all()))
            for name, served in registry.served.items()
        }
        unread = self.traffic[""].statuses[429] if "" in self.traffic else 0  # turned away before their model was known
        return {"uptime": round(time.time() - self.started, 1), "rejected": unread, "models": models}
