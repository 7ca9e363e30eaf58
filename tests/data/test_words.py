"""Words and their places, and the way from spans to tags and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.data.words import disjoint, entities_of, join_words, kind, split_words, tag_words

TEXTS = st.text(
    st.one_of(st.sampled_from("ab1 中文\u3000ＡＢ１，。.'-\n\u200d\u0301かカー한국😀𠀀"), st.characters()), max_size=40
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, Ann-Marie!", ["Don", "'", "t", "go", ",", "Ann", "-", "Marie", "!"]),
        ("我在IBM上班", ["我", "在", "IBM", "上", "班"]),
        ("ＡＢＣ１２３\u3000中", ["ＡＢＣ１２３", "中"]),
        ("カー と ひ", ["カ", "ー", "と", "ひ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("𠀀𠀁a", ["𠀀", "𠀁", "a"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", "हिन्दी"]),
        ("a\u200bb", ["a", "b"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_split_words(text: str, words: list[str]) -> None:
    assert split_words(text)[0] == words


@given(TEXTS)
def test_words_stand_where_they_say_and_cover_all_but_space(text: str) -> None:
    words, starts = split_words(text)
    covered = set()
    for word, start in zip(words, starts, strict=True):
        assert word
        assert text[start : start + len(word)] == word
        covered |= set(range(start, start + len(word)))
    assert sum(map(len, words)) == len(covered)
    assert all(kind(text[i]) == "space" for i in range(len(text)) if i not in covered)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=40))
def test_plain_texts_are_split_as_all_others(text: str) -> None:
    words, starts = split_words(text)
    assert split_words(text + " 中") == ([*words, "中"], [*starts, len(text) + 1])
    assert all(kind(sign) != "space" for word in words for sign in word)


@st.composite
def spans_in_text(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    text = draw(TEXTS)
    place = st.integers(-2, len(text) + 2)
    return text, draw(st.lists(st.tuples(place, place, st.sampled_from(["PER", "LOC", "I-x"])), max_size=6))


@given(spans_in_text())
def test_spans_come_back_from_tags(case: tuple[str, list[tuple[int, int, str]]]) -> None:
    text, spans = case
    words, starts, tags = tag_words(text, spans)
    assert all(text[s : s + len(w)] == w for w, s in zip(words, starts, strict=True))
    expected = []
    for start, end, label in disjoint(spans, len(text)):
        inside = [i for i in range(start, end) if kind(text[i]) != "space"]
        if inside:  # space at a border belongs to no word, so the span that comes back is without it
            expected.append((inside[0], inside[-1] + 1, label))
    assert entities_of(tags, starts, words) == expected


def test_longest_of_overlapping_spans_is_kept() -> None:
    spans = [(0, 3, "A"), (2, 8, "B"), (7, 9, "C"), (9, 10, "D"), (5, 99, "outside the text")]
    assert disjoint(spans, 10) == [(2, 8, "B"), (9, 10, "D")]


def test_a_word_is_cut_at_a_span_border() -> None:
    assert tag_words("theIBMway", [(3, 6, "ORG")]) == (["the", "IBM", "way"], [0, 3, 6], ["O", "B-ORG", "O"])


def test_a_stray_inside_tag_begins_an_entity() -> None:
    assert entities_of(["I-A", "I-B", "O", "I-B"], [0, 1, 2, 3], list("abcd")) == [
        (0, 1, "A"),
        (1, 2, "B"),
        (3, 4, "B"),
    ]


@given(st.lists(st.text(min_size=1, max_size=4), max_size=8))
def test_joined_words_stand_where_they_say(words: list[str]) -> None:
    text, starts = join_words(words)
    assert [text[s : s + len(w)] for w, s in zip(words, starts, strict=True)] == words


def test_chinese_characters_join_without_space() -> None:
    assert join_words(["我", "在", "I", "B"]) == ("我在IB", [0, 1, 2, 3])
    assert join_words(["我", "在", "IBM"])[0] == "我在 IBM"
    assert join_words(["a", "b"])[0] == "a b"
