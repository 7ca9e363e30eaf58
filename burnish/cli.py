"""The command line: verb -> function, and how errors and results reach the terminal."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from burnish.errors import BurnishError, InputError

if TYPE_CHECKING:
    from burnish.results import CompressReport

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a pretrained model and your labelled data to a small, measured, documented model.",
    epilog="Start with: burnish init data.csv, then burnish run job.yaml",
)

JobFile = Annotated[Path, typer.Argument(help="Job file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key of the job, e.g. tune.epochs=2.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]
Variant = Annotated[
    str | None, typer.Option(help="A variant of the model, from export or compress.", show_default=False)
]
Model = Annotated[Path, typer.Argument(help="Model folder that burnish made.", show_default=False)]


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
    _write(out, started.text)
    if as_json:
        _print_json({"job": str(out), "task": started.task, "reasons": list(started.reasons)})
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
    _show(findings, as_json, "print_findings", {"findings": findings})
    if stopped := stopping(findings, loaded.check.fail_on):
        broken = any(finding.verdict == "fail" for finding in stopped)
        raise typer.Exit(InputError.exit_code if broken else GateFailed.exit_code)


@app.command(epilog="Example: burnish tune job.yaml --set tune.epochs=2 --set out=runs/try")
def tune(job: JobFile, override: Overrides = None, as_json: AsJson = False) -> None:
    """Fine-tune a model, measure it, and save it with its report. Resumes a run that was killed."""
    _tune(job, override, as_json)


@app.command(epilog="Example: burnish run recipes/demo.yaml")
def run(job: JobFile, override: Overrides = None, as_json: AsJson = False) -> None:
    """Run the whole flow of a job: check, tune, measure, report, and compress where the job asks for it."""
    from burnish.config import load

    loaded = load(job, tuple(override or ()))
    if loaded.compress is None:
        _tune(job, override, as_json)
        return
    from burnish.compression.compress import compress as search
    from burnish.compression.compress import under_way

    model = Path(loaded.out)
    if not under_way(loaded):
        _tune(job, override, as_json)
    _show_compression(search(model, loaded.compress, quiet=_quiet(as_json), say=_say), model, as_json)


def _tune(job: Path, override: list[str] | None, as_json: bool) -> None:
    from burnish import job as flow
    from burnish.config import load

    tuned = flow.tune(load(job, tuple(override or ())), quiet=_quiet(as_json), say=_say)
    if as_json:
        _print_json({"model": str(tuned.artifact.folder), "metrics": tuned.report.after.metrics})
        return
    from burnish.reporting.text import print_report

    print_report(tuned.report, _console())
    print(f"model:  {tuned.artifact.folder}\nreport: {tuned.artifact.folder / 'report.html'}")


def _quiet(as_json: bool) -> bool:
    return as_json or not sys.stderr.isatty()


@app.command(epilog="Example: burnish evaluate runs/model test.csv --json")
def evaluate(
    model: Model,
    data: Annotated[str, typer.Argument(help="File with labelled rows, read as the training file was.")],
    variant: Variant = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled rows."""
    from burnish import verbs

    found = verbs.evaluate(model, data, _say, variant)
    _show(found, as_json, "print_evaluation", {"metrics": found.metrics})


@app.command(epilog='Example: burnish predict runs/model "John lives in Berlin"')
def predict(
    model: Model,
    given: Annotated[
        str, typer.Argument(help="A text, a file (a table, or one text a line), or - for standard input.")
    ],
    variant: Variant = None,
    as_json: AsJson = False,
) -> None:
    """Predict for a text, each row or line of a file, or each line of standard input; a line of output for each."""
    from burnish import verbs

    for prediction in verbs.predict_lines(model, given, variant):
        print(json.dumps(prediction, ensure_ascii=False) if as_json else verbs.in_words(prediction))


@app.command(epilog="Example: burnish inspect runs/model")
def inspect(model: Model, as_json: AsJson = False) -> None:
    """Show what a model folder holds and verify its checksums."""
    from burnish import variant
    from burnish.artifact import Artifact

    artifact = Artifact.open(model)
    variants = {name: variant.Variant.open(artifact, name) for name in variant.names(artifact)}
    if as_json:
        _print_json(artifact.manifest | {"variants": {name: one.manifest for name, one in variants.items()}})
        return
    for name in ("task", "metrics", "before", "data", "network", "training", "environment"):
        print(f"{name}: {json.dumps(artifact.manifest[name], ensure_ascii=False)}")
    print(f"files: {len(artifact.manifest['files'])}, all as they were written")
    for name, one in variants.items():
        print(f"variant {name}: {one.manifest['precision']}, {one.size / 1e6:.1f} MB, as it was written")


@app.command(epilog="Example: burnish compare runs/a runs/b test.csv")
def compare(
    first: Model,
    second: Annotated[Path, typer.Argument(help="The model to compare with it.", show_default=False)],
    data: Annotated[str, typer.Argument(help="Labelled rows both are measured on.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Compare two models on the same rows with a paired test."""
    from burnish import verbs

    found = verbs.compare(first, second, data, _say)
    from burnish.reporting.jsonable import as_json as plain

    _show(found, as_json, "print_comparison", plain(found))


@app.command(epilog="Example: burnish export runs/model --to openvino --data dev.csv")
def export(
    model: Model,
    to: Annotated[str, typer.Option(help="Runtime: onnx or openvino.", show_default=False)],
    data: Annotated[
        str | None, typer.Option(help="File with rows on which it has to agree; random tokens when unset.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for another runtime, as a variant in its folder, unless the two disagree on a row."""
    from burnish import verbs

    made = verbs.export(model, to, data, _say)
    parity = made.manifest["parity"]
    if as_json:
        _print_json({"variant": made.name, "folder": str(made.folder), "bytes": made.size, "parity": parity})
        return
    flips = len(parity["flips"])
    print(
        f"compared on {parity['rows']:,} rows of {parity['rows_of']}: logits of up to {parity['scale']:.3g} differ by "
        f"{parity['error']:.1g} at most; decisions that differ by that: {flips:,} of {parity['decisions']:,}\n"
        f"variant: {made.folder} ({made.size / 1e6:.1f} MB)\n"
        f"try it:  burnish predict {model} --variant {made.name} TEXT"
    )


@app.command(epilog="Example: burnish compress runs/model --budget f1:0.01 --for throughput")
def compress(
    model: Model,
    budget: Annotated[
        str, typer.Option(help="What may be lost: METRIC:AMOUNT, or AMOUNT of the model's own.")
    ] = "0.01",
    goal: Annotated[str, typer.Option("--for", help="throughput, latency or size.")] = "throughput",
    minutes: Annotated[float, typer.Option(min=0.1, help="Time for the search, roughly.")] = 60.0,
    train: Annotated[
        str | None, typer.Option(help="File with the training rows, if they have moved.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the smallest or fastest form of a model that keeps to a budget on this machine. Resumes when killed."""
    from burnish import verbs

    report = verbs.compress(model, budget, goal, minutes, train, quiet=_quiet(as_json), say=_say)
    _show_compression(report, model, as_json)


def _show_compression(report: CompressReport, model: Path, as_json: bool) -> None:
    """Print what was found; the exit code says whether it is to be used."""
    from burnish.errors import GateFailed

    if as_json:
        found = {"before": report.before.metrics[report.metric], "after": report.after.metrics[report.metric]}
        named = {"chosen": report.chosen, "metric": found, "speedup": report.speedup, "size_ratio": report.size_ratio}
        _print_json(named)
    else:
        from burnish.reporting.text import print_compression

        place = model / "variants" / report.goal
        print_compression(report, _console())
        print(f"variant: {place}\nreport:  {place / 'report.html'}")
    if report.chosen is None:
        raise typer.Exit(GateFailed.exit_code)


@app.command(epilog="Example: burnish bench runs/model dev.csv")
def bench(
    model: Model,
    data: Annotated[str, typer.Argument(help="File with rows to predict, labelled or not.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Time a model and all of its variants side by side on this machine."""
    from burnish import verbs

    found = verbs.bench(model, data, _say)
    if as_json:
        from dataclasses import asdict

        _print_json({name: asdict(speed) for name, speed in found.items()})
        return
    from burnish.reporting.text import print_speeds

    print_speeds(found, _console())


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
            _print_json(listed)
        else:
            for key, about in listed.items():
                print(f"{key}: {about}")
        return
    source = resolve(name)
    if as_json:
        _print_json(asdict(source))
    else:
        print(f"{source.name}: {source.kind}{', ' + source.place if source.place else ''}")
        if source.kind == "hub":
            print(f"no folder here has that name, and it is none of {', '.join([*BUNDLED, SCRATCH])}")


@app.command(epilog="Example: burnish doctor")
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what this machine does well, and what is missing and how to get it."""
    from burnish import verbs

    found = verbs.doctor()
    if as_json:
        _print_json(found)
        return
    for section, lines in found.items():
        print(f"{section}:")
        for key, value in lines.items():
            print(f"  {key}: {value}")


@app.command(epilog="Example: burnish schema > job.schema.json")
def schema() -> None:
    """Print the JSON Schema of the job file, for editors."""
    from burnish.config import schema as job_schema

    _print_json(job_schema())


def _write(path: Path, text: str) -> None:
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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    from burnish.reporting.jsonable import plain

    print(json.dumps(plain(value), ensure_ascii=False))


def _console() -> Any:
    from rich.console import Console

    return Console()


def _show(found: Any, as_json: bool, printer: str, payload: Any) -> None:
    if as_json:
        _print_json(payload)
        return
    from burnish.reporting import text

    getattr(text, printer)(found, _console())


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a gate failed, 2 bad input, 130 interrupted."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.captureWarnings(True)
    try:
        app()
    except BurnishError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as leaving:  # typer has turned Ctrl-C into this exit code
        if leaving.code == 130:
            print(
                "interrupted; an earlier result is as it was, and a tuning or a search goes on from what it has kept",
                file=sys.stderr,
            )
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a disk or a permission that no stage has put into words
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(BurnishError.exit_code)


if __name__ == "__main__":
    main()
