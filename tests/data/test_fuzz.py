"""Whatever bytes a file holds: rows come out, or an error that names the file. Nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from burnish.config import parse
from burnish.data.check import check
from burnish.data.columns import canonical
from burnish.data.read import read
from burnish.errors import InputError
from burnish.starter import guess

NAMES = ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.conll", "a.txt", "a.parquet", "a"]
PIECES = [
    b"text,label\n", b"text\tlabel\n", b"a film,1\n", b'"a, ""b""\n', b"\xff\xfe", b"\xef\xbb\xbf", b"\0",
    b"\r", b"\r\n", b"\n\n", b"Ann B-PER\n", b"ran O\n", b"-DOCSTART- -X- O O\n", b"\xe4\xb8\xad", b"\xd6\xd0",
    b"PAR1", b"[", b"]", b"{}", b'{"text": "Ann ran", "label": NaN}\n',
    b'{"text": "Ann", "entities": [[0, 3, "PER"]]}', b'{"tokens": ["a"], "tags": []}',
    b'{"text": 1e999, "label": [1, {"a": 2}]}', b'{"text": null}', b"@x\n", b"1,2,3\n", b";|\t,",
    b"\xe2\x80\xa8", b"\x85",
]  # fmt: skip
BYTES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=14).map(b"".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BYTES, st.sampled_from(NAMES), st.sampled_from(["classify", "pair", "score", "tag"]))
def test_any_bytes(tmp_path: Path, content: bytes, name: str, task: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    job = parse({"task": task, "data": {"train": str(path)}})
    refused = ""
    try:
        rows = canonical(read(str(path), job.data), job)
        assert len(rows) == len(list(rows)) > 0
        check({"train": rows}, job, None)
    except InputError as error:
        refused = str(error)
    assert not refused or name in refused
    assert len(refused) < 2000
    with suppress(InputError):
        guess(str(path))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text("ab中Ａ 𠀀", min_size=1), st.integers(-3, 12), st.integers(-3, 12)), min_size=1))
def test_any_spans(tmp_path: Path, rows: list[tuple[str, int, int]]) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": t, "entities": [{"start": a, "end": b, "label": "X"}]}) for t, a, b in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    job = parse({"task": "tag", "data": {"train": str(path), "columns": {"spans": "entities"}}})
    for (text, start, end), row in zip(rows, canonical(read(str(path), job.data), job), strict=True):
        assert row["text"] == text
        assert [text[s : s + len(w)] for s, w in zip(row["starts"], row["words"], strict=True)] == row["words"]
        assert len(row["tags"]) == len(row["words"])
        assert row["_bad_spans"] == (not 0 <= start < end <= len(text))
