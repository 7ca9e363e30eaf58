"""What comes in: bodies within limits, JSON that is JSON, inputs that fit."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from typing import Any

import pytest

from burnish.serving import intake
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem


def read(pieces: Sequence[bytes], most: int = 1000, **headers: str) -> bytes:
    scope: dict[str, Any] = {"headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]}
    messages = [
        {"type": "http.request", "body": piece, "more_body": i < len(pieces) - 1} for i, piece in enumerate(pieces)
    ]
    given = iter(messages or [{"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(given)

    return asyncio.run(intake.body(scope, receive, most))


def status(run: Any) -> int:
    with pytest.raises(Problem) as caught:
        run()
    return caught.value.status


def test_a_body_is_read_in_pieces_and_unpacked() -> None:
    assert read([b"[1,", b"2]"]) == b"[1,2]"
    packed = gzip.compress(b"x" * 900)
    assert read([packed[:7], packed[7:]], content_encoding="gzip") == b"x" * 900


def test_gzip_of_several_members_is_read_to_its_end() -> None:
    packed = gzip.compress(b"x" * 300) + gzip.compress(b"") + gzip.compress(b"y" * 300)
    for pieces in ([packed], [packed[i : i + 1] for i in range(len(packed))]):
        assert read(pieces, content_encoding="gzip") == b"x" * 300 + b"y" * 300
    assert status(lambda: read([packed * 2], content_encoding="gzip")) == 413
    assert status(lambda: read([packed + b"no gzip"], content_encoding="gzip")) == 400
    assert status(lambda: read([packed[:-9]], content_encoding="gzip")) == 400


def test_what_is_too_large_is_refused_before_it_is_held() -> None:
    assert status(lambda: read([b"x"], content_length="2000")) == 413
    assert status(lambda: read([b"x" * 600] * 2)) == 413
    bomb = gzip.compress(b"\0" * 200_000_000)
    assert len(bomb) < 250_000
    assert status(lambda: read([bomb], content_encoding="gzip")) == 413


def test_a_body_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_SECONDS", 0.05)

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(Problem) as caught:
        asyncio.run(intake.body({"headers": []}, receive, 1000))
    assert caught.value.status == 408
    assert caught.value.headers()["connection"] == "close"


def test_broken_bodies_are_named() -> None:
    assert status(lambda: read([b"no gzip"], content_encoding="gzip")) == 400
    assert status(lambda: read([gzip.compress(b"x" * 99)[:-9]], content_encoding="gzip")) == 400
    assert status(lambda: read([b"x"], content_encoding="br")) == 415
    assert status(lambda: read([])) == 400  # the client is gone


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": NaN}', b'"\\ud800"', b'"\xff"', b"[" * 5000, b"[1] 2"])
def test_only_json_is_json(raw: bytes) -> None:
    assert status(lambda: intake.parsed(raw)) == 400


def test_inputs_become_a_list() -> None:
    limits = Limits(max_inputs=3)
    assert intake.listed("one", limits) == ["one"]
    assert intake.listed(["a", "b"], limits) == ["a", "b"]
    for wrong in (None, [], {}, 3, True):
        assert status(lambda given=wrong: intake.listed(given, limits)) == 422
    assert status(lambda: intake.listed(["a"] * 4, limits)) == 413


@pytest.mark.parametrize(
    ("task", "right", "wrong"),
    [
        ("classify", ["text", ""], [1, None, ["a", "b"], {"text": "a"}, True]),
        ("pair", [["a", "b"]], ["a", ["a"], ["a", "b", "c"], ["a", 1]]),
        ("score", ["a", ["a", "b"]], [["a"], 1.5]),
        ("tag", ["a b", ["a", "b", "c"]], [[], ["a", 1], 7]),
    ],
)
def test_inputs_fit_the_task(task: str, right: list[Any], wrong: list[Any]) -> None:
    limits = Limits(max_characters=20)
    intake.fitting(right, task, limits)
    for one in wrong:
        assert status(lambda given=one: intake.fitting([*right, given], task, limits)) == 422
    long: Any = ["x" * 11, "y" * 11] if task == "pair" else "x" * 21
    assert status(lambda: intake.fitting([long], task, limits)) == 413
