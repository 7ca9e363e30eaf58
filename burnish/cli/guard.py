"""Verbs of the guard: init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, print_json, quiet, say

app = typer.Typer(no_args_is_help=True, help="Check what goes into a model and what comes out of it.")


@app.command(epilog="Example: burnish guard init runs/guard --data datasets")
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the policy and its models.")] = Path("runs/guard"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of public sets to learn from beside the material.", show_default=False)
    ] = None,
    is_quick: Annotated[bool, typer.Option("--quick", help="A tenth of the rows, for a first look.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the models of a default policy, offline, and write the policy. Resumes when killed."""
    from dataclasses import asdict

    from burnish import guarding

    made = guarding.init(folder, data, share=0.1 if is_quick else 1.0, quiet=quiet(as_json), say=say)
    policy = str(folder / guarding.POLICY)
    if as_json:
        points = {one.name: [asdict(found) for found in one.points] for one in made}
        print_json({"policy": policy, "models": points})
        return
    spent = sum(one.seconds for one in made)
    print(f"policy: {policy}\n{len(made)} models in {spent / 60:.0f} minutes; measured figures are in its first lines")
