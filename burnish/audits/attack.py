"""A search for misspellings that turn a decision: the weightiest words first, as in TextFooler (Jin et al. 2020) and
TextBugger (Li et al. 2019), with changes of letters in place of other words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burnish.audited import Table
from burnish.audits.loss import differing
from burnish.audits.noise import homoglyph, keyboard, synonym, typo
from burnish.audits.rewrite import Word, replaced, words_of
from burnish.audits.subject import LEAST, Subject
from burnish.data.rows import Row
from burnish.tasks import Task
from burnish.tasks.classify import Classify

BUDGET = 0.2  # share of the words that may be changed, at least one
_SHARE = 0.25  # of the time
_MOST = 200  # rows
_LONGEST = 60  # words of a row whose weight is asked for
_SHOWN = 5


@dataclass(frozen=True)
class Attack:
    """Share of right decisions that were turned, and questions to the model in the median of the rows."""

    success: float
    queries: float
    budget: float
    table: Table


@dataclass
class _Try:
    """One row under attack."""

    row: Row
    said: Any
    words: list[Word]
    left: list[int] = field(default_factory=list)  # words to change, the weightiest first
    edits: dict[int, str] = field(default_factory=dict)
    queries: int = 0
    turned: bool = False


def attacked(subject: Subject) -> Attack | None:
    """Attack rows on which the model is right; None where there are none to attack."""
    task = subject.engine.task
    lengths = [len(words_of(row)) for row in subject.given[:200]]
    passes = 2 * min(_LONGEST, float(np.mean(lengths))) * (1 + 4 * BUDGET)
    count = min(_MOST, subject.affordable(_SHARE, passes))
    tries: list[_Try] = []
    for index in subject.sample(len(subject.rows), salt=2):
        row, said = subject.given[index], subject.predictions[index]
        words = words_of(row)
        if len(tries) < count and words and _right(task, row, said) and _open(row, words):
            tries.append(_Try(row, said, words))
    if not tries:
        return None
    _weigh(subject, tries)
    for _ in range(max(len(one.left) for one in tries)):
        active = [one for one in tries if one.left and not one.turned]
        if not active:
            break
        _step(subject, active)
    turned = [one for one in tries if one.turned]
    shown = tuple(
        (_text(one.row), _text(replaced(one.row, one.words, one.edits)), one.queries) for one in turned[:_SHOWN]
    )
    few = f"; under {LEAST} rows, too few to conclude" if len(tries) < LEAST else ""
    note = f"{len(turned):,} of {len(tries):,} right decisions turned; at most {BUDGET:.0%} of the words changed{few}"
    table = Table("Attacks that worked", ("text", "changed", "questions"), shown, note)
    return Attack(len(turned) / len(tries), float(np.median([one.queries for one in tries])), BUDGET, table)


def _right(task: Task, row: Row, said: Any) -> bool:
    """Whether a decision is right; of a row to tag whether all are, and one of them names an entity."""
    if isinstance(task, Classify):
        return set(said.labels) == set(task.reference(row))
    return said.tags == task.reference(row) and set(said.tags) != {"O"}


def _open(row: Row, words: Sequence[Word]) -> list[int]:
    """Words that may be changed: those outside of entities."""
    tags = row.get("tags") or ["O"] * len(words)
    return [i for i, word in enumerate(words) if tags[i] == "O" and any(map(str.isalpha, word.text))]


def _weigh(subject: Subject, tries: list[_Try]) -> None:
    """Order the words of each row by what the model loses without them."""
    asked = [(one, index) for one in tries for index in _open(one.row, one.words)[:_LONGEST]]
    without = subject.engine.predict_rows([replaced(one.row, one.words, {index: ""}) for one, index in asked])
    weights: dict[int, list[tuple[float, int]]] = {}
    for (one, index), said in zip(asked, without, strict=True):
        one.queries += 1
        weights.setdefault(id(one), []).append((_held(subject.engine.task, one, said), index))
    for one in tries:
        most = max(1, round(BUDGET * len(one.words)))
        one.left = [index for _, index in sorted(weights[id(one)])[:most]]


def _step(subject: Subject, active: list[_Try]) -> None:
    """Try some spellings of the next word of each row and keep the one that the model minds most."""
    asked: list[tuple[_Try, dict[int, str]]] = []
    for one in active:
        index = one.left.pop(0)
        given = zlib.crc32(f"{one.row['text']}\0{index}".encode("utf-8", "surrogatepass"))
        chance = np.random.default_rng((subject.seed, given))
        spelt = {change(one.words, index, chance) for change in (typo, typo, keyboard, keyboard, homoglyph, synonym)}
        asked += [(one, one.edits | {index: new}) for new in sorted(filter(None, spelt))]
    said = subject.engine.predict_rows([replaced(one.row, one.words, edits) for one, edits in asked])
    best: dict[int, float] = {}
    for (one, edits), answer in zip(asked, said, strict=True):
        one.queries += 1
        held, task = _held(subject.engine.task, one, answer), subject.engine.task
        if not one.turned and held < best.get(id(one), np.inf):
            best[id(one)], one.edits = held, edits
            one.turned = bool(differing(task, [one.said], [answer])[0][0])


def _held(task: Task, one: _Try, said: Any) -> float:
    """What is left of the model's certainty in its own decision."""
    if isinstance(task, Classify):
        before = set(one.said.labels)
        if not task.multi_label:
            return float(said.probabilities[one.said.label])
        return float(np.mean([p if label in before else 1 - p for label, p in said.probabilities.items()]))
    pairs = zip(one.said.tags, said.tags, said.scores, strict=True)
    return float(np.mean([score if new == old else 0.0 for old, new, score in pairs if old != "O"]))


def _text(row: Row) -> str:
    return str(row["text"])
