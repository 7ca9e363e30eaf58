"""`burnish guard init`: train the models of a default policy, offline, and write the policy that uses them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from burnish import artifact as artifacts
from burnish import job as flow
from burnish.artifact import MANIFEST, Artifact
from burnish.config import parse
from burnish.engine import Engine
from burnish.errors import InputError, nearest
from burnish.guards.classified import judge, of, read
from burnish.guards.material.sets import Row, rows_of
from burnish.guards.policy import WINDOW
from burnish.guards.recipes import RECIPES, Check, Recipe
from burnish.guards.threshold import Point, point, spans_point
from burnish.variant import TUNED

Say = Callable[[str], None]
POLICY = "policy.yaml"
_HEAD = "\n## As a guard\n\n"  # of the last part of a model's card


@dataclass(frozen=True)
class Made:
    """A model of the policy, its measured checks in the order of its recipe, and the seconds it took (0: kept)."""

    name: str
    folder: Path
    points: tuple[Point, ...]
    seconds: float


def init(
    folder: str | Path,
    data: str | Path | None = None,
    base: str = "minilm",
    share: float = 1.0,
    models: Sequence[str] = tuple(RECIPES),
    held_out: bool = False,
    quiet: bool = True,
    say: Say = lambda line: None,
) -> tuple[Made, ...]:
    """Train the models of a default policy, choose their thresholds on dev rows, and write `policy.yaml`.

    Models that an earlier call has finished from the same rows are kept, and a training that was killed goes on. The
    policy is written last, in one step.

    Args:
        data: folder of public sets to learn from beside the material; `harm-zh` needs it and is left out without.
        base: the encoder of the English models, as in a job's `model`.
        share: of the rows of each model; a smaller one is for a first look.
        held_out: leave the test rows of the public sets out, so that they can measure what the models are worth.

    Raises:
        InputError: when the data folder is none or there is no such model, or as `job.tune` does.
    """
    place, public = Path(folder), None if data is None else Path(data)
    if unknown := [name for name in models if name not in RECIPES]:
        raise InputError(f"'{unknown[0]}' is no model of the default policy; {nearest(unknown[0], RECIPES)}")
    if public and not public.is_dir():
        raise InputError(f"'{public}' is no folder of public sets")
    made = []
    for name in models:
        rows = rows_of(name, public, share, held_out)
        if not rows["train"]:
            say(f"{name}: no rows to learn from; give a folder of public sets with --data")
            continue
        made.append(_model(name, place, rows, base, quiet, say))
    _write(place / POLICY, _policy(made))
    return tuple(made)


def _model(name: str, place: Path, rows: Mapping[Any, Sequence[Row]], base: str, quiet: bool, say: Say) -> Made:
    recipe, folder = RECIPES[name], place / "models" / name
    files = {part: place / "rows" / f"{name}.{part}.jsonl" for part in ("train", "dev")}
    for part, file in files.items():
        _write(file, "".join(_line(row, recipe.task) for row in rows[part]))
    document = {
        "task": recipe.task,
        "model": recipe.model or base,
        "out": str(folder),
        "data": {part: str(file) for part, file in files.items()},
        "tune": dict(recipe.tune),
        "report": {"bootstrap": 200},
    }
    origin = _origin(document, files.values())
    known = _known(folder, origin)
    if known.get("checks") == _asked(recipe):
        say(f"{name}: kept, as it was trained from the same rows")
        return Made(name, folder, tuple(Point(**one) for one in known["points"]), 0.0)
    started = time.perf_counter()
    if known:
        say(f"{name}: kept, as it was trained from the same rows; other checks are measured")
    else:
        say(f"{name}: {len(rows['train']):,} rows to learn from, {len(rows['dev']):,} to choose on")
        flow.tune(parse(document), quiet=quiet, say=say)
    points = measure(name, Engine.open(folder, TUNED), rows["dev"])
    seconds = time.perf_counter() - started
    _keep(folder, name, points, origin, seconds)
    for check, found in zip(recipe.checks, points, strict=True):
        say(f"{name}: {_words(check, found)}")
    return Made(name, folder, points, seconds)


def measure(name: str, engine: Engine, rows: Sequence[Row]) -> tuple[Point, ...]:
    """The operating point of each check of a model, chosen on these rows, read as a guard reads them."""
    texts = [row.text for row in rows]
    if engine.task.name == "tag":
        pairs = zip(engine.predict(texts), rows, strict=True)
        return (
            spans_point(
                (
                    [(one.start, one.end, one.label) for one in found.entities],
                    [(span["start"], span["end"], span["label"]) for span in row.spans],
                )
                for found, row in pairs
            ),
        )
    kinds, reading = [row.kind for row in rows], read(engine, texts, WINDOW)
    groups = [f"{row.label}: {row.group}" if row.group else "" for row in rows]
    return tuple(
        point(
            [one.score for one in judge(reading, of(check.labels))],
            [row.label in check.labels for row in rows],
            kinds,
            check.limits,
            groups,
        )
        for check in RECIPES[name].checks
    )


def _line(row: Row, task: str) -> str:
    content = {"spans": [dict(span) for span in row.spans]} if task == "tag" else {"label": row.label}
    return json.dumps({"text": row.text, **content}, ensure_ascii=False) + "\n"


def _origin(document: Mapping[str, Any], files: Any) -> str:
    """What a finished model must have come from to be kept, as a SHA-256."""
    about = {key: document[key] for key in ("task", "model", "tune")}
    parts = [json.dumps(about, sort_keys=True), *(artifacts.sha256(file) for file in files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _known(folder: Path, origin: str) -> dict[str, Any]:
    """What is kept of a model that was finished from there; nothing when there is none."""
    if not (folder / MANIFEST).is_file():
        return {}
    guard: dict[str, Any] = Artifact.open(folder).manifest.get("guard", {})
    return guard if guard.get("origin") == origin else {}


def _asked(recipe: Recipe) -> list[Any]:
    """What thresholds follow from, as it is in JSON."""
    return [[list(check.labels), dict(check.limits)] for check in recipe.checks]


def _keep(folder: Path, name: str, points: Sequence[Point], origin: str, seconds: float) -> None:
    """Put the points into the model's manifest and card, in one step as a model is saved."""
    artifact = Artifact.open(folder)
    lines = [f"- {_words(check, found)}" for check, found in zip(RECIPES[name].checks, points, strict=True)]

    def write(fresh: Path) -> None:
        for file in artifact.manifest["files"]:
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / file, fresh / file)
        place = fresh / "MODEL_CARD.md"
        told = _HEAD + "On dev, on which the thresholds were chosen:\n\n" + "\n".join(lines) + "\n"
        card = place.read_text(encoding="utf-8").split(_HEAD)[0]
        place.write_text(card + told + _table(RECIPES[name].checks, points), encoding="utf-8")

    manifest = {key: value for key, value in artifact.manifest.items() if key not in ("files", "format")}
    found = [asdict(one) for one in points]
    guard = {"origin": origin, "checks": _asked(RECIPES[name]), "points": found, "seconds": seconds}
    artifacts.save(folder, write, manifest | {"guard": guard})


def _words(check: Check, found: Point) -> str:
    false = ", ".join(f"{share:.1%} of {kind} rows" for kind, share in found.false_positives.items())
    what = " or ".join(check.labels) or "personal data"
    return (
        f"{what} from {found.threshold:.4f} on: recall {found.recall:.3f}, precision {found.precision:.3f}, "
        f"false positives {false or 'not measured'} ({found.rows:,} rows)"
    )


def _table(checks: Sequence[Check], points: Sequence[Point]) -> str:
    """Markdown: what the rows of the material do, and in how many of them each check finds something."""
    names = dict.fromkeys(name for found in points for name in found.groups)
    if not names:
        return ""
    head = ["what the text does", *(f"{' or '.join(check.labels)} found" for check in checks)]
    rows = [[name, *(f"{found.groups[name]:.0%}" for found in points)] for name in sorted(names)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _policy(made: Sequence[Made]) -> str:
    checks: list[dict[str, Any]] = [{"check": "secrets", "side": "both", "action": "redact"}]
    notes = []
    for model in made:
        for check, found in zip(RECIPES[model.name].checks, model.points, strict=True):
            entry = {**check.entry, "model": f"models/{model.name}"}
            if check.labels:
                entry |= {"label": list(check.labels), "threshold": found.threshold}
            checks.append(entry)
            notes.append(f"# {model.name}: {_words(check, found)}\n")
    head = "# Measured on the dev rows on which the thresholds were chosen; see the card of each model.\n"
    return head + "".join(notes) + yaml.safe_dump({"checks": checks}, sort_keys=False, allow_unicode=True)


def _write(path: Path, text: str) -> None:
    """Write a file in one step.

    Raises:
        InputError: when the disk does not take it.
    """
    fresh = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        raise artifacts.disk_error(error, path) from None
