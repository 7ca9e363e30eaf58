"""The report as one HTML page that needs no network, no scripts and no other file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from burnish.compressed import CompressReport
from burnish.reporting import plots, wording
from burnish.reporting.jsonable import plain
from burnish.reporting.marks import marked
from burnish.results import ClassRow, Finding, TuneReport

_TEMPLATES = Path(__file__).parent / "templates"
LONGEST_TEXT = 600


@dataclass(frozen=True)
class MetricRow:
    """One metric across all models: what was reached before, after, and the change from the best before."""

    metric: str
    before: tuple[str, ...]
    before_intervals: tuple[str, ...]
    after: str
    after_interval: str
    change: str
    better: bool | None


def report_html(report: TuneReport) -> str:
    """Return the page as text to be written in UTF-8; whatever comes from data is escaped."""
    after, best = report.after, wording.best_before(report)
    bars = [(name, e.metrics[after.metric], e) for name, e in report.before.items() if after.metric in e.metrics]
    bars.append(("tuned", after.value, after))
    page = environment().get_template("report.html.j2")
    written = page.render(
        report=report,
        after=after,
        best=best,
        metric_rows=metric_rows(report),
        findings=by_severity(report.findings),
        tables=class_tables(report),
        confusions=plots.top_confusions(after.confusion_labels, after.confusion),
        alone=wording.alone_words(report),
        transfer=wording.transfer_words(report),
        privacy=wording.privacy_words(report),
        calibration=wording.calibration_words(report),
        chosen=wording.chosen_words(report),
        comparison=wording.comparison_words(report.comparison) if report.comparison else "",
        job=yaml.safe_dump(plain(report.job), allow_unicode=True, sort_keys=False, width=100),
        bars=plots.bars([(name, value, e.intervals.get(after.metric)) for name, value, e in bars], after.metric),
        loss_curve=plots.curve(report.curve.losses, "loss"),
        metric_curve=plots.curve(report.curve.evaluations, after.metric, best=True),
        latency=plots.latency(after.latencies),
        lengths=plots.lengths(after.latencies),
        confusion=plots.confusion(after.confusion_labels, after.confusion),
    )
    return wording.visible(written)


def compress_html(report: CompressReport) -> str:
    """Return the page of a search as text to be written in UTF-8; whatever comes from data is escaped."""
    page = environment().get_template("compress.html.j2")
    limit = report.base - report.budget
    written = page.render(
        report=report,
        lead=wording.compression_words(report),
        judged=wording.comparison_words(report.judged) if report.judged else "",
        final=wording.comparison_words(report.final),
        over_speed=plots.tradeoff(report.trials, report.metric, limit, "speed"),
        over_size=plots.tradeoff(report.trials, report.metric, limit, "size"),
        classes=_pairs(report),
    )
    return wording.visible(written)


def _pairs(report: CompressReport) -> list[tuple[str, float, float, int]]:
    """F1 of each class before and after, those that lost most first, and its rows."""
    after = {row.label: row for row in report.after.classes}
    before, _ = wording.split_averages(report.before.classes)
    pairs = [(row.label, row.f1, after[row.label].f1, row.support) for row in before if row.label in after]
    return sorted(pairs, key=lambda pair: pair[2] - pair[1])


def metric_rows(report: TuneReport) -> list[MetricRow]:
    """Line up every metric of the tuned model with the same one of the models before."""
    best = wording.best_before(report)
    rows = []
    for metric in wording.metrics_in_order(report.after):
        new = report.after.metrics[metric]
        old = best[1].metrics.get(metric) if best else None
        change = wording.signed(new - old) if old is not None else wording.NOTHING
        moved = old is not None and change not in ("0.000", wording.NOTHING)
        rows.append(
            MetricRow(
                metric=metric,
                before=tuple(wording.number(e.metrics.get(metric)) for e in report.before.values()),
                before_intervals=tuple(wording.interval(e, metric) for e in report.before.values()),
                after=wording.number(new),
                after_interval=wording.interval(report.after, metric),
                change=change,
                better=wording.is_better(metric, new, old) if moved and old is not None else None,
            )
        )
    return rows


def class_tables(report: TuneReport) -> list[tuple[str, tuple[ClassRow, ...]]]:
    """Return the title and the rows of each table by class; `tag` has two, by entity and by token."""
    classes = "Entities, exact match of type and boundaries" if report.task == "tag" else "Classes"
    tables = [(classes, report.after.classes), ("Token classes", report.after.tokens)]
    return [(title, rows) for title, rows in tables if rows]


def by_severity(findings: tuple[Finding, ...]) -> list[Finding]:
    """Put what needs attention first."""
    order = ("fail", "warn", "note", "ok")
    return sorted(findings, key=lambda finding: order.index(finding.verdict))


def environment() -> Environment:
    """What renders the templates; everything is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "short": wording.short,
        "signed": wording.signed,
        "duration": wording.duration,
        "cut": cut,
        "split_averages": wording.split_averages,
        "marked": marked,
    }
    environment.globals |= {
        "interval": wording.interval,
        "latency_words": plots.latency_words,
        "metrics_in_order": wording.metrics_in_order,
    }
    return environment


def cut(text: str, limit: int = LONGEST_TEXT) -> str:
    """Shorten a text from the data; a row may hold a megabyte on one line."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()} … ({len(text):,} characters)"
