"""Strong simple baselines, so that every figure has something to stand beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from burnish.data.reader import Reader
from burnish.data.rows import Row, Rows
from burnish.data.shape import shape_of
from burnish.data.text import chunked
from burnish.tasks.base import Task
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.score import Score, ScorePrediction
from burnish.tasks.tag import Tag
from burnish.tasks.transcribe import Transcribe, TranscriptPrediction

_WORDS = 250_000  # words a baseline of `tag` is fitted on: their features must fit the memory
_CHARACTERS = 1_000_000  # the same for texts
_FILES = 5000  # the same for rows that name a file
_CELLS = 200_000  # the same for rows of a table
_TOGETHER = 1000  # rows predicted at a time


def baseline(task: Task, train: Rows, rows: Iterable[Row], reader: Any = None) -> tuple[str, Iterator[Any]] | None:
    """Name and predictions of the baseline that fits the task; None where it cannot be fitted.

    Of a large training set it sees rows at equal distances, and its name then says how many.
    """
    if own := task.baseline(train, rows, reader):
        return own
    if isinstance(reader, Reader) and isinstance(task, Transcribe):
        return _nearest(task, train, rows, reader)
    if isinstance(reader, Reader):
        return _numbers(task, train, rows, reader) if isinstance(task, Classify) else None
    if isinstance(task, Tag):
        return _words(task, train, rows)
    if isinstance(task, Classify):
        return _linear(task, train, rows)
    return None


def _sample(train: Rows, size: Callable[[Row], int], budget: int) -> tuple[list[Row], str]:
    """Rows at equal distances whose sizes add up to about the budget, and a note where they are not all."""
    share = budget / max(budget, sum(map(size, train)))
    kept = [row for index, row in enumerate(train) if int((index + 1) * share) > int(index * share)]
    return kept, f" of {len(kept):,} rows" if len(kept) < len(train) else ""


def _words(task: Tag, train: Rows, rows: Iterable[Row]) -> tuple[str, Iterator[Any]] | None:
    """A linear model of each word's form and its neighbours', with the same search for a legal sequence."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    kept, note = _sample(train, lambda row: len(row["words"]), _WORDS)
    hasher = FeatureHasher(1 << 18, input_type="string", alternate_sign=False)
    ids = {label: i for i, label in enumerate(task.labels)}
    labels = np.array([ids[tag] for row in kept for tag in row["tags"]])
    model = SGDClassifier(alpha=1e-6, max_iter=5, tol=None, random_state=0)
    try:
        model.fit(hasher.transform(_forms(kept)), labels)
    except ValueError:  # one tag only in what was read
        return None

    def guesses() -> Iterator[Any]:
        for chunk in chunked(rows, _TOGETHER):
            ends = np.cumsum([len(row["words"]) for row in chunk])
            scores = np.full((ends[-1], len(task.labels)), -1e3, dtype=np.float32)
            if len(scores):
                found = model.decision_function(hasher.transform(_forms(chunk))).reshape(len(scores), -1)
                scores[:, model.classes_] = found if found.shape[1] > 1 else np.hstack([-found, found])
            for row, own in zip(chunk, np.split(scores, ends[:-1]), strict=True):
                path = task.best_path(own)
                yield task.assemble([(np.arange(len(own)), path, np.ones(len(own)))], row)

    return f"linear model of word forms{note}", guesses()


def _forms(rows: Iterable[Row]) -> Iterator[list[str]]:
    for row in rows:
        words = ["", "", *row["words"], "", ""]
        shapes = [shape_of(word) for word in words]
        for i in range(2, len(words) - 2):
            word = words[i]
            yield [
                f"w={word}",
                f"l={word.lower()}",
                f"s={shapes[i]}",
                f"ss={shapes[i - 1]} {shapes[i]} {shapes[i + 1]}",
                *(f"p={word[:n]}" for n in (1, 2, 3, 4)),
                *(f"e={word[-n:]}" for n in (1, 2, 3, 4)),
                *(f"{k}={words[i + k].lower()}" for k in (-2, -1, 1, 2)),
                *(f"{k}s={shapes[i + k]}" for k in (-1, 1)),
                f"first={i == 2}",
            ]


def _linear(task: Classify, train: Rows, rows: Iterable[Row]) -> tuple[str, Iterator[Any]] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    kept, note = _sample(train, lambda row: len(_text(row)), _CHARACTERS)
    features = make_union(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=200_000),
        TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4), max_features=200_000),
    )
    several = not isinstance(task, Score) and task.multi_label
    last = Ridge() if isinstance(task, Score) else OneVsRestClassifier(LinearSVC()) if several else LinearSVC()
    model = make_pipeline(features, last)
    try:
        model.fit(list(map(_text, kept)), np.array([task.target(row["label"]) for row in kept]))
    except ValueError:  # no word left, or one class only in what was read
        return None

    def guesses() -> Iterator[Any]:
        for chunk in chunked(rows, _TOGETHER):
            for found in model.predict(list(map(_text, chunk))):
                yield _prediction(task, found)

    return f"TF-IDF + {'ridge' if isinstance(task, Score) else 'linear SVM'}{note}", guesses()


def _numbers(task: Classify, train: Rows, rows: Iterable[Row], reader: Reader) -> tuple[str, Iterator[Any]] | None:
    """A linear model, or boosted trees, of what the reader gives as plain numbers."""
    trees = reader.baseline == "trees"
    kept, note = _sample(train, lambda row: 1, _CELLS if trees else _FILES)
    model = _estimator(task, trees)
    try:
        model.fit(reader.numbers(kept), np.array([task.target(row["label"]) for row in kept]))
    except ValueError:  # one class only in what was read
        return None

    def guesses() -> Iterator[Any]:
        for chunk in chunked(rows, _TOGETHER):
            for found in model.predict(reader.numbers(chunk)):
                yield _prediction(task, found)

    return f"{'boosted trees' if trees else 'linear model'} of {reader.about_numbers}{note}", guesses()


def _estimator(task: Classify, trees: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if isinstance(task, Score):
        return HistGradientBoostingRegressor(random_state=0) if trees else make_pipeline(StandardScaler(), Ridge(100.0))
    if trees:
        chosen = HistGradientBoostingClassifier(random_state=0)
    else:
        chosen = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
    return MultiOutputClassifier(chosen) if task.multi_label else chosen


def _nearest(task: Transcribe, train: Rows, rows: Iterable[Row], reader: Reader) -> tuple[str, Iterator[Any]]:
    """What is said in the training row whose plain numbers are the nearest."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    kept, note = _sample(train, lambda row: 1, _FILES)
    numbers = reader.numbers(kept)
    scale = StandardScaler().fit(numbers)
    model = NearestNeighbors(n_neighbors=1).fit(scale.transform(numbers))

    def guesses() -> Iterator[Any]:
        for chunk in chunked(rows, _TOGETHER):
            for (found,) in model.kneighbors(scale.transform(reader.numbers(chunk)), return_distance=False):
                yield TranscriptPrediction(task.reference(kept[int(found)]), 1.0)

    return f"nearest training row by {reader.about_numbers}{note}", guesses()


def _prediction(task: Classify, found: Any) -> Any:
    if isinstance(task, Score):
        return ScorePrediction(float(found) * task.spread + task.mean)
    given = (
        tuple(label for label, on in zip(task.labels, found, strict=True) if on)
        if task.multi_label
        else (task.labels[found],)
    )
    return ClassPrediction(given[0] if given else "", given, dict.fromkeys(given, 1.0))


def _text(row: Row) -> str:
    return f"{row['text'] or ''} ‖ {row['text_b'] or ''}" if "text_b" in row else str(row["text"] or "")
