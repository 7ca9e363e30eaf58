"""Planted weak groups are found, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.audits.groups import word_groups
from burnish.audits.loss import wilson
from burnish.audits.slices import slices
from tests.audits.conftest import ByRule, Make, sentences


def _rows(seed: int = 0) -> list[tuple[str, str]]:
    return [(text, "yes" if "refund" in text else "no") for text in sentences(600, seed)]


def _rule(text: str) -> float:
    return 0.9 if "refund" in text else 0.1


def test_a_class_swapped_subgroup_is_found(subject: Make) -> None:
    def swapped(text: str) -> float:
        return 1 - _rule(text) if "waiting" in text and "order" in text else _rule(text)

    found = slices(subject(ByRule(swapped), _rows()))
    worst = found.tables[1].rows[0]
    assert "'waiting'" in str(worst[0])
    assert "'order'" in str(worst[0])
    assert worst[4] < 0.05
    assert found.figures["worst_gap"] > 0.5
    assert found.findings


def test_nothing_is_found_in_labels_by_chance(subject: Make) -> None:
    """Ten looks at the level of 5 %, each at some hundred slices. A constant answer is wrong on one label alone, which
    is a slice; so the answers are even."""
    falsely = 0
    for seed in range(10):
        rows = _rows(seed)
        mixed = [(text, "yes" if chance < 0.5 else "no") for (text, _), chance in zip(rows, _coins(seed), strict=True)]
        given = subject(ByRule(lambda text: 0.9 if int(text.split()[-1]) % 2 else 0.1), mixed, seed=seed)
        falsely += bool(slices(given).figures["significant"])
    assert falsely <= 2


def test_the_widest_gap_is_of_all_slices_and_not_of_those_shown(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty rows that are all wrong, beside three hundred of which most are, so that these are surer."""
    monkeypatch.setattr("burnish.audits.slices._SHOWN", 1)
    sources = ["fax"] * 40 + ["web"] * 300 + ["app"] * 260
    wrong = [source == "fax" or (source == "web" and i % 5 < 3) for i, source in enumerate(sources)]
    rows = [
        (text, "yes" if i % 2 else "no", source)
        for i, (text, source) in enumerate(zip(sentences(600), sources, strict=True))
    ]
    engine = ByRule(lambda text: 0.9 if int(text.split()[-1]) % 2 != wrong[int(text.split()[-1])] else 0.1)
    found = slices(subject(engine, rows, header=("text", "label", "source"), extra={"source": sources}))
    (shown,) = found.tables[1].rows
    assert str(shown[0]).startswith("source fax")
    assert found.figures["worst_gap"] == pytest.approx(1 - 180 / 560)
    assert "source fax" in found.findings[0]


def _coins(seed: int) -> list[float]:
    return list(np.random.default_rng(seed + 100).random(600))


def test_small_groups_are_listed_and_not_concluded_about(subject: Make) -> None:
    rows = [(text, label, "web" if i >= 12 else "fax") for i, (text, label) in enumerate(_rows())]
    given = subject(
        ByRule(lambda text: 0.1), rows, header=("text", "label", "source"), extra={"source": [r[2] for r in rows]}
    )
    found = slices(given)
    small = next(table for table in found.tables if table.title == "Groups that are too small")
    assert ("source", "fax", 12) in small.rows
    assert all(row[1] != "fax" for row in found.tables[0].rows)
    assert all("fax" not in str(row[0]) for row in found.tables[1].rows)


def test_rows_of_training_are_shown(subject: Make) -> None:
    rows = _rows()
    train = subject(ByRule(_rule), rows[:50]).rows
    found = slices(subject(ByRule(_rule), rows, train=train, train_missing=""))
    assert found.figures["leaked"] == 50 / 600
    assert any("50 of 600" in finding for finding in found.findings)
    gone = slices(subject(ByRule(_rule), rows))
    assert "leaked" not in gone.figures
    assert "gone" in gone.impossible[0]


def test_chinese_words_are_characters(subject: Make) -> None:
    rows = [(f"我要{'退' if i % 2 else '付'}款，谢谢{i}", "yes" if i % 2 else "no") for i in range(200)]
    found = word_groups(subject(ByRule(lambda text: 0.1), rows).given, 20)
    assert {group.name for group in found} >= {"'退'", "'付'"}


def test_wilson() -> None:
    low, high = wilson(8, 10)  # from the formula by hand: (0.8 + 0.19207 ± 0.27475) / 1.38415
    assert abs(low - 0.4902) < 1e-3
    assert abs(high - 0.9433) < 1e-3
