"""A search that was killed finds what it had found."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.compression.journal import Journal


def test_finished_steps_are_not_done_again(tmp_path: Path) -> None:
    done: list[str] = []

    def work(name: str) -> dict[str, float]:
        done.append(name)
        return {"score": 0.5}

    def broken() -> None:
        raise RuntimeError

    journal = Journal(tmp_path / "work" / "search.sqlite", "a")
    assert journal.once("first", work, "first") == {"score": 0.5}
    with pytest.raises(RuntimeError):
        journal.once("second", broken)
    journal.close()
    again = Journal(tmp_path / "work" / "search.sqlite", "a")
    assert again.once("first", work, "first") == {"score": 0.5}
    assert again.once("second", work, "second") == {"score": 0.5}
    assert done == ["first", "second"]
    assert list(again.steps()) == ["first", "second"]
    assert again.spent() == pytest.approx(sum(step.seconds for step in again.steps().values()))
    again.close()


def test_steps_of_another_search_are_forgotten(tmp_path: Path) -> None:
    for fingerprint in ("a", "b", "b"):
        journal = Journal(tmp_path / "search.sqlite", fingerprint)
        assert journal.once("step", lambda f=fingerprint: f) == fingerprint
        journal.close()


def test_nothing_found_is_kept_as_well(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "search.sqlite", "a")
    calls: list[int] = []
    for _ in range(2):
        assert journal.once("step", lambda: calls.append(1)) is None
    assert calls == [1]
