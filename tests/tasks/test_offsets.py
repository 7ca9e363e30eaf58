"""Tagging any text: entities stand where they say, every word gets one tag, windows cover every word once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish import job as flow
from burnish.config import FromScratch
from burnish.data.text import encode_words
from burnish.data.words import split_words
from burnish.engine import Engine
from burnish.models.load import scratch_tokenizer
from tests import tiny

ODD = [
    "中", "文", "。", "Ａ", "Ｂ１", "，", "\u3000", "カ", "ｶﾞ", "한국", "𠀀", "e\u0301", "\u0301", "👩\u200d👩\u200d👧",
    "🇩🇪", "\ufe0f", "שלום", "مرحبا", "\u202e", "\u200b", "\ufeff", "\xad", "\0", "\ud800", "\udfff", "ﬁ", "ß", "İ", "x",
    "Anna", "Paris", " ", "\n", "-", "'", "\x85",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=[])), max_size=60).map("".join)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> list[Engine]:
    """One with a lower-casing tokenizer that knows no Chinese, one with a tokenizer built from Chinese text."""
    folder = tmp_path_factory.mktemp("tag")
    english = tiny.job(folder, "tag", epochs=1)
    data = folder / "zh.conll"
    rows = ["我O 在O 北B-LOC 京I-LOC", "他O 是O 李B-PER 雷I-PER 。O", "Ｂ１B-ORG 公I-ORG 司I-ORG 好O"] * 8
    data.write_text(
        "\n\n".join("\n".join(f"{w[:-5] if '-' in w else w[:-1]}\t{w[-5:] if '-' in w else 'O'}" for w in row.split())
                    for row in rows),
        encoding="utf-8",
    )  # fmt: skip
    size = english.tune.model_copy(update={"scratch": FromScratch(layers=1, hidden=16, heads=2, vocabulary=200)})
    source = english.data.model_copy(update={"train": str(data)})
    chinese = english.model_copy(update={"model": "scratch", "out": str(folder / "zh"), "data": source, "tune": size})
    return [Engine.open(flow.tune(job).artifact.folder) for job in (english, chinese)]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_entities_stand_where_they_say(engines: list[Engine], texts: list[str]) -> None:
    for engine in engines:
        predictions = engine.predict(texts)
        assert len(predictions) == len(texts)
        for text, found in zip(texts, predictions, strict=True):
            words, starts = split_words(text)
            assert found.words == tuple(words)
            assert len(found.tags) == len(found.scores) == len(words)
            assert set(found.tags) <= set(engine.task.labels)
            place = 0
            for entity in found.entities:
                assert place <= entity.start < entity.end <= len(text)
                assert text[entity.start : entity.end] == entity.text
                assert entity.start in starts
                place = entity.end
            assert sum(tag.startswith("B-") for tag in found.tags) == len(found.entities)
            for before, tag in zip(("O", *found.tags), found.tags, strict=False):
                assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_words_given_as_a_list_keep_their_number(engines: list[Engine]) -> None:
    given_words = [["John", "lives"], ["北", "京", "市"], [], ["", "a\ud800b", "\u200b"]]
    for engine in engines:
        for words, found in zip(given_words, engine.predict(given_words), strict=True):
            assert found.words == tuple(words)
            assert len(found.tags) == len(words)


def test_chinese_words_are_joined_without_spaces(engines: list[Engine]) -> None:
    text = engines[1].task.row(["北", "京", "市"])
    assert (text["text"], text["starts"]) == ("北京市", [0, 1, 2])


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.integers(8, 24))
def test_windows_answer_for_every_word_once(texts: list[str], limit: int) -> None:
    tokenizer = scratch_tokenizer(["我在北京 the film was good"] * 4, FromScratch(vocabulary=100), limit)
    rows = [split_words(text)[0] for text in texts]
    owned: list[list[int]] = [[] for _ in rows]
    known: list[set[int]] = [set() for _ in rows]
    for index, window in encode_words(tokenizer, rows, limit):
        assert len(window.input_ids) == len(window.words) == len(window.parts) <= limit
        owned[index] += [word for word in window.words if word >= 0]
        known[index] |= {part for part in window.parts if part >= 0}
    for words, answered, seen in zip(rows, owned, known, strict=True):
        assert answered == sorted(set(answered))
        if words:
            assert set(answered) == seen <= set(range(len(words)))


def test_a_long_chinese_row_is_answered_for_throughout(engines: list[Engine], tmp_path: Path) -> None:
    text, head = "我在北京。" * 400, engines[1].net.linear
    assert head is not None
    with torch.no_grad():
        head.weight.mul_(0.1)  # a head that is less sure: no probability rounds to 1
    (found,) = engines[1].predict(text)
    assert len(found.tags) == len(text)
    assert all(text[e.start : e.end] == e.text for e in found.entities)
    assert all(score < 1.0 for score in found.scores)  # a word that no window answered for would keep 1.0
