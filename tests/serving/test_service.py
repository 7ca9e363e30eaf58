"""The service from outside: answers as the engine gives them, and a status for everything that is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from burnish.engine import Engine
from burnish.errors import InputError
from burnish.monitoring.store import Store
from burnish.serving import intake, streams
from burnish.serving.api import application
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.registry import Registry, Served
from burnish.serving.request import Request
from burnish.serving.serve import Options, serve
from burnish.serving.service import Service, _decision_equal
from burnish.serving.stats import Stats, Traffic
from tests.serving.conftest import ADMIN, READER, Running, start, stop

INPUTS: dict[str, list[Any]] = {
    "classify": ["the film was very good", "bad", "", "好看的电影 😀"],
    "pair": [["the film was good", "good film"], ["", "bad"]],
    "score": ["the film was good", "very bad"],
    "tag": ["Anna lives in Paris .", ["Ben", "works", "in", "Rome"], "", "😀 Anna"],
}


def predict(running: Running, key: str = ADMIN, **body: Any) -> httpx.Response:
    with running.client(key) as client:
        return client.post("/v1/predict", json=body)


def until(true: Any, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.mark.parametrize("task", INPUTS)
def test_answers_are_those_of_the_engine(task: str, running: Running, folders: dict[str, Path]) -> None:
    answer = predict(running, model=task, inputs=INPUTS[task])
    assert answer.status_code == 200
    said = answer.json()
    own = [json.loads(json.dumps(asdict(one))) for one in Engine.open(folders[task]).predict(INPUTS[task])]
    assert said["predictions"] == [pytest.approx(one, abs=1e-5) if task == "score" else close(one) for one in own]
    assert said["model"] == task
    assert said["variant"] == "torch"
    assert len(said["version"]) == 12
    assert "model;dur=" in answer.headers["server-timing"]
    assert answer.headers["x-request-id"]


class close(dict):  # type: ignore[type-arg]
    """A prediction, equal to another one but for rounding."""

    def __eq__(self, other: object) -> bool:
        return alike(dict(self), other)


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return bool(one == pytest.approx(other, abs=1e-5))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def test_requests_that_come_together_are_answered_in_their_order(running: Running) -> None:
    words = ["good film", "bad film", "very very very bad , not good , not good today ."]

    def ask(turn: int) -> list[str]:
        given = [words[(turn + i) % 3] for i in range(7)]
        with running.client() as client:
            answer = client.post("/v1/predict", json={"model": "tag", "inputs": given})
        return [" ".join(one["words"]) for one in answer.json()["predictions"]] if answer.status_code == 200 else []

    with ThreadPoolExecutor(8) as pool:
        for turn, found in enumerate(pool.map(ask, range(40))):
            assert found == [words[(turn + i) % 3] for i in range(7)]


def test_a_single_input_and_another_variant(running: Running) -> None:
    assert len(predict(running, model="classify", inputs="good").json()["predictions"]) == 1
    assert predict(running, model="classify", inputs="good", variant="torch").status_code == 200
    answer = predict(running, model="classify", inputs="good", variant="../../etc")
    assert answer.status_code == 404
    assert "has no variant" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"model": "classify", "inputs": ["\xff"]}', "application/json", 400),
        (b'{"model": "classify", "inputs": ["\\ud800"]}', "application/json", 400),
        (b'{"model": "classify", "inputs": [NaN]}', "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"model": "classify", "inputs": []}', "application/json", 422),
        (b'{"model": "classify", "inputs": [1]}', "application/json", 422),
        (b'{"model": "pair", "inputs": ["one"]}', "application/json", 422),
        (b'{"model": 3, "inputs": ["one"]}', "application/json", 422),
        (b'{"inputs": ["one"]}', "application/json", 422),  # which of the four?
        (b'{"model": "../classify", "inputs": ["one"]}', "application/json", 404),
        (b'{"model": "classify", "inputs": ["one"]}', "text/plain", 415),
        (json.dumps({"model": "classify", "inputs": ["x"] * 10_000}).encode(), "application/json", 413),
        (json.dumps({"model": "classify", "inputs": ["x" * 200_000]}).encode(), "application/json", 413),
        (b'{"model": "classify", "inputs": ["' + b"x" * 10_000_000 + b'"]}', "application/json", 413),
    ],
)
def test_what_is_wrong_has_its_status(content: bytes, kind: str, status: int, running: Running) -> None:
    with running.client() as client:
        answer = client.post("/v1/predict", content=content, headers={"content-type": kind, "x-request-id": "mine"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["request_id"] == "mine"
    assert "Traceback" not in answer.text
    assert "/" not in re.sub(r"application/|multipart/|\.\./classify", "", document["detail"])


@pytest.mark.parametrize("path", ["/v1/explain", "/v1/feedback"])
@pytest.mark.parametrize("broken", [b'"abc \\ud83d"', b'{"age": NaN}', b'"\xff"'])
def test_what_is_no_json_is_none_on_any_path(path: str, broken: bytes, running: Running) -> None:
    with running.client() as client:
        body = b'{"model": "classify", "label": "pos", "input": ' + broken + b"}"
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert "not valid JSON" in answer.json()["detail"]


def test_keys_and_scopes(running: Running) -> None:
    for key, status in (("", 401), ("wrong", 401), (READER, 200)):
        answer = predict(running, key, model="classify", inputs=["good"])
        assert answer.status_code == status
    with running.client(READER) as client:
        assert client.post("/v1/feedback", json={}).status_code == 403
        assert client.post("/v1/models/classify", json={}).status_code == 403
        assert client.get("/v1/models").status_code == 200
    with running.client("") as client:
        assert client.get("/health/live").json() == {"status": "live"}
        assert client.get("/health/ready").status_code == 200
        assert client.get("/v1/models").status_code == 401
        assert client.get("/metrics").status_code == 401


def test_what_is_served_is_told(running: Running) -> None:
    with running.client() as client:
        models = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
        assert models["tag"]["labels"] == ["LOC", "ORG", "PER"]
        assert models["classify"]["labels"] == ["neg", "pos"]
        assert {one["state"] for one in models.values()} == {"ready"}
        predict(running, model="score", inputs=["good", "bad"])
        assert client.get("/v1/stats").json()["models"]["score"]["rows"] >= 2
        text = client.get("/metrics").text
        assert 'burnish_requests_total{model="score",status="200"}' in text
        assert 'burnish_processes{model="score"} 1.0' in text
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/v1/predict", "/v1/models", "/v1/feedback", "/health/ready"} <= set(paths)
        assert client.get("/nothing").status_code == 404
        assert client.delete("/v1/predict").status_code == 405


def test_a_stream_answers_line_by_line(running: Running) -> None:
    lines = [json.dumps(f"good film {i}") for i in range(300)]
    lines[7], lines[8], lines[250] = "{", "3", '"\\ud800"'
    with running.client() as client:
        answer = client.post(
            "/v1/predict?model=classify",
            content=("\n".join(lines[:-1]) + "\n\n" + lines[-1]).encode(),
            headers={"content-type": "application/x-ndjson"},
        )
        found = [json.loads(line) for line in answer.text.splitlines()]
        assert len(found) == 300
        assert {place for place, one in enumerate(found) if "error" in one} == {7, 8, 250}
        assert found[8]["error"]["status"] == 422
        missing = client.post("/v1/predict?model=no", content=b"1", headers={"content-type": "application/x-ndjson"})
        assert missing.status_code == 404


class Echo:
    """A deployment without processes: it says each input again after a while, but for "bad"."""

    state, about = "ready", {"task": "classify", "inputs": "text", "version": "v", "variant": "torch"}

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def submit(self, inputs: list[str], timeout: float) -> Request:
        loop = asyncio.get_running_loop()
        request = Request(len(inputs), loop.time(), timeout)
        for place, one in enumerate(inputs):
            part = b'-{"status":422,"detail":"bad"}' if one == "bad" else b"+" + json.dumps({"label": one}).encode()
            loop.call_later(self.seconds, request.put, place, part)
        return request


def streamed(*body: Any, end: str = "http.request", seconds: float = 0.0) -> tuple[list[Any], Traffic]:
    """What a stream answers, and what is counted of it.

    Args:
        body: its pieces, and between them what is to be done before the next, given the registry and the answer so far.
        end: the message behind the last piece.
        seconds: until the model has answered.
    """
    answer = bytearray()

    async def send(message: Any) -> None:
        answer.extend(message.get("body", b""))

    async def run() -> Traffic:
        stats, limits = Stats(), Limits(max_bytes=1000)
        registry = Registry(limits, None, stats.seen)
        registry.served["m"] = Served("m", Echo(seconds))  # type: ignore[arg-type]
        left = iter(body)

        async def receive() -> Any:
            for one in left:
                if isinstance(one, bytes):
                    return {"type": "http.request", "body": one, "more_body": True}
                await one(registry, answer)
            return {"type": end}

        service = Service(registry, stats, None, limits, local=False)
        scope = {"type": "http", "path": "/v1/predict", "method": "POST", "query_string": b"model=m"}
        await service(scope | {"headers": [(b"content-type", b"application/x-ndjson")]}, receive, send)
        await asyncio.sleep(2 * seconds)
        return stats.traffic.get("m", Traffic())

    counted = asyncio.run(run())
    return [json.loads(line) for line in answer.splitlines()], counted


def test_a_stream_tells_a_mistake_behind_the_answers_to_what_came_before() -> None:
    lines, counted = streamed(b'"one"\n"two"\n', b'"three"\n"' + b"x" * 2000, seconds=0.05)
    assert lines[:3] == [{"label": one} for one in ("one", "two", "three")]
    assert [line["error"]["status"] for line in lines[3:]] == [413]
    assert (counted.rows, counted.statuses) == (3, {200: 2})


def test_a_stream_answers_a_line_before_the_next_one_comes() -> None:
    async def answered(_: Registry, answer: bytearray) -> None:
        async with asyncio.timeout(5):
            while not answer:
                await asyncio.sleep(0.01)

    assert streamed(b'"one"\n', answered, b'"two"\n')[0] == [{"label": "one"}, {"label": "two"}]


def test_what_a_client_that_has_gone_asked_for_is_no_failure() -> None:
    lines, counted = streamed(b'"one"\n' * 200, end="http.disconnect", seconds=0.05)
    assert (lines, counted.rows, dict(counted.statuses)) == ([], 0, {})


def test_inputs_beside_one_that_fails_count_as_answered() -> None:
    lines, counted = streamed(b'"one"\n"bad"\n"three"\n')
    assert [line.get("label") for line in lines] == ["one", None, "three"]
    assert (counted.rows, counted.statuses) == (2, {422: 1})
    assert sum(second["rows"] for second in counted.as_json(0)["seconds"]) == 2
    stats = Stats()
    stats.note("m", 0.1, 0.0, 2, 422)
    assert b'burnish_inputs_total{model="m"} 2.0' in stats.prometheus()


def test_a_stream_outlives_its_model() -> None:
    async def gone(registry: Registry, _: bytearray) -> None:
        await asyncio.sleep(0.05)
        registry.served.clear()

    lines, _ = streamed(b'"one"\n', gone, b'"two"\n')
    assert lines[0] == {"label": "one"}
    assert [line["error"]["status"] for line in lines[1:]] == [404]


def test_a_process_that_dies_is_replaced(running: Running) -> None:
    before = running.workers()
    answers: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        with running.client() as client:
            while not ended.is_set():
                answers.append(client.post("/v1/predict", json={"model": "tag", "inputs": ["Anna"]}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            count = len(answers)
            until(lambda seen=count: len(answers) > seen + 8)
            for pid in running.workers():
                os.kill(pid, signal.SIGKILL)
            until(lambda: predict(running, model="tag", inputs=["Anna"]).status_code == 200)
    finally:
        ended.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert set(answers) <= {200, 503}
    assert answers.count(200) > 20
    until(lambda: len(running.workers()) == len(before))
    assert not set(before) & set(running.workers())
    with running.client() as client:
        until(lambda: client.get("/health/ready").status_code == 200)


def test_a_version_takes_over_and_gives_back_without_a_failed_request(running: Running) -> None:
    answers: list[tuple[int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        with running.client() as client:
            while not ended.is_set():
                answer = client.post("/v1/predict", json={"model": "score", "inputs": ["good"]})
                answers.append((answer.status_code, answer.text))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with running.client() as client:
            assert client.post("/v1/models/score", json={"folder": "tag"}).status_code == 409  # another task
            assert client.post("/v1/models/score", json={"folder": "../score"}).status_code == 404
            assert client.post("/v1/models/score/promote").status_code == 409
            assert client.post("/v1/models/score/rollback").status_code == 409
            canary = client.post("/v1/models/score", json={"role": "canary", "percent": 100})
            assert canary.json()["canary"]["state"] == "ready"
            assert client.post("/v1/models/score", json={"role": "shadow"}).status_code == 200
            until(lambda: 'burnish_shadow_inputs_total{model="score",same="yes"}' in client.get("/metrics").text)
            assert "previous" in client.post("/v1/models/score/promote").json()
            assert client.post("/v1/models/score/rollback").status_code == 200
            assert client.delete("/v1/models/score?role=shadow").status_code == 204
            assert client.post("/v1/models/fresh", json={"folder": "score"}).json()["name"] == "fresh"
            assert predict(running, model="fresh", inputs=["good"]).status_code == 200
            assert client.delete("/v1/models/fresh").status_code == 204
            assert predict(running, model="fresh", inputs=["good"]).status_code == 404
    finally:
        ended.set()
    thread.join(30)
    assert {status for status, _ in answers} == {200}
    assert len(answers) > 10


def test_corrections_and_a_sample_of_requests_are_kept(running: Running) -> None:
    entity = {"start": 0, "end": 4, "label": "PER"}
    with running.client() as client:
        given = {"model": "tag", "input": "Anna lives in Rome", "label": [entity], "request_id": "r1"}
        identity = client.post("/v1/feedback", json=given).json()["id"]
        client.post("/v1/feedback", json=given | {"version": "one before", "request_id": "r2"})
        for wrong in ({"label": "PER"}, {"label": [{**entity, "end": 99}]}, {"input": 3}, {"model": "no"}, {"more": 1}):
            assert client.post("/v1/feedback", json=given | wrong).status_code in (404, 422)
        client.post("/v1/predict", json={"model": "classify", "inputs": ["a good film"]})
    with Store.open(str(running.folder / ".burnish" / "serve.sqlite")) as store:
        (kept,) = [one for one in store.feedback_rows("tag") if one.id == identity]
        assert (kept.input, kept.label, kept.request_id) == ("Anna lives in Rome", [entity], "r1")
        assert kept.version not in ("", "one before")
        assert [one.version for one in store.feedback_rows("tag") if one.request_id == "r2"] == ["one before"]
        until(lambda: any(one.length == len("a good film") for one in store.requests("classify")))
        assert all(one.input is None for one in store.requests())


def test_other_paths_have_limits_too(running: Running) -> None:
    with running.client() as client:
        large = {"model": "tag", "input": "x" * 5_000_000, "label": []}
        assert client.post("/v1/feedback", json=large).status_code == 413


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'+{"value":1.5}', b'+{"value":1.5001}', True),
        (b'+{"value":1.5}', b'+{"value":1.6}', False),
        (b'+{"labels":["a"],"label":"a"}', b'+{"labels":["b"],"label":"b"}', False),
        (b'+{"tags":["O"],"scores":[0.9]}', b'+{"tags":["O"],"scores":[0.8]}', True),
    ],
)
def test_a_shadow_is_compared_by_what_it_decides(one: bytes, other: bytes, same: bool) -> None:
    assert _decision_equal(one, other) is same


@pytest.mark.parametrize("first", ["own", "shadow", "both"])
def test_a_shadow_is_compared_whichever_is_the_first(first: str) -> None:
    async def run() -> bytes:
        stats = Stats()
        service = Service(Registry(Limits(), None, stats.seen), stats, None, Limits(), local=True)
        own, shadow, failed = (Request(1, 0.0, 30.0) for _ in range(3))
        service._compare("m", own, shadow)
        service._compare("m", own, failed)
        failed.fail(Problem(503, "it died"))
        for one in (shadow, own) if first == "shadow" else (own, shadow):
            one.put(0, b'+{"value":1.5}')
            if first != "both":
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        return stats.prometheus()

    assert b'burnish_shadow_inputs_total{model="m",same="yes"} 1.0' in asyncio.run(run())


def test_what_a_stream_sends_again_counts_once_and_what_is_turned_away_is_told() -> None:
    async def run() -> tuple[dict[str, Any], bytes]:
        stats, limits = Stats(), Limits(timeout=0.3, max_concurrent_requests=0)
        registry = Registry(limits, None, stats.seen)
        service = Service(registry, stats, None, limits, local=True)
        registry.served["m"] = Served("m", registry._made("m", Path(), None))
        with pytest.raises(Problem, match="starting"):
            await streams._patiently(service, intake.Asked("m", None, "id", ""), ["a", "b"])
        for _ in range(2):
            assert service.refusal([(b"content-type", b"application/json")])
        return stats.as_json(registry), stats.prometheus()

    told, counters = asyncio.run(run())
    assert told["rejected"] == 2
    assert {name: told["models"]["m"][name] for name in ("requests", "rows", "errors")} == {
        "requests": 1, "rows": 0, "errors": 1,
    }  # fmt: skip
    assert sum(second["rows"] for second in told["models"]["m"]["seconds"]) == 0
    assert b'burnish_requests_total{model="m",status="503"} 1.0' in counters


@pytest.mark.parametrize("host", ["0.0.0.0", "127.evil.example", "localhost.evil.example", "::"])
def test_other_addresses_need_keys(host: str, folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="open to other machines"):
        serve([folders["tag"]], Options(host=host, store="none"))


def test_slow_and_broken_clients_disturb_nobody(running: Running) -> None:
    place = (httpx.URL(running.url).host, httpx.URL(running.url).port)
    held = [socket.create_connection(place) for _ in range(3)]  # type: ignore[arg-type]
    held[0].sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Le")
    held[1].sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    held[1].shutdown(socket.SHUT_WR)
    held[2].sendall(b"\x00\xff nonsense\r\n\r\n")
    assert predict(running, model="classify", inputs=["good"]).status_code == 200
    held[2].settimeout(10)
    assert held[2].recv(100).startswith((b"HTTP/1.1 400", b""))
    for one in held:
        one.close()


def test_it_goes_when_it_is_told_and_answers_what_it_has_begun(folders: dict[str, Path]) -> None:
    service = start([folders["classify"]], "--processes", "1")
    workers = service.workers()
    assert workers
    with service.client("") as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/v1/predict", json={"inputs": ["good film"] * 900})
        until(lambda: service.client("").get("/v1/stats").json()["models"]["classify"]["queued"] or waiting.done())
        assert stop(service) == 0
        assert waiting.result().status_code == 200
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_all_processes_that_die_are_replaced_and_no_more(folders: dict[str, Path]) -> None:
    service = start([folders["classify"]], "--processes", "2", "--max-batch-tokens", "512", "--store", "none")

    def up() -> float:
        with service.client("") as client:
            text = client.get("/metrics").text
        return float(text.split('burnish_processes{model="classify"} ')[1].split("\n")[0])

    try:
        until(lambda: up() == 2)
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        until(lambda: up() < 2)
        until(lambda: up() == 2)
        until(lambda: len(service.workers()) == 2)
        time.sleep(2)  # a third would come within this time
        assert up() == len(service.workers()) == 2
    finally:
        assert stop(service) == 0


def test_a_process_that_hangs_is_replaced(folders: dict[str, Path]) -> None:
    service = start([folders["classify"]], "--processes", "1", "--timeout", "2", "--store", "none")
    try:
        (stuck,) = service.workers()
        os.kill(stuck, signal.SIGSTOP)
        with service.client("") as client:
            assert client.post("/v1/predict", json={"inputs": ["good"]}).status_code in (503, 504)
            until(lambda: client.post("/v1/predict", json={"inputs": ["good"]}).status_code == 200)
        assert stuck not in service.workers()
    finally:
        assert stop(service) == 0


def alone(**more: Any) -> httpx.AsyncClient:
    """A client of a service without keys and processes."""
    service = Service(SimpleNamespace(**more), Stats(), None, Limits(), local=False)  # type: ignore[arg-type]
    service.keeper = more.get("keeper")
    service.inner = application(service, lambda _: nullcontext())  # type: ignore[arg-type, return-value]
    return httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://here:1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/models/a/promote", {"origin": "http://elsewhere"}, 403),
        ("POST", "/v1/models/a/promote", {"origin": "http://here:2"}, 403),
        ("POST", "/v1/models/a/rollback", {"origin": "null"}, 403),
        ("POST", "/v1/models/a/rollback", {"origin": "http://elsewhere", "content-type": "text/plain"}, 403),
        ("POST", "/v1/models/a/rollback", {"origin": "http://["}, 403),
        ("DELETE", "/v1/models/a", {"origin": "http://elsewhere"}, 403),
        ("POST", "/v1/models/a/promote", {"origin": "http://here:1"}, 409),
        ("POST", "/v1/models/a/promote", {}, 409),
        ("GET", "/v1/models", {"origin": "http://elsewhere"}, 200),
        ("POST", "/v1/feedback", {"origin": "http://proxy", "content-type": "application/json"}, 422),  # was asked for
    ],
)
def test_pages_of_other_sites_change_nothing(method: str, path: str, headers: dict[str, str], status: int) -> None:
    async def turn(name: str, what: str) -> None:
        raise Problem(409, "there is none")

    async def run() -> httpx.Response:
        async with alone(turn=turn, served={}) as client:
            return await client.request(method, path, headers=headers)

    assert asyncio.run(run()).status_code == status


def test_the_log_says_why_a_correction_was_not_stored_and_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    def full(_: Any) -> str:
        raise InputError("cannot use the store: disk full\nDETAIL: a secret text")

    about = {"task": "classify", "inputs": "text", "version": "1"}
    served = SimpleNamespace(name="m", active=SimpleNamespace(about=about))

    async def run() -> httpx.Response:
        async with alone(keeper=SimpleNamespace(feedback=full), get=lambda _: served) as client:
            given = {"input": "a secret text", "label": "a"}
            return await client.post("/v1/feedback", json=given, headers={"x-request-id": "mine"})

    assert asyncio.run(run()).status_code == 503
    assert "mine" in caplog.text
    assert "disk full" in caplog.text
    assert "secret" not in caplog.text


def test_a_local_service_without_keys_answers_to_local_names_alone(folders: dict[str, Path]) -> None:
    service = start([folders["classify"]], "--processes", "1")
    try:
        with service.client("") as client:
            assert client.get("/v1/models").status_code == 200
            for host in ("localhost:80", "127.0.0.2:8000", "[::1]"):
                assert client.get("/v1/models", headers={"host": host}).status_code == 200
            for host in ("evil.example", "127.0.0.1.evil.example", "127.evil.example:80", "10.0.0.1"):
                assert client.get("/v1/models", headers={"host": host}).status_code == 421
    finally:
        assert stop(service) == 0
