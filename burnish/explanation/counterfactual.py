"""The smallest change of a text that turns the decision: words taken out, or swapped for those of another class."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from burnish.data.rows import Row
from burnish.data.words import kind, split_words
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explained import Counterfactual, Edit, Explanation
from burnish.tasks.classify import Classify
from burnish.tasks.score import Score
from burnish.tasks.tag import Tag

_EDITS = 5  # words changed at most
_PLACES = 8  # weightiest words that are tried in each step
_TYPICAL = 8  # words of the other class

Changes = dict[int, str]
"""Word of the explanation -> what stands in its place; an empty text where it is taken out."""


def counterfactual(
    engine: Engine, row: Row, explanation: Explanation, typical: Mapping[str, tuple[str, ...]] | None = None
) -> Counterfactual:
    """Change words, the weightiest first, until the model decides otherwise; then take back what was not needed.

    In each step the one change is kept that costs the target most, as the engine itself says of the changed text. In
    `tag` the words of the entity stay as they are.

    Args:
        explanation: of the row, for the label that the model gives it.
        typical: for each label the words to swap in (see `typical_words`); without them words are only taken out.

    Raises:
        InputError: for `score`, which decides nothing, and for a label that the model does not give.
    """
    if explanation.grid:
        raise InputError("--edits works on models of texts so far")
    search = _Search(engine, row, explanation)
    (first,) = search.ask([{}])
    if first.turned:
        raise InputError(f"the model does not say '{explanation.target}' here, so that there is nothing to turn")
    order = sorted(search.free, key=lambda place: -explanation.scores[place].score)[:_PLACES]
    swaps = (typical or {}).get(explanation.against or first.rival, ())
    changes: Changes = {}
    state = first
    while not state.turned and len(changes) < _EDITS:
        options = [changes | {place: new} for place in order if place not in changes for new in ("", *swaps)]
        options = [one for one in options if search.sensible(one)]
        if not options:
            break
        asked = search.ask(options)
        best = min(range(len(options)), key=lambda index: (not asked[index].turned, asked[index].chance))
        changes, state = options[best], asked[best]
    if not state.turned:
        return Counterfactual((), explanation.text, explanation.second, first.said, first.said, search.tried)
    for place in [place for place in list(changes)[:-1] if len(changes) > 1]:
        fewer = {kept: new for kept, new in changes.items() if kept != place}
        (without,) = search.ask([fewer])
        if without.turned:
            changes, state = fewer, without
    text, second = search.written(changes)
    edits = tuple(search.edit(place, new) for place, new in sorted(changes.items()))
    return Counterfactual(edits, text, second, first.said, state.said, search.tried)


def typical_words(rows: Iterable[Row], count: int = _TYPICAL) -> dict[str, tuple[str, ...]]:
    """For each label of training rows the words that tell it from the others best: log-odds, smoothed by what all rows
    say, in units of their standard error (Monroe et al. 2008). Of `tag` the words of each entity type."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for label, words in _labelled(row):
            counts[label].update({word.lower() for word in words if any(kind(c) in ("letter", "single") for c in word)})
    whole: Counter[str] = Counter()
    for found in counts.values():
        whole.update(found)
    total = sum(whole.values())
    best = {}
    for label, found in counts.items():
        own = sum(found.values())

        def weight(word: str, found: Counter[str] = found, own: int = own) -> float:
            here, all_over = found[word], whole[word]
            odds = [
                (n + 0.01 * all_over) / (of + 0.01 * total) for n, of in ((here, own), (all_over - here, total - own))
            ]
            error = 1 / (here + 0.01 * all_over) + 1 / (all_over - here + 0.01 * all_over)
            return (math.log(odds[0]) - math.log(odds[1])) / math.sqrt(error)

        best[label] = tuple(sorted(found, key=lambda word: (-weight(word), word))[:count])
    return best


def _labelled(row: Row) -> Iterable[tuple[str, list[str]]]:
    if "tags" in row:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            yield ("O" if tag == "O" else tag[2:]), [word]
        return
    texts = [row["text"] or "", row.get("text_b") or ""]
    words = [word for text in texts for word in split_words(text)[0]]
    labels = row["label"] if isinstance(row["label"], list) else [row["label"]]
    for label in labels:
        yield str(label), words


@dataclass(frozen=True)
class _Answer:
    """What the model says: whether it is another decision, how probable the target still is, and the next label."""

    said: str
    turned: bool
    chance: float
    rival: str


class _Search:
    """Changed texts of one row, and what the engine says of them."""

    def __init__(self, engine: Engine, row: Row, explanation: Explanation) -> None:
        if isinstance(engine.task, Score):
            raise InputError("score gives a number and decides nothing, so that no change can turn it")
        self.engine, self.row, self.given, self.tried = engine, row, explanation, 0
        at = explanation.at
        self.free = [i for i, span in enumerate(explanation.scores) if at is None or not at[0] <= span.start < at[1]]

    def sensible(self, changes: Changes) -> bool:
        """Whether a word is left, and none is replaced by itself."""
        old = self.given
        same = any(old.written(old.scores[place]).lower() == new for place, new in changes.items())
        left = len(old.scores) - sum(not new for new in changes.values())
        return not same and left > 0

    def edit(self, place: int, new: str) -> Edit:
        span = self.given.scores[place]
        return Edit(span.start, span.end, self.given.written(span), new, span.second)

    def written(self, changes: Changes) -> tuple[str, str | None]:
        """The text and the second text after the changes."""
        found = []
        for second, text in ((False, self.given.text), (True, self.given.second)):
            if text is not None:
                for place in sorted((p for p in changes if self.given.scores[p].second == second), reverse=True):
                    span = self.given.scores[place]
                    text = _replaced(text, span.start, span.end, changes[place])
            found.append(text)
        return str(found[0]), found[1]

    def ask(self, options: list[Changes]) -> list[_Answer]:
        self.tried += len(options)
        if isinstance(self.engine.task, Tag):
            return self._ask_tagger(options)
        rows: list[Row] = []
        for changes in options:
            text, second = self.written(changes)
            rows.append({"text": text} | ({} if second is None else {"text_b": second}))
        return [self._of_classes(prediction) for prediction in self.engine.predict_rows(rows)]

    def _of_classes(self, prediction: Any) -> _Answer:
        task, target = self.engine.task, self.given.target
        assert isinstance(task, Classify)
        turned = target not in prediction.labels
        said = ", ".join(prediction.labels) or "–"
        others = {label: p for label, p in prediction.probabilities.items() if label != target}
        rival = max(others, key=lambda label: others[label], default=target)
        return _Answer(said, turned, prediction.probabilities[target], rival)

    def _ask_tagger(self, options: list[Changes]) -> list[_Answer]:
        starts, at = self.row["starts"], self.given.at or (0, 0)
        place_of = {span.start: place for place, span in enumerate(self.given.scores)}
        first = next(i for i, start in enumerate(starts) if start >= at[0])
        rows, targets = [], []
        for changes in options:
            kept = [
                changes.get(place_of.get(start, -1), word)
                for start, word in zip(starts, self.row["words"], strict=True)
            ]
            rows.append(self.engine.task.row([word for word in kept if word]))
            targets.append(sum(bool(word) for word in kept[:first]))
        found = []
        for prediction, index in zip(self.engine.predict_rows(rows), targets, strict=True):
            tag = prediction.tags[index]
            said = "O" if tag == "O" else tag[2:]
            turned = said != self.given.target
            found.append(_Answer(said, turned, 0.0 if turned else prediction.scores[index], "O"))
        return found


def _replaced(text: str, start: int, end: int, new: str) -> str:
    """The text with other words at a place; with nothing there, one of two spaces around it goes too."""
    if not new and text[end : end + 1].isspace() and (not start or text[start - 1].isspace()):
        end += 1
    return text[:start] + new + text[end:]
