"""The model card: what the folder holds, what it is for, how good it is and how to load it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from burnish.reporting import wording
from burnish.results import Evaluation, Finding, TuneReport

_PIPELINES = {
    "tag": "token-classification",
    "detect": "object-detection",
    "transcribe": "automatic-speech-recognition",
    "embed": "sentence-similarity",
}
_USES = {
    "classify": "sorting texts like those it was trained on into the classes below",
    "pair": "judging two texts together, as in the training rows",
    "score": "giving a number to texts like those it was trained on",
    "detect": "finding the things below in images like those it was trained on",
    "embed": "finding what belongs to a text like those it was trained on, by vectors that are near to each other",
    "tag": "marking entities in sentences like those it was trained on",
    "transcribe": "writing down what is said in recordings like those it was trained on",
}
_INPUTS = {
    "pair": '[("The first text.", "The second text.")]',
    "tag": '[["John", "lives", "in", "Berlin"]]',
}
_FILES = {  # class of transformers, example, and what prepares it, for rows that name a file
    "image": ("ImageClassification", '"path/to/an/image.jpg"', "AutoImageProcessor"),
    "video": ("VideoClassification", '"path/to/a/clip.mp4"', "AutoImageProcessor"),
    "audio": ("AudioClassification", '"path/to/a/sound.wav"', "AutoFeatureExtractor"),
}


_EMBEDDING = """With burnish; [first, second] in place of a text says whether two belong together:

```python
from burnish import Engine

engine = Engine.open("path/to/this/folder")
vectors = [one.embedding for one in engine.predict(["A text like those in the training rows."])]
```

With sentence-transformers, which gives the same vectors:

```python
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("path/to/this/folder").encode(["A text like those in the training rows."])
```"""


_TOWERS = """With burnish. Each kind of input also has a model of its own, in a folder of its name.

```python
from burnish import Engine

engine = Engine.open("path/to/this/folder")
vectors = [one.embedding for one in engine.predict([{"FIRST": ...}, {"SECOND": ...}])]
belongs_together = engine.predict([{"FIRST": ..., "SECOND": ...}])[0].probability
```"""


def model_card(report: TuneReport, languages: Sequence[str] = ()) -> str:
    """Write MODEL_CARD.md, with a YAML front matter that model hubs read.

    Args:
        languages: ISO codes such as `en`, where they are known; nothing is guessed.
    """
    what = "tuned" if report.trained_parameters else "taken over"
    parts = [
        "---\n" + yaml.safe_dump(_front_matter(report, languages), allow_unicode=True, sort_keys=False) + "---",
        f"# {_plain(report.base_model)}, {what} for {_plain(report.task)}",
        _headline(report),
        "## Intended use\n\n" + _intended_use(report),
        "## Data\n\n" + _data(report),
        *(["## Privacy\n\n" + _plain(wording.privacy_words(report))] if report.privacy else []),
        "## Results\n\n" + _results(report),
        "## How to load\n\n" + _loading(report),
        "## Limits\n\n" + _limits(report),
        "## Environment\n\n" + _table(("", ""), report.environment.items()),
    ]
    return wording.visible("\n\n".join(parts) + "\n")


def _front_matter(report: TuneReport, languages: Sequence[str]) -> dict[str, Any]:
    front: dict[str, Any] = {"license": "unknown"}
    if languages:
        front["language"] = list(languages)
    pipeline = _pipeline(report)
    return front | {
        "library_name": "transformers",
        **({"pipeline_tag": pipeline} if pipeline else {}),
        "tags": ["burnish", report.task],
        "metrics": wording.metrics_in_order(report.after),
    }


def _pipeline(report: TuneReport) -> str:
    """What model hubs call the task; empty for several kinds of input, which they have no name for."""
    if "+" in report.inputs:
        return ""
    if report.inputs == "table":
        return "tabular-regression" if report.task == "score" else "tabular-classification"
    return _PIPELINES.get(report.task, f"{report.inputs}-classification")


def _headline(report: TuneReport) -> str:
    if report.comparison:
        return _plain(wording.comparison_words(report.comparison))
    after = report.after
    return _plain(
        f"{after.metric} {wording.with_interval(after, after.metric)} on {after.split} ({after.rows:,} rows)."
    )


def _intended_use(report: TuneReport) -> str:
    labels = ", ".join(_code(label) for label in report.labels[:100])
    more = f" and {len(report.labels) - 100:,} more" if len(report.labels) > 100 else ""
    known = f"\n\nLabels ({len(report.labels):,}): {labels}{more}." if report.labels else ""
    other = "other languages, other kinds of text" if report.inputs == "text" else f"other kinds of {report.inputs}s"
    return (
        f"For {_USES.get(report.task, 'inputs like those it was trained on').replace('text', report.inputs)}. "
        f"Not meant for {other}, or decisions about people without review." + known
    )


def _data(report: TuneReport) -> str:
    rows = _table(("set", "rows"), ((name, f"{count:,}") for name, count in report.rows.items()))
    worth = [f for f in report.findings if f.verdict != "ok"]
    nothing = "" if report.privacy else "The data check found nothing worth a note."
    found = "\n".join(_finding(f) for f in worth) or nothing
    return f"{rows}\n\nFingerprint: {_code(report.fingerprint)}\n\n{found}".rstrip()


def _finding(finding: Finding) -> str:
    return f"- **{finding.verdict}** {_plain(finding.name)}: {_plain(finding.message)}"


def _results(report: TuneReport) -> str:
    after = report.after
    columns: dict[str, Evaluation] = report.before | {"tuned": after}
    rows = (
        (metric, *(wording.with_interval(e, metric) for e in columns.values()))
        for metric in wording.metrics_in_order(after)
    )
    parts = [
        f"On {_plain(after.split)}, {after.rows:,} rows; 95 % bootstrap confidence intervals in brackets. "
        + _plain(wording.chosen_words(report)),
        _table(("metric", *columns), rows),
    ]
    if report.further:
        lines = (
            (name, e.split, f"{e.rows:,}", f"{e.metric} {wording.with_interval(e, e.metric)}")
            for name, e in report.further.items()
        )
        parts.append(_table(("further evaluation", "rows of", "rows", "result"), lines))
    if report.transfer:
        parts.append(_plain(wording.transfer_words(report)))
    if report.calibration:
        parts.append(_plain(wording.calibration_words(report)))
    parts.append(_plain(wording.alone_words(report)))
    return "\n\n".join(parts)


def _loading(report: TuneReport) -> str:
    if report.task == "embed" and report.inputs == "text":
        return _EMBEDDING
    if report.task == "embed" and "+" in report.inputs:
        first, second = report.inputs.split("+")
        return _TOWERS.replace("FIRST", first).replace("SECOND", second)
    kind = "TokenClassification" if report.task == "tag" else "SequenceClassification"
    kind, _, reader = _FILES.get(report.inputs, (kind, "", "AutoTokenizer"))
    given = _INPUTS.get(report.task, "") if report.inputs == "text" else ""
    if "+" in report.inputs:
        given = ", ".join(f'"{one}": {_example(report, one)}' for one in report.inputs.split("+"))
        given = f"[{{{given}}}]"
    given = given or f"[{_example(report, report.inputs)}]"
    kind = {"detect": "ObjectDetection", "transcribe": "CTC"}.get(report.task, kind)
    name = "tokenizer" if report.inputs == "text" else "processor"
    plain = f"""With plain transformers:

```python
from transformers import AutoModelFor{kind}, {reader}

model = AutoModelFor{kind}.from_pretrained("path/to/this/folder")
{name} = {reader}.from_pretrained("path/to/this/folder")
```"""
    return f"""With burnish, which gives the scores of the column `tuned`:

```python
from burnish import Engine

engine = Engine.open("path/to/this/folder")
predictions = engine.predict({given})
```

{"Plain transformers does not know this network." if report.own else plain}"""


def _example(report: TuneReport, kind: str) -> str:
    """An input of a kind, as it is written in Python."""
    if kind != "table":
        return _FILES[kind][1] if kind in _FILES else '"A text like those in the training rows."'
    columns = report.job.get("data", {}).get("columns", {})
    cells = [
        (name, value) for part, value in (("number", "1.5"), ("category", '"..."')) for name in columns.get(part, ())
    ]
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in cells) + "}"


def _limits(report: TuneReport) -> str:
    limits = [
        "The licence of the base model and of the data is not known here: look it up before passing the model on.",
        "The scores hold for rows like the measured ones; on others they are likely to be lower.",
        "The model carries over what its base model and its data are biased towards; subgroups were not measured here.",
    ]
    longest = report.job.get("tune", {}).get("max_tokens")
    if longest and report.inputs == "text":
        where = " in training" if report.trained_parameters else ""
        limits.append(f"Inputs were cut at {longest} tokens{where}.")
    weak = [row for row in wording.split_averages(report.after.classes)[0] if row.support and row.f1 < 0.5]
    if weak:
        named = ", ".join(_code(row.label) for row in weak[:20])
        limits.append(f"F1 is below 0.5 for {len(weak)} of its classes: {named}.")
    return "\n".join(f"- {limit}" for limit in limits)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    first, rule, *rest = ("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)
    return "\n".join([first, rule, *rest])


def _plain(text: str) -> str:
    """Write text from data so that it stays text: no markup, no HTML, no second line."""
    text = " ".join(str(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\`*[]|" else c for c in text)


def _code(text: str) -> str:
    """Write text as code; the fence is longer than any run of backticks in it."""
    text = " ".join(str(text).split()).replace("|", "¦")
    fence = "`"
    while fence in text:
        fence += "`"
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{gap}{text}{gap}{fence}"
