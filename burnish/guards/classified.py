"""What a classifier says about a text of any length: window by window, and the worst of them counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Judged(NamedTuple):
    """Characters `start` to `end` are the window with the highest score, and `label` is its most probable class."""

    start: int
    end: int
    label: str
    score: float


def windows(text: str, tokenizer: Any, tokens: int) -> list[tuple[int, int]]:
    """Stretches of at most `tokens` tokens that overlap by a quarter, cut between words; at least one.

    Args:
        tokenizer: one of a model folder.
        tokens: of a window, without special ones.
    """
    if len(text) <= tokens:  # a token is a character or more
        return [(0, len(text))]
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    encoding = backend.encode(text, add_special_tokens=False)
    places, words = encoding.offsets, encoding.word_ids
    if len(places) <= tokens:
        return [(0, len(text))]
    found: list[tuple[int, int]] = []
    start = 0
    while True:
        end = min(start + tokens, len(places))
        if end < len(places):
            end = _between(words, end, start + tokens // 2)
        found.append((places[start][0] if start else 0, places[end - 1][1] if end < len(places) else len(text)))
        if end == len(places):
            return found
        start = max(start + 1, _between(words, end - tokens // 4, start + 1))


def _between(words: Sequence[int | None], place: int, least: int) -> int:
    """The nearest token before `place`, but not before `least`, that begins a word."""
    for one in range(place, least, -1):
        if words[one] != words[one - 1]:
            return one
    return place


def judge(engine: Any, texts: Sequence[str], labels: Sequence[str], tokens: int, others: bool = False) -> list[Judged]:
    """The window of each text in which the probability of `labels`, together, is highest.

    Args:
        engine: a model of the task `classify`.
        tokens: of a window.
        others: whether the probability of all other classes counts instead.
    """
    places: list[tuple[int, int, int]] = []
    room = max(4, min(tokens, engine.max_tokens - 2))
    for index, text in enumerate(texts):
        places += [(index, start, end) for start, end in windows(text, engine.tokenizer, room)]
    said = engine.predict([texts[index][start:end] for index, start, end in places])
    best: dict[int, Judged] = {}
    for (index, start, end), one in zip(places, said, strict=True):
        chances = one.probabilities
        if engine.task.multi_label:
            score = max(chances[label] for label in labels)
        else:
            score = sum(chances[label] for label in labels)
        score = min(1.0, max(0.0, 1.0 - score if others else score))
        if index not in best or score > best[index].score:
            name = one.label if others else max(labels, key=lambda label: chances[label])
            best[index] = Judged(start, end, name, score)
    return [best[index] for index in range(len(texts))]
