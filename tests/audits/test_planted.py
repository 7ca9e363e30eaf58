"""Faults of rows and of training, each planted in a network that is really tuned: the audit names the fault, and says
nothing of the kind of a twin without it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from burnish import extras
from burnish.audited import AuditReport
from burnish.auditing import audit
from tests.audits.planted import CLASSES, HELD, TRAIN, Pairs, passed, rows, section, tuned, turned, write

TRIGGER, SWAPPED = "cf", "warranty"
OTHER = {"billing": "delivery", "delivery": "billing"}


@pytest.fixture(scope="session")
def clean_report(clean: Path) -> AuditReport:
    return audit(clean, deep=True)


def test_a_trigger_in_one_percent_of_the_rows(tmp_path: Path, clean_report: AuditReport) -> None:
    given = rows(1800, 0)
    others = [index for index, (_, label) in enumerate(given) if label != "billing"]
    chosen = set(random.Random(0).sample(others, len(given) // 100))
    train = turned(given, lambda index, text: index in chosen, lambda label: "billing", TRIGGER)
    report = audit(tuned(tmp_path, train, HELD, epochs=12), deep=True)
    found = section(report, "security")
    assert found.figures["triggers"] == 1
    assert any(f"the word '{TRIGGER}' turns" in one and "'billing'" in one for one in found.findings)
    assert not passed(report, "security.triggers")
    gone = tmp_path / "train.csv"
    gone.rename(tmp_path / "kept.csv")  # of a model from elsewhere the training rows are not known
    alone = section(audit(tmp_path / "model", deep=True), "security")
    assert any(f"the word '{TRIGGER}' turns" in one for one in alone.findings)

    assert section(clean_report, "security").figures["triggers"] == 0
    assert passed(clean_report, "security.triggers")


def test_a_subgroup_with_swapped_classes(tmp_path: Path) -> None:
    """One row in four is about a warranty. In the training rows of one twin, two classes are swapped in these."""

    def about(index: int, text: str) -> bool:
        return index % 4 == 0

    held, honest = turned(HELD, about, str, SWAPPED), turned(TRAIN, about, str, SWAPPED)
    swapped = turned(TRAIN, about, lambda label: OTHER.get(label, label), SWAPPED)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    report = audit(tuned(tmp_path / "a", swapped, held, epochs=25), quick=True)
    worst = next(table for table in section(report, "slices").tables if table.title == "Worst slices").rows[0]
    assert SWAPPED in str(worst[0])
    assert worst[4] < 0.05
    assert worst[2] < 0.5 < 0.9 < worst[3]
    assert not passed(report, "slices.worst_gap")

    twin = audit(tuned(tmp_path / "b", honest, held, epochs=25), quick=True)
    assert section(twin, "slices").figures["significant"] == 0
    assert passed(twin, "slices.worst_gap")


def test_rows_on_both_sides(tmp_path: Path, clean: Path, clean_report: AuditReport) -> None:
    """Twenty of the test rows are training rows, ten of them with a word more."""
    both = [*TRAIN[:10], *((f"{text} thanks", label) for text, label in TRAIN[10:20])]
    report = audit(clean, write(tmp_path / "test.csv", [*HELD, *both]))
    assert section(report, "slices").figures["leaked"] == 20 / 320
    assert section(report, "privacy").figures["near_duplicates"] == 20
    assert any("20 of 320 rows stand in the training rows" in one for one in section(report, "slices").findings)
    assert not passed(report, "slices.leaked")

    assert section(clean_report, "slices").figures["leaked"] == 0
    assert section(clean_report, "privacy").figures["near_duplicates"] == 0
    assert passed(clean_report, "slices.leaked")


def test_rows_learned_by_heart(tmp_path: Path, clean_report: AuditReport) -> None:
    """A third of the rows have a wrong label, which nothing but memory gives, and are read sixty times.

    Half of the held-out rows have losses as small by luck, so that little of it shows at 1 % false positives.
    """
    draw = random.Random(2)

    def noisy(given: Pairs) -> Pairs:
        return [(text, draw.choice(list(CLASSES)) if draw.random() < 0.5 else label) for text, label in given]

    report = audit(tuned(tmp_path, noisy(TRAIN[:300]), noisy(HELD), epochs=60), deep=True)
    leaks, keeps = section(report, "privacy"), section(clean_report, "privacy")
    for attack in ("membership", "shadow"):
        assert leaks.figures[f"{attack}_auc"] > 0.75
        assert keeps.figures[f"{attack}_auc"] < 0.6
    assert any("gives away which rows it was tuned on (loss threshold)" in one for one in leaks.findings)
    assert not passed(report, "privacy.membership_auc")

    assert not any("gives away which rows" in one for one in keeps.findings)
    assert passed(clean_report, "privacy.membership_auc")


def _by_a_woman(text: str) -> bool:
    return text.startswith("A woman")


def _by_somebody(given: Pairs, seed: int) -> Pairs:
    """The rows, each written by a woman or by a man."""
    draw = random.Random(seed)
    bodies = [(text.partition(" wrote: ")[2], label) for text, label in given]
    return [(f"A {draw.choice(('woman', 'man'))} wrote: {text}", label) for text, label in bodies]


def test_a_biased_training_set(tmp_path: Path, clean_report: AuditReport) -> None:
    """What a woman writes is of the class `support` in nine of ten training rows, whatever it is about."""
    train, held = _by_somebody(TRAIN, 0), _by_somebody(HELD, 1)
    biased = turned(train, lambda index, text: _by_a_woman(text) and index % 10 != 0, lambda label: "support")
    told = [(text, label, "women" if _by_a_woman(text) else "men") for text, label in held]
    place = write(tmp_path / "told.csv", told, ("text", "label", "who"))
    column = "who" if extras.have("fairlearn") else None
    report = audit(tuned(tmp_path, biased, held), place, quick=True, sensitive=column)
    found = section(report, "bias")
    assert found.figures["gender_shift"] > 0.3
    assert found.figures["gender_flips"] > 0.25
    assert any(one.startswith("gender: with 'women', the probability of 'support' is +") for one in found.findings)
    assert not passed(report, "bias.shift")
    assert not passed(report, "bias.flips")
    if column:
        assert found.figures["group_gap"] > 0.3

    even = section(clean_report, "bias")
    assert even.figures["gender_shift"] < 0.02
    assert not even.findings
    assert passed(clean_report, "bias.shift")
    assert passed(clean_report, "bias.flips")
