"""Verbs on a finished model: evaluate, predict, inspect, compare, export, compress, bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, Model, Variant, console, print_json, quiet, say, show, show_compression

app = typer.Typer()


@app.command(epilog="Example: burnish evaluate runs/model test.csv --json")
def evaluate(
    model: Model,
    data: Annotated[str, typer.Argument(help="File with labelled rows, read as the training file was.")],
    variant: Variant = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled rows."""
    from burnish import verbs

    found = verbs.evaluate(model, data, say, variant)
    show(found, as_json, "print_evaluation", {"metrics": found.metrics})


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
    from burnish.predicting import predict_lines
    from burnish.reporting.wording import in_words

    for prediction in predict_lines(model, given, variant):
        print(json.dumps(prediction, ensure_ascii=False) if as_json else in_words(prediction))


@app.command(epilog="Example: burnish inspect runs/model")
def inspect(model: Model, as_json: AsJson = False) -> None:
    """Show what a model folder holds and verify its checksums."""
    from burnish import variant
    from burnish.artifact import Artifact

    artifact = Artifact.open(model)
    variants = {name: variant.Variant.open(artifact, name) for name in variant.names(artifact)}
    if as_json:
        print_json(artifact.manifest | {"variants": {name: one.manifest for name, one in variants.items()}})
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

    found = verbs.compare(first, second, data, say)
    from burnish.reporting.jsonable import as_json as plain

    show(found, as_json, "print_comparison", plain(found))


@app.command(epilog="Example: burnish export runs/model --to openvino --data dev.csv")
def export(
    model: Model,
    to: Annotated[str, typer.Option(help="Runtime: onnx or openvino.", show_default=False)],
    data: Annotated[
        str | None, typer.Option(help="File with rows on which it has to agree; random inputs when unset.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for another runtime, as a variant in its folder, unless the two disagree on a row."""
    from burnish import verbs

    made = verbs.export(model, to, data, say)
    parity = made.manifest["parity"]
    if as_json:
        print_json({"variant": made.name, "folder": str(made.folder), "bytes": made.size, "parity": parity})
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
    goal: Annotated[str, typer.Option("--for", help="throughput, latency, size or energy.")] = "throughput",
    minutes: Annotated[float, typer.Option(min=0.1, help="Time for the search, roughly.")] = 60.0,
    train: Annotated[
        str | None, typer.Option(help="File with the training rows, if they have moved.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the smallest or fastest form of a model that keeps to a budget on this machine. Resumes when killed."""
    from burnish import verbs

    report = verbs.compress(model, budget, goal, minutes, train, quiet=quiet(as_json), say=say)
    show_compression(report, model, as_json)


@app.command(epilog="Example: burnish bench runs/model dev.csv")
def bench(
    model: Model,
    data: Annotated[str, typer.Argument(help="File with rows to predict, labelled or not.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Time a model and all of its variants side by side on this machine."""
    from burnish import verbs

    found = verbs.bench(model, data, say)
    if as_json:
        from dataclasses import asdict

        print_json({name: asdict(speed) for name, speed in found.items()})
        return
    from burnish.reporting.text import print_speeds

    print_speeds(found, console())
