"""Strong simple baselines, so that every figure has something to stand beside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from burnish.data.rows import Row
from burnish.tasks.base import Task
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.score import Score, ScorePrediction
from burnish.tasks.tag import Tag

_ROWS = 50_000  # a baseline need not see more, and its vocabulary must fit the memory


def baseline(task: Task, train: Iterable[Row], rows: Sequence[Row]) -> tuple[str, list[Any]] | None:
    """Name and predictions of the baseline that fits the task; None where it cannot be fitted."""
    if isinstance(task, Tag):
        return "most frequent tag of each word", _lexicon(task, train, rows)
    if isinstance(task, Classify):
        return _linear(task, train, rows)
    return None


def _lexicon(task: Tag, train: Iterable[Row], rows: Sequence[Row]) -> list[Any]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            counts[word][tag] += 1
    common = {word: found.most_common(1)[0][0] for word, found in counts.items()}
    ids = {label: i for i, label in enumerate(task.labels)}
    predictions = []
    for row in rows:
        path = np.array([ids.get(common.get(word, "O"), 0) for word in row["words"]], dtype=np.int64)
        predictions.append(task.assemble([(np.arange(len(path)), path, np.ones(len(path)))], row))
    return predictions


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
