"""The guard in the service: what it blocks no model sees, what it redacts is predicted on without it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from burnish.engine import Engine
from burnish.errors import BurnishError
from burnish.serving.errors import Problem
from burnish.serving.guarding import Admitted, Guarding
from burnish.serving.service import PREDICT
from tests.serving.conftest import Running, start, stop

POLICY = """checks:
  - {check: personal, action: redact}
  - {check: secrets, action: block}
  - {check: evasion, action: human}
"""
SECRET = "password: hunter2"


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def guarded(folders: dict[str, Path], policy: Path) -> Iterator[Running]:
    found = start(
        [folders["classify"], folders["tag"], folders["pair"]],
        "--processes",
        "1",
        "--store",
        "none",
        "--guard",
        str(policy),
    )
    yield found
    stop(found)


def admit(guarding: Guarding, inputs: list[object], task: str = "classify") -> Admitted:
    async def run() -> Admitted:
        try:
            return await guarding.admit(inputs, task)
        finally:
            guarding.close()

    return asyncio.run(run())


def test_inputs_are_redacted_blocked_and_told(policy: Path) -> None:
    found = admit(Guarding(policy, 60), ["good", "by a@b.org", SECRET, "k\u200bill"])
    assert found.inputs == ["good", "by <EMAIL>", "k\u200bill"]
    assert json.loads(found.blocked[2][1:]) == {
        "status": 422,
        "detail": "the guard blocks this: secrets (password) at 10-17, line 3 of the policy",
    }
    assert [(one["input"], one["action"]) for one in found.about()] == [(1, "redact"), (3, "human")]
    assert "a@b" not in json.dumps(found.about())
    assert found.parts([b"+a", b"+b", b"+c"]) == [b"+a", b"+b", found.blocked[2], b"+c"]


def test_texts_of_each_task(policy: Path) -> None:
    assert admit(Guarding(policy, 60), [["a@b.org", "b"], "x"], "pair").inputs == [["<EMAIL>", "b"], "x"]
    assert admit(Guarding(policy, 60), [["Ben", "a@b.org"], ["Ben", "in"]], "tag").inputs == [
        "Ben <EMAIL>",
        ["Ben", "in"],
    ]
    assert admit(Guarding(policy, 60), [3, None, [1]]).inputs == [3, None, [1]]


def test_long_texts_go_to_a_process_and_are_answered_the_same(policy: Path) -> None:
    texts = ["long " * 600 + "a@b.org", SECRET]
    found = admit(Guarding(policy, 60), texts)
    assert found.inputs == ["long " * 600 + "<EMAIL>"]
    assert list(found.blocked) == [1]


async def stopped(policy: Path) -> Guarding:
    """A guard whose process takes nothing in until it is told to go on."""
    guarding = Guarding(policy, 60)
    guarding._inline = None
    await guarding.ready()
    assert guarding._process
    os.kill(guarding._process.pid, signal.SIGSTOP)
    return guarding


def test_nothing_passes_when_the_guard_has_died(policy: Path) -> None:
    async def run() -> None:
        guarding = await stopped(policy)
        assert guarding._process
        asked = asyncio.create_task(guarding.admit(["a@b.org"], "classify"))
        await asyncio.sleep(0.1)
        guarding._process.kill()
        with pytest.raises(Problem) as caught:
            await asked
        assert caught.value.status == 503
        assert (await guarding.admit(["a@b.org"], "classify")).inputs == ["<EMAIL>"]  # a new one
        guarding.close()

    asyncio.run(run())


def test_a_guard_that_hangs_is_replaced(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("burnish.serving.guarding._SILENCE", 0.3)

    async def run() -> None:
        guarding = await stopped(policy)
        hanging, guarding.timeout = guarding._process, 0.5
        assert hanging
        with pytest.raises(Problem, match="took too long"):
            await guarding.admit(["text " * 1000], "classify")
        while guarding._running():  # until it is seen to have ended
            await asyncio.sleep(0.01)
        guarding.timeout = 60
        found = await guarding.admit(["by a@b.org " + "text " * 1000], "classify")
        assert found.inputs == ["by <EMAIL> " + "text " * 1000]
        assert guarding._process is not hanging
        guarding.close()

    asyncio.run(asyncio.wait_for(run(), 50))


def test_a_request_that_is_given_up_disturbs_no_other(policy: Path) -> None:
    async def run() -> None:
        guarding = await stopped(policy)
        assert guarding._process
        guarding.timeout = 0.5
        for _ in range(2):  # one is sent in part, and one not begun
            with pytest.raises(Problem) as caught:
                await guarding.admit(["long " * 400_000], "classify")
            assert caught.value.status == 504
        os.kill(guarding._process.pid, signal.SIGCONT)
        guarding.timeout = 60
        first = guarding._process
        assert (await guarding.admit(["a@b.org"], "classify")).inputs == ["<EMAIL>"]
        assert guarding._process is first
        guarding.close()

    asyncio.run(asyncio.wait_for(run(), 50))


def test_a_start_outlasts_the_requests_that_wait_for_it(policy: Path) -> None:
    async def run() -> None:
        guarding = Guarding(policy, 0.05)
        guarding._inline = None
        with pytest.raises(Problem, match="too long"):
            await guarding.admit(["a@b.org"], "classify")
        found = Admitted()
        while not found.inputs:
            with suppress(Problem):
                found = await guarding.admit(["a@b.org"], "classify")
        assert found.inputs == ["<EMAIL>"]
        guarding.close()

    asyncio.run(asyncio.wait_for(run(), 50))


def test_a_model_check_runs_in_the_process(folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    labels = Engine.open(folders["classify"]).task.labels
    path.write_text(
        f"checks:\n  - {{check: harm, model: {folders['classify']}, label: [{', '.join(labels)}], action: block}}\n",
        encoding="utf-8",
    )
    found = admit(Guarding(path, 60), ["anything"])
    assert found.inputs == []
    assert b"harm (" in found.blocked[0]

    (tmp_path / "models").mkdir()
    path.write_text("checks:\n  - {check: harm, model: models/none}\n", encoding="utf-8")
    with pytest.raises(BurnishError, match="models/none"):
        asyncio.run(Guarding(path, 60).ready())


def test_the_service_blocks_and_tells(guarded: Running) -> None:
    with guarded.client("") as client:
        said = client.post(PREDICT, json={"model": "classify", "inputs": ["good film", SECRET]})
        assert said.status_code == 422
        assert "inputs[1]: the guard blocks this: secrets (password) at 10-17" in said.json()["detail"]
        assert "hunter2" not in said.text
        assert client.post(PREDICT, json={"model": "classify", "inputs": [SECRET]}).status_code == 422

        said = client.post(
            PREDICT, json={"model": "classify", "inputs": ["good film", "k\u200bill", "good a@b.org"]}
        ).json()
        assert len(said["predictions"]) == 3
        assert [(one["input"], one["action"]) for one in said["guard"]] == [(1, "human"), (2, "redact")]
        assert "guard" not in client.post(PREDICT, json={"model": "classify", "inputs": ["good film"]}).json()


def test_a_redacted_text_is_what_the_model_sees(guarded: Running) -> None:
    with guarded.client("") as client:
        said = client.post(PREDICT, json={"model": "tag", "inputs": ["Anna , a@b.org", ["Ben", "a@b.org"]]}).json()
    for prediction in said["predictions"]:
        assert "a@b.org" not in " ".join(prediction["words"])
        assert "EMAIL" in prediction["words"]


def test_lines_of_a_stream_are_guarded_one_by_one(guarded: Running) -> None:
    body = "\n".join(json.dumps(text) for text in ["good film", SECRET, "bad film"])
    with guarded.client("") as client:
        answer = client.post(
            PREDICT, params={"model": "classify"}, content=body, headers={"content-type": "application/x-ndjson"}
        )
    said = [json.loads(line) for line in answer.text.splitlines()]
    assert ["label" in one for one in said] == [True, False, True]
    assert said[1]["error"]["status"] == 422


def test_what_is_blocked_is_not_explained_either(guarded: Running) -> None:
    with guarded.client("") as client:
        for given, told in ((SECRET, "the guard blocks this"), ("good a@b.org", "takes something out")):
            said = client.post("/v1/explain", json={"model": "classify", "input": given})
            assert said.status_code == 422
            assert told in said.json()["detail"]
        assert client.post("/v1/explain", json={"model": "classify", "input": "good film"}).status_code == 200
