"""/v1/embeddings: what OpenAI's clients send and read, beside what the engine says."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from burnish import job as flow
from burnish.engine import Engine
from burnish.serving.embeddings import wanted
from burnish.serving.errors import Problem
from tests import tiny
from tests.serving.conftest import Running, start, stop

TEXTS = ["anna lives in rome", "", "the film was very good"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, Path]) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("embed")
    job = tiny.job(place, "embed", epochs=1).model_copy(update={"out": str(place / "faq")})
    policy = place / "policy.yaml"
    policy.write_text("checks:\n- {check: secrets, action: block}\n", encoding="utf-8")
    folder = flow.tune(job).artifact.folder
    options = "--processes", "1", "--max-batch-tokens", "512", "--guard", str(policy)
    found = start([folder, folders["classify"]], *options)
    found.folder = folder
    yield found
    stop(found)


def test_vectors_are_those_of_the_engine_in_either_form(running: Running) -> None:
    said = Engine.open(running.folder).predict(TEXTS)
    with running.client("") as client:
        asked = {"model": "faq", "input": TEXTS}
        plain = client.post("/v1/embeddings", json={**asked, "user": "u"}).json()
        packed = client.post("/v1/embeddings", json={**asked, "encoding_format": "base64"}).json()
        single = client.post("/v1/embeddings", json={"model": "faq", "input": TEXTS[0]}).json()
    assert (plain["object"], plain["model"], len(single["data"])) == ("list", "faq", 1)
    tokens = sum(one.tokens for one in said)
    assert plain["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    for place, (one, two, own) in enumerate(zip(plain["data"], packed["data"], said, strict=True)):
        assert (one["object"], one["index"]) == ("embedding", place)
        np.testing.assert_allclose(one["embedding"], own.embedding, atol=1e-5)
        raw = np.frombuffer(base64.b64decode(two["embedding"]), "<f4")
        np.testing.assert_allclose(raw, own.embedding, atol=1e-5)


def test_it_is_one_more_path_with_the_limits_of_predict(running: Running) -> None:
    cases = (
        ({"model": "classify", "input": "a"}, 422, "gives no embeddings"),
        ({"model": "nobody", "input": "a"}, 404, "nobody"),
        ({"model": "faq", "input": []}, 422, "a list of texts"),
        ({"model": "faq", "input": [[1, 2]]}, 422, "tokens are not taken"),
        ({"model": "faq", "input": ["a"] * 1001}, 413, "1,001"),
        ({"model": "faq", "input": ["a", "b" * 200_000]}, 413, "characters"),
        ({"model": "faq", "input": "a", "dimensions": 7}, 422, "32 numbers"),
        ({"model": "faq", "input": "a", "encoding_format": "int8"}, 422, "float, base64"),
        ({"model": "faq", "input": ["a", "AKIAIOSFODNN7EXAMPLE"]}, 422, "input[1]: the guard blocks"),
    )
    with running.client("") as client:
        for body, status, told in cases:
            found = client.post("/v1/embeddings", json=body)
            assert (found.status_code, told in found.json()["detail"]) == (status, True), (body["model"], found.json())
        assert client.get("/v1/embeddings").status_code == 405
        broken = client.post("/v1/embeddings", content=b"{", headers={"content-type": "application/json"})
        assert broken.status_code == 400
        assert client.post("/v1/embeddings", content=b"a").status_code == 415
        document = client.get("/openapi.json").json()
        assert "/v1/embeddings" in document["paths"]
        match = client.post("/v1/predict", json={"model": "faq", "inputs": [["anna", "ben"], "anna"]}).json()
    assert set(match["predictions"][0]) == {"similarity", "probability"}
    assert len(match["predictions"][1]["embedding"]) == 32


def test_bodies_that_are_none() -> None:
    for body in ([], {"input": None}, {"input": "a", "model": 1}, {"input": "a", "dimensions": True}):
        with pytest.raises(Problem):
            wanted(body)
