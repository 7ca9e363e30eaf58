"""Whether a model may go out: audits of one form of it, each a function of a `Subject` that gives a `Section`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from burnish.audited import Section
from burnish.audits.subject import Subject

Audit = Callable[[Subject], Section]

AUDITS: dict[str, str] = {
    "slices": "burnish.audits.slices",
    "bias": "burnish.audits.bias",
    "robustness": "burnish.audits.robustness",
    "calibration": "burnish.audits.calibration",
    "scope": "burnish.audits.scope",
    "privacy": "burnish.audits.privacy",
    "security": "burnish.audits.security",
}
"""Name of each audit, which is that of its function, and the module that has it."""


def audit_named(name: str) -> Audit:
    """Load the function of an audit."""
    found: Audit = getattr(import_module(AUDITS[name]), name)
    return found
