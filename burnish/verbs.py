"""The smaller verbs: evaluate, compare, export, bench, compress, explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from burnish.artifact import Artifact
from burnish.compressed import CompressReport, Speed
from burnish.data.readers import TEXT, kind_of
from burnish.data.rows import Rows
from burnish.data.several import parts_of
from burnish.engine import Engine
from burnish.errors import InputError, nearest
from burnish.explained import Counterfactual, Examples, Explanation, Faithfulness, Overview
from burnish.predicting import job_for
from burnish.results import Comparison, Evaluation
from burnish.tasks import Task
from burnish.variant import TUNED, Variant, names

_TIMED = 1000  # rows that forms of a model are timed on


def evaluate(
    model: str | Path, data: str, say: Callable[[str], None] = lambda line: None, variant: str | None = None
) -> Evaluation:
    """Measure a model on the labelled rows of a file, read in the way its training file was.

    `say` is told of rows that are left out and of labels that are not known.

    Raises:
        InputError: when the model or the file cannot be read, or no row has a text and a label.
    """
    from burnish.training import evaluate as measuring

    engine = Engine.open(model, variant or TUNED)
    rows = _rows(model, data, say)
    _say_unknown(engine.task, rows, say)
    return measuring.evaluate(engine, rows, split=Path(data).name, bootstrap=1000)


def compare(
    first: str | Path, second: str | Path, data: str, say: Callable[[str], None] = lambda line: None
) -> Comparison:
    """Compare two tuned models of the same task on the same rows by paired bootstrap; arguments as for `evaluate`.

    Raises:
        InputError: as `evaluate` does, and when the two are of different tasks or the second reads what the first does
            not.
    """
    from burnish.training import evaluate as measuring

    engines = Engine.open(first, TUNED), Engine.open(second, TUNED)
    if engines[0].task.name != engines[1].task.name:
        raise InputError(f"'{first}' is for {engines[0].task.name}, '{second}' for {engines[1].task.name}")
    reads = [Artifact.open(one, verify=False).inputs for one in (first, second)]
    if not set(parts_of(reads[1]) or reads[1:]) <= set(parts_of(reads[0]) or reads[:1]):
        raise InputError(
            f"'{first}' reads {reads[0]}, and '{second}' reads {reads[1]}; the rows are read as for the first, which "
            "has to read all that the second does"
        )
    rows = _rows(first, data, say)
    for engine in engines[: 1 + (engines[0].task.labels != engines[1].task.labels)]:
        _say_unknown(engine.task, rows, say)
    task = engines[0].task
    before, after = (measuring.outcome(task, engine.stream(rows), rows).tallies for engine in engines)
    return measuring.compare(task, before, after, names=(str(first), str(second)))


def export(
    model: str | Path, to: str, data: str | None = None, say: Callable[[str], None] = lambda line: None
) -> Variant:
    """Write a model for the runtime `to` (onnx or openvino) as a variant in its folder.

    Args:
        data: file with rows, labelled or not, on which both have to agree; made-up ones when None.

    Raises:
        GateFailed: when they do not agree; nothing is then written.
        InputError: when the model or the file cannot be read, or there is no such runtime.
        MissingExtra: when the runtime is not installed.
    """
    from burnish.compression.export import TARGETS
    from burnish.compression.export import export as write
    from burnish.data.load import load_file

    target = next((one for one in TARGETS if one == to), None)
    if target is None:
        raise InputError(f"--to: '{to}' is no runtime; {nearest(to, TARGETS)}")
    rows = None if data is None else load_file(data, job_for(model, data), labelled=False)
    return write(model, target, rows, say)


def bench(model: str | Path, data: str, say: Callable[[str], None] = lambda line: None) -> dict[str, Speed]:
    """Time the tuned model and each of its variants on rows of a file, labelled or not, in turns.

    Raises:
        InputError: when the model, one of its variants or the file cannot be read.
    """
    from burnish.compression.measure import measure
    from burnish.data.load import load_file, readable
    from burnish.engine.run import unlabelled

    artifact = Artifact.open(model)
    folders: dict[str, Path | None] = {TUNED: None}
    folders |= {name: Variant.open(artifact, name).folder for name in names(artifact)}
    found = load_file(data, job_for(model, data), labelled=False)
    rows = list(islice(unlabelled(found if artifact.kinds else readable(found)), _TIMED))
    if not rows:
        raise InputError(f"'{data}' has no rows to predict")
    say(f"timing {', '.join(folders)} on {len(rows):,} rows")
    with TemporaryDirectory() as work:
        return measure(artifact.folder, folders, rows, Path(work))


def compress(
    model: str | Path,
    budget: str = "0.01",
    goal: str = "throughput",
    minutes: float = 60.0,
    train: str | None = None,
    quiet: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> CompressReport:
    """Search the cheapest form of a model within a budget on this machine; see `compression.compress`.

    Args:
        budget: what may be lost, `f1:0.01` or `0.01` of the model's own metric.
        goal: throughput, latency, size or energy.
        train: file with the training rows, when they are no longer where the model's job has them.

    Raises:
        InputError: for a budget or goal that is none, and when the model or its rows cannot be read.
    """
    from burnish.compression.compress import compress as search
    from burnish.config import Compress

    named, _, amount = budget.rpartition(":")
    try:
        value = float(amount)
    except ValueError:
        value = -1.0
    if not 0 <= value < inf:
        told = "write f1:0.01, or 0.01 for the model's own metric"
        raise InputError(f"--budget: '{budget}' is no amount that may be lost; {told}")
    goals = get_args(Compress.model_fields["goal"].annotation)
    if goal not in goals:
        raise InputError(f"--for: '{goal}' cannot be searched for; {nearest(goal, goals)}")
    options = Compress(goal=goal, metric=named or None, budget=value, minutes=minutes)
    return search(model, options, train=train, quiet=quiet, say=say)


def explain_text(
    model: str | Path,
    given: str | None,
    method: str | None = None,
    target: str | None = None,
    against: str | None = None,
    at: str | None = None,
    *,
    variant: str | None = None,
    edits: bool = False,
    examples: bool = False,
    train: str | None = None,
) -> tuple[Explanation, Faithfulness, Counterfactual | None, Examples | None]:
    """Explain what a model says of one text and measure the explanation; see `burnish.explain`.

    Args:
        given: the text; two with a tab between them for `pair`.
        at: for `tag`, `START:END`, the code points of the words to explain.
        edits, examples: also look for a change that turns the decision, where there is one, and for the training rows
            behind it.
        train: the file with the training rows, when it is no longer where the job has it.

    Raises:
        InputError: for what is missing or unknown, and when the training rows are wanted and gone.
    """
    from burnish.explanation.attribute import explained, scores_by
    from burnish.explanation.counterfactual import counterfactual, typical_words
    from burnish.explanation.examples import examples as behind
    from burnish.explanation.faithful import faithfulness, randomised, shuffled_twin
    from burnish.training.origin import training_rows

    if given is None:
        raise InputError("name a text to explain, or a file with --data")
    artifact = Artifact.open(model, verify=False)
    artifact.must_go_with("explain")
    if artifact.inputs != TEXT and (edits or examples):
        option = "--edits" if edits else "--examples"
        raise InputError(f"{option} works on models of texts so far, and '{model}' reads {artifact.inputs}s")
    engine = Engine.open(model, variant)
    row = engine.row(given.split("\t", 1) if "\t" in given and engine.task.name in ("pair", "score") else given)
    place = None if at is None else _place(at)
    one = explained(engine, row, target=target, against=against, at=place, method=method)
    scorer = scores_by(one.explanation.method)
    shuffled = randomised(engine, shuffled_twin(engine), one.piece, one.target, one.weights, scorer)
    quality = faithfulness(engine, one.piece, one.target, one.weights, shuffled)
    rows = training_rows(artifact, train) if examples or train else None
    change = None
    if edits and not one.explanation.unsaid:
        change = counterfactual(engine, row, one.explanation, typical_words(rows) if rows is not None else None)
    found = behind(engine, one.piece, one.target, rows) if examples and rows is not None else None
    return one.explanation, quality, change, found


def explain_file(
    model: str | Path,
    data: str,
    method: str | None = None,
    variant: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Overview:
    """Explain what a model says of the rows of a file, labelled or not, and add it up by label and word.

    Raises:
        InputError: when the model or the file cannot be read, or no row has a word.
    """
    from burnish.data.load import load_file
    from burnish.explanation.overview import overview

    Artifact.open(model, verify=False).must_go_with("explain")
    rows = load_file(data, job_for(model, data), labelled=False)
    return overview(Engine.open(model, variant), rows, method, say=say)


def _place(written: str) -> tuple[int, int]:
    start, _, end = written.partition(":")
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise InputError(f"--at: '{written}' is no place; write START:END in characters, such as 0:4")
    return int(start), int(end)


def _rows(model: str | Path, data: str, say: Callable[[str], None]) -> Rows:
    from burnish.data.load import load_file, usable

    job = job_for(model, data)
    rows = load_file(data, job)
    kept = usable(rows, job.task)
    if len(kept) < len(rows):
        lost, kind = len(rows) - len(kept), kind_of(rows.columns)
        lack = "lack a side" if job.task == "embed" else f"have no {kind} or no label"
        say(f"note: {lost:,} of {len(rows):,} rows {lack} and are left out")
    return kept


def _say_unknown(task: Task, rows: Rows, say: Callable[[str], None]) -> None:
    """Name labels that the model cannot give."""
    unknown: Counter[str] = Counter()
    affected = 0
    for row in rows:
        new = task.unknown(row)
        affected += bool(new)
        unknown.update(new)
    if unknown:
        named = ", ".join(f"'{label[:40]}' ({count:,})" for label, count in unknown.most_common(5))
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        say(
            f"note: {affected:,} of {len(rows):,} rows carry a label that the model never saw and cannot give: "
            f"{named}{more}; they count as wrong"
        )
