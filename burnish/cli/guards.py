"""Verbs of the guard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from burnish.cli.terminal import AsJson

app = typer.Typer()
guard = typer.Typer(no_args_is_help=True, help="Hold texts against a policy: personal data, harm, injection, secrets.")
app.add_typer(guard, name="guard")
PATTERNS = "patterns"
_BATCH = 64


@guard.command(epilog='Example: burnish guard check patterns "Write to anna@example.org"')
def check(
    policy: Annotated[str, typer.Argument(help="Policy file, a folder with one, or patterns for what needs no model.")],
    given: Annotated[
        str, typer.Argument(help="A text, a file with a text a line, or - for standard input.", metavar="TEXT|FILE|-")
    ],
    side: Annotated[str, typer.Option(help="input, for what goes into a model, or output.")] = "input",
    as_json: AsJson = False,
) -> None:
    """Say of each text what was found in it, and what follows; a line of output for each."""
    from dataclasses import asdict

    from burnish.data.lines import texts_of
    from burnish.data.text import chunked
    from burnish.errors import InputError, nearest
    from burnish.guards import Guard
    from burnish.reporting.wording import verdict_in_words

    if side not in ("input", "output"):
        raise InputError(f"--side {side}: {nearest(side, ('input', 'output'))}")
    chosen: Literal["input", "output"] = "input" if side == "input" else "output"
    guarding = Guard.default() if policy == PATTERNS and not Path(policy).exists() else Guard.load(policy)
    for chunk in chunked(texts_of(given), _BATCH):
        for verdict in guarding.check_many(chunk, chosen):
            found = asdict(verdict)
            print(json.dumps(found, ensure_ascii=False) if as_json else verdict_in_words(found))
