"""Strong simple baselines, so that every figure has something to stand beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from burnish.data.rows import Row
from burnish.data.shape import shape_of
from burnish.tasks.base import Task
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.score import Score, ScorePrediction
from burnish.tasks.tag import Tag

_ROWS = 50_000  # a baseline need not see more, and its vocabulary must fit the memory


def baseline(task: Task, train: Iterable[Row], rows: Sequence[Row]) -> tuple[str, list[Any]] | None:
    """Name and predictions of the baseline that fits the task; None where it cannot be fitted."""
    if isinstance(task, Tag):
        return "linear model of word forms", _words(task, train, rows)
    if isinstance(task, Classify):
        return _linear(task, train, rows)
    return None


def _words(task: Tag, train: Iterable[Row], rows: Sequence[Row]) -> list[Any]:
    """A linear model of each word's form and its neighbours', with the same search for a legal sequence."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    kept = list(islice(train, _ROWS))
    hasher = FeatureHasher(1 << 18, input_type="string", alternate_sign=False)
    ids = {label: i for i, label in enumerate(task.labels)}
    labels = np.array([ids[tag] for row in kept for tag in row["tags"]])
    model = SGDClassifier(alpha=1e-6, max_iter=5, tol=None, random_state=0)
    model.fit(hasher.transform(_forms(kept)), labels)
    total = sum(len(row["words"]) for row in rows)
    scores = np.full((total, len(task.labels)), -1e3, dtype=np.float32)
    found = model.decision_function(hasher.transform(_forms(rows))).reshape(total, -1)
    scores[:, model.classes_] = found if found.shape[1] > 1 else np.hstack([-found, found])
    predictions, start = [], 0
    for row in rows:
        count = len(row["words"])
        path = task.best_path(scores[start : start + count])
        predictions.append(task.assemble([(np.arange(count), path, np.ones(count))], row))
        start += count
    return predictions


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


def _linear(task: Classify, train: Iterable[Row], rows: Sequence[Row]) -> tuple[str, list[Any]] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    texts: list[str] = []
    labels: list[Any] = []
    for row in train:
        if len(texts) == _ROWS:
            break
        texts.append(_text(row))
        labels.append(task.target(row["label"]))
    features = make_union(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=200_000),
        TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4), max_features=200_000),
    )
    asked = [_text(row) for row in rows]
    try:
        if isinstance(task, Score):
            values = make_pipeline(features, Ridge()).fit(texts, labels).predict(asked)
            return "TF-IDF + ridge", [ScorePrediction(float(v) * task.spread + task.mean) for v in values]
        model = make_pipeline(features, OneVsRestClassifier(LinearSVC()) if task.multi_label else LinearSVC())
        guesses = model.fit(texts, np.array(labels)).predict(asked)
    except ValueError:  # no word left, or one class only in what was read
        return None
    named = []
    for guess in guesses:
        given = (
            [label for label, on in zip(task.labels, guess, strict=True) if on]
            if task.multi_label
            else [task.labels[guess]]
        )
        named.append(ClassPrediction(given[0] if given else "", tuple(given), dict.fromkeys(given, 1.0)))
    return "TF-IDF + linear SVM", named


def _text(row: Row) -> str:
    return f"{row['text'] or ''} ‖ {row['text_b'] or ''}" if "text_b" in row else str(row["text"] or "")
