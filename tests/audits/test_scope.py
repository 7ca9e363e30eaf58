"""Texts outside of all classes: planted ones are told, and what cannot be told is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from burnish.auditing import audit
from burnish.audits.scope import detection, scope
from burnish.errors import InputError
from burnish.tasks.classify import Classify, ClassPrediction
from burnish.tasks.scope import energies, strange, usual
from tests.audits.conftest import ByRule, Make, sentences


def said(logits: np.ndarray, warmth: float) -> list[ClassPrediction]:
    raised = np.exp(logits / warmth)
    return [ClassPrediction("a", ("a",), dict(zip("abc", row / row.sum(), strict=True))) for row in raised]


def test_energy_is_that_of_the_logits_at_any_temperature() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 3))
    logits -= logits.mean(1, keepdims=True)
    due = -np.log(np.exp(logits).sum(1))
    for warmth in (0.5, 1.0, 3.0):
        assert energies(Classify("abc", temperature=warmth), said(logits, warmth)) == pytest.approx(due)


def test_detection_by_hand() -> None:
    inside = np.arange(100.0)
    assert detection(inside, inside + 1000) == {"auroc": 1.0, "false_alarms_95": 0.0, "missed_5": 0.0}
    found = detection(inside, inside)
    assert found["auroc"] == pytest.approx(0.5)
    assert found["false_alarms_95"] == pytest.approx(0.95)
    assert found["missed_5"] == pytest.approx(0.95)


def test_planted_rows_are_told_and_the_limit_does_what_it_says(subject: Make) -> None:
    chance, texts = np.random.default_rng(0), sentences(800)
    sure = {text: float(p) for text, p in zip(texts, chance.uniform(0.9, 0.999, 800), strict=True)}
    engine = ByRule(lambda text: sure.get(text, 0.7))
    engine.task.usual = usual(energies(engine.task, engine.predict_rows([{"text": text} for text in texts[:400]])))
    rows = [(text, "yes") for text in texts[400:]]
    foreign = [{"text": f"what is the weather {i}", "label": "oos"} for i in range(60)]
    found = scope(subject(engine, rows, foreign=foreign))
    assert found.figures["auroc"] == 1.0
    assert found.figures["missed_5"] == 0.0
    assert found.figures["found"] == 1.0
    assert 0.02 < found.figures["alarms"] < 0.09
    assert "oos (60)" in found.findings[0]
    blind = scope(subject(ByRule(lambda text: 0.9), rows, foreign=foreign))
    assert blind.figures["auroc"] == pytest.approx(0.5)


def test_without_such_rows_it_says_what_is_needed(subject: Make) -> None:
    found = scope(subject(ByRule(lambda text: 0.9), [(text, "yes") for text in sentences(40)]))
    assert not found.figures
    assert "30 are needed" in found.impossible[0]
    assert "tune it again" in found.impossible[1]
    with pytest.raises(InputError, match="tune it again"):
        strange(Classify("ab"), [])


def test_a_file_with_labels_the_model_does_not_have(tuned: dict[str, Path], tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    lines = [f"good film today {i},pos" for i in range(60)] + [f"anna lives in rome {i},oos" for i in range(40)]
    rows.write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    report = audit(tuned["classify"], str(rows), quick=True)
    assert report.rows == 60
    (section,) = (one for one in report.forms["torch"] if one.name == "scope")
    assert 0 <= section.figures["auroc"] <= 1
    rows.write_text("text,label\n" + "good film,poss\n" * 40, encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'pos'"):
        audit(tuned["classify"], str(rows), quick=True)
