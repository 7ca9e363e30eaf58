"""The vocabulary of a model from scratch: whole, bounded, and the same in every process."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from burnish.config import FromScratch
from burnish.models.load import scratch_tokenizer
from burnish.models.wordpiece import SPECIAL, vocabulary

TEXTS = [
    "the film was filmed in Rome, the films were good",
    "我在北京吃饭，北京很好",
    "walking walked walks talking talked",
] * 3


def test_the_same_in_every_process() -> None:
    code = (
        "from burnish.models.load import scratch_tokenizer; from burnish.config import FromScratch; import json;"
        f"print(json.dumps(scratch_tokenizer({TEXTS!r}, FromScratch(vocabulary=150), 64).get_vocab(), sort_keys=True))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


def test_frequent_words_and_endings_are_pieces() -> None:
    tokenizer = scratch_tokenizer(TEXTS * 5, FromScratch(vocabulary=200), 64)
    assert tokenizer.tokenize("the film talking") == ["the", "film", "talking"]
    assert tokenizer.tokenize("北京filmed") == ["北", "京", "filmed"]
    assert "".join(tokenizer.tokenize("wafilms")).replace("##", "") == "wafilms"
    assert tokenizer.tokenize("☃") == ["[UNK]"]


@given(
    st.dictionaries(st.text("abcd#京", min_size=1, max_size=9), st.integers(1, 50), max_size=40), st.integers(10, 60)
)
def test_bounded_distinct_and_spelling_every_repeated_word(counts: dict[str, int], size: int) -> None:
    found = vocabulary(Counter(counts), size)
    assert tuple(found[:5]) == SPECIAL
    assert len(found) == len(set(found)) <= size
    if len(found) < size:
        for word, count in counts.items():
            if count > 1:
                assert {word[0], *(f"##{c}" for c in word[1:])} <= set(found)


def test_every_place_is_used_though_one_word_comes_a_million_times() -> None:
    counts = Counter({"the": 10**6} | {f"word{n}": 30 + n % 5 for n in range(500)})
    assert len(vocabulary(counts, 400)) == 400
    assert "x" * 101 not in vocabulary(Counter({"x" * 101: 9}), 100)
