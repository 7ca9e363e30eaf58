"""Rows of a table as inputs of the service: objects of columns, and everything that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from burnish.serving import intake
from burnish.serving.client import Client, predict_lines
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.worker import Model
from tests import tiny_tables
from tests.serving.conftest import Running, start

ROW = {"age": 70, "income": "12,000", "town": "Bonn"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fields")
    job = tiny_tables.job(place, tiny_tables.table(place, tiny_tables.rows(300)), epochs=12)
    return tune(job.model_copy(update={"out": str(place / "people")})).artifact.folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Running]:
    store = folder.parent / "store.sqlite"
    found = start([folder], "--processes", "1", "--max-batch-tokens", "128", "--store", str(store))
    yield found
    found.process.kill()
    found.process.wait()


def test_every_way_to_send_a_row_gives_the_answer_of_the_engine(served: Running, folder: Path) -> None:
    engine = Engine.open(folder, "torch")
    own = asdict(engine.predict([ROW])[0])
    with served.client("") as client:
        answers = [client.post("/v1/predict", json={"inputs": one}).json() for one in (ROW, [ROW], [{**ROW}])]
        lines = client.post(
            "/v1/predict",
            content=f'{json.dumps(ROW)}\n{{"age": "old"}}\n7\n',
            headers={"content-type": "application/x-ndjson"},
        ).text.splitlines()
        (about,) = client.get("/v1/models").json()["models"]
    said = [answer["predictions"][0] for answer in answers] + [json.loads(lines[0])]
    said += [Client(served.url).predict(ROW), *predict_lines(Client(served.url), json.dumps(ROW))]
    for one in said:
        assert one["label"] == own["label"] == "yes"
        assert one["probabilities"]["yes"] == pytest.approx(own["probabilities"]["yes"], abs=1e-5)
    assert [json.loads(line)["error"]["status"] for line in lines[1:]] == [422, 422]
    assert about["inputs"] == "table"
    assert list(about["fields"]) == ["age", "income", "town"]
    assert about["fields"]["age"]["type"] == "number"
    assert about["fields"]["age"]["low"] <= about["fields"]["age"]["typical"] <= about["fields"]["age"]["high"]
    assert sorted(about["fields"]["town"]["values"]) == ["Bonn", "Köln", "上海"]
    with pytest.raises(InputError, match="a JSON object a line"):
        list(predict_lines(Client(served.url), "70"))


def test_cells_may_be_missing_null_or_new(served: Running, folder: Path) -> None:
    given: list[dict[str, Any]] = [{"age": 70}, {"age": None, "town": "Bonn"}, {"town": "Paris", "age": "７０"}]
    own = Engine.open(folder, "torch").predict(given)
    for one, right in zip(Client(served.url).predict(given), own, strict=True):
        assert one["probabilities"]["yes"] == pytest.approx(right.probabilities["yes"], abs=1e-5)


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ({"agee": 3}, 422, "did you mean 'age'"),
        ({"": 0, "age": 41}, 422, "knows no column without a name"),
        ({"age": "old"}, 422, "'old' in column 'age' is no number"),
        ({"age": True}, 422, "no number"),
        ({"age": [3]}, 422, "column 'age' takes one number or text"),
        ({"town": {"name": "Bonn"}}, 422, "column 'town' takes one"),
        ({"town": ["Bonn"]}, 422, "column 'town' takes one"),
        ({"age": None}, 422, "every column is empty"),
        ({}, 422, "every column is empty"),
        ({"age": 1e308 * 10}, 400, "not valid JSON"),
        ("Bonn", 422, 'takes an object with any of "age", "income", "town", not a text'),
        ('{"age": 3}', 422, "not a text"),
        ([3, "Bonn"], 422, "not a list of 2"),
        (7, 422, "not a number"),
        (None, 422, "not null"),
        ({"town": "B" * 4_100_000}, 413, "bytes"),
    ],
)
def test_what_is_no_row_is_refused(given: Any, status: int, told: str, served: Running) -> None:
    with served.client("") as client:
        body = json.dumps({"inputs": [ROW, given]})
        answer = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
        assert client.post("/v1/predict", json={"inputs": ROW}).status_code == 200, "the service goes on"
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 422:
        assert answer.json()["detail"].startswith("inputs[1]: ")


def test_a_form_is_no_row(served: Running) -> None:
    with served.client("") as client:
        answer = client.post("/v1/predict", files={"age": b"70"}, data={"model": "people"})
    assert (answer.status_code, answer.json()["detail"]) == (
        415,
        "the inputs of this model are objects; send application/json",
    )


def test_an_answer_is_explained_and_corrected(served: Running) -> None:
    with served.client("") as client:
        answer = client.post("/v1/explain", json={"input": ROW, "target": "yes"})
        told = answer.json()["explanation"]
        wrong = client.post("/v1/explain", json={"input": {"age": "old"}})
        kept = client.post("/v1/feedback", json={"input": ROW, "label": "no"})
        schema = client.get("/openapi.json").json()["components"]["schemas"]
    assert told["names"] == ["age", "income", "town"]
    assert told["cells"] == ["70", "12000", "Bonn"]
    assert (told["method"], told["baseline"]["kind"]) == ("shapley", "typical")
    scores = dict(zip(told["names"], told["grid"][0], strict=True))
    assert abs(scores["income"]) < max(scores["age"], scores["town"])
    assert sum(scores.values()) == pytest.approx(told["value"] - told["baseline"]["value"], abs=1e-4)
    assert (wrong.status_code, kept.status_code) == (422, 201)
    assert "object" in json.dumps(schema["PredictRequest"]["properties"]["inputs"])
    assert {"names", "cells"} <= set(schema["Explained"]["properties"])


def test_a_process_measures_itself_with_rows(folder: Path) -> None:
    model = Model(folder, None)
    model.warm_up()
    model.measure(128)
    assert model.pace > 0


def test_a_store_keeps_a_row_as_it_came() -> None:
    fields: dict[str, Any] = {"age": {"type": "number"}}
    (one,) = intake.fitting([{"age": 3}], "classify", Limits(), "table", fields)
    assert intake.kept(one, "table", fields) == '{"age":3}'
    both: dict[str, Any] = {"text": {"type": "text"}, "image": {"type": "file", "kind": "image"}}
    (one,) = intake.fitting([{"text": "a", "image": "YQ=="}], "classify", Limits(), "text+image", both)
    held = json.loads(intake.kept(one, "text+image", both))
    assert held["text"] == "a"
    assert len(held["image"]) == 64
    (wrapped,) = intake.fitting([{"text": "a", "image": {"file": "YQ=="}}], "classify", Limits(), "text+image", both)
    assert wrapped == one  # as the client sends a path
    with pytest.raises(Problem, match="'image' takes the base64 of a file"):
        intake.fitting([{"image": {"path": "a.png"}}], "classify", Limits(), "text+image", both)
    for odd in ({"text": "a", "image": None}, {"image": 7}):  # the process of the model says what is wrong with it
        (one,) = intake.fitting([odd], "classify", Limits(), "text+image", both)
        assert json.loads(intake.kept(one, "text+image", both)) == odd
    for odd in ({"age": 10**30}, {"age": "\ud83d"}):
        with pytest.raises(Problem, match=r"inputs\[0\]: ") as told:
            intake.fitting([odd], "classify", Limits(), "table", fields)
        assert told.value.status == 422
    with pytest.raises(Problem, match="knows no 'agee'"):
        intake.fitting([{"agee": 3}], "classify", Limits(), "table", fields)
