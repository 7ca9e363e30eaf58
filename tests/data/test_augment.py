"""Augmented rows keep their labels, whatever is done to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.config import Augment
from burnish.data.augment import augment
from burnish.data.words import entities_of, split_words, tag_words

ALWAYS = 0.999999


def tagged(pairs: list[tuple[str, str]], joiner: str = " ") -> dict[str, Any]:
    words = [word for word, _ in pairs]
    starts = [len(joiner.join([*words[:i], ""])) if i else 0 for i in range(len(words))]
    return {"words": words, "tags": [tag for _, tag in pairs], "starts": starts, "text": joiner.join(words)}


def mentions(row: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for word, tag in zip(row["words"], row["tags"], strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], word))
        elif tag.startswith("I-"):
            found[-1] = (found[-1][0], f"{found[-1][1]} {word}")
    return found


ENGLISH = [
    tagged([("John", "B-PER"), ("Smith", "I-PER"), ("lives", "O"), ("in", "O"), ("Paris", "B-LOC"), (".", "O")]),
    tagged([("ANNA", "B-PER"), ("flew", "O"), ("to", "O"), ("New", "B-LOC"), ("York", "I-LOC"), ("today", "O")]),
]
CHINESE = [
    tagged([("我", "O"), ("爱", "O"), ("北", "B-LOC"), ("京", "I-LOC")], ""),
    tagged([("他", "O"), ("在", "O"), ("上", "B-LOC"), ("海", "I-LOC"), ("滩", "I-LOC"), ("玩", "O")], ""),
]

sentence = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["the", "Cat", "sat", ",", "on", "é"]), st.just("O")).map(lambda one: [one]),
        st.lists(st.sampled_from(["Ada", "PARIS", "york", "ß"]), min_size=1, max_size=3).map(
            lambda words: [(word, "I-X" if i else "B-X") for i, word in enumerate(words)]
        ),
    ),
    min_size=1,
    max_size=6,
).map(lambda parts: tagged([pair for part in parts for pair in part]))


@settings(max_examples=80, deadline=None)
@given(st.lists(sentence, min_size=1, max_size=4), st.integers(0, 5))
def test_tagged_copies_are_whole(rows: list[dict[str, Any]], seed: int) -> None:
    config = Augment(mention=0.9, casing=0.9, delete=0.9, swap=0.9)
    known = {surface.casefold() for row in rows for _, surface in mentions(row)}
    for copy in augment(rows, "tag", config, seed):
        assert len(copy["words"]) == len(copy["tags"]) == len(copy["starts"]) > 0
        for word, start in zip(copy["words"], copy["starts"], strict=True):
            assert copy["text"][start : start + len(word)] == word
        before = "O"
        for tag in copy["tags"]:
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag
        assert {surface.casefold() for _, surface in mentions(copy)} <= known


@pytest.mark.parametrize("change", ["delete", "swap"])
def test_entities_are_left_alone(change: str) -> None:
    for seed in range(20):
        copies = list(augment(ENGLISH, "tag", Augment(**{change: ALWAYS}), seed))
        assert len(copies) == len(ENGLISH)
        for row, copy in zip(ENGLISH, copies, strict=True):
            assert mentions(copy) == mentions(row)
            assert copy["words"] != row["words"]


def test_mention_keeps_type_and_case_style() -> None:
    seen = set()
    for seed in range(40):
        for copy in augment(ENGLISH, "tag", Augment(mention=ALWAYS), seed):
            seen.add(copy["text"])
    assert "John Smith lives in New York ." in seen
    assert "JOHN SMITH flew to New York today" in seen
    assert "ANNA lives in Paris ." in seen


def test_chinese_mention_is_written_without_gaps() -> None:
    texts = {copy["text"] for seed in range(20) for copy in augment(CHINESE, "tag", Augment(mention=ALWAYS), seed)}
    assert texts == {"我爱上海滩", "他在北京玩"}


def test_chinese_text_is_changed_by_the_character() -> None:
    row = {"text": "今天天气好", "label": "好评"}
    deleted = {c["text"] for seed in range(40) for c in augment([row], "classify", Augment(delete=ALWAYS), seed)}
    assert deleted == {"天天气好", "今天气好", "今天天好", "今天天气"}
    swapped = next(augment([row], "classify", Augment(swap=ALWAYS), 0))
    assert sorted(swapped["text"]) == sorted(row["text"])
    assert list(augment([row], "classify", Augment(casing=ALWAYS), 0)) == []


def test_words_do_not_grow_together() -> None:
    row = {"text": "I ate it yesterday. Then I left", "label": "x"}
    for seed in range(40):
        (copy,) = augment([row], "classify", Augment(delete=ALWAYS), seed)
        assert set(copy["text"].replace(".", " ").split()) <= {"I", "ate", "it", "yesterday", "Then", "left"}
        assert copy["label"] == "x"


@pytest.mark.parametrize("text", ["", "word", "Yes.", "...", "  "])
def test_never_empties_a_row(text: str) -> None:
    assert list(augment([{"text": text, "label": "x"}], "classify", Augment(delete=ALWAYS, swap=ALWAYS), 0)) == []


def test_pairs_change_one_text() -> None:
    row = {"text": "one two three", "text_b": "four five six", "label": "same"}
    sides = set()
    for seed in range(20):
        (copy,) = augment([row], "pair", Augment(delete=ALWAYS), seed)
        changed = tuple(name for name in ("text", "text_b") if copy[name] != row[name])
        assert len(changed) == 1
        sides.add(changed)
    assert len(sides) == 2


def test_same_seed_same_copies_and_the_share_is_kept() -> None:
    rows = [{"text": f"alpha beta gamma {i}", "label": "x"} for i in range(2000)]
    config = Augment(delete=0.1, swap=0.2, casing=0.1)
    first = list(augment(rows, "classify", config, 7))
    assert first == list(augment(rows, "classify", config, 7))
    assert first != list(augment(rows, "classify", config, 8))
    assert 650 < len(first) < 900
    assert list(augment(rows, "classify", Augment(), 7)) == []


@settings(max_examples=60, deadline=None)
@given(st.text("今天气很好Ａ１ab，。 \u3000", min_size=1, max_size=20), st.integers(0, 3))
def test_copies_of_chinese_text_keep_its_characters(text: str, seed: int) -> None:
    def bag(given: str) -> list[str]:
        return sorted("".join(given.split()))

    (swapped,) = list(augment([{"text": text, "label": "x"}], "classify", Augment(swap=ALWAYS), seed)) or [
        {"text": text}
    ]
    assert bag(swapped["text"]) == bag(text)
    assert sorted(split_words(swapped["text"])[0]) == sorted(split_words(text)[0])
    for copy in augment([{"text": text, "label": "x"}], "classify", Augment(delete=ALWAYS), seed):
        assert copy["label"] == "x"
        assert len(split_words(copy["text"])[0]) == len(split_words(text)[0]) - 1


def test_all_changes_of_chinese_rows_with_offsets() -> None:
    rows = []
    for text, spans in (
        ("李雷在北京上班，很开心", [(0, 2, "PER"), (3, 5, "LOC")]),
        ("ＩＢＭ在上海", [(0, 3, "ORG"), (4, 6, "LOC")]),
    ):
        words, starts, tags = tag_words(text, spans)
        rows.append({"text": text, "words": words, "starts": starts, "tags": tags})
    known = {"李雷", "北京", "上海", "ＩＢＭ", "ｉｂｍ", "Ｉｂｍ"}
    config = Augment(mention=ALWAYS, casing=ALWAYS, delete=ALWAYS, swap=ALWAYS)
    copies = [copy for seed in range(20) for copy in augment(rows, "tag", config, seed)]
    assert len(copies) > 60
    for copy in copies:
        found = entities_of(copy["tags"], copy["starts"], copy["words"])
        assert len(found) == 2
        assert {copy["text"][start:end] for start, end, _ in found} <= known
        assert " " not in copy["text"]
