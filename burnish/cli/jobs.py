"""Verbs on a job file: init, check, tune, run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from burnish.cli.terminal import (
    AsJson,
    JobFile,
    Overrides,
    console,
    print_json,
    quiet,
    say,
    show,
    show_compression,
    write,
)
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.artifact import Artifact
    from burnish.config import Job

app = typer.Typer()


@app.command(epilog="Example: burnish init reviews.csv --out job.yaml")
def init(
    data: Annotated[str, typer.Argument(help="File with labelled rows.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Job file to write.")] = Path("job.yaml"),
    force: Annotated[bool, typer.Option(help="Replace an existing job file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a file, guess task and columns, say why, and write a job file."""
    from burnish.starter import guess

    if out.exists() and not (force and out.is_file()):
        raise InputError(f"'{out}' exists; choose another name with --out, or replace a file with --force")
    started = guess(data)
    write(out, started.text)
    if as_json:
        print_json({"job": str(out), "task": started.task, "reasons": list(started.reasons)})
    else:
        for reason in started.reasons:
            print(f"- {reason}")
        print(f"wrote {out}; next: burnish check {out}, then burnish run {out}")


@app.command(epilog="Example: burnish check job.yaml --set data.train=other.csv")
def check(job: JobFile, override: Overrides = None, as_json: AsJson = False) -> None:
    """Look for what is wrong with the data of a job."""
    from burnish import job as flow
    from burnish.config import load
    from burnish.data.check import stopping
    from burnish.errors import GateFailed

    loaded = load(job, tuple(override or ()))
    findings = flow.check(loaded)
    show(findings, as_json, "print_findings", {"findings": findings})
    if stopped := stopping(findings, loaded.check.fail_on):
        broken = any(finding.verdict == "fail" for finding in stopped)
        raise typer.Exit(InputError.exit_code if broken else GateFailed.exit_code)


@app.command(epilog="Example: burnish tune job.yaml --set tune.epochs=2 --set out=runs/try")
def tune(job: JobFile, override: Overrides = None, as_json: AsJson = False) -> None:
    """Fine-tune a model, measure it, and save it with its report. Resumes a run that was killed."""
    from burnish.config import load

    _tune(load(job, tuple(override or ())), as_json)


@app.command(epilog="Example: burnish run recipes/demo.yaml")
def run(job: JobFile, override: Overrides = None, as_json: AsJson = False) -> None:
    """Run the whole flow of a job: check, tune, measure, report, and compress where the job asks for it."""
    from burnish.config import load

    loaded = load(job, tuple(override or ()))
    if loaded.compress is None:
        _tune(loaded, as_json)
        return
    from burnish.artifact import Artifact
    from burnish.compression.compress import compress, must_be_measurable, under_way

    must_be_measurable(loaded.compress)
    model = Path(loaded.out)
    artifact = Artifact.open(model, verify=False) if under_way(loaded) else _tuned(loaded, as_json)
    report = compress(model, loaded.compress, quiet=quiet(as_json), say=say)
    show_compression(report, model, as_json, _about(artifact))


def _tune(loaded: Job, as_json: bool) -> None:
    artifact = _tuned(loaded, as_json)
    if as_json:
        print_json(_about(artifact))


def _tuned(loaded: Job, as_json: bool) -> Artifact:
    """Tune, and print the report unless JSON is to come in the end."""
    from burnish import job as flow

    tuned = flow.tune(loaded, quiet=quiet(as_json), say=say)
    if not as_json:
        from burnish.reporting.text import print_report

        print_report(tuned.report, console())
        print(f"model:  {tuned.artifact.folder}\nreport: {tuned.artifact.folder / 'report.html'}")
    return tuned.artifact


def _about(artifact: Artifact) -> dict[str, Any]:
    return {"model": str(artifact.folder), "metrics": artifact.metrics}
