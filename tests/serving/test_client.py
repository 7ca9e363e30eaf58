"""The Python client: requests, retries, deadlines and corrections, for the sync and the async one alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from burnish.errors import InputError
from burnish.serving import exchange as module
from burnish.serving.client import ServiceError
from tests.serving.scripted import KEY, Asked, Clock, Service, good, problem

pytest_plugins = ["tests.serving.scripted"]
pytestmark = pytest.mark.usefixtures("clock")

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
