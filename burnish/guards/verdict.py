"""What a guard says about a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["allow", "redact", "flag", "block", "human"]
Side = Literal["input", "output"]

SEVERITY: tuple[Action, ...] = ("allow", "flag", "redact", "human", "block")
"""Actions from the mildest to the most severe; the most severe of a text's findings is that of its verdict."""


@dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Attributes:
        check: the check of the policy, such as `personal`.
        kind: what it is: a kind of personal data, a label of the model, a way to hide.
        start, end: the characters of the text that was given (code points, end exclusive).
        score: from 0 to 1.
        action: what the policy asks for.
        line: the check's line in the policy file; 0 for what the policy does not name.
    """

    check: str
    kind: str
    start: int
    end: int
    score: float
    action: Action
    line: int


@dataclass(frozen=True)
class Verdict:
    """The most severe action, all findings in the order of the text, and the text with placeholders where it was
    redacted. The text is no part of the verdict's repr, so that it reaches no log."""

    action: Action
    findings: tuple[Finding, ...]
    text: str = field(repr=False)


def severest(findings: Sequence[Finding]) -> Action:
    return max((one.action for one in findings), key=SEVERITY.index, default="allow")
