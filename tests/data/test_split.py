"""Sides of a split: disjoint, complete, never empty, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.config import Split, parse
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.data.split import in_blocks, split, strata
from burnish.errors import InputError


def table(**columns: list[object]) -> Rows:
    return Rows(datasets.Dataset.from_dict(columns), "made", "csv")


def ids(sides: dict[str, Rows]) -> dict[str, list[int]]:
    return {name: [row["id"] for row in rows] for name, rows in sides.items()}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from("abcd"), min_size=3, max_size=60),
    st.sampled_from(["stratify", "random", "group", "block", "time"]),
    st.floats(0.05, 0.45),
    st.floats(0.0, 0.45),
    st.integers(0, 5),
)
def test_every_split_is_a_partition(labels: list[str], by: str, dev: float, test: float, seed: int) -> None:
    n = len(labels)
    rows = table(
        id=list(range(n)), label=list(labels), group=[str(i % 7) for i in range(n)], time=[str(i * i) for i in range(n)]
    )
    config = Split(by=by, dev=dev, test=test)
    sides = ids(split(rows, config, seed, strata(rows, "classify")))
    assert sorted(i for side in sides.values() for i in side) == list(range(n))
    assert all(sides.values())
    assert set(sides) == ({"train", "dev", "test"} if test else {"train", "dev"})
    assert sides == ids(split(rows, config, seed, strata(rows, "classify")))
    if by == "group":
        places = [{i % 7 for i in side} for side in sides.values()]
        assert sum(map(len, places)) == len(set().union(*places))
    if by == "time":
        assert max(sides["train"]) < min(sides["dev"])


def test_stratify_keeps_shares_and_single_rows() -> None:
    labels: list[object] = ["a"] * 100 + ["b"] * 50 + ["c"] * 10 + ["d"]
    rows = table(id=list(range(161)), label=labels)
    sides = split(rows, Split(dev=0.1, test=0.2), 3, strata(rows, "classify"))
    dev, test = (Counter(row["label"] for row in sides[name]) for name in ("dev", "test"))
    assert (len(sides["dev"]), len(sides["test"])) == (16, 32)
    assert abs(dev["a"] - 10) <= 1
    assert abs(dev["b"] - 5) <= 1
    assert abs(test["a"] - 20) <= 1
    assert abs(test["c"] - 2) <= 1
    assert "d" in {row["label"] for row in sides["train"]}
    assert any("single row" in note for note in sides["train"].notes)
    other = split(rows, Split(dev=0.1, test=0.2), 4, strata(rows, "classify"))
    assert ids(other) != ids(sides)


def test_strata_of_tags_and_of_several_classes() -> None:
    rows = table(tags=[["B-PER", "O"], ["B-PER", "B-LOC"], ["O"]])
    assert [strata(rows, "tag")(row) for row in rows] == ["PER", "LOC", None]
    rows = table(label=[["x", "y"], []])
    assert [strata(rows, "classify")(row) for row in rows] == ["x", None]


def test_blocks_keep_neighbours_together() -> None:
    n = 400
    moments = [(i * 7) % n for i in range(n)]  # the order of the file is not that of time
    given: tuple[tuple[dict[str, list[object]], list[int]], ...] = (
        ({}, list(range(n))),
        ({"time": [str(m) for m in moments]}, moments),
    )
    for columns, order in given:
        rows = table(id=list(range(n)), **columns)
        sides = ids(split(rows, Split(by="block", dev=0.1, test=0.2), 3, lambda row: None))
        assert [len(sides[name]) for name in ("dev", "test")] == [40, 80]
        side = {order[index]: name for name, members in sides.items() for index in members}
        assert sum(side[place] != side[place + 1] for place in range(n - 1)) <= 12  # 6 blocks have 12 ends


def test_time_reads_dates_and_refuses_what_is_none() -> None:
    rows = table(id=[0, 1, 2, 3], time=["2026-02-01", "2025-12-31T23:00:00", "2026-01-05", "2024-01-01"])
    assert ids(split(rows, Split(by="time", dev=0.25), 0, lambda row: None))["dev"] == [0]
    with pytest.raises(InputError, match="row 2: the time 'soon'"):
        split(table(id=[0, 1], time=["2026-02-01", "soon"]), Split(by="time", dev=0.5), 0, lambda row: None)


def test_too_few_rows_or_no_column() -> None:
    with pytest.raises(InputError, match="too few"):
        split(table(id=[0]), Split(dev=0.1), 0, lambda row: None)
    with pytest.raises(InputError, match=r"data\.columns\.group"):
        split(table(id=[0, 1]), Split(by="group", dev=0.1), 0, lambda row: None)


def test_load_splits_only_what_is_not_given(tmp_path: Path) -> None:
    train, dev = tmp_path / "train.csv", tmp_path / "dev.csv"
    train.write_text("text,label\n" + "".join(f"t{i},{i % 2}\n" for i in range(20)), encoding="utf-8")
    dev.write_text("text,label\nd,0\n", encoding="utf-8")
    data = {"train": str(train), "split": {"dev": 0.1, "test": 0.1}}
    sizes = {name: len(rows) for name, rows in load(parse({"task": "classify", "data": data})).items()}
    assert sizes == {"train": 16, "dev": 2, "test": 2}
    sides = load(parse({"task": "classify", "data": data | {"dev": str(dev)}}))
    assert {name: len(rows) for name, rows in sides.items()} == {"train": 18, "dev": 1, "test": 2}


def test_blocks_of_neighbours_are_set_apart() -> None:
    rows = table(id=list(range(1000)))
    learn, judge = (ids({"": side})[""] for side in in_blocks(rows, 0.25, seed=0))
    assert sorted(learn + judge) == list(range(1000))
    assert len(judge) == pytest.approx(250, abs=5)
    assert sum(b - a > 1 for a, b in pairwise(judge)) < 15  # blocks, and not single rows
    assert [len(side) for side in in_blocks(rows.select([3, 4, 5]), 0.25, seed=1)] == [2, 1]
