"""Words tokenized one by one give the same inputs as rows tokenized as a whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.config import FromScratch
from burnish.data.lexicon import Lexicon
from burnish.data.shape import shape_id
from burnish.data.text import encode_words
from burnish.models.load import scratch_tokenizer

TOKENIZER = scratch_tokenizer(["我在北京 the film was good , very good"] * 4, FromScratch(vocabulary=100), 64)
WORDS = st.one_of(
    st.sampled_from(["the", "film", "filmed", "[MASK]", "北京", "", "a b", "\u200b"]), st.text(max_size=6)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=8), max_size=6), st.integers(10, 60))
def test_the_same_as_whole_rows(rows: list[list[str]], limit: int) -> None:
    found = Lexicon(TOKENIZER).encode(rows, limit)
    windows = [window for _, window in encode_words(TOKENIZER, rows, limit)]
    if found is None:
        assert len(windows) > len(rows)
        return
    for name in ("input_ids", "words"):
        assert [found[name][i].tolist() for i in range(len(rows))] == [getattr(w, name) for w in windows]
    for row, window, shapes in zip(rows, windows, map(found["shapes"].__getitem__, range(len(rows))), strict=True):
        assert shapes.tolist() == [shape_id(row[part]) if 0 <= part < len(row) else 0 for part in window.parts]


def test_a_tokenizer_that_pads_and_cuts_by_itself() -> None:
    whole = Lexicon(TOKENIZER).encode([["the", "film"]], 60)
    TOKENIZER.backend_tokenizer.enable_padding(length=40)
    TOKENIZER.backend_tokenizer.enable_truncation(4)
    found = Lexicon(TOKENIZER).encode([["the", "film"]], 60)
    assert whole is not None
    assert found is not None
    assert found["input_ids"][0].tolist() == whole["input_ids"][0].tolist()


def test_words_stay_known_and_are_forgotten_in_time() -> None:
    lexicon = Lexicon(TOKENIZER)
    first = lexicon.encode([["the", "film"], ["good"]], 60)
    again = lexicon.encode([["good"], ["film", "new"]], 60)
    assert first is not None
    assert again is not None
    assert again["input_ids"][0].tolist() == first["input_ids"][1].tolist()
    lexicon._forget()
    later = lexicon.encode([["film"]], 60)
    assert later is not None
    assert later["input_ids"][0].tolist() == [
        first["input_ids"][0][0],
        first["input_ids"][0][2],
        first["input_ids"][0][-1],
    ]
