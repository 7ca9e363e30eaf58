"""A search that was killed finds what it had found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from burnish.compression.journal import Journal
from burnish.errors import InputError


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


def test_what_another_search_left_beside_it_is_removed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "search.sqlite", "a")
    journal.once("step", lambda: 1)
    (tmp_path / "students").mkdir()
    journal.close()
    Journal(tmp_path / "search.sqlite", "a").close()
    assert (tmp_path / "students").is_dir()
    Journal(tmp_path / "search.sqlite", "b").close()
    assert not (tmp_path / "students").exists()


def test_two_processes_do_not_search_at_once(tmp_path: Path) -> None:
    path = tmp_path / "search.sqlite"
    journal = Journal(path, "a")
    other = f"import pathlib, burnish.compression.journal as j; j.Journal(pathlib.Path({str(path)!r}), 'a')"
    failed = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
    assert "is the same search running already?" in failed.stderr
    journal.close()
    assert subprocess.run([sys.executable, "-c", other], capture_output=True).returncode == 0


def test_a_damaged_journal_is_told_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "work" / "search.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(InputError, match=f"is damaged .*remove '{path.parent}'"):
        Journal(path, "a")


def test_a_step_that_the_disk_does_not_take_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "search.sqlite", "a")
    journal._base.execute("PRAGMA max_page_count = 2")
    with pytest.raises(InputError, match=r"search\.sqlite' could not be written: .*full"):
        journal.once("step", lambda: "x" * 100_000)


def test_the_steps_go_before_what_they_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "work" / "search.sqlite", "a")
    journal.once("step", lambda: 1)

    def killed(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        journal.remove()
    assert not (tmp_path / "work" / "search.sqlite").exists()
