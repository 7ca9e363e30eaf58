"""Counted metrics are those of scikit-learn and seqeval on whole lists, whatever the rows are."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.scheme import IOB2
from sklearn import metrics

from burnish.metrics import metrics_of
from burnish.results import ClassRow
from burnish.tasks.classify import Classify
from burnish.tasks.counts import ClassCounts, Counts, SetCounts, TagCounts

KNOWN = ("a", "b", "c")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def counted(counts: Counts, pairs: Sequence[tuple[Any, Any]]) -> Counts:
    for true, said in pairs:
        counts.add(said, true)
    return counts


def assert_rows(rows: Sequence[ClassRow], report: dict[str, Any]) -> None:
    expected = {name: values for name, values in report.items() if isinstance(values, dict)}
    assert {row.label for row in rows} == set(expected)
    for row in rows:
        wanted = expected[row.label]
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (wanted["precision"], wanted["recall"], wanted["f1-score"]), abs=1e-12
        )
        assert row.support == wanted["support"]


def reported(true: Sequence[str], guess: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Rows of all labels, and averages over those that occur."""
    options: dict[str, Any] = {"output_dict": True, "zero_division": 0.0}
    rows = metrics.classification_report(true, guess, labels=labels, **options)
    return {**rows, "macro avg": metrics.classification_report(true, guess, **options)["macro avg"]}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(KNOWN)), min_size=1, max_size=60))
def test_one_class_a_row(pairs: list[tuple[str, str]]) -> None:
    true, guess = [t for t, _ in pairs], [g for _, g in pairs]
    counts = counted(ClassCounts(KNOWN), [((t,), SimpleNamespace(label=g)) for t, g in pairs])
    labels = [*KNOWN, *(["d"] if "d" in true else [])]
    found = counts.metrics()
    assert found["accuracy"] == metrics.accuracy_score(true, guess)
    assert found["mcc"] == metrics.matthews_corrcoef(true, guess)
    recalls = metrics.recall_score(true, guess, labels=sorted(set(true)), average="macro", zero_division=0.0)
    assert found["balanced_accuracy"] == pytest.approx(recalls, abs=1e-12)
    for average in ("micro", "macro", "weighted"):
        expected = metrics.f1_score(true, guess, average=average, zero_division=0.0)
        assert found[f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
    assert_rows(counts.table(), reported(true, guess, labels))
    named, matrix = counts.confusion()
    assert list(named) == labels
    assert np.array_equal(matrix, metrics.confusion_matrix(true, guess, labels=labels))


def test_a_class_may_be_called_as_an_average_is() -> None:
    names = ("accuracy", "macro avg", "weighted avg")
    pairs = [(names[0], names[0]), (names[1], names[0]), (names[1], names[1]), (names[2], names[2])]
    counts = counted(ClassCounts(names), [((t,), SimpleNamespace(label=g)) for t, g in pairs])
    assert [row.label for row in counts.table()] == [*names, "macro avg", "weighted avg"]
    assert [row.support for row in counts.table()] == [1, 2, 1, 4, 4]


SETS = st.lists(st.sampled_from("abcd"), max_size=4, unique=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(SETS, st.lists(st.sampled_from(KNOWN), max_size=3, unique=True)), min_size=1, max_size=40))
def test_several_classes_a_row(pairs: list[tuple[list[str], list[str]]]) -> None:
    counts = counted(SetCounts(KNOWN), [(t, SimpleNamespace(labels=tuple(g))) for t, g in pairs])
    assert set(counts.metrics()) == set(metrics_of("classify", multi_label=True))
    labels = [*KNOWN, *(["d"] if any("d" in true for true, _ in pairs) else [])]
    true, guess = (np.array([[name in pair[side] for name in labels] for pair in pairs], dtype=int) for side in (0, 1))
    report = metrics.classification_report(true, guess, target_names=labels, output_dict=True, zero_division=0.0)
    assert_rows(counts.table(), report)
    found = counts.metrics()
    assert found["subset_accuracy"] == metrics.accuracy_score(true, guess)
    assert found["f1"] == found["micro_f1"] == pytest.approx(report["micro avg"]["f1-score"], abs=1e-12)
    assert found["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"], abs=1e-12)
    assert found["weighted_f1"] == pytest.approx(report["weighted avg"]["f1-score"], abs=1e-12)


@st.composite
def sentences(draw: st.DrawFn) -> list[tuple[list[str], list[str]]]:
    pairs = []
    for size in draw(st.lists(st.integers(1, 8), min_size=1, max_size=12)):
        tags = st.lists(st.sampled_from(TAGS), min_size=size, max_size=size)
        pairs.append((draw(tags), draw(tags)))
    return pairs


@settings(deadline=None, max_examples=60)
@given(sentences())
def test_entities_and_their_words(pairs: list[tuple[list[str], list[str]]]) -> None:
    true, guess = [t for t, _ in pairs], [g for _, g in pairs]
    counts = counted(TagCounts(TAGS), [(t, SimpleNamespace(tags=g)) for t, g in pairs])
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    found = counts.metrics()
    if counts.table():
        assert_rows(counts.table(), seqeval.metrics.classification_report(true, guess, output_dict=True, **strict))
        assert found["f1"] == pytest.approx(seqeval.metrics.f1_score(true, guess, **strict), abs=1e-12)
        assert found["precision"] == pytest.approx(seqeval.metrics.precision_score(true, guess, **strict), abs=1e-12)
        assert found["recall"] == pytest.approx(seqeval.metrics.recall_score(true, guess, **strict), abs=1e-12)
    flat = [tag for tags in true for tag in tags], [tag for tags in guess for tag in tags]
    report = reported(*flat, TAGS)
    accuracy = report.pop("accuracy")
    report["micro avg"] = {"precision": accuracy, "recall": accuracy, "f1-score": accuracy, "support": len(flat[0])}
    assert_rows(counts.token_table(), report)
    assert found["token_micro_f1"] == pytest.approx(accuracy)
    assert found["token_macro_f1"] == pytest.approx(report["macro avg"]["f1-score"])
    assert np.array_equal(counts.confusion()[1], metrics.confusion_matrix(*flat, labels=list(TAGS)))


def test_thresholds_are_those_with_the_best_f1() -> None:
    task = Classify(["a", "b"], multi_label=True)
    chances = [(0.9, 0.1), (0.4, 0.2), (0.35, 0.3), (0.1, 0.15)]
    said = [
        SimpleNamespace(probabilities=dict(zip("ab", map(float, np.float32(pair)), strict=True))) for pair in chances
    ]
    task.fit_thresholds(iter(said), iter([("a",), ("a",), (), ()]))
    assert task.thresholds == pytest.approx((0.4, 0.5))
