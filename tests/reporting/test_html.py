"""The page: well-formed, offline, escaped, and saying what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from burnish.reporting import plots, svg
from burnish.reporting.html import report_html
from burnish.results import Comparison, Interval, TuneReport

VOID = {"meta", "link", "br", "img", "hr", "input"}
PAGE = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "nav"}
WORDS = {"a", "p", "h1", "h2", "h3", "dl", "dt", "dd", "div", "span", "strong", "small", "ul", "li", "pre"}
TABLE = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}
PICTURE = {"figure", "figcaption", "svg", "g", "rect", "line", "text", "polyline", "circle"}


class Page(HTMLParser):
    """Collects what a test asks about and checks that every element is closed where it should be."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.unlabelled = 0
        self.tables = self.captions = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in PAGE | WORDS | TABLE | PICTURE, tag
        self.attributes += attrs
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.unlabelled += tag == "svg" and "aria-label" not in dict(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_every_report_is_well_formed_offline_and_accessible(any_report: TuneReport, tmp_path: Path) -> None:
    source = report_html(any_report)
    page = Page(source)
    (tmp_path / "report.html").write_text(source, encoding="utf-8")
    assert not page.open
    assert page.tables == page.captions
    assert not page.unlabelled
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "srcset", "action", "style")}
    assert all(value and value.startswith("#") for name, value in page.attributes if name == "href")
    anchors = {value for name, value in page.attributes if name == "id"}
    assert {value[1:] for name, value in page.attributes if name == "href" and value} <= anchors
    assert not [word for word in ("http://", "https://", "@import", "url(") if word in source]


def test_markup_in_the_data_stays_text(reports: dict[str, Callable[[], TuneReport]]) -> None:
    source = report_html(reports["hostile"]())
    assert "<script" not in source
    assert "alert(&#34;x&#34;)" in source
    assert '<script>alert("x")</script>' in Page(source).words
    assert len(source) < 400_000  # a row of 30,000 characters is shown in part


def test_headline_says_what_was_gained(reports: dict[str, Callable[[], TuneReport]]) -> None:
    words = Page(report_html(reports["tag"]())).words
    assert "entity_f1 0.941 (tuned) against 0.847 (TF-IDF + linear model) on the same 3,250 rows: +0.094" in words
    assert "p < 0.001, so the gain is unlikely to be chance" in words
    assert "without what only burnish reads, and reaches entity_f1 0.912 on dev" in words
    assert "with document context" in words
    for part in ("Entities, exact match", "Token classes", "weighted avg", "B-MISC", "Hardest examples", "max_tokens"):
        assert part in words


def test_a_difference_within_chance_is_not_called_a_gain(reports: dict[str, Callable[[], TuneReport]]) -> None:
    comparison = Comparison("a", "b", "accuracy", 0.90, 0.91, Interval(-0.01, 0.03), 0.31, 200)
    words = Page(report_html(replace(reports["three"](), comparison=comparison))).words
    assert "p = 0.310, so the difference may well be chance" in words


def test_an_error_that_falls_is_better(reports: dict[str, Callable[[], TuneReport]]) -> None:
    report = reports["score"]()
    before = {"mean": replace(report.after, metrics={"rmse": 1.1, "spearman": 0.0})}
    source = report_html(replace(report, before=before))
    assert '<td class="better">−0.688<small>better</small>' in source
    assert "nan" not in Page(source).words.lower()


def test_without_anything_before_the_page_says_so(reports: dict[str, Callable[[], TuneReport]]) -> None:
    words = Page(report_html(reports["bare"]())).words
    assert "nothing was measured before tuning" in words
    assert "The data was not checked" in words
    assert "Plain transformers loads this folder and computes the same scores" in words


def test_chinese_is_text_in_the_pictures(reports: dict[str, Callable[[], TuneReport]]) -> None:
    source = report_html(reports["chinese"]())
    assert ">中性评价，没有明显的情绪</text>" in source
    assert "train: data/训练.csv" in source


def test_many_classes_show_the_most_confused(reports: dict[str, Callable[[], TuneReport]]) -> None:
    report = reports["many"]()
    kept = plots.most_confused(report.after.confusion)
    assert len(kept) <= 20
    top = plots.top_confusions(report.after.confusion_labels, report.after.confusion)
    assert [count for _, _, count, _ in top] == sorted((count for _, _, count, _ in top), reverse=True)
    assert {report.after.confusion_labels.index(name) for name in top[0][:2]} <= set(kept)
    assert "The most confused of 77 classes are drawn" in Page(report_html(report)).words


@pytest.mark.parametrize("values", [[(1, math.nan)], [(1, math.nan), (2, 0.5)], [(0, 0.0)], [(1, 3.0), (2, 3.0)]])
def test_pictures_of_odd_values(values: list[tuple[int, float]]) -> None:
    for drawn in (plots.curve(values, "loss"), plots.curve(values, "f1", best=True), plots.latency(values)):
        assert "nan" not in drawn
        assert "inf" not in drawn
    assert plots.bars([("a", 0.0, None), ("b", -0.2, Interval(-0.3, math.nan))], "spearman")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.9, 0.91), (-3.0, 12_000.0), (0.0, 0.4), (0.0, 1e-7)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
