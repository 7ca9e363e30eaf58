"""An audit as one HTML page, in the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from rich.console import Console
from rich.table import Table as Lines
from rich.text import Text

from burnish.audited import AuditReport, Cell, Gate, Section
from burnish.metrics import LOWER_IS_BETTER
from burnish.reporting import plots, wording
from burnish.reporting.html import environment
from burnish.reporting.jsonable import plain
from burnish.reporting.svg import Scale, axes, dot, line, picture
from burnish.results import Interval

_BARS = 12


def audit_html(report: AuditReport) -> str:
    """Return the page as text to be written in UTF-8; whatever comes from data is escaped."""
    page = environment().get_template("audit.html.j2")
    written = page.render(
        report=report,
        failed=[gate for gate in report.gates if not gate.passed],
        lead=audit_words(report),
        cell=cell,
        sign=gate_sign,
        pictures={form: {one.name: pictures(one) for one in sections} for form, sections in report.forms.items()},
        labels={form: "tuned model" if form == "torch" else f"variant {form}" for form in report.forms},
    )
    return wording.visible(written)


def audit_json(report: AuditReport) -> dict[str, Any]:
    """The report for programs; the gates come last."""
    gates = [{"name": g.name, "value": g.value, "limit": g.limit, "passed": g.passed} for g in report.gates]
    about = {name: getattr(report, name) for name in ("model", "task", "rows", "quick", "seconds", "forms")}
    found: dict[str, Any] = plain({**about, "gates": gates})
    return found


def print_audit(report: AuditReport, console: Console) -> None:
    """Print the gates, then what each audit came to and what somebody should look at."""
    console.print(_text(audit_words(report), "bold"))
    lines = Lines(box=None, padding=(0, 2, 0, 0), show_header=False)
    for gate in report.gates:
        style = "green" if gate.passed else "bold red"
        said = f"{wording.number(gate.value)} {gate_sign(gate)} {gate.limit:g}"
        lines.add_row(_text("passed" if gate.passed else "failed", style), _text(gate.name), _text(said))
    console.print(lines)
    for form, sections in report.forms.items():
        console.print(_text(f"\n{form}", "bold"))
        for section in sections:
            console.print(_text(f"{section.name}: {section.summary}"))
            for finding in section.findings:
                console.print(_text(f"  ! {finding}", "yellow"))
            for missing in section.impossible:
                console.print(_text(f"  ? {missing}", "dim"))


def audit_words(report: AuditReport) -> str:
    """What was audited and how many gates were passed, in a sentence or two."""
    passed = sum(gate.passed for gate in report.gates)
    forms = " and ".join("the tuned model" if form == "torch" else f"its variant {form}" for form in report.forms)
    return (
        f"{passed} of {len(report.gates)} gates passed. {report.task} on {report.rows:,} rows: {forms}"
        f"{', a quick look' if report.quick else ''}, in {wording.duration(report.seconds)}."
    )


def gate_sign(gate: Gate) -> str:
    return "≥" if gate.least else "≤"


def cell(value: Cell) -> str:
    """A cell in words: numbers with three decimals, counts whole."""
    if value is None or isinstance(value, float):
        return wording.number(value)
    return f"{value:,}" if isinstance(value, int) else value


def pictures(section: Section) -> list[Markup]:
    """Pictures of the tables that have one: reliability, and the metric by group."""
    found = []
    for table in section.tables:
        if table.title == "Reliability":
            found.append(reliability([(float(said or 0), float(right or 0)) for said, right, _ in table.rows]))
        if table.title == "By group" and table.rows:
            rising = table.columns[3] not in LOWER_IS_BETTER
            worst = sorted(table.rows, key=lambda row: float(row[3] or 0), reverse=rising)[-_BARS:]
            bars = [
                (f"{by} {name}", float(value or 0), Interval(float(low or 0), float(high or 0)))
                for by, name, _, value, low, high in worst
            ]
            found.append(plots.bars(bars, table.columns[3], "group"))
    return found


def reliability(points: Sequence[tuple[float, float]]) -> Markup:
    """Draw the share that is right over the probability that was said; on the line they are the same."""
    x = Scale(0.0, 1.0, plots.LEFT, plots.WIDTH - plots.RIGHT)
    y = Scale(0.0, 1.0, plots.HEIGHT - plots.BOTTOM, plots.TOP)
    parts = [axes(x, y, "probability", "right"), line(x(0), y(0), x(1), y(1), "whisker")]
    parts += [dot(x(a), y(b), 4.5, "point main", f"said {a:.3f}, right {b:.3f}") for a, b in points]
    said = ", ".join(f"{a:.2f} {b:.2f}" for a, b in points)
    return picture(plots.WIDTH, plots.HEIGHT, f"Share that is right over probability: {said}", *parts)


def _text(content: str, style: str = "") -> Text:
    return Text(wording.visible(content), style)
