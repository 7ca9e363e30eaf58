"""Verbs of the service: serve, client, batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, Model, Variant, print_json, quiet, say

app = typer.Typer()


@app.command(epilog="Example: burnish serve runs/model --port 8000")
def serve(
    models: Annotated[
        list[Path], typer.Argument(help="Model folders; each is called by its name.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own take keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        str | None, typer.Option(help="File with keys, one a line: KEY [scopes=predict,feedback,admin] [name=NAME].")
    ] = None,
    insecure: Annotated[bool, typer.Option(help="Answer everybody who reaches the address.")] = False,
    models_from: Annotated[
        str | None, typer.Option("--models", help="Folder with further versions, which an admin key may load.")
    ] = None,
    max_concurrent_requests: Annotated[int, typer.Option(min=1, help="Requests in the service at a time.")] = 512,
    max_batch_tokens: Annotated[int, typer.Option(min=0, help="Tokens of a batch; 0 finds out what is best.")] = 0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until a request has to be answered.")] = 30.0,
    processes: Annotated[int, typer.Option(min=0, help="Processes of each model; 0 for one a core.")] = 0,
    store: Annotated[
        str,
        typer.Option(help="Where corrections and a sample of requests go: a file, postgresql://..., or none."),
    ] = ".burnish/serve.sqlite",
    keep: Annotated[str, typer.Option(help="Of the inputs: none (lengths and classes), redacted, or texts.")] = "none",
    days: Annotated[int, typer.Option(min=1, help="Days that requests are kept.")] = 30,
    tls_cert: Annotated[str | None, typer.Option(help="Certificate (PEM), for HTTPS.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its key (PEM).")] = None,
    guard: Annotated[str | None, typer.Option(help="Policy that inputs are held against: see burnish guard.")] = None,
    require_signature: Annotated[
        Path | None, typer.Option(metavar="FILE.pub", help="Open only models signed with this key: see burnish sign.")
    ] = None,
) -> None:
    """Serve models over HTTP, with a page to try them on, until Ctrl-C or SIGTERM."""
    from burnish.serving.deployment import Limits
    from burnish.serving.serve import Options
    from burnish.serving.serve import serve as run
    from burnish.signature import public_key

    options = Options(
        host=host,
        port=port,
        api_key_file=api_key_file,
        insecure=insecure,
        models=models_from,
        store=store,
        keep=keep,  # type: ignore[arg-type]  # the store says what it takes
        days=days,
        tls_cert=tls_cert,
        tls_key=tls_key,
        guard=guard,
    )
    limits = Limits(
        max_concurrent_requests=max_concurrent_requests,
        max_batch_tokens=max_batch_tokens,
        timeout=timeout,
        processes=processes,
        signed_by=public_key(require_signature) if require_signature else "",
    )
    run(models, options, limits, say)


@app.command(epilog='Example: burnish client "Anna lives in Paris" --url http://127.0.0.1:8000')
def client(
    given: Annotated[
        str, typer.Argument(help="A text, a file with a text a line, or - for standard input.", show_default=False)
    ],
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8000",
    model: Annotated[str | None, typer.Option(help="Its name; may be left out where one is served.")] = None,
    variant: Annotated[str | None, typer.Option(help="Another variant than the one that serves.")] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="BURNISH_API_KEY", help="Key; better in the environment than here.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a request with its retries.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Ask a service that runs; a line of output for each text."""
    from burnish.reporting.wording import in_words
    from burnish.serving.client import Client, predict_lines

    with Client(url, api_key=api_key, model=model, variant=variant, timeout=timeout) as asked:
        for prediction in predict_lines(asked, given):
            print(json.dumps(prediction, ensure_ascii=False) if as_json else in_words(prediction))


@app.command(epilog="Example: burnish batch runs/model reviews.parquet predicted.parquet")
def batch(
    model: Model,
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="File with rows: .csv, .tsv, .jsonl or .parquet.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, in any of these.", show_default=False)],
    variant: Variant = None,
    force: Annotated[bool, typer.Option(help="Replace OUT where it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict for every row of a file of any size. Goes on where it was when it is started again after a kill."""
    from burnish.artifact import Artifact
    from burnish.batch import batch as run
    from burnish.data.readers import TEXT
    from burnish.device import few_kernels_kept

    if Artifact.open(model, verify=False).inputs == TEXT:
        few_kernels_kept()
    found = run(model, source, out, variant, force=force, quiet=quiet(as_json), say=say)
    if as_json:
        print_json(found)
    else:
        print(found.in_words())
