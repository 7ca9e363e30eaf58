"""Column files: schemes, columns, documents and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.config import parse
from burnish.data.columns import canonical
from burnish.data.conll import read as read_conll
from burnish.data.read import read
from burnish.data.rows import Rows
from burnish.data.schemes import to_iob2
from burnish.data.words import entities_of
from burnish.errors import InputError

Spans = list[tuple[int, int, str]]


def load(path: Path, text: str, **data: object) -> Rows:
    path.write_text(text, encoding="utf-8")
    job = parse({"task": "tag", "data": {"train": str(path), **data}})
    return canonical(read(str(path), job.data), job)


@st.composite
def entities(draw: st.DrawFn) -> tuple[int, Spans]:
    """A sentence's length and entities in word places, as (first, after last, type)."""
    length, spans = 0, []
    for size, gap, label in draw(
        st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.sampled_from(["PER", "LOC"])), max_size=5)
    ):
        length += gap
        spans.append((length, length + size, label))
        length += size
    return length + draw(st.integers(0, 2)), spans


def write(length: int, spans: Spans, scheme: str) -> list[str]:
    """Tags of a sentence in a scheme, written from its definition."""
    tags = ["O"] * length
    for start, end, label in spans:
        neighbour = any(e == start and other == label for _, e, other in spans)
        for i in range(start, end):
            prefix = "B" if i == start else "I"
            if scheme == "IOB1":
                prefix = "B" if i == start and neighbour else "I"
            elif scheme != "IOB2":
                single, middle, last = {"BIOES": "SIE", "BMES": "SME", "BILOU": "UIL"}[scheme]
                edges = {(True, True): single, (True, False): "B", (False, True): last, (False, False): middle}
                prefix = edges[i == start, i == end - 1]
            tags[i] = f"{prefix}-{label}"
    return tags


@given(entities(), st.sampled_from(["IOB1", "IOB2", "BIOES", "BMES", "BILOU"]))
def test_every_scheme_becomes_the_same_iob2(case: tuple[int, Spans], scheme: str) -> None:
    length, spans = case
    tags = to_iob2(write(length, spans, scheme))
    assert tags == write(length, spans, "IOB2")
    assert entities_of(tags, range(length), ["x"] * length) == spans


def test_columns_documents_and_lines(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nsays VB O O\n\n\n-DOCSTART- -X- O O\n\nBonn  NNP I-NP I-LOC\r\n"
    rows = load(tmp_path / "x.train", text)
    assert rows.format == "conll"
    assert "tags: IOB1, turned into IOB2" in rows.notes
    assert [(r["words"], r["tags"], r["document"], r["_line"]) for r in rows] == [
        (["EU", "says"], ["B-ORG", "O"], 1, 3),
        (["Bonn"], ["B-LOC"], 2, 9),
    ]
    assert load(tmp_path / "x.train", text, columns={"tags": "3"})[0]["tags"] == ["B-NP", "O"]
    with pytest.raises(InputError, match="no tags in '7'"):
        load(tmp_path / "x.train", text, columns={"tags": "7"})


def test_weibo_numbers_are_dropped_only_where_all_have_one(tmp_path: Path) -> None:
    rows = load(tmp_path / "w.train", "科0\tB-ORG\n技1\tI-ORG\n20\tO\n\ufffd\ufffd0\tO\n")
    assert rows[0]["words"] == ["科", "技", "2", "\ufffd\ufffd"]
    assert load(tmp_path / "v.train", "科0\tB-ORG\n技\tI-ORG\n")[0]["words"] == ["科0", "技"]
    assert load(tmp_path / "u.train", "A1\tB-ORG\n")[0]["words"] == ["A1"]


def test_wide_space_is_a_word_and_not_a_border(tmp_path: Path) -> None:
    rows = load(tmp_path / "a.conll", "我 O\n\u3000 O\n在 O\n")
    assert rows[0]["words"] == ["我", "\u3000", "在"]


def test_ragged_line_is_named(tmp_path: Path) -> None:
    lines = [f"w{i} O" for i in range(20)] + ["", "a B-X", "b c O"]
    with pytest.raises(InputError, match=r"r\.train:line 23: 3 columns where the lines before have 2"):
        load(tmp_path / "r.train", "\n".join(lines))


def test_tags_that_are_none_are_named(tmp_path: Path) -> None:
    assert load(tmp_path / "a.conll", "Anna\tB-PER \nran\tO \n")[0]["tags"] == ["B-PER", "O"]
    with pytest.raises(InputError, match=r"line 2: a word has no tag"):
        load(tmp_path / "b.conll", "Anna\tB-PER\nran\t\n")
    with pytest.raises(InputError, match="its tags are numbers"):
        load(tmp_path / "c.conll", "Anna\t1\nran\t0\n")
    for tags, told in (("[null, 'O']", "line 1: a word has no tag"), ("[3, 0]", "its tags are numbers")):
        content = f'{{"words": ["Anna", "ran"], "tags": {tags}}}'.replace("'", '"')
        with pytest.raises(InputError, match=told):
            load(tmp_path / "d.jsonl", content)


def test_words_alone_serve_for_prediction_only(tmp_path: Path) -> None:
    path = tmp_path / "p.conll"
    path.write_text("a\nb\n\nc\n", encoding="utf-8")
    job = parse({"task": "tag", "data": {"train": str(path)}})
    rows = canonical(read(str(path), job.data), job, labelled=False)
    assert [r["words"] for r in rows] == [["a", "b"], ["c"]]
    with pytest.raises(InputError, match="tags"):
        canonical(read(str(path), job.data), job)


def test_limit_stops_before_a_broken_end(tmp_path: Path) -> None:
    path = tmp_path / "l.conll"
    path.write_text("a O\n\nb O\n\nc\n", encoding="utf-8")
    assert len(list(read_conll(path, "utf-8", 2, None).rows)) == 2
