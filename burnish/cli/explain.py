"""The verb that says why: for one text, or over the rows of a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from burnish.cli.terminal import AsJson, Model, Variant, console, must_have_a_folder, print_json, say, write

app = typer.Typer()


@app.command(epilog='Example: burnish explain runs/model "the film was not good" --html why.html')
def explain(
    model: Model,
    text: Annotated[
        str | None, typer.Argument(help="The text; for pair two, separated by a tab.", show_default=False)
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="occlusion, shapley, gradients or rollout.", show_default="by what was measured")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Label to explain; what the model says when unset.", show_default=False)
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Label to hold it against: why the one and not the other.", show_default=False)
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Characters START:END of the words to explain, for tag.", show_default=False)
    ] = None,
    edits: Annotated[
        bool, typer.Option("--edits", help="Also look for a small change that turns the decision.")
    ] = False,
    examples: Annotated[bool, typer.Option("--examples", help="Also show the training rows behind it.")] = False,
    train: Annotated[
        str | None, typer.Option(help="File with the training rows, if they have moved.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="In place of a text: a file, for the words of each label.", show_default=False)
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page here.", show_default=False)] = None,
    variant: Variant = None,
    as_json: AsJson = False,
) -> None:
    """Show which words made a model say what it says, and how far that can be trusted."""
    from burnish import verbs
    from burnish.reporting import explain as pages

    must_have_a_folder(html)
    if data is not None:
        alone: dict[str, object] = {"the text": text, "--target": target, "--against": against, "--at": at}
        alone |= {"--edits": edits or None, "--examples": examples or None, "--train": train}
        if given := [name for name, value in alone.items() if value is not None]:
            from burnish.errors import InputError

            raise InputError(
                f"--data: {', '.join(given)} goes with one text, not with the rows of a file; leave one out"
            )
        overview = verbs.explain_file(model, data, method, variant, say)
        if html is not None:
            write(html, pages.overview_html(overview))
        if as_json:
            print_json(asdict(overview))
        else:
            pages.print_overview(overview, console())
        return
    found = verbs.explain_text(
        model, text, method, target, against, at, variant=variant, edits=edits, examples=examples, train=train
    )
    if edits and found[0].unsaid:
        say("note: no label is given, so that --edits has nothing to turn")
    if html is not None:
        write(html, pages.explain_html(*found))
    if as_json:
        explanation, *others = found
        more = dict(zip(("faithfulness", "counterfactual", "examples"), others, strict=True))
        print_json(asdict(explanation) | {name: asdict(one) for name, one in more.items() if one is not None})
    else:
        pages.print_explanation(console(), *found)
