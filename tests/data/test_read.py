"""Tables, JSON and Parquet: what is read is what was written, and what cannot be read is named."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from burnish.config import Job, parse
from burnish.data import store
from burnish.data.columns import canonical
from burnish.data.encoding import detect
from burnish.data.load import usable
from burnish.data.read import read
from burnish.data.rows import Rows
from burnish.errors import InputError

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def job(path: Path, task: str = "classify", **data: Any) -> Job:
    return parse({"task": task, "data": {"train": str(path), **data}})


def load(path: Path, content: str | bytes, task: str = "classify", *, labelled: bool = True, **data: Any) -> Rows:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    made = job(path, task, **data)
    return canonical(read(str(path), made.data), made, labelled=labelled)


def pairs(rows: Rows) -> list[tuple[Any, Any]]:
    return [(row["text"], row["label"]) for row in rows]


def test_cells_stay_as_they_are_written(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.csv", 'text,label\nnull,01\nNA,0\n"a, ""b""\nc",1.50\n,\n')
    assert pairs(rows) == [("null", "01"), ("NA", "0"), ('a, "b"\nc', "1.50"), (None, None)]
    assert [row["_line"] for row in rows] == [2, 3, 4, 6]
    assert rows.where(3).endswith("a.csv:line 6")


def test_tsv_takes_quotes_as_they_stand(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.tsv", 'sentence\tlabel\nit \'s "good\t1\r\n"bad" \t0\n')
    assert pairs(rows) == [("it 's \"good", "1"), ('"bad" ', "0")]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_csv_and_json_come_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "p.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
    expected = [(a or None, b or None) for a, b in rows]
    data = job(path).data.model_copy(update={"encoding": "utf-8"})
    assert [(r["text"], r["label"]) for r in read(str(path), data)] == expected
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(json.dumps({"text": a, "label": b}) for a, b in rows), encoding="utf-8")
    assert [(r["text"], r["label"]) for r in read(str(path), job(path).data)] == expected


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("array", [True, False])
def test_json_shapes(tmp_path: Path, indent: int | None, array: bool) -> None:
    values = [{"text": "a\nb", "label": 7}, {"text": None, "label": True}, {"text": "ü\ud83d"}]
    content = json.dumps(values, indent=indent)
    if not array:
        content = "\n".join(json.dumps(value, indent=indent) for value in values)
    rows = load(tmp_path / "a.json", content)
    assert pairs(rows) == [("a\nb", "7"), (None, "true"), ("ü\ufffd", None)]


def test_parquet_gives_class_names(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    table.to_parquet(str(tmp_path / "a.parquet"))
    made = job(tmp_path)
    assert pairs(canonical(read(str(tmp_path), made.data), made)) == [("a", "yes"), ("b", "no")]
    made = job(tmp_path / "a.parquet", limit=1)
    assert len(read(made.data.train, made.data)) == 1


def test_multi_label(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.csv", "text,label\nx,a| b|a\ny,\n", multi_label=True)
    assert [row["label"] for row in rows] == [["a", "b"], []]
    rows = load(
        tmp_path / "b.jsonl", '{"text": "x", "labels": ["a", "b"]}\n{"text": "y", "labels": []}', multi_label=True
    )
    assert [row["label"] for row in rows] == [["a", "b"], []]
    wide = {"multi_label": True, "columns": {"label": "bad, worse"}}
    rows = load(tmp_path / "c.csv", "text,bad,worse\nx,1,0\ny,1.0,true\n", **wide)
    assert [row["label"] for row in rows] == [["bad"], ["bad", "worse"]]
    with pytest.raises(InputError, match=r"line 2: column 'bad' .* '5' where 0 or 1"):
        load(tmp_path / "d.csv", "text,bad,worse\nx,5,0\n", **wide)


def test_pair_and_score(tmp_path: Path) -> None:
    text = "id,question1,question2,label\n1,a,b,0.5\n"
    assert load(tmp_path / "a.csv", text, "pair")[0] == {"text": "a", "text_b": "b", "label": "0.5", "_line": 2}
    assert load(tmp_path / "a.csv", text, "score")[0]["label"] == 0.5
    with pytest.raises(InputError, match="line 2: the label 'nan'"):
        load(tmp_path / "b.csv", "text,score\nx,nan\n", "score")


def test_a_column_named_document_is_one_of_the_source(tmp_path: Path) -> None:
    table = "id,document,label\n9,fine,1\n8,bad,0\n"
    for data in ({}, {"columns": {"text": "document"}}):
        assert pairs(load(tmp_path / "n.csv", table, **data)) == [("fine", "1"), ("bad", "0")]
    rows = load(tmp_path / "p.csv", "query,document,label\na,b,1\n", task="pair")
    assert (rows[0]["text"], rows[0]["text_b"], rows[0]["label"]) == ("a", "b", "1")


def test_a_pair_without_one_of_its_texts_is_left_out(tmp_path: Path) -> None:
    content = "text,text_b,label\na,b,1\na,,0\n,b,2\n"
    for task in ("pair", "score"):
        assert [row["_line"] for row in usable(load(tmp_path / "p.csv", content, task=task), task)] == [2]


def test_tag_lists_and_texts(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.jsonl", '{"tokens": ["Ann", "ran"], "ner_tags": ["S-PER", "O"]}', "tag")
    assert (rows[0]["tags"], rows[0]["starts"], rows[0]["text"]) == (["B-PER", "O"], [0, 4], "Ann ran")
    with pytest.raises(InputError, match="2 words in 'tokens' and 1 tags"):
        load(tmp_path / "b.jsonl", '{"tokens": ["Ann", "ran"], "ner_tags": ["O"]}', "tag")
    rows = load(tmp_path / "c.csv", "text,label\n我 ran,x\n", "tag", labelled=False)
    assert rows[0]["words"] == ["我", "ran"]
    assert "tags" not in rows.columns


def test_prediction_needs_no_label(tmp_path: Path) -> None:
    assert load(tmp_path / "a.csv", "review\nfine\n", labelled=False)[0]["text"] == "fine"
    columns = {"text": "note", "spans": "entities"}
    rows = load(tmp_path / "b.csv", "note\nAnn ran\n", "tag", labelled=False, columns=columns)
    assert rows[0]["words"] == ["Ann", "ran"]
    with pytest.raises(InputError, match="no column 'entities'"):
        load(tmp_path / "b.csv", "note\nAnn ran\n", "tag", columns=columns)


def test_prediction_does_not_read_labels(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.csv", "text,score\na,?\nb,2\n", "score", labelled=False)
    assert rows.columns[:1] == ["text"]
    assert "label" not in rows.columns


def test_lines_that_end_in_a_class(tmp_path: Path) -> None:
    lines = [f"mail {i} to me@home or\u2028so@{'good' if i % 2 else 'bad'}" for i in range(1000, 1300)]
    plain = [f"text {i}@{'good' if i % 2 else 'bad'}" for i in range(1000)]
    rows = load(tmp_path / "a.txt", "\n".join(plain + lines) + "\n", columns={"text": "1", "label": "2"})
    assert pairs(rows)[1000] == ("mail 1000 to me@home or\u2028so", "bad")


def test_lines_that_end_in_a_carriage_return(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.csv", "text;label\ra, b, c;pos\rd, e, f;neg\r")
    assert pairs(rows) == [("a, b, c", "pos"), ("d, e, f", "neg")]


def test_columns_by_number_mean_no_header(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.csv", "x,0\ny,1\n", columns={"text": "1", "label": "2"})
    assert pairs(rows) == [("x", "0"), ("y", "1")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,label\n", "holds no rows"),
        ("a.csv", "\n\n", "holds no rows"),
        ("a.json", "[]", "holds no rows"),
        ("a.csv", "text,label\na,b\nc\n", "line 3: 1 cells where there are 2"),
        ("a.csv", 'text,label\na,b\n"c,d\ne,f\n', "line 3: the row that begins here"),
        ("a.tsv", "text\tlabel\na\tb\tc\n", "line 2: 3 cells"),
        ("a.csv", "text,text\na,b\n", "two columns are called 'text'"),
        ("a.csv", "txet,label,c\na,b,c\n", "columns: txet, label, c"),
        ("a.csv", "review,content,label\na,b,c\n", "choose with data.columns.text"),
        ("a.json", '{"text": "a"}\n{"text": \n', r"line 3: not valid JSON: .* from line 2"),
        ("a.json", '{"text": "a"}\n{"text" "b"}\n{"text": "c"}', "line 2: not valid JSON"),
        ("a.json", '[{"text": "a"}', "no closing bracket"),
        ("a.json", "[[1, 2]]", "expected an object"),
        ("a.json", '{"text": ' + "[" * 100_000, "nested too deeply"),
        ("a.txt", "plain words\n", "cannot tell the format"),
        ("a.csv", b"text,label\n" + "中".encode() * 9 + b"\xff,1", "line 2: byte 38"),
        ("a.csv", b"text,label\nhello \xff\xfe,1\n", "line 2: byte 17 is not valid utf-8"),
        ("a.csv", b"a\0b,c", "zero bytes"),
        ("a.parquet", b"PAR1 and then nothing", "does not read as Parquet"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path / name, content)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert not list(store.folder().glob(".draft-*"))


def test_missing_things_are_named(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'train"):
        read(str(tmp_path / "trian.csv"), job(tmp_path).data)
    with pytest.raises(InputError, match=r"no \.parquet file"):
        read(str(tmp_path), job(tmp_path).data)
    with pytest.raises(InputError, match="did you mean 'text'"):
        load(tmp_path / "train.csv", "text,label\na,b\n", columns={"text": "txt"})


@pytest.mark.parametrize(
    ("encoding", "text", "found"),
    [
        ("utf-8", "naïve 中文", "utf-8"),
        ("utf-8-sig", "中文", "utf-8-sig"),
        ("utf-16", "中文", "utf-16"),
        ("gb18030", "这家店的味道很好，下次再来", "gb18030"),
        ("latin-1", "Müller trägt Größe, déjà vu", "latin-1"),
        ("cp1252", "“quoted” for €5", "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, text: str, found: str) -> None:
    rows = load(tmp_path / "a.csv", f"text,label\n{text.replace(',', ' ')},1\n".encode(encoding))
    assert (rows.encoding, rows[0]["text"]) == (found, text.replace(",", " "))


@pytest.mark.parametrize("encoding", ["euc-kr", "cp949"])
def test_korean_is_not_taken_for_chinese(tmp_path: Path, encoding: str) -> None:
    text = "방이 깨끗하고 직원들이 친절했습니다. 다음에도 꼭 다시 오고 싶어요!"
    content = f"text,label\n{text},1\n".encode(encoding)
    with pytest.raises(InputError, match=r"set data\.encoding: cp949"):
        load(tmp_path / "a.csv", content)
    assert pairs(load(tmp_path / "a.csv", content, encoding="cp949")) == [(text, "1")]


def test_stated_encoding_names_byte_and_line_across_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"\xe4\xb8\xad\n" * 400_000 + b"\xe4\xb8\n")
    with pytest.raises(InputError, match=r"line 400002: byte 1600011 "):
        detect(path, "utf-8")
    with pytest.raises(InputError, match="no text encoding"):
        detect(path, "utf-9")


def test_a_line_of_a_megabyte(tmp_path: Path) -> None:
    long = "x" * (1 << 20)
    assert load(tmp_path / "a.csv", f"text,label\n{long},1\n")[0]["text"] == long
    assert load(tmp_path / "a.jsonl", json.dumps({"text": long, "label": 1}))[0]["text"] == long


def test_concurrent_readers_share_one_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"{tmp_path} {i},1\n" for i in range(500)), encoding="utf-8")
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: read(str(path), job(path).data), range(4)))
    assert [len(t) for t in tables] == [500] * 4
    assert not list(store.folder().glob(".draft-*"))


def test_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="BURNISH_CACHE"):
        load(tmp_path / "a.csv", "text,label\na,1\n")
