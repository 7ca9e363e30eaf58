"""Explanations over HTTP: those of the library, for what the model was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from burnish import explain
from burnish.engine import Engine
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.registry import Registry
from burnish.serving.schemas import ExplainRequest
from burnish.serving.service import Service
from burnish.serving.stats import Stats
from tests.serving.conftest import ADMIN, Running

ASKED: list[tuple[str, Any]] = [
    ("classify", "the film was very good"),
    ("pair", ["the film was good", "good film"]),
    ("score", "the film was good"),
    ("tag", "Anna lives in Paris ."),
    ("tag", ["Ben", "works", "in", "Rome"]),
]


def why(running: Running, **body: Any) -> httpx.Response:
    with running.client(ADMIN) as client:
        return client.post("/v1/explain", json=body)


@pytest.mark.parametrize(("task", "given"), ASKED, ids=lambda one: str(one)[:20])
def test_it_is_the_explanation_of_the_library(task: str, given: Any, running: Running, folders: Any) -> None:
    answer = why(running, model=task, input=given)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    own = explain(Engine.open(folders[task]), given)
    assert told["model"] == task
    found = told["explanation"]
    assert found["target"] == own.target
    assert [(s["start"], s["end"], s["second"]) for s in found["scores"]] == [
        (s.start, s.end, s.second) for s in own.scores
    ]
    assert [s["score"] for s in found["scores"]] == pytest.approx([s.score for s in own.scores], abs=1e-4)
    assert "text" not in found


def test_a_word_and_a_label_can_be_asked_about(running: Running) -> None:
    text = "Anna lives in Paris ."
    found = why(running, model="tag", input=text, at=[14, 19], target="O").json()["explanation"]
    assert found["at"] == [14, 19]
    assert found["target"] == "O"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"model": "classify", "input": "good", "target": "nonsense"}, 422, "does not know the label"),
        ({"model": "classify", "input": ""}, 422, "word"),
        ({"model": "classify", "input": ["a", "b"]}, 422, "takes a text"),
        ({"model": "nothing", "input": "good"}, 404, "no model"),
        ({"model": "tag", "input": "Anna", "at": [70, 75]}, 422, "no word"),
        ({"model": "tag", "input": "Anna", "at": [7]}, 422, "at"),
        ({"model": "classify"}, 422, "input"),
        ({"model": "classify", "input": "good", "more": 1}, 422, "more"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_what_is_wrong_is_said(body: dict[str, Any], status: int, told: str, running: Running) -> None:
    answer = why(running, **body)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    assert "--" not in answer.json()["detail"]


def test_explanations_are_counted_apart_from_predictions(running: Running) -> None:
    def counted() -> dict[str, float]:
        with running.client(ADMIN) as client:
            told = client.get("/metrics").text
            lines = [line.rsplit(" ", 1) for line in told.splitlines() if 'model="classify"' in line]
        return {name: float(value) for name, value in lines}

    before = counted()
    assert why(running, model="classify", input="good").status_code == 200
    assert why(running, model="classify", input="good", target="nonsense").status_code == 422
    found = counted()
    for status in ("200", "422"):
        name = f'burnish_explain_seconds_count{{model="classify",status="{status}"}}'
        assert found[name] == before.get(name, 0) + 1
    requests = 'burnish_requests_total{model="classify",status="200"}'
    assert found.get(requests) == before.get(requests)


def test_there_are_no_more_at_once_than_the_service_takes() -> None:
    async def asked() -> Problem:
        stats, limits = Stats(), Limits(max_concurrent_requests=1)
        service = Service(Registry(limits, None, stats.seen), stats, None, limits, local=True)
        service.open = 1
        with pytest.raises(Problem) as said:
            await service.explained(ExplainRequest(model="any", input="good"))
        assert service.open == 1
        return said.value

    assert asyncio.run(asked()).status == 429
