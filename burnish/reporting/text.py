"""Findings, evaluations and comparisons in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from burnish.compressed import CompressReport, Speed
from burnish.reporting import wording
from burnish.results import ClassRow, Comparison, Evaluation, Finding, TuneReport

_STYLES = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "bold red"}


def print_findings(findings: tuple[Finding, ...], console: Console) -> None:
    """Print one line a check, with places and advice below those that are not ok."""
    console.print(_text("Data check", "bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        said = _text(finding.message)
        if finding.verdict != "ok":
            if finding.places:
                said.append(_text("\n" + ", ".join(finding.places[:3]), "dim"))
            if finding.advice:
                said.append(_text("\n" + finding.advice, "italic"))
        table.add_row(_text(finding.verdict, _STYLES[finding.verdict]), _text(finding.name), said)
    console.print(table)


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print all metrics and the tables by class and by token, where there are any."""
    head = f"{evaluation.split}: {evaluation.rows:,} rows in {wording.duration(evaluation.seconds)}"
    console.print(_text(head, "bold"))
    table = _table("metric", "value", "95 % interval")
    for metric in wording.metrics_in_order(evaluation):
        style = "bold" if metric == evaluation.metric else ""
        value, around = wording.number(evaluation.metrics[metric]), wording.interval(evaluation, metric)
        table.add_row(_text(metric, style), _text(value, style), _text(around))
    console.print(table)
    if evaluation.note:
        console.print(_text(evaluation.note))
    for title, rows in (("By class", evaluation.classes), ("By token class", evaluation.tokens)):
        if rows:
            console.print()
            _print_classes(title, rows, console)


def print_compression(report: CompressReport, console: Console) -> None:
    """Print what was tried, and the model before and after."""
    table = _table("tried", "epochs", report.metric, "rows/s", "MB", "seconds")
    for trial in report.trials:
        numbers = (
            f"{trial.score:.4f}",
            f"{trial.rows_per_second:,.0f}",
            f"{trial.size / 1e6:.1f}",
            f"{trial.seconds:.0f}",
        )
        style = "" if trial.within else "dim"
        table.add_row(*(_text(cell, style) for cell in (trial.name, str(trial.epochs or ""), *numbers)))
    console.print(table)
    console.print()
    print_comparison(report.final, console)
    print_speeds(report.speeds, console)
    console.print(_text(wording.compression_words(report)))


def print_speeds(speeds: dict[str, Speed], console: Console) -> None:
    """Print forms of a model side by side, from rows to predictions."""
    energy = any(speed.joules for speed in speeds.values())
    columns = ("rows/s", "slowest to fastest", "p50 ms", "p99 ms", "memory MB", "disk MB", *["joules"] * energy)
    table = _table("form", *columns)
    for name, speed in speeds.items():
        passes = f"{speed.rows_per_second:,.0f}", f"{speed.low:,.0f} to {speed.high:,.0f}"
        sizes = f"{speed.peak / 1e6:,.0f}", f"{speed.size / 1e6:.1f}"
        times = f"{speed.p50:.2f}", f"{speed.p99:.2f}"
        cells = (name, *passes, *times, *sizes, *[f"{speed.joules:.3g}"] * energy)
        table.add_row(*(_text(cell) for cell in cells))
    console.print(table)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print two models on the same rows, and the paired test in words."""
    c = comparison
    console.print(_text(f"{c.metric} on the same {c.rows:,} rows", "bold"))
    table = _table("model", "value")
    table.add_row(_text(c.first), _text(wording.number(c.first_value)))
    table.add_row(_text(c.second), _text(wording.number(c.second_value)))
    difference = f"{wording.signed(c.difference.low)} to {wording.signed(c.difference.high)}"
    table.add_row(_text("difference"), _text(wording.signed(c.second_value - c.first_value)))
    console.print(table)
    console.print(
        _text(f"95 % interval of the difference {difference}, {wording.p_value(c.p_value)}: {wording.verdict(c)}")
    )


def print_report(report: TuneReport, console: Console) -> None:
    """Print the outcome of one tuning: every model on the chosen metric, and what to make of it."""
    after = report.after
    console.print(_text(f"{after.metric} on {after.split}, {after.rows:,} rows", "bold"))
    table = _table("model", "value", "95 % interval")
    for name, evaluation in report.before.items():
        value = wording.number(evaluation.metrics.get(after.metric))
        table.add_row(_text(name), _text(value), _text(wording.interval(evaluation, after.metric)))
    table.add_row(
        _text("tuned", "bold"), _text(wording.number(after.value), "bold"), _text(wording.interval(after, after.metric))
    )
    console.print(table)
    if chosen := wording.chosen_words(report):
        console.print(_text(chosen))
    if report.comparison:
        console.print(_text(wording.comparison_words(report.comparison)))
    if report.transfer:
        console.print(_text(wording.transfer_words(report)))
    if report.calibration:
        console.print(_text(wording.calibration_words(report)))
    if report.alone or report.shares:
        console.print(_text(wording.alone_words(report)))
    if report.privacy:
        console.print(_text(wording.privacy_words(report)))
    speed = f"{wording.duration(report.seconds)} in all"
    if report.trained_parameters:
        speed += f", training at {wording.short(report.tokens_per_second)} tokens/s"
    size = f"{wording.short(report.parameters)} parameters, {wording.short(report.trained_parameters)} trained"
    console.print(_text(f"{speed}; {size}", "dim"))


def _print_classes(title: str, rows: tuple[ClassRow, ...], console: Console) -> None:
    classes, averages = wording.split_averages(rows)
    console.print(_text(title, "bold"))
    table = _table("", "precision", "recall", "f1", "support")
    for part in (classes, averages):
        for row in part:
            values = (wording.number(row.precision), wording.number(row.recall), wording.number(row.f1))
            table.add_row(_text(row.label), *values, f"{row.support:,}")
        table.add_section()
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _text(content: str, style: str = "") -> Text:
    """Keep text from data as it is: rich would read [red] in a str as markup, a terminal would obey an escape."""
    return Text(wording.visible(content), style)
