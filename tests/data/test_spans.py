"""Entities with character offsets, in the shapes that are about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.config import parse
from burnish.data.columns import canonical
from burnish.data.read import read
from burnish.data.spans import Entity, entities, looks_like_spans

TEXT = "Ann lives in 上海市"


@pytest.mark.parametrize(
    "value",
    [
        [{"start": 0, "end": 3, "label": "PER"}],
        [{"start_offset": 0, "end_offset": 3, "type": "PER", "text": "Ann"}],
        [{"start_position": 0, "end_position": 3, "entity_type": "PER", "entity_value": "Ann"}],
        [[0, 3, "PER"]],
        {"PER": {"Ann": [[0, 2]]}},
    ],
)
def test_shapes(value: Any) -> None:
    assert looks_like_spans(value)
    assert entities(TEXT, value) == [Entity(0, 3, "PER", True)]


@pytest.mark.parametrize(
    "value",
    [
        [[0, 99, "PER"]],
        [[3, 3, "PER"]],
        [[-3, 2, "PER"]],
        [{"start": 0, "end": 3, "label": "PER", "text": "Bob"}],
        [{"start": None, "end": 3, "label": "PER"}],
        ["PER"],
        {"PER": {"Bob": [[0, 2]]}},
        {"PER": {"Ann": [[0, 2, 5]]}},
        {"PER": 3},
    ],
)
def test_what_cannot_be_right_is_kept_and_flagged(value: Any) -> None:
    assert [e.fits for e in entities(TEXT, value)] == [False]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["start", "end", "label", "x"]), inner),
    max_leaves=12,
)


@given(st.text(max_size=5), json_values)
def test_no_value_crashes(text: str, value: Any) -> None:
    for entity in entities(text, value):
        assert not entity.fits or text[entity.start : entity.end]


def test_cluener_file_to_tags(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    rows = [
        {"text": TEXT, "label": {"name": {"Ann": [[0, 2]]}, "address": {"上海": [[13, 14]], "北京": [[13, 14]]}}},
        {"text": "无", "label": {}},
    ]
    path.write_text("\n".join(json.dumps(row, indent=1, ensure_ascii=False) for row in rows), encoding="utf-8")
    job = parse({"task": "tag", "data": {"train": str(path)}})
    table = canonical(read(str(path), job.data), job)
    assert table.format == "spans"
    first = table[0]
    assert list(zip(first["words"], first["tags"], strict=True)) == [
        ("Ann", "B-name"),
        ("lives", "O"),
        ("in", "O"),
        ("上", "B-address"),
        ("海", "I-address"),
        ("市", "O"),
    ]
    assert (first["_bad_spans"], table[1]["_bad_spans"]) == (1, 0)
    assert first["starts"] == [0, 4, 10, 13, 14, 15]
    lines = len(json.dumps(rows[0], indent=1).splitlines())
    assert table.where(1).endswith(f"line {lines + 1}")
