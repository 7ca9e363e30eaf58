"""Metrics as sums: a row is counted and let go, so that memory grows with the labels and not with the rows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from burnish.extras import need
from burnish.results import ClassRow

Matrix = tuple[tuple[int, ...], ...]


class Counts(ABC):
    """What the metrics and tables of a task follow from."""

    @abstractmethod
    def add(self, prediction: Any, reference: Any) -> None:
        """Count a row."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """All metrics by name, fractions of one."""

    def table(self) -> tuple[ClassRow, ...]:
        """Precision, recall and F1 by class; empty where there are no classes."""
        return ()

    def token_table(self) -> tuple[ClassRow, ...]:
        """The same over single tokens, for tasks that have them."""
        return ()

    def note(self) -> str:
        """What the metrics are measured over, where that is not plain."""
        return ""

    def confusion(self) -> tuple[tuple[str, ...], Matrix]:
        """Labels and counts, reference by row; empty where it has no meaning."""
        return (), ()


class ClassCounts(Counts):
    """One class each: how often which class was taken for which. scikit-learn sees each such pair once, weighted."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.known = tuple(labels)
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, prediction: Any, reference: Sequence[str]) -> None:
        self.pairs[str(reference[0]), prediction.label] += 1

    @property
    def labels(self) -> list[str]:
        """The classes of training, then those that only the references have."""
        return [*self.known, *sorted({true for true, _ in self.pairs} - set(self.known))]

    def _weighted(self) -> tuple[list[str], list[str], list[int]]:
        return [true for true, _ in self.pairs], [guess for _, guess in self.pairs], list(self.pairs.values())

    def metrics(self) -> dict[str, float]:
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        true, guess, weights = self._weighted()
        options: dict[str, Any] = {"sample_weight": weights, "zero_division": 0.0}
        return {
            "accuracy": float(accuracy_score(true, guess, sample_weight=weights)),
            **{f"{a}_f1": float(f1_score(true, guess, average=a, **options)) for a in ("micro", "macro", "weighted")},
            "mcc": float(matthews_corrcoef(true, guess, sample_weight=weights)),
            "balanced_accuracy": self._recall(),
        }

    def _recall(self) -> float:
        """Mean of the recalls of the classes that occur."""
        due: Counter[str] = Counter()
        for (true, _), count in self.pairs.items():
            due[true] += count
        return sum(self.pairs[name, name] / count for name, count in due.items()) / max(1, len(due))

    def table(self) -> tuple[ClassRow, ...]:
        """All classes, then the averages over those that occur, given or due."""
        due, given, labels = Counter[str](), Counter[str](), self.labels
        for (true, guess), count in self.pairs.items():
            due[true] += count
            given[guess] += count
        rows = [_marked(name, self.pairs[name, name], given[name], due[name]) for name in labels]
        occurring = [row for row in rows if due[row.label] or given[row.label]]
        if not occurring:
            return ()
        total = due.total()
        return (
            *rows,
            _averaged("macro avg", occurring, [1 / len(occurring)] * len(occurring), total),
            _averaged("weighted avg", rows, [row.support / total for row in rows], total),
        )

    def confusion(self) -> tuple[tuple[str, ...], Matrix]:
        labels = self.labels
        return tuple(labels), tuple(tuple(self.pairs[true, guess] for guess in labels) for true in labels)


class Marks:
    """Labels given, due, and both, each counted by itself; for what may be given several times or not at all."""

    def __init__(self) -> None:
        self.both: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.due: Counter[str] = Counter()

    def rows(self, labels: Iterable[str]) -> list[ClassRow]:
        """The labels, then their micro, macro and weighted averages; a quotient by zero is 0."""
        rows = [_marked(name, self.both[name], self.given[name], self.due[name]) for name in labels]
        total = self.due.total()
        shares = [row.support / total if total else 0.0 for row in rows]
        return [
            *rows,
            _marked("micro avg", self.both.total(), self.given.total(), total),
            _averaged("macro avg", rows, [1 / max(1, len(rows))] * len(rows), total),
            _averaged("weighted avg", rows, shares, total),
        ]


def _marked(name: str, both: int, given: int, due: int) -> ClassRow:
    return ClassRow(name, both / max(1, given), both / max(1, due), 2 * both / max(1, given + due), due)


def _averaged(name: str, rows: Sequence[ClassRow], shares: Sequence[float], support: int) -> ClassRow:
    columns = ([row.precision for row in rows], [row.recall for row in rows], [row.f1 for row in rows])
    precision, recall, f1 = (sum(v * share for v, share in zip(values, shares, strict=True)) for values in columns)
    return ClassRow(name, precision, recall, f1, support)


class SetCounts(Counts):
    """Several classes a row, or none."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.known = tuple(labels)
        self.marks = Marks()
        self.rows = self.right = 0
        self.samples = [0.0, 0.0, 0.0]  # sums over rows of precision, recall and F1

    def add(self, prediction: Any, reference: Iterable[str]) -> None:
        given, due = set(prediction.labels), set(reference)
        self.marks.both.update(given & due)
        self.marks.given.update(given)
        self.marks.due.update(due)
        self.rows += 1
        self.right += given == due
        row = _marked("", len(given & due), len(given), len(due))
        self.samples = [a + b for a, b in zip(self.samples, (row.precision, row.recall, row.f1), strict=True)]

    def table(self) -> tuple[ClassRow, ...]:
        unseen = sorted(self.marks.due.keys() - set(self.known))
        precision, recall, f1 = (value / max(1, self.rows) for value in self.samples)
        samples = ClassRow("samples avg", precision, recall, f1, self.marks.due.total())
        return (*self.marks.rows([*self.known, *unseen]), samples)

    def metrics(self) -> dict[str, float]:
        averages = {f"{row.label.split()[0]}_f1": row.f1 for row in self.table()[-4:-1]}
        return {"f1": averages["micro_f1"], "subset_accuracy": self.right / max(1, self.rows), **averages}


class TagCounts(Counts):
    """Entities by type, exact in type and boundaries, and the tags of single words."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.marks = Marks()
        self.words = ClassCounts(labels)

    def add(self, prediction: Any, reference: Sequence[str]) -> None:
        given, due = spans(prediction.tags), spans(reference)
        self.marks.both.update(kind for _, _, kind in given & due)
        self.marks.given.update(kind for _, _, kind in given)
        self.marks.due.update(kind for _, _, kind in due)
        self.words.pairs.update(zip(reference, prediction.tags, strict=True))

    def metrics(self) -> dict[str, float]:
        entities = self.marks.rows(())[0]
        tokens = {row.label: row.f1 for row in self.token_table()}
        return {
            "f1": entities.f1,
            "precision": entities.precision,
            "recall": entities.recall,
            "token_micro_f1": tokens.get("micro avg", 0.0),
            "token_macro_f1": tokens.get("macro avg", 0.0),
        }

    def table(self) -> tuple[ClassRow, ...]:
        kinds = sorted(self.marks.given.keys() | self.marks.due.keys())
        return tuple(self.marks.rows(kinds)) if kinds else ()

    def token_table(self) -> tuple[ClassRow, ...]:
        total = self.words.pairs.total()
        right = sum(count for (true, guess), count in self.words.pairs.items() if true == guess) / max(1, total)
        micro = ClassRow("micro avg", right, right, right, total)
        rows = self.words.table()
        return (*rows, micro) if rows else ()

    def confusion(self) -> tuple[tuple[str, ...], Matrix]:
        return self.words.confusion()


class ScoreCounts(Counts):
    """Numbers. A correlation of ranks needs all of them: 16 bytes a row."""

    def __init__(self) -> None:
        self.guess, self.true = array("d"), array("d")

    def add(self, prediction: Any, reference: float) -> None:
        self.guess.append(prediction.value)
        self.true.append(reference)

    def metrics(self) -> dict[str, float]:
        from scipy.stats import pearsonr, spearmanr

        guess, true = np.asarray(self.guess), np.asarray(self.true)
        constant = len(true) < 2 or guess.std() == 0 or true.std() == 0
        return {
            "pearson": 0.0 if constant else float(pearsonr(guess, true)[0]),
            "spearman": 0.0 if constant else float(spearmanr(guess, true)[0]),
            "mae": float(np.abs(guess - true).mean()),
            "rmse": math.sqrt(float(((guess - true) ** 2).mean())),
        }


class TranscriptCounts(Counts):
    """What is said: words and characters that have to be put in, left out or changed to come to what was said.

    Args:
        characters: words are not counted, as they are written without spaces between them.
    """

    def __init__(self, characters: bool) -> None:
        self.characters = characters
        self.words, self.letters = np.zeros(2), np.zeros(2)  # edits, and what was said

    def add(self, prediction: Any, reference: str) -> None:
        words, letters = edits(prediction.text, reference)
        self.words += words
        self.letters += letters

    def metrics(self) -> dict[str, float]:
        wer, cer = (float(wrong / max(1.0, said)) for wrong, said in (self.words, self.letters))
        return {"character_accuracy": 1 - cer, "cer": cer} if self.characters else {
            "word_accuracy": 1 - wer, "wer": wer, "cer": cer
        }  # fmt: skip


def edits(said: str, meant: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of words, and of characters with the spaces between words: the least edits, and how many were meant.

    Raises:
        MissingExtra: when jiwer is not installed.
    """
    jiwer = need("jiwer", "audio")
    found = (jiwer.process_words(meant, said), jiwer.process_characters(meant, said))
    words, characters = (
        (one.substitutions + one.deletions + one.insertions, one.hits + one.substitutions + one.deletions)
        for one in found
    )
    return words, characters


def spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Entities of an IOB2 sequence as (first word, word after the last, type)."""
    found: set[tuple[int, int, str]] = set()
    start, kind = 0, ""
    for index, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            found.add((start, index, kind))
            kind = ""
        if tag.startswith("B-"):
            start, kind = index, tag[2:]
    return found
