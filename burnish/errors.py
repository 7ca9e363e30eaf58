"""What burnish raises when it is the input, the machine or a gate that is at fault."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BurnishError(Exception):
    """Base of all errors meant for the user: says what was wrong, where, and what to do."""

    exit_code = 2


class InputError(BurnishError):
    """A file, row, text or model folder that cannot be used as it is."""


class ConfigError(BurnishError):
    """One or more mistakes in a job file, reported together."""


class MissingExtra(BurnishError):
    """An optional library is needed and not installed."""


class GateFailed(BurnishError):
    """The work was done, and a check the user asked for did not pass."""

    exit_code = 1


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a phrase that lists `valid` names and the one `name` probably meant."""
    names = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.55)
    lowered = {n.lower(): n for n in names}
    guess = close[0] if close else lowered.get(str(name).lower())
    listed = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    if guess:
        return f"did you mean '{guess}'? (valid: {listed})"
    return f"valid: {listed}"
