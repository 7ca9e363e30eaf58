"""The command line: verb -> function, and how errors reach the terminal."""

from __future__ import annotations

import io
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from burnish.cli import about, audit, explain, guards, jobs, models, service, trust
from burnish.errors import BurnishError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: burnish init data.csv, then burnish run job.yaml",
)
for part in (jobs, models, audit, explain, guards, trust, service, about):
    app.add_typer(part.app)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"burnish {version('burnish')}")
        raise typer.Exit


@app.callback()
def _burnish(
    asked: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is and exit."),
    ] = False,
) -> None:
    """From a pretrained model and your labelled data to a small, measured, documented model."""


def _write_any_character() -> None:
    """Let no character of a text end a command half-way: files and pipes get UTF-8, a terminal what it can show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        shown = sys.stdout.isatty()
        sys.stdout.reconfigure(encoding=None if shown else "utf-8", errors="backslashreplace")


def _end_unread() -> NoReturn:
    """End well, as whoever read the output wanted no more of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a gate failed, 2 bad input, 130 interrupted."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.captureWarnings(True)
    _write_any_character()
    try:
        app()
    except BurnishError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as leaving:  # typer has turned Ctrl-C into this exit code, and a reader that is gone into 1
        if isinstance(leaving.__context__, BrokenPipeError):
            _end_unread()
        if leaving.code == 130:
            print(
                "interrupted; an earlier result is as it was, and a tuning or a search goes on from what it has kept",
                file=sys.stderr,
            )
        raise
    except BrokenPipeError:
        _end_unread()
    except OSError as error:  # a disk or a permission that no stage has put into words
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(BurnishError.exit_code)
