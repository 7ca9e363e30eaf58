"""The operating point of a guard's model."""

from __future__ import annotations

from burnish.guards.threshold import point, spans_point


def test_lowest_threshold_within_the_limits() -> None:
    scores = [0.9, 0.8, 0.3, 0.6, 0.2, 0.1, 0.7, 0.05]
    wanted = [True, True, True, False, False, False, False, False]
    kinds = ["plain", "plain", "plain", "hard", "hard", "business", "other", "business"]
    groups = ["a", "a", "a", "b", "", "b", "", ""]
    found = point(scores, wanted, kinds, {"hard": 0.5, "business": 0.0}, groups)
    assert found.groups == {"a": 1.0, "b": 0.5}
    assert found.threshold == 0.2001
    assert found.recall == 1.0
    assert found.precision == 3 / 5
    assert found.false_positives == {"hard": 0.5, "business": 0.0, "other": 1.0}
    strict = point(scores, wanted, kinds, {"hard": 0.0, "business": 0.0})
    assert strict.threshold == 0.6001
    assert strict.recall == 2 / 3


def test_nothing_passes_where_no_threshold_keeps_the_limits() -> None:
    found = point([1.0, 1.0], [True, False], ["plain", "hard"], {"hard": 0.0})
    assert found.threshold == 0.9999
    assert found.false_positives == {"hard": 1.0}


def test_spans_count_when_they_overlap_by_half_and_only_once() -> None:
    rows = [
        ([(0, 10, "PERSON"), (0, 10, "PERSON"), (20, 24, "GPE")], [(0, 6, "PERSON"), (20, 30, "GPE"), (40, 42, "AGE")]),
        ([(0, 3, "PERSON")], []),
        ([(0, 3, "TITLE")], []),
    ]
    found = spans_point(rows)
    assert found.recall == 1 / 2
    assert found.precision == 1 / 4
    assert found.false_positives == {"without any": 0.5}
    assert found.rows == 3
