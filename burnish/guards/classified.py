"""What a classifier says about a text of any length: window by window, and the worst of them counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Told = Callable[[Any, Sequence[Any]], list[tuple[str, float]]]


class Judged(NamedTuple):
    """Characters `start` to `end` are the window with the highest score, and `label` is what it is taken for."""

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


class Reading(NamedTuple):
    """What a model says of each window of some texts: `places` holds text, start and end of each."""

    task: Any
    places: list[tuple[int, int, int]]
    said: list[Any]


def read(engine: Any, texts: Sequence[str], tokens: int) -> Reading:
    """Predict for every window of texts.

    Args:
        engine: a model of the task `classify`.
        tokens: of a window.
    """
    places: list[tuple[int, int, int]] = []
    room = max(4, min(tokens, engine.max_tokens - 2))
    for index, text in enumerate(texts):
        places += [(index, start, end) for start, end in windows(text, engine.tokenizer, room)]
    return Reading(engine.task, places, engine.predict([texts[index][start:end] for index, start, end in places]))


def judge(given: Reading, told: Told) -> list[Judged]:
    """The window of each text with the highest score.

    Args:
        told: name and score of each prediction: `of(labels)`, `other_than(labels)` or `beyond`.
    """
    best: dict[int, Judged] = {}
    for (index, start, end), (name, score) in zip(given.places, told(given.task, given.said), strict=True):
        if index not in best or score > best[index].score:
            best[index] = Judged(start, end, name, score)
    return list(best.values())


def of(labels: Sequence[str]) -> Told:
    """The probability of some classes together, by the name of the likeliest of them."""
    return lambda task, said: [
        (max(labels, key=lambda label: one.probabilities[label]), _together(task, one, labels)) for one in said
    ]


def other_than(labels: Sequence[str]) -> Told:
    """The probability of all other classes, by the name of the likeliest class."""
    return lambda task, said: [(one.label, 1.0 - _together(task, one, labels)) for one in said]


def beyond(task: Any, said: Sequence[Any]) -> list[tuple[str, float]]:
    """How strange a text is to every class."""
    from burnish.tasks.scope import strange

    return [("out-of-scope", score) for score in strange(task, said).tolist()]


def _together(task: Any, one: Any, labels: Sequence[str]) -> float:
    chances: list[float] = [one.probabilities[label] for label in labels]
    return min(1.0, max(0.0, max(chances) if task.multi_label else sum(chances)))
