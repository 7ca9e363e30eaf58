"""Context comes from the same document, in order, and never carries labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.data.context import with_context
from burnish.models.load import load_tokenizer, resolve
from burnish.tasks.tag import Tag
from tests import tiny

ROWS = [
    {"document": 1, "words": ["Anna", "lives"], "tags": ["B-PER", "O"]},
    {"document": 1, "words": ["good", "film"], "tags": ["O", "O"]},
    {"document": 1, "words": ["today"], "tags": ["O"]},
    {"document": 2, "words": ["Rome"], "tags": ["B-LOC"]},
    {"words": ["Paris"], "tags": ["B-LOC"]},
    {"words": ["bad"], "tags": ["O"]},
]


def test_neighbours_of_the_same_document() -> None:
    found = [(row.get("left"), row.get("right")) for row in with_context(ROWS, 3)]
    assert found == [
        ([], ["good", "film", "today"]),
        (["Anna", "lives"], ["today"]),
        (["lives", "good", "film"], []),
        ([], []),
        ([], []),
        ([], []),
    ]
    assert list(with_context(ROWS, 0)) == ROWS


@pytest.mark.parametrize(("context", "limit"), [(2, 64), (50, 64), (50, 8)])
def test_only_own_words_are_answered_for(context: int, limit: int, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(resolve(str(tiny.encoder(tmp_path))))
    plain = Tag(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
    task = Tag(plain.labels, context=context)
    wide, narrow = task.encode(ROWS, tokenizer, limit), plain.encode(ROWS, tokenizer, limit)
    assert len(wide) == len(narrow)
    for piece in range(len(wide)):
        for name in ("words", "labels"):
            kept = [v for v in wide.ragged[name][piece] if v >= 0]
            assert kept == [v for v in narrow.ragged[name][piece] if v >= 0]
        extra = wide.lengths[piece] - narrow.lengths[piece]
        assert 0 <= extra <= min(2 * context, limit)
        assert wide.lengths[piece] <= max(limit, int(narrow.lengths[piece]))
        at = [i for i, word in enumerate(wide.ragged["words"][piece]) if word >= 0]
        own = [i for i, word in enumerate(narrow.ragged["words"][piece]) if word >= 0]
        for name in ("input_ids", "shapes"):
            assert list(wide.ragged[name][piece][at]) == list(narrow.ragged[name][piece][own])
    assert wide.lengths[1] > narrow.lengths[1]
    assert wide.lengths[5] == narrow.lengths[5]
