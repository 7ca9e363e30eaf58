"""The verb that says whether a model may go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, Model, console, must_have_a_folder, print_json, say, write

app = typer.Typer()


@app.command(epilog="Example: burnish audit runs/model --quick")
def audit(
    model: Model,
    data: Annotated[
        str | None,
        typer.Option(help="File with labelled rows.", show_default="the test rows of the model's job, or its dev rows"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Stay under a minute.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Also what takes long.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a gate fails.")] = False,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Variant to audit beside the tuned model; torch for none.", show_default="what a search has chosen"
        ),
    ] = None,
    sensitive: Annotated[
        str | None, typer.Option(help="Column of the rows whose groups are compared.", show_default=False)
    ] = None,
    train: Annotated[
        str | None, typer.Option(help="File with the training rows, if they have moved.", show_default=False)
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Where the page goes.", show_default="MODEL-audit.html")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for weak groups, bias, fragility, false certainty, leaks and tampering, before and after compression."""
    from burnish.auditing import audit as look
    from burnish.reporting import audit as pages

    must_have_a_folder(html)
    report = look(model, data, quick=quick, deep=deep, variant=variant, sensitive=sensitive, train=train, say=say)
    place = html or model.resolve().with_name(f"{model.resolve().name}-audit.html")
    write(place, pages.audit_html(report))
    materials = place.with_suffix(".cdx.json")
    write(materials, json.dumps(report.bill, ensure_ascii=False, indent=1) + "\n")
    if as_json:
        say(f"report: {place}\nbill of materials: {materials}")
        print_json(pages.audit_json(report))
    else:
        pages.print_audit(report, console())
        print(f"report: {place}\nbill of materials: {materials}")
    if strict and not all(gate.passed for gate in report.gates):
        from burnish.errors import GateFailed

        raise typer.Exit(GateFailed.exit_code)
