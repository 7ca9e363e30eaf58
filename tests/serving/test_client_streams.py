"""The Python client: streams, several requests at a time, lines of a file, keys, and real connections."""

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
from burnish.serving.client import AsyncClient, Client, ServiceError, predict_lines
from tests.serving.scripted import KEY, Asked, Clock, Service, answer, good, problem

pytest_plugins = ["tests.serving.scripted"]
pytestmark = pytest.mark.usefixtures("clock")

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


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_stream_answers_what_came_before_an_input_that_cannot_be_read(kind: type[Client] | type[AsyncClient]) -> None:
    def inputs() -> Iterator[Any]:
        yield from "abc"
        raise InputError("no more can be read")

    async def run(client: AsyncClient, given: Any) -> None:
        async for one in client.stream(given):
            found.append(one["label"])

    for given, told in (inputs(), "no more can be read"), ([*"abc", {1}, "e"], "input 4 cannot be written as JSON"):
        found: list[str] = []
        client = kind(batch=2, transport=httpx.MockTransport(Service()))
        with pytest.raises(InputError, match=told):  # noqa: PT012
            if isinstance(client, AsyncClient):
                asyncio.run(run(client, given))
            else:
                for one in client.stream(given):
                    found.append(one["label"])
        assert found == [*"abc"]


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


def test_a_line_for_pair_without_a_tab_is_named_after_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("a\tb\nc\td\ne\tf\nno tab\ng\th\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    for source, place in ((str(path), str(path)), ("-", "standard input")):
        found = []
        with pytest.raises(InputError, match=f"^{place}:line 4: pair takes two texts a line"):  # noqa: PT012
            for one in predict_lines(lines_client("pair"), source):
                found.append(one["text"])
        assert found == ["a\tb", "c\td", "e\tf"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"good\nb\xffad\nfine\n")))
    with pytest.raises(InputError, match="standard input:line 2: not valid UTF-8"):  # noqa: PT012
        said = predict_lines(lines_client(), "-")
        assert next(said)["text"] == "good"
        next(said)


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
