"""Figures of calibration against cases that are known."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.audits.calibration import brier, calibration, coverage
from burnish.audits.subject import Subject
from burnish.engine import Engine
from burnish.tasks.certainty import ece, nll, scaled, temperature
from tests.audits.conftest import ByRule, Make, sentences


def test_ece_by_hand() -> None:
    sure = np.array([0.6, 0.6, 0.9, 0.9, 0.9, 0.9])
    right = np.array([True, False, True, True, True, False])
    # two bins of three: (0.6 + 0.6 + 0.9) / 3 = 0.7 said, 2 / 3 right; 0.9 said, 2 / 3 right
    assert ece(sure, right, bins=2) == pytest.approx(0.5 * abs(0.7 - 2 / 3) + 0.5 * abs(0.9 - 2 / 3))
    assert ece(np.ones(4), np.array([True] * 4)) == 0.0


def test_brier_by_hand() -> None:
    logs = np.log(np.array([[0.7, 0.3], [0.2, 0.8]]))
    assert brier(logs, np.array([0, 0])) == pytest.approx(((0.3**2) * 2 + (0.8**2) * 2) / 2)


def test_a_known_temperature_is_recovered() -> None:
    chance = np.random.default_rng(0)
    true = scaled(chance.normal(0, 2, (20_000, 4)), 1.0)
    labels = np.array([chance.choice(4, p=np.exp(row)) for row in true])
    said = scaled(true * 2.5, 1.0)  # too sure, by a factor of 2.5 in the logits
    found = temperature(said, labels)
    assert found == pytest.approx(2.5, rel=0.05)
    assert nll(scaled(said, found), labels) < nll(said, labels)


def test_coverage_by_hand() -> None:
    sure, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    assert coverage(sure, right, 0.0) == 0.5
    assert coverage(sure, right, 0.25) == 1.0
    assert coverage(np.ones(4), right, 0.2) == 0.0  # equally sure ones cannot be told apart


def test_an_overconfident_model_is_found(subject: Make) -> None:
    coins = np.random.default_rng(0).random(400)
    rows = [(text, "yes" if coin < 0.7 else "no") for text, coin in zip(sentences(400), coins, strict=True)]
    found = calibration(subject(ByRule(lambda text: 0.99), rows))
    assert found.figures["ece"] == pytest.approx(0.99 - found.figures["accuracy"], abs=1e-6)
    assert "overconfident" in found.findings[0]
    assert found.figures["ece_scaled"] < found.figures["ece_half"]
    fair = calibration(subject(ByRule(lambda text: 0.7), rows))
    assert fair.figures["ece"] < 0.1


def test_too_few_decisions_are_not_judged(subject: Make) -> None:
    found = calibration(subject(ByRule(lambda text: 0.9), [(text, "yes") for text in sentences(20)]))
    assert not found.figures
    assert "30" in found.impossible[0]


def test_logits_of_a_tagger_are_those_behind_its_tags(tuned, subject) -> None:  # type: ignore[no-untyped-def]
    from burnish.audits.calibration import beliefs

    engine = Engine.open(tuned["tag"])
    rows = [(["Anna", "lives", "in", "Paris"], ["B-PER", "O", "O", "B-LOC"]), (["good", "film"], ["O", "O"])]
    given: Subject = subject(engine, rows)
    found = beliefs(given)
    assert not isinstance(found, str)
    said = np.concatenate([one.scores for one in given.predictions])
    tags = [tag for one in given.predictions for tag in one.tags]
    ids = [engine.task.labels.index(tag) for tag in tags]
    assert np.exp(found.logs[np.arange(len(ids)), ids]) == pytest.approx(said, abs=1e-5)
    assert found.truth.tolist() == [engine.task.labels.index(tag) for _, row in rows for tag in row]
