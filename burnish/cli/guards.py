"""Verbs of the guard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from burnish.cli.terminal import AsJson, print_json, quiet, say

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


@guard.command(epilog="Example: burnish guard init runs/guard --data datasets")
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the policy and its models.")] = Path("runs/guard"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of public sets to learn from beside the material.", show_default=False)
    ] = None,
    is_quick: Annotated[bool, typer.Option("--quick", help="A tenth of the rows, for a first look.")] = False,
    held_out: Annotated[
        bool, typer.Option("--hold-out", help="Leave the public test rows out of training, to measure on them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train the models of a default policy, offline, and write the policy. Resumes when killed."""
    from dataclasses import asdict

    from burnish import guarding

    made = guarding.init(folder, data, share=0.1 if is_quick else 1.0, held_out=held_out, quiet=quiet(as_json), say=say)
    policy = str(folder / guarding.POLICY)
    if as_json:
        points = {one.name: [asdict(found) for found in one.points] for one in made}
        print_json({"policy": policy, "models": points})
        return
    spent = sum(one.seconds for one in made)
    print(f"policy: {policy}\n{len(made)} models in {spent / 60:.0f} minutes; measured figures are in its first lines")
