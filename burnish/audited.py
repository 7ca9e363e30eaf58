"""What an audit found, as plain frozen data; `reporting/` alone turns it into pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Rows under columns; `note` says what they were counted on."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One audit of one form of a model.

    Attributes:
        name: of the audit: slices, bias, robustness, calibration, scope, privacy, security.
        summary: what it came to, in a sentence or two.
        figures: numbers by name; gates refer to them as `name.figure`.
        findings: what somebody should look at, a sentence each, the gravest first.
        impossible: what could not be looked at and why, a sentence each.
        seconds: that it took.
    """

    name: str
    summary: str
    figures: dict[str, float] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    findings: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Gate:
    """A limit on a figure, such as `calibration.ece` at most 0.1.

    Attributes:
        value: None where the audit could not find it out, which does not pass.
        least: whether the limit is the least that the value may be; else it is the most.
    """

    name: str
    value: float | None
    limit: float
    passed: bool
    least: bool = False


@dataclass(frozen=True)
class AuditReport:
    """An audit of a model folder; `forms` has the sections of the tuned model and, beside it, of a variant; `bill` is
    its bill of materials in CycloneDX, as JSON has it."""

    model: str
    task: str
    rows: int
    forms: dict[str, tuple[Section, ...]]
    gates: tuple[Gate, ...]
    quick: bool
    seconds: float
    bill: dict[str, Any] = field(default_factory=dict)
