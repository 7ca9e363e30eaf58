"""What verbs share in the terminal: options, and how results reach it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from burnish.compressed import CompressReport

JobFile = Annotated[Path, typer.Argument(help="Job file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key of the job, e.g. tune.epochs=2.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]
Variant = Annotated[
    str | None, typer.Option(help="A variant of the model, from export or compress.", show_default=False)
]
Model = Annotated[Path, typer.Argument(help="Model folder that burnish made.", show_default=False)]


def quiet(as_json: bool) -> bool:
    return as_json or not sys.stderr.isatty()


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    place = path.resolve()
    fresh = place.with_name(f".{place.name}.writing")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, place)
    except OSError as error:
        from burnish.artifact import disk_error

        with suppress(OSError):
            fresh.unlink()
        raise disk_error(error, path) from None


def must_have_a_folder(path: Path | None) -> None:
    """Refuse a file that could not be written for want of its folder, before the work that it is to hold.

    Raises:
        InputError: when there is no such folder.
    """
    if path is not None and not path.resolve().parent.is_dir():
        from burnish.errors import InputError

        raise InputError(f"cannot write '{path}': there is no folder '{path.parent}'; make it first")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    from burnish.reporting.jsonable import plain

    print(json.dumps(plain(value), ensure_ascii=False))


def console() -> Any:
    from rich.console import Console

    return Console()


def show(found: Any, as_json: bool, printer: str, payload: Any) -> None:
    if as_json:
        print_json(payload)
        return
    from burnish.reporting import text

    getattr(text, printer)(found, console())


def show_compression(report: CompressReport, model: Path, as_json: bool, tuned: dict[str, Any] | None = None) -> None:
    """Print what was found; the exit code says whether it is to be used.

    Args:
        tuned: what JSON says of the tuning before, where the two are one command.
    """
    from burnish.errors import GateFailed

    if as_json:
        found = {"before": report.before.metrics[report.metric], "after": report.after.metrics[report.metric]}
        named = {"chosen": report.chosen, "metric": found, "speedup": report.speedup, "size_ratio": report.size_ratio}
        print_json(named if tuned is None else tuned | {"compress": named})
    else:
        from burnish.reporting.text import print_compression

        place = model / "variants" / report.goal
        print_compression(report, console())
        print(f"variant: {place}\nreport:  {place / 'report.html'}")
    if report.chosen is None:
        raise typer.Exit(GateFailed.exit_code)
