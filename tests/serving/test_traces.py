"""Spans: what they hold, whose trace they go on with, and when none are made."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from burnish.serving.traces import Traces
from tests.serving.conftest import start, stop

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_is_a_span_with_its_waiting_and_its_model() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    traces.note(PARENT, {"burnish.model": "m", "burnish.inputs": 2}, 200, spent=0.5, waited=0.1)
    traces.close()
    queue, model, whole = exporter.get_finished_spans()
    assert [one.name for one in (queue, model, whole)] == ["queue", "model", "predict"]
    assert whole.parent is not None
    assert f"{whole.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{whole.parent.span_id:016x}" == PARENT.split("-")[2]
    assert {one.parent.span_id for one in (queue, model) if one.parent} == {whole.context.span_id}
    assert queue.end_time == model.start_time
    assert [one.end_time - one.start_time for one in (queue, model, whole)] == pytest.approx([1e8, 4e8, 5e8], abs=10)
    assert whole.attributes is not None
    assert whole.attributes["burnish.inputs"] == 2
    assert whole.attributes["http.response.status_code"] == 200


def test_a_failed_request_is_an_error_and_begins_a_trace_where_it_comes_without_one() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    traces.note("", {}, 503, spent=0.5, waited=0.0)
    traces.note("nonsense", {}, 422, spent=0.5, waited=0.0)
    traces.close()
    failed, wrong = exporter.get_finished_spans()
    assert failed.parent is wrong.parent is None
    assert failed.status.status_code == StatusCode.ERROR
    assert wrong.status.status_code == StatusCode.UNSET


def test_none_unless_the_environment_names_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    assert Traces.of_environment() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert Traces.of_environment() is None


def test_a_service_sends_spans_and_no_texts(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        running = start([folders["classify"]], "--processes", "1", "--max-batch-tokens", "512", "--store", "none")
        try:
            with running.client(key="") as client:
                client.post("/v1/predict", json={"inputs": ["a secret film"]}).raise_for_status()
        finally:
            stop(running)
        server.shutdown()
    assert {path for path, _ in received} == {"/v1/traces"}
    whole = b"".join(content for _, content in received)
    assert b"predict" in whole
    assert b"burnish.model" in whole
    assert b"secret" not in whole
