"""What the store promises: nothing waits for it, no feedback is lost, and what is to go is gone."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from burnish.config import parse
from burnish.data.columns import canonical
from burnish.data.read import read
from burnish.errors import InputError
from burnish.monitoring import database
from burnish.monitoring import store as module
from burnish.monitoring.records import Feedback, Request
from burnish.monitoring.store import Store

POSTGRES = os.environ.get("BURNISH_TEST_POSTGRES")  # address of a database whose burnish tables may be dropped


@pytest.fixture
def server() -> str:
    if not POSTGRES:
        pytest.skip("BURNISH_TEST_POSTGRES names no database")
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS burnish_store, burnish_requests, burnish_feedback")
    return POSTGRES


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept/serve.sqlite"
    return str(request.getfixturevalue("server"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serve.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with Store.open(str(file)) as opened:
        yield opened


SAID = {"label": "pos", "labels": ["pos"], "probabilities": {"neg": 0.25, "pos": 0.75}}


def request(text: Any = "good film", **changes: Any) -> Request:
    names = {"model": "m", "version": "v1", "variant": "torch", "task": "classify", "prediction": SAID, "id": "r1"}
    given = {name: changes.pop(name) for name in list(changes) if name in names or name == "status"}
    return replace(Request.of(input=text, latency_ms=1.5, **(names | given)), **changes)


def feedback(text: Any = "good film", label: Any = "neg", **more: Any) -> Feedback:
    return Feedback(**({"model": "m", "version": "v1", "task": "classify", "input": text, "label": label} | more))


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_requests_come_back(url: str) -> None:
    rows = [
        request("好电影 very good", time=1.0, id="a"),
        request(["one", "two"], time=2.0, task="pair", variant="fast"),
        request("x", time=3.0, model="other", prediction=None, status=503),
    ]
    with Store.open(url) as store:
        for row in reversed(rows):
            assert store.note(row)
        bare = [replace(row, input=None) for row in rows]
        assert list(store.requests()) == bare
        assert list(store.requests("m")) == bare[:2]
        assert list(store.requests(since=2.0, until=3.0)) == bare[1:2]
        assert list(store.requests("none")) == []


def test_what_is_measured() -> None:
    row = request("好电影 very 123 да")
    assert (row.length, row.labels, row.confidence, row.value) == (15, ("pos",), 0.75, None)
    assert (row.latin, row.han, row.other) == (4 / 9, 3 / 9, 2 / 9)
    assert (request("12 !").latin, request("12 !").han, request("12 !").other) == (0, 0, 0)
    found = [{"start": 0, "end": 4, "label": "PER", "text": "Anna", "score": 0.9}]
    tagged = {"words": ["Anna", "ran"], "tags": ["B-PER", "O"], "entities": found * 2, "scores": [0.9, 0.6]}
    row = request(["Anna", "ran"], task="tag", prediction=tagged)
    assert (row.length, row.labels, row.confidence) == (8, ("PER", "PER"), 0.6)
    row = request(["a", "bc"], task="score", prediction={"value": 4.5})
    assert (row.length, row.labels, row.confidence, row.value) == (4, (), None, 4.5)
    row = request({"no": "text"}, prediction=None, status=422)
    assert (row.length, row.labels, row.status) == (0, (), 422)


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("none", [None] * 3),
        ("redacted", ["ask <EMAIL>", ["<PHONE>", "b"], "ask <PHONE>"]),
        ("texts", ["ask a@b.org", ["13800138000", "b"], ["ask", "138", "0013", "8000"]]),
    ],
)
def test_texts_are_kept_only_when_asked(file: Path, keep: Any, kept: list[Any]) -> None:
    with Store.open(str(file), keep=keep) as store:
        store.note(request("ask a@b.org"))
        store.note(request(["13800138000", "b"], task="pair"))
        store.note(request(["ask", "138", "0013", "8000"], task="tag", prediction=None))
        assert [row.input for row in store.requests()] == kept
    assert (b"a@b.org" in file.read_bytes()) == (keep == "texts")


def test_feedback_comes_back(url: str) -> None:
    rows = [
        feedback("a\ud800b\0c", "neg", time=1.0, comment="no\0 👍", request_id="r\0", prediction=SAID),
        feedback(["上海", "b"], ["x", "y"], time=2.0, task="pair"),
        feedback("Anna ran", [[0, 4, "PER"]], time=3.0, task="tag", model="other"),
        feedback("Anna ran", [], time=4.0, task="tag", model="other"),
        feedback("good", 4.5, time=5.0, task="score", model="other"),
    ]
    with Store.open(url) as store:
        assert [store.feedback(row) for row in rows] == [row.id for row in rows]
        back = list(store.feedback_rows())
        assert back[0] == replace(rows[0], input="a\ufffdb\0c", request_id="r\ufffd")
        assert back[2] == replace(rows[2], label=[{"start": 0, "end": 4, "label": "PER"}])
        assert [back[1], *back[3:]] == [rows[1], *rows[3:]]
        assert list(store.feedback_rows("m", since=2.0)) == [back[1]]


@pytest.mark.parametrize(
    ("task", "given", "label", "said"),
    [
        ("classify", ["a", "b"], "x", "takes a text"),
        ("classify", "a", 3, "a class or a list"),
        ("classify", "a", ["x", 3], "a class or a list"),
        ("pair", "a", "x", "takes two texts"),
        ("pair", ["a", 3], "x", "takes two texts"),
        ("score", "a", "4", "takes a number"),
        ("score", "a", True, "takes a number"),
        ("score", "a", float("nan"), "takes a number"),
        ("score", "a", float("-inf"), "takes a number"),
        pytest.param("score", "a", 10**400, "takes a number", id="score-too-large"),
        ("tag", 3, [], "a text or a list of words"),
        ("tag", "Anna", "PER", "list of entities"),
        ("tag", "Anna", [{"start": 0, "end": 5, "label": "PER"}], "inside of the text"),
        ("tag", "Anna", [{"start": 0, "end": 4}], "list of entities"),
        ("rank", "a", "x", "no feedback on the task 'rank'"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(store: Store, task: str, given: Any, label: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        store.feedback(feedback(given, label, task=task))
    assert not list(store.feedback_rows())


def test_feedback_without_personal_data(file: Path) -> None:
    text = "Ask Bob at 13800138000 in 上海"
    label = [{"start": 4, "end": 7, "label": "PER"}, {"start": 26, "end": 28, "label": "LOC"}]
    said = {"words": text.split(), "entities": [{**label[1], "text": "上海", "score": 0.5}], "scores": [1.0]}
    with Store.open(str(file), redact=True) as store:
        store.feedback(feedback(text, label, task="tag", prediction=said, comment="or bob@x.org", time=1.0))
        store.feedback(feedback(text.split(), label, task="tag", time=2.0))
        store.feedback(feedback(["a@b.org", "+49 171 1234567"], "x", task="pair", prediction=SAID, time=3.0))
        first, second, third = store.feedback_rows()
    assert first.input == second.input == "Ask Bob at <PHONE> in 上海"
    assert first.label == second.label == [label[0], {"start": 22, "end": 24, "label": "LOC"}]
    assert first.prediction == {"entities": [first.label[1]]}
    assert first.comment == "or <EMAIL>"
    assert (third.input, third.label, third.prediction) == (["<EMAIL>", "<PHONE>"], "x", SAID)
    assert b"1380013" not in file.read_bytes()


def test_requests_are_written_without_being_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()
    write = store._place.write

    def watched(work: Any) -> Any:
        answer = write(work)
        written.set()
        return answer

    monkeypatch.setattr(store._place, "write", watched)
    store.note(request())
    assert written.wait(30)
    assert len(list(store._place.stream("SELECT id FROM burnish_requests", ()))) == 1


def test_a_reader_sees_what_is_just_being_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, looked = threading.Event(), threading.Event()
    write = store._place.write

    def slow(work: Any) -> Any:
        begun.set()
        looked.wait(0.3)
        return write(work)

    monkeypatch.setattr(store._place, "write", slow)
    store.note(request())
    assert begun.wait(30)
    rows = list(store.requests())
    looked.set()
    assert len(rows) == 1


def test_note_does_not_wait_for_a_locked_database(file: Path, store: Store) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert all(store.note(request()) for _ in range(600))  # one that wrote would wait for ever: this thread holds it
    other.execute("ROLLBACK")
    other.close()
    assert len(list(store.requests())) == 600
    assert store.dropped == 0


def test_a_full_queue_drops_and_counts(file: Path) -> None:
    with Store.open(str(file), queue=3) as store:
        with store._place.lock:  # so that nothing is written meanwhile
            assert [store.note(request()) for _ in range(5)] == [True, True, True, False, False]
        assert store.dropped == 2
        assert len(list(store.requests())) == 3
        assert store.note(request())
    assert not store.note(request())  # closed
    assert store.dropped == 3


def test_close_writes_what_waits(url: str) -> None:
    store = Store.open(url)
    with store._place.lock:  # so that all of them still wait
        for _ in range(3001):
            store.note(request())
    store.close()
    store.close()
    with Store.open(url) as again:
        assert sum(1 for _ in again.requests()) == 3001
    with pytest.raises(InputError, match="closed"):
        store.feedback(feedback())


WRITE_AND_HANG = """
import sys, time
from burnish.monitoring.store import Feedback, Store
store = Store.open(sys.argv[1])
for number in range(3):
    print(store.feedback(Feedback("m", "v", "classify", f"text {number}", "neg")), flush=True)
time.sleep(600)
"""


def test_feedback_outlives_a_kill(url: str) -> None:
    with python(WRITE_AND_HANG, url) as child:
        assert child.stdout is not None
        given = [child.stdout.readline().strip() for _ in range(3)]
        child.send_signal(signal.SIGKILL)
    with Store.open(url) as store:
        assert [row.id for row in store.feedback_rows()] == given


WRITE_MANY = """
import sys
from burnish.monitoring.store import Feedback, Request, Store
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    for number in range(60):
        store.feedback(Feedback("m", "v", "classify", "text", "neg"))
        store.note(Request.of(id=sys.argv[2], model="m", version="v", variant="torch", task="classify", input="text",
                              prediction=None, latency_ms=1.0))
    assert store.dropped == 0
"""


def test_processes_write_at_once(url: str) -> None:
    command = [sys.executable, "-c", WRITE_MANY, url]
    children = [subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, text=True) for n in range(3)]
    for child in children:  # they make the same new store together
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait(120) for child in children] == [0, 0, 0]
    with Store.open(url) as store:
        assert len({row.id for row in store.feedback_rows()}) == 180
        assert sorted(row.id for row in store.requests()) == sorted("012" * 60)


def test_threads_write_while_a_reader_reads(url: str) -> None:
    with Store.open(url) as store:
        store.feedback(feedback("first", time=1.0))
        reader = store.feedback_rows()
        assert next(reader).input == "first"

        def write() -> None:
            for _ in range(20):
                store.feedback(feedback())
                store.note(request())

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader.close()
        assert len(list(store.feedback_rows())) == 81
        assert len(list(store.requests())) == 80


def test_old_requests_go_and_feedback_stays(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE", 2)
    now = time.time()
    with Store.open(url) as store:
        for age in (0, 1, 3, 4, 4, 4, 5, 6, 7):
            store.note(request(time=now - age * 86400))
        store.feedback(feedback(time=now - 9 * 86400))
        assert len(list(store.requests())) == 9
        assert store.prune(2) == 7
        assert [row.time for row in store.requests()] == [now - 86400, now]
        assert store.prune(2) == 0
        assert len(list(store.feedback_rows())) == 1


def test_a_store_prunes_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(str(file)) as store:
        store.note(request(time=time.time() - 3 * 86400))
        store.note(request())
    pruned = threading.Event()
    prune = Store.prune
    monkeypatch.setattr(Store, "prune", lambda self, days: (prune(self, days), pruned.set()))
    with Store.open(str(file), days=2) as store:
        assert pruned.wait(30)
        assert len(list(store.requests())) == 1


def test_forgetting(url: str) -> None:
    with Store.open(url, keep="texts") as store:
        kept = store.feedback(feedback("nobody here", request_id="r1"))
        first = store.feedback(feedback("Anna Meier ran"))
        store.feedback(feedback(["x", "said ANNA meier"], task="pair", request_id="r2"))
        store.feedback(feedback(["安", "娜", "在", "上", "海"], [], task="tag"))
        store.feedback(feedback("good", comment="says Anna Meier"))
        store.note(request("anna meier", id="r3"))
        store.note(request("nobody", id="r3"))
        store.note(request("nobody", id="r2"))
        assert store.forget(id=first) == 1
        assert store.forget(id=first) == 0
        assert store.forget(id="r2") == 2
        assert store.forget(text="Anna Meier") == 2
        assert store.forget(text="安娜") == 1
        assert store.forget(text="None") == 0
        assert store.forget(text="label") == 0
        assert [row.id for row in store.feedback_rows()] == [kept]
        assert [row.input for row in store.requests()] == ["nobody"]
        with pytest.raises(InputError, match="an id, or a text"):
            store.forget(text="")


def test_others_write_while_much_is_forgotten(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE", 2)
    held: list[bool] = []

    def sleep(seconds: float) -> None:
        with ThreadPoolExecutor(1) as other:
            free = other.submit(store._place.lock.acquire, timeout=5).result()
            held.append(not free)
            other.submit(store._place.lock.release)

    with Store.open(url, keep="texts") as store:
        for number in range(5):
            store.note(request(f"Anna {number}", id=f"r{number}"))
            store.feedback(feedback(f"Anna {number}"))
        store.note(request("nobody", id="r1"))
        with monkeypatch.context() as patch:
            patch.setattr(module.time, "sleep", sleep)
            assert store.forget(text="anna") == 10
        assert [row.input for row in store.requests()] == ["nobody"]
    assert held == [False] * 6


def test_what_is_forgotten_is_found_by_an_index(store: Store, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {module._ONE_REQUEST}", (1.0, "r1", "x")).fetchall()
    assert "burnish_requests_time" in str(plan)


def test_what_is_forgotten_leaves_the_disk(file: Path, store: Store) -> None:
    def on_disk() -> bool:
        return any(b"Wilhelmine" in path.read_bytes() for path in file.parent.iterdir())

    store.feedback(feedback("Wilhelmine ran"))
    assert on_disk()
    store.forget(text="wilhelmine")
    assert not on_disk()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "serve.sqlite"
    before = os.umask(0)
    try:
        with Store.open(f"sqlite:///{file}") as store:
            store.feedback(feedback())
            modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["serve.sqlite", "serve.sqlite-wal", "serve.sqlite-shm"], 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk(store: Store, file: Path) -> None:
    (pages,) = store._place._connection.execute("PRAGMA page_count").fetchone()
    store._place._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InputError, match="is full; free some space"):
        store.feedback(feedback("x" * 100_000))
    for number in range(400):
        store.note(request(id="r" * 100 + str(number)))
    store.flush()
    assert store.dropped == 400
    assert store.problem
    assert "full" in store.problem
    store._place._connection.execute("PRAGMA max_page_count = 100000")
    store.feedback(feedback("x" * 100_000))
    store.note(request())
    assert len(list(store.requests())) == 1
    assert (store.dropped, store.problem) == (400, None)


def test_a_newer_store_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(url) as store:
        store.feedback(feedback())
    with monkeypatch.context() as patch:
        patch.setattr(database, "VERSION", 2)
        patch.setitem(database._UPGRADES, 1, lambda execute: execute("UPDATE burnish_feedback SET model = 'renamed'"))
        with Store.open(url) as store:
            assert [row.model for row in store.feedback_rows()] == ["renamed"]
    with pytest.raises(InputError, match=r"newer burnish \(its tables have version 2"):
        Store.open(url)


def test_a_damaged_file_is_left_as_it_is(file: Path) -> None:
    file.write_bytes(b"no database " * 1000)
    with pytest.raises(InputError, match=r"is damaged, or no store.*move it away"):
        Store.open(str(file))
    assert file.read_bytes() == b"no database " * 1000


def test_damage_inside_a_file(file: Path) -> None:
    with Store.open(str(file)) as store:
        for _ in range(50):
            store.feedback(feedback("x" * 1000))
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(4096 * 2)
        opened.write(b"\xff" * (size - 4096 * 2))
    with Store.open(str(file)) as store:
        with pytest.raises(InputError, match="is damaged"):
            list(store.feedback_rows())
        with pytest.raises(InputError, match="is damaged"):
            store.feedback(feedback())
    assert file.stat().st_size == size


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mysql://me:secret@host/x", r"no store can be opened at 'mysql://...'; .*sqlite:///path"),
        ("sqlite://serve.sqlite", "did you mean 'sqlite:///path'"),
        ("{folder}", "cannot write the store .*Is a directory; name another file"),
        ("{folder}/file/serve.sqlite", "cannot write the store"),
    ],
)
def test_places_where_no_store_can_be(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=said) as caught:
        Store.open(place.format(folder=tmp_path))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("options", "said"), [({"keep": "text"}, "did you mean 'texts'"), ({"days": 0}, "above 0")])
def test_options_are_checked(file: Path, options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Store.open(str(file), **options)


@pytest.mark.parametrize(
    "place", ["postgresql://me:se%cret@127.0.0.1:1/x", "postgresql://me:secret@127.0.0.1:1/x?connect_timeout=1"]
)
def test_a_server_out_of_reach(place: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(
        InputError, match=r"no URL of PostgreSQL|cannot use the store 'postgresql://127.0.0.1:1/x'"
    ) as e:
        Store.open(place)
    assert not re.search("se%?cret", str(e.value))


def test_a_server_that_was_away(server: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    with Store.open(server) as store, psycopg.connect(server, autocommit=True) as other:
        store.feedback(feedback("before"))
        mine = "pid <> pg_backend_pid() AND datname = current_database()"
        other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        store.feedback(feedback("after"))
        assert [row.input for row in store.feedback_rows()] == ["before", "after"]


def exported(store: Store, path: Path, task: str, **options: Any) -> list[dict[str, Any]]:
    """What a job reads from an export."""
    count = store.export(path, "m", **options)
    data = {"train": str(path), "multi_label": options.get("multi_label", False)}
    job = parse({"task": task, "model": "x", "out": "x", "data": data})
    rows = list(canonical(read(str(path), job.data), job))
    assert len(rows) == count == len(path.read_text(encoding="utf-8").splitlines())
    return rows


def test_export_is_training_data(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    store.feedback(feedback("好电影", "pos", time=1.0))
    store.feedback(feedback('said "no"\nand left', ["neg"], time=2.0))
    store.feedback(feedback("other", "neg", model="another"))
    rows = exported(store, path, "classify")
    assert [(row["text"], row["label"]) for row in rows] == [("好电影", "pos"), ('said "no"\nand left', "neg")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["time"] == "1970-01-01T00:00:01+00:00"

    store.feedback(feedback("both", ["a,b", "c"], time=3.0))
    with pytest.raises(InputError, match="gives 2 classes where one is wanted"):
        store.export(path, "m")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2  # as it was
    assert [row["label"] for row in exported(store, path, "classify", multi_label=True)] == [
        ["pos"],
        ["neg"],
        ["a,b", "c"],
    ]


def test_export_of_pairs_and_scores(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    store.feedback(feedback(["上海", "Shanghai"], "same", task="pair", time=1.0))
    (row,) = exported(store, path, "pair")
    assert (row["text"], row["text_b"], row["label"]) == ("上海", "Shanghai", "same")
    store.feedback(feedback(["a", "b"], 4.5, task="score", time=2.0))
    (row,) = exported(store, path, "score", since=2.0)
    assert (row["text"], row["text_b"], row["label"]) == ("a", "b", 4.5)
    with pytest.raises(InputError, match="on two tasks, pair and score"):
        store.export(path, "m")
    with pytest.raises(InputError, match="cannot write"):
        store.export(tmp_path / "none" / "rows.jsonl", "m", since=2.0)


def test_export_of_entities(store: Store, tmp_path: Path) -> None:
    label = [{"start": 0, "end": 4, "label": "PER"}, {"start": 12, "end": 14, "label": "LOC"}]
    store.feedback(feedback("Anna was in 上海。", label, task="tag", time=1.0))
    store.feedback(feedback(["Anna", "was", "in", "上海"], label, task="tag", time=2.0))
    store.feedback(feedback("nothing", [], task="tag", time=3.0))
    first, second, third = exported(store, tmp_path / "rows.jsonl", "tag")
    assert first["words"] == ["Anna", "was", "in", "上", "海", "。"]
    assert first["tags"] == ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    assert second["tags"] == first["tags"][:-1]
    assert (third["words"], third["tags"]) == (["nothing"], ["O"])


def test_an_export_to_a_place_where_no_file_can_be(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write '.*file/rows.jsonl': Not a directory; name another file"):
        store.export(tmp_path / "file" / "rows.jsonl", "m")


def test_the_service_stays_light() -> None:
    code = (
        "import sys, burnish.monitoring.store; print(*{'torch', 'transformers', 'numpy', 'psycopg'} & set(sys.modules))"
    )
    with python(code) as child:
        assert child.communicate()[0].strip() == ""
    assert child.returncode == 0
