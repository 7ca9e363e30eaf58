"""Spans of requests for OpenTelemetry, where its standard variables of the environment name a place for them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from burnish import extras

_PLACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Traces:
    """Makes a span of each request to predict, with one for its waiting and one for the model within it.

    They hold names, counts and durations, never texts. A request that comes with `traceparent` goes on with its trace.

    Args:
        exporter: where the spans go, in OpenTelemetry's own interface.
    """

    def __init__(self, exporter: Any) -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        named = os.environ.get("OTEL_SERVICE_NAME", "burnish")
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: named}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("burnish.serving")

    @classmethod
    def of_environment(cls) -> Traces | None:
        """What the environment asks for: OTLP over HTTP, or nothing.

        Raises:
            MissingExtra: when it asks and the libraries of the extra `otel` are not installed.
        """
        switched_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        if switched_off or not any(os.environ.get(name) for name in _PLACES):
            return None
        extras.need("opentelemetry.sdk", "otel")
        http = extras.need("opentelemetry.exporter.otlp.proto.http.trace_exporter", "otel")
        return cls(http.OTLPSpanExporter())

    def note(self, parent: str, told: Mapping[str, str | int], status: int, spent: float, waited: float) -> None:
        """A request that has come to its end just now.

        Args:
            parent: its header `traceparent`, or nothing.
            told: attributes of the span.
            spent, waited: seconds from its last byte to the answer, and of these before a process took it.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": parent})
        end = time.time_ns()
        begin, taken = end - int(1e9 * spent), end - int(1e9 * (spent - waited))
        told = {"http.request.method": "POST", "http.response.status_code": status, **told}
        whole = self._tracer.start_span("predict", context, SpanKind.SERVER, told, start_time=begin)
        if status >= 500:
            whole.set_status(Status(StatusCode.ERROR))
        if status == 200:
            within = set_span_in_context(whole, context)
            for name, since, until in (("queue", begin, taken), ("model", taken, end)):
                self._tracer.start_span(name, within, start_time=since).end(until)
        whole.end(end)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
