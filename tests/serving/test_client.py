"""The Python client: requests, retries, deadlines, streams and messages, for the sync and the async one alike."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from burnish.errors import InputError
from burnish.serving import exchange as module
from burnish.serving.client import AsyncClient, Client, ServiceError, predict_lines

KEY = "sk-very-secret-1"
Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """No test sleeps, and each wait is as long as its limit."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: high))
    monkeypatch.setattr(Client, "_sleep", staticmethod(clock.sleep))
    monkeypatch.setattr(AsyncClient, "_sleep", staticmethod(clock.asleep))
    return clock


class Service:
    """Plays the service: keeps the requests, and answers with what is scripted before it answers well."""

    def __init__(self, *script: httpx.Response | Exception) -> None:
        self.script, self.requests = list(script), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            return httpx.Response(step.status_code, content=step.content, headers=step.headers)
        return good(request)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def good(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/v1/feedback"):
        return httpx.Response(201, json={"id": "f1"})
    if request.url.path.endswith("/v1/predict") and request.headers["content-type"] == "application/x-ndjson":
        inputs = [json.loads(line) for line in request.content.split(b"\n") if line]
        return httpx.Response(200, content="".join(json.dumps(answer(one)) + "\n" for one in inputs))
    if request.url.path.endswith("/v1/predict"):
        return httpx.Response(
            200, json={"predictions": [{"label": one} for one in json.loads(request.content)["inputs"]]}
        )
    return httpx.Response(404, json={"detail": "no such path"})


def answer(one: Any) -> dict[str, Any]:
    if one == "bad":
        return {"error": {"status": 422, "detail": "give a text"}}
    return {"label": one}


def problem(status: int, detail: str = "why and what to do", **headers: str) -> httpx.Response:
    content = json.dumps({"type": "about:blank", "title": "no", "status": status, "detail": detail, "request_id": "1"})
    return httpx.Response(status, content=content, headers={"content-type": "application/problem+json", **headers})


class Asked:
    """One of the two clients, asked in the same way."""

    def __init__(self, kind: type[Client] | type[AsyncClient], handler: Handler, **options: Any) -> None:
        self.client = kind(transport=httpx.MockTransport(handler), **options)

    def __call__(self, name: str, *args: Any, **more: Any) -> Any:
        result = getattr(self.client, name)(*args, **more)
        if isinstance(self.client, Client):
            return list(result) if name == "stream" else result
        return asyncio.run(self._all(result) if name == "stream" else result)

    @staticmethod
    async def _all(lines: Any) -> list[Any]:
        return [line async for line in lines]


@pytest.fixture(params=[Client, AsyncClient])
def ask(request: pytest.FixtureRequest) -> Callable[..., Asked]:
    return lambda handler, **options: Asked(request.param, handler, **options)


# --- requests -------------------------------------------------------------------------------------------------------


def test_predict_sends_what_the_contract_says(ask: Callable[..., Asked]) -> None:
    service = Service()
    asked = ask(service, url="http://box:9000/api/", api_key=KEY + "\n", model='a"b', variant="torch")
    assert asked("predict", "Zürich\u2028") == {"label": "Zürich\u2028"}
    assert service.bodies == [{"model": 'a"b', "variant": "torch", "inputs": ["Zürich\u2028"]}]
    request = service.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://box:9000/api/v1/predict")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"


def test_one_input_and_lists(ask: Callable[..., Asked]) -> None:
    service = Service()
    asked = ask(service)
    assert asked("predict", ("a", "b")) == {"label": ["a", "b"]}
    assert asked("predict", ["a"]) == [{"label": "a"}]
    assert asked("predict", [["a", "b"], ["c", "d"]]) == [{"label": ["a", "b"]}, {"label": ["c", "d"]}]
    assert asked("predict", []) == []
    assert [body["inputs"] for body in service.bodies] == [[["a", "b"]], ["a"], [["a", "b"], ["c", "d"]]]
    assert all("authorization" not in request.headers and "model" not in body
               for request, body in zip(service.requests, service.bodies, strict=True))  # fmt: skip


def test_long_lists_are_split_and_joined(ask: Callable[..., Asked]) -> None:
    service = Service()
    texts = [str(i) for i in range(25)]
    assert ask(service, batch=10)("predict", texts) == [{"label": text} for text in texts]
    assert sorted(len(body["inputs"]) for body in service.bodies) == [5, 10, 10]


@pytest.mark.parametrize("method", ["predict", "stream"])
def test_long_inputs_make_smaller_requests(ask: Callable[..., Asked], method: str) -> None:
    service = Service()
    texts = ["a" * 30_000, "b" * 30_000, "c" * 30_000, "d" * 200_000, "e"]
    assert [one["label"] for one in ask(service)(method, texts)] == texts
    assert sorted(len(request.content) // 10_000 for request in service.requests) == [0, 3, 6, 20]


def test_what_is_no_json_is_refused_before_it_is_sent(ask: Callable[..., Asked]) -> None:
    service = Service()
    asked = ask(service)
    with pytest.raises(InputError, match="input 2 cannot be written as JSON"):
        asked("predict", ["a", {1, 2}])
    with pytest.raises(InputError, match="feedback cannot be written as JSON"):
        asked("feedback", "a", float("nan"))
    with pytest.raises(InputError, match="not map; see stream"):
        asked("predict", map(str, range(3)))
    with pytest.raises(InputError, match=r"give \[text\]"):
        asked("stream", "a text")
    assert not service.requests
    assert asked("predict", "half \ud83d pair") == {"label": "half \ufffd pair"}


def test_models_stats_ready(ask: Callable[..., Asked]) -> None:
    told = {
        "/v1/models": {"models": [{"name": "m"}]},
        "/v1/stats": {"uptime": 3.5},
        "/health/ready": {"status": "ready"},
    }
    asked = ask(lambda request: httpx.Response(200, json=told[request.url.path]))
    assert asked("models") == [{"name": "m"}]
    assert asked("stats") == {"uptime": 3.5}
    assert asked("ready") is True


@pytest.mark.parametrize(
    "failure", [problem(503, **{"retry-after": "1"}), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]
)
def test_ready_asks_once(ask: Callable[..., Asked], clock: Clock, failure: httpx.Response | Exception) -> None:
    service = Service(failure)
    assert ask(service)("ready") is False
    assert (len(service.requests), clock.slept) == (1, [])


def test_ready_tells_a_wrong_place(ask: Callable[..., Asked]) -> None:
    with pytest.raises(InputError, match="Not Found, not in the words of a burnish service"):
        ask(Service(httpx.Response(404, text="<html>")))("ready")


# --- retries --------------------------------------------------------------------------------------------------------

BROKEN = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout(""),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("gone"),
]


@pytest.mark.parametrize("failure", [problem(429), problem(503), *BROKEN], ids=str)
@pytest.mark.parametrize("method", ["predict", "stream"])
def test_what_passes_is_tried_again(ask: Callable[..., Asked], clock: Clock, method: str, failure: Any) -> None:
    service = Service(failure, failure)
    assert ask(service)(method, ["a", "b"]) == [{"label": "a"}, {"label": "b"}]
    assert len({request.content for request in service.requests}) == 1
    assert (len(service.requests), clock.slept) == (3, [0.25, 0.5])


def test_waits_are_random_below_a_limit_that_doubles(
    ask: Callable[..., Asked], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda *both: limits.append(both) or 0.125))
    ask(Service(*[problem(503)] * 7), retries=7)("predict", "a")
    assert limits == [(0, 0.25), (0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8), (0, 8)]
    assert clock.slept == [0.125] * 7


def test_retry_after_comes_before_the_random_wait(ask: Callable[..., Asked], clock: Clock) -> None:
    later = {"retry-after": "3"}
    date = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}
    ask(Service(problem(429, **later), problem(503, **later), problem(503, **date)))("predict", "a")
    assert clock.slept == [3.25, 3.5, 1.0]


def test_retries_run_out(ask: Callable[..., Asked], clock: Clock) -> None:
    service = Service(*[problem(429, "too many, slow down")] * 9)
    with pytest.raises(ServiceError, match=r"^http://h: too many, slow down \(3 tries, status 429\)$"):
        ask(service, url="http://h", retries=2)("predict", "a")
    assert (len(service.requests), clock.slept) == (3, [0.25, 0.5])


def test_no_wait_beyond_the_deadline(ask: Callable[..., Asked], clock: Clock) -> None:
    service = Service(problem(503, "starting", **{"retry-after": "60"}))
    with pytest.raises(ServiceError, match=r"starting; asks to wait 60 s \(status 503\)"):
        ask(service, timeout=30)("predict", "a")
    assert (len(service.requests), clock.slept) == (1, [])


def test_attempts_get_what_is_left_of_the_deadline(ask: Callable[..., Asked], clock: Clock) -> None:
    limits = []

    def slow_to_connect(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"])
        clock.now += limits[-1]["connect"]
        raise httpx.ConnectTimeout("timed out")

    began = clock.now
    with pytest.raises(ServiceError, match="cannot connect: timed out; is `burnish serve` running there"):
        ask(slow_to_connect, timeout=12, retries=99)("predict", "a")
    assert [(one["connect"], one["read"]) for one in limits] == [(5, 12), (5, 6.75), (1.25, 1.25)]
    assert clock.now - began == 12


def test_each_request_of_a_list_has_its_own_deadline(ask: Callable[..., Asked], clock: Clock) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        clock.now += 2
        return good(request)

    assert len(ask(slow, timeout=3, batch=1)("predict", ["a"] * 6)) == 6


def test_an_answer_that_does_not_come_is_not_asked_for_again(ask: Callable[..., Asked]) -> None:
    service = Service(httpx.ReadTimeout("timed out"))
    with pytest.raises(ServiceError, match="no answer within 30 s; raise timeout or lower batch"):
        ask(service)("predict", "a")
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413, 415, 422])
def test_refused_requests_are_not_repeated(ask: Callable[..., Asked], clock: Clock, status: int) -> None:
    service = Service(problem(status))
    with pytest.raises(
        InputError, match=rf"^http://h: why and what to do(; the client takes it as api_key)? \(status {status}\)$"
    ):
        ask(service, url="http://h")("predict", "a")
    assert (len(service.requests), clock.slept) == (1, [])


@pytest.mark.parametrize("status", [500, 502, 504])
def test_failures_of_the_service_are_not_repeated(ask: Callable[..., Asked], status: int) -> None:
    service = Service(problem(status))
    with pytest.raises(ServiceError, match=rf"why and what to do \(status {status}\)"):
        ask(service)("predict", "a")
    assert len(service.requests) == 1


def test_a_refusal_names_the_inputs_of_its_request(ask: Callable[..., Asked]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return problem(422, "inputs[1] is empty") if "bad" in json.loads(request.content)["inputs"] else good(request)

    with pytest.raises(InputError, match=r"of inputs 3 to 4: inputs\[1\] is empty"):
        ask(refuse, batch=2)("predict", ["a", "b", "c", "bad", "e"])


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json=["a"]),
        httpx.Response(200, json={"answers": []}),
        httpx.Response(200, json={"predictions": None}),
    ],
)
def test_another_service(ask: Callable[..., Asked], response: httpx.Response) -> None:
    with pytest.raises(ServiceError, match="http://h: not the answer of a burnish service; check the url"):
        ask(Service(response), url="http://h")("predict", "a")


def test_missing_predictions_are_noticed(ask: Callable[..., Asked]) -> None:
    short = httpx.Response(200, json={"predictions": [{"label": "a"}]})
    assert len(ask(Service(short))("predict", ["a", "b"])) == 2
    with pytest.raises(ServiceError, match="1 answers to 2 inputs"):
        ask(Service(short), retries=0)("predict", ["a", "b"])


# --- feedback -------------------------------------------------------------------------------------------------------


def test_feedback(ask: Callable[..., Asked]) -> None:
    service = Service()
    span = {"start": 0, "end": 4, "label": "PER"}
    assert ask(service, model="m", variant="torch")("feedback", "Anna", [span], comment="a name") == "f1"
    assert service.bodies == [{"model": "m", "input": "Anna", "label": [span], "comment": "a name"}]


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("no"), problem(429), problem(503, **{"retry-after": "1"})], ids=str
)
def test_feedback_that_was_not_stored_is_sent_again(ask: Callable[..., Asked], failure: Any) -> None:
    service = Service(failure)
    assert ask(service)("feedback", "a", "pos") == "f1"
    assert len(service.requests) == 2


@pytest.mark.parametrize(
    "failure", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")]
)
def test_feedback_that_may_be_stored_is_not_sent_again(ask: Callable[..., Asked], failure: Exception) -> None:
    service = Service(failure)
    with pytest.raises(ServiceError, match="may have been stored all the same"):
        ask(service)("feedback", "a", "pos")
    assert len(service.requests) == 1


def test_feedback_without_a_store(ask: Callable[..., Asked]) -> None:
    service = Service(problem(503, "no store is configured"))
    with pytest.raises(ServiceError, match="no store is configured"):
        ask(service)("feedback", "a", "pos")
    assert len(service.requests) == 1


# --- streams --------------------------------------------------------------------------------------------------------


def test_stream_sends_lines(ask: Callable[..., Asked]) -> None:
    service = Service()
    asked = ask(service, batch=2, model="m", variant="torch")
    assert asked("stream", iter(["a", ["b", "c"], "x\ny"])) == [
        {"label": "a"},
        {"label": ["b", "c"]},
        {"label": "x\ny"},
    ]
    assert {request.content for request in service.requests} == {b'"a"\n["b", "c"]\n', b'"x\\ny"\n'}
    assert {str(request.url.query, "ascii") for request in service.requests} == {"model=m&variant=torch"}
    assert {request.headers["content-type"] for request in service.requests} == {"application/x-ndjson"}
    assert asked("stream", []) == []


def test_stream_lines_end_at_newlines_alone(ask: Callable[..., Asked]) -> None:
    lines = '{"label": "a\u2028b\x85c"}\r\n\n{"label": "d"}'
    assert ask(Service(httpx.Response(200, content=lines)))("stream", ["x", "y"]) == [
        {"label": "a\u2028b\x85c"},
        {"label": "d"},
    ]


def test_stream_yields_errors_in_their_place(ask: Callable[..., Asked]) -> None:
    found = ask(Service(), batch=2)("stream", ["a", "b", "c", "bad", "e"], errors="yield")
    assert found == [answer(one) for one in ["a", "b", "c", "bad", "e"]]


def test_stream_raises_after_what_came_before() -> None:
    found = []
    client = Client(url="http://h", batch=5, transport=httpx.MockTransport(Service()))
    with pytest.raises(InputError, match=r"^http://h: input 7: give a text \(status 422\)$"):  # noqa: PT012
        for one in client.stream([*"abcdef", "bad", "h"]):
            found.append(one["label"])
    assert found == [*"abcdef"]


def test_stream_sends_a_block_again_whose_lines_failed_for_now(ask: Callable[..., Asked], clock: Clock) -> None:
    busy = json.dumps({"error": {"status": 503, "detail": "the model process died"}})
    service = Service(httpx.Response(200, content='{"label": "a"}\n' + busy))
    assert ask(service)("stream", ["a", "b"]) == [{"label": "a"}, {"label": "b"}]
    assert clock.slept == [0.25]
    with pytest.raises(ServiceError, match="the model process died"):
        ask(Service(httpx.Response(200, content=busy)), retries=0)("stream", ["a"])


def test_stream_takes_inputs_while_answers_arrive() -> None:
    taken = []

    def inputs() -> Iterator[str]:
        for i in range(10**9):
            taken.append(i)
            yield str(i)

    predictions = Client(batch=4, transport=httpx.MockTransport(Service())).stream(inputs())
    assert not taken
    assert [next(predictions)["label"] for _ in range(4)] == [*"0123"]
    assert len(taken) == 4
    assert next(predictions)["label"] == "4"
    assert len(taken) == 8


# --- several requests at a time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "stream"])
def test_async_keeps_the_order_of_answers_out_of_order(method: str) -> None:
    arrived: list[str] = []
    under_way = 0
    most = 0

    async def run() -> list[Any]:
        full = asyncio.Event()
        done = {str(i): asyncio.Event() for i in range(4)}

        async def last_comes_first(request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            response = good(request)
            text = (
                json.loads(response.content.split(b"\n")[0])
                if method == "stream"
                else response.json()["predictions"][0]
            )["label"]
            arrived.append(text)
            under_way += 1
            most = max(most, under_way)
            if len(arrived) == 4:
                full.set()
            await full.wait()
            if text in "012":
                await done[str(int(text) + 1)].wait()
            if text in done:
                done[text].set()
            under_way -= 1
            return response

        async with AsyncClient(batch=1, transport=httpx.MockTransport(last_comes_first)) as client:
            texts = [str(i) for i in range(9)]
            if method == "predict":
                return await client.predict(texts)
            return [one async for one in client.stream(iter(texts))]

    assert [one["label"] for one in asyncio.run(asyncio.wait_for(run(), 20))] == [str(i) for i in range(9)]
    assert most == 4


def test_async_stops_the_others_when_one_is_refused() -> None:
    stopped = []

    async def run() -> None:
        first = asyncio.Event()

        async def others_hang(request: httpx.Request) -> httpx.Response:
            text = json.loads(request.content)["inputs"][0]
            if text == "0":
                await first.wait()
                return problem(422)
            try:
                if text == "3":
                    first.set()
                await asyncio.Event().wait()
            finally:
                stopped.append(text)
            raise AssertionError

        async with AsyncClient(batch=1, transport=httpx.MockTransport(others_hang)) as client:
            with pytest.raises(InputError):
                await client.predict([str(i) for i in range(9)])

    asyncio.run(asyncio.wait_for(run(), 20))
    assert sorted(stopped) == ["1", "2", "3"]


# --- the key and the url --------------------------------------------------------------------------------------------


def test_the_key_is_in_no_message(ask: Callable[..., Asked]) -> None:
    asked = ask(Service(problem(401, f"no such key: {KEY}")), api_key=KEY)
    with pytest.raises(InputError, match=r"no such key: \*\*\*; the client takes it as api_key") as caught:
        asked("predict", "a")
    assert caught.value.__cause__ is None
    assert repr(asked.client) == f"{type(asked.client).__name__}('http://127.0.0.1:8000')"
    assert KEY not in repr(asked.client) + repr(asked.client._http.headers)


@pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"{KEY}é"])
def test_a_key_that_no_header_carries(key: str) -> None:
    with pytest.raises(InputError, match="no HTTP header can carry") as caught:
        Client(api_key=key)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://h", "http://", "", "http://h:99999"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InputError, match="is no address of a service"):
        Client(url)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@h", f"http://h/?key={KEY}"])
def test_urls_with_secrets(url: str) -> None:
    with pytest.raises(InputError, match="give the key as api_key") as caught:
        Client(url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("option", [{"batch": 0}, {"timeout": 0}, {"retries": -1}])
def test_numbers_that_make_no_sense(option: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="have to be above 0"):
        Client(**option)


# --- predict_lines --------------------------------------------------------------------------------------------------


def lines_client(task: str = "classify", **options: Any) -> Client:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"models": [{"name": "m", "task": task}, {"name": "other", "task": "tag"}]})
        return good(request)

    return Client(model="m", batch=2, transport=httpx.MockTransport(handler), **options)


def test_lines_of_a_text_a_file_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffone\r\n\r\nzwölf\u2028x".encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    expected = [{"text": text, "label": text} for text in ("one", "", "zwölf\u2028x")]
    assert list(predict_lines(lines_client(), str(path))) == expected
    assert list(predict_lines(lines_client(), "-")) == expected
    assert list(predict_lines(lines_client(), "a text")) == [{"text": "a text", "label": "a text"}]


def test_lines_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("Grüße aus Köln\n".encode("latin-1"))
    assert [one["label"] for one in predict_lines(lines_client(), str(path))] == ["Grüße aus Köln"]


def test_lines_for_pair() -> None:
    assert list(predict_lines(lines_client("pair"), "a\tb\tc")) == [{"text": "a\tb\tc", "label": ["a", "b\tc"]}]
    with pytest.raises(InputError, match="two texts a line, separated by a tab"):
        list(predict_lines(lines_client("pair"), "a b"))


def test_lines_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    (tmp_path / "empty.txt").touch()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"good\nb\xffad\n")))
    for source, message in {
        str(tmp_path / "rows.csv"): "a text a line",
        str(tmp_path / "empty.txt"): "is empty",
        str(tmp_path / "none.txt"): "no file at",
        str(tmp_path): "is a folder",
        "-": "standard input:line 2: not valid UTF-8",
    }.items():
        with pytest.raises(InputError, match=message):
            list(predict_lines(lines_client(), source))


def test_lines_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("a\nb\nbad\n")
    with pytest.raises(InputError, match="input 3: give a text"):
        list(predict_lines(lines_client(), str(path)))


# --- without the libraries, and with a server -----------------------------------------------------------------------


def test_import_needs_neither_httpx_nor_torch() -> None:
    code = """
import sys
sys.modules["httpx"] = None
from burnish.errors import MissingExtra
from burnish.serving.client import AsyncClient, Client
assert not {"torch", "transformers", "datasets", "pyarrow"} & set(sys.modules)
for kind in (Client, AsyncClient):
    try:
        kind()
    except MissingExtra as error:
        assert "burnish[serve]" in str(error)
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


class Server(BaseHTTPRequestHandler):
    """Over a real connection; the first request of each server is cut off before it is answered."""

    protocol_version = "HTTP/1.1"
    cut = True

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if type(self).cut:
            type(self).cut = False
            self.close_connection = True
            return
        response = good(httpx.Request("POST", f"http://h{self.path}", headers=dict(self.headers), content=content))
        self.send_response(response.status_code)
        self.send_header("content-length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Once", (Server,), {}))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_a_connection(server: ThreadingHTTPServer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    texts = [f"text {i} " + "x" * 500 for i in range(300)]
    with Client(f"http://127.0.0.1:{server.server_port}", timeout=20) as client:
        assert [one["label"] for one in client.predict(texts)] == texts
        assert clock.slept == [0.25]
        assert [one["label"] for one in client.stream(iter(texts))] == texts
        assert client.feedback("a", "pos") == "f1"


def test_async_over_connections(server: ThreadingHTTPServer, clock: Clock) -> None:
    texts = [str(i) for i in range(300)]

    async def run() -> list[Any]:
        async with AsyncClient(f"http://127.0.0.1:{server.server_port}", timeout=20) as client:
            return await client.predict(texts)

    assert [one["label"] for one in asyncio.run(run())] == texts
    assert clock.slept == [0.25]


def test_nobody_there(clock: Clock) -> None:
    free = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    free.server_close()
    url = f"http://127.0.0.1:{free.server_port}"
    with (
        Client(url, retries=1) as client,
        pytest.raises(ServiceError, match=rf"^{url}: cannot connect: .*refused.*2 tries"),
    ):
        client.predict("a")
    assert clock.slept == [0.25]
