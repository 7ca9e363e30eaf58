"""Terminal output and JSON of results."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from burnish.reporting import wording
from burnish.reporting.html import report_html
from burnish.reporting.jsonable import as_json, plain
from burnish.reporting.text import print_comparison, print_evaluation, print_findings, print_report
from burnish.results import Calibration, ClassRow, Comparison, Interval, Transfer, TuneReport


def printed(call: Callable[[Console], None], width: int = 100) -> str:
    out = io.StringIO()
    call(Console(file=out, width=width, color_system=None))
    return out.getvalue()


def test_every_report_prints(any_report: TuneReport) -> None:
    words = printed(lambda c: print_report(any_report, c)) + printed(lambda c: print_evaluation(any_report.after, c))
    words += printed(lambda c: print_findings(any_report.findings, c), width=40)
    assert "\x1b" not in words
    words.encode("utf-8")
    assert wording.number(any_report.after.value) in words


def test_markup_in_labels_is_printed_as_it_is(reports: dict[str, Callable[[], TuneReport]]) -> None:
    assert "[red]a|b[/red]" in printed(lambda c: print_findings(reports["hostile"]().findings, c), width=200)


def test_only_harmful_characters_are_replaced() -> None:
    kept = "全角\u3000空格\tnon-breaking\u00a0space, \u0645\u06cc\u200c\u062e, 👩\u200d🔬\n"
    assert wording.visible(kept) == kept
    assert wording.visible("a\x1b[31m\u202e\ud800\x00\r\nb") == "a�[31m���\nb"


def test_findings_show_places_and_advice(reports: dict[str, Callable[[], TuneReport]]) -> None:
    words = printed(lambda c: print_findings(reports["tag"]().findings, c))
    assert "eng.testa:line 120" in words
    assert "Take them out of one side" in words
    assert "no row lacks text or label" in words


def test_the_class_table_has_the_classic_form(reports: dict[str, Callable[[], TuneReport]]) -> None:
    lines = [line.split() for line in printed(lambda c: print_evaluation(reports["tag"]().after, c)).splitlines()]
    assert ["precision", "recall", "f1", "support"] in lines
    assert ["micro", "avg", "0.900", "0.910", "0.905", "160"] in lines
    assert any(line[:1] == ["B-MISC"] for line in lines)


def test_the_comparison_names_both_models_and_the_test(reports: dict[str, Callable[[], TuneReport]]) -> None:
    comparison = reports["three"]().comparison
    assert comparison
    words = " ".join(printed(lambda c: print_comparison(comparison, c)).split())
    assert "TF-IDF + linear model 0.857 tuned 0.952 difference +0.095" in words
    assert "+0.080 to +0.110, p < 0.001: the gain is unlikely to be chance" in words


def test_every_report_is_json(any_report: TuneReport) -> None:
    written = json.dumps(as_json(any_report), allow_nan=False)
    read = json.loads(written)
    assert read["after"]["rows"] == any_report.after.rows
    assert set(read) == {"task", "base_model", "labels", "job", "rows", "fingerprint", "findings", "before", "after",
                         "comparison", "curve", "environment", "parameters", "trained_parameters", "tokens_per_second",
                         "seconds", "further", "alone", "transfer", "calibration", "privacy", "inputs", "shares",
                         "own"}  # fmt: skip


def test_a_temperature_in_words(any_report: TuneReport) -> None:
    found = Calibration(1.8312, 1500, 0.081, 0.012, 0.402, 0.351)
    said = wording.calibration_words(replace(any_report, calibration=found))
    assert "temperature of 1.83" in said
    assert "ECE goes from 0.081 to 0.012" in said
    none = wording.calibration_words(replace(any_report, calibration=Calibration(missing="dev has 20 rows")))
    assert none.endswith("without a temperature: dev has 20 rows.")
    assert wording.calibration_words(any_report) == ""
    assert "temperature of 1.83" in report_html(replace(any_report, calibration=found))


def test_numbers_of_other_libraries_become_plain() -> None:
    given = {1: np.float32(0.5), "b": (np.int64(3), math.inf, Path("x"), None, True)}
    assert plain(given) == {"1": 0.5, "b": [3, None, "x", None, True]}
    with pytest.raises(TypeError, match="ndarray"):
        plain(np.zeros(2))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.000"),
        (-1e-9, "0.000"),
        (-0.0001, "−0.0001"),
        (4e-4, "+0.0004"),
        (0.0946, "+0.095"),
        (-0.2, "−0.200"),
        (math.nan, "–"),
    ],
)
def test_signed(value: float, said: str) -> None:
    assert wording.signed(value) == said


def test_small_numbers_are_told_apart() -> None:
    assert [wording.in_words({"value": value}) for value in (0.00012, 4.5, 1234.5)] == ["0.00012", "4.500", "1234.500"]


def test_a_class_named_like_an_average_stays_a_class() -> None:
    rows = tuple(ClassRow(name, 1, 1, 1, 1) for name in ("accuracy", "other", "micro avg", "weighted avg"))
    classes, averages = wording.split_averages(rows)
    assert [row.label for row in classes] == ["accuracy", "other"]
    assert len(averages) == 2


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.034, "0.034 s"), (42.2, "42 s"), (412.7, "6 min 53 s"), (7500.0, "2 h 5 min")]
)
def test_duration(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == said


def test_a_transfer_is_told_with_its_gain_or_with_what_is_missing(any_report: TuneReport) -> None:
    gain = Comparison("from minilm", "tuned", "accuracy", 0.7, 0.75, Interval(0.02, 0.08), 0.001, 400)
    told = replace(any_report, transfer=Transfer("runs/tweets", "classify", "minilm", gain))
    assert "from minilm. accuracy 0.750 (tuned) against 0.700 (from minilm)" in wording.transfer_words(told)
    missing = replace(any_report, transfer=Transfer("<b>", "tag", "bert", missing="no model folder at 'bert'"))
    assert "unknown: no model folder at 'bert'." in wording.transfer_words(missing)
    assert "<b>" not in report_html(missing)
    assert wording.transfer_words(any_report) == ""
