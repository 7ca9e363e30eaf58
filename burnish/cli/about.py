"""Verbs that say what is here: models, doctor, schema."""

from __future__ import annotations

from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, print_json

app = typer.Typer()


@app.command(epilog="Example: burnish models minilm")
def models(
    name: Annotated[str | None, typer.Argument(help="Name to resolve.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a model name resolves to; without a name, list the bundled ones."""
    from dataclasses import asdict

    from burnish.models.load import BUNDLED, SCRATCH, resolve

    if name is None:
        listed = {key: about for key, (_, _, about) in BUNDLED.items()} | {
            SCRATCH: "random weights, tokenizer from data"
        }
        if as_json:
            print_json(listed)
        else:
            for key, about in listed.items():
                print(f"{key}: {about}")
        return
    source = resolve(name)
    if as_json:
        print_json(asdict(source))
    else:
        print(f"{source.name}: {source.kind}{', ' + source.place if source.place else ''}")
        if source.kind == "hub":
            print(f"no folder here has that name, and it is none of {', '.join([*BUNDLED, SCRATCH])}")


@app.command(epilog="Example: burnish doctor")
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what this machine does well, and what is missing and how to get it."""
    from burnish.doctor import examine

    found = examine()
    if as_json:
        print_json(found)
        return
    for section, lines in found.items():
        print(f"{section}:")
        for key, value in lines.items():
            print(f"  {key}: {value}")


@app.command(epilog="Example: burnish schema > job.schema.json")
def schema() -> None:
    """Print the JSON Schema of the job file, for editors."""
    from burnish.config import schema as job_schema

    print_json(job_schema())
