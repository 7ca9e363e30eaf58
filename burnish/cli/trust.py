"""Verbs on who stands for a model: sign, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, print_json

app = typer.Typer()


@app.command(epilog="Example: burnish sign --new-key release.key, then burnish sign runs/model --key release.key")
def sign(
    model: Annotated[Path | None, typer.Argument(help="Model folder that burnish made.", show_default=False)] = None,
    key: Annotated[
        Path | None, typer.Option(help="File with the private key to sign with.", show_default=False)
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a new private key here, and FILE.pub beside it.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a model folder with all that is in it; or make the key for it."""
    from burnish import signature
    from burnish.errors import InputError

    if (model is None) != (key is None) or (model is None) == (new_key is None):
        raise InputError("name a model and its key: burnish sign MODEL --key FILE; or make one: --new-key FILE")
    if new_key:
        public = signature.new_key(new_key)
        made = {"private": str(new_key), "public": str(public), "key": signature.public_key(public)}
        if as_json:
            print_json(made)
            return
        print(
            f"private key: {new_key} (keep it to yourself)\n"
            f"public key:  {public} (hand it to those who verify): {made['key']}"
        )
    elif model and key:
        maker = signature.sign(model, key)
        if as_json:
            print_json({"signature": str(model / signature.FILE), "key": maker})
        else:
            print(f"signed by {maker}: {model / signature.FILE}")


@app.command(epilog="Example: burnish verify runs/model --key release.key.pub")
def verify(
    model: Annotated[Path, typer.Argument(help="Model folder.", show_default=False)],
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pub", help="Public key that it has to be signed with.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a model folder is as it was signed. The exit code is 1 when it is not."""
    from burnish import signature
    from burnish.errors import GateFailed

    found = signature.verify(model, signature.public_key(key) if key else None)
    if as_json:
        print_json({"good": found.good, "key": found.key, "faults": list(found.faults)})
    elif found.good:
        known = "" if key else " (whose key that is, only --key FILE.pub can say)"
        print(f"'{model}' is as it was signed by {found.key}{known}")
    else:
        print("\n".join(found.faults))
    if not found.good:
        raise typer.Exit(GateFailed.exit_code)
