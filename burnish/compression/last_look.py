"""The last look of a search: both forms on rows that no step has looked at, and timed side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from burnish import variant
from burnish.artifact import Artifact
from burnish.compressed import CompressReport, Speed
from burnish.compression import parity
from burnish.compression.journal import Journal
from burnish.compression.measure import measure
from burnish.compression.search import Found
from burnish.compression.students import World, spread
from burnish.config import Compress
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.engine.run import unlabelled
from burnish.reporting.jsonable import as_json
from burnish.training import evaluate

_RESAMPLES = 1000  # of the bootstrap
_TIMED = 1000  # rows that the final timing is taken on


def judging(parts: Mapping[str, Rows]) -> str:
    """The part that judges at last: the one that the tuning has looked at least."""
    return next((name for name in ("test", "dev") if name in parts), "train")


def look(
    tuned: World, parts: dict[str, Rows], options: Compress, found: Found, folder: Path, journal: Journal, work: Path
) -> tuple[CompressReport, dict[str, Any]]:
    """Look at the rows that no step has looked at, with both forms: the report, and what the variant says of itself."""
    artifact, task, metric = tuned.artifact, tuned.task, str(options.metric)
    split = judging(parts)
    rows = parts[split]
    before, after = Engine.of(artifact), tuned.opened(found.form, folder)
    reached = [evaluate.outcome(task, engine.stream(rows), rows) for engine in (before, after)]
    evaluations = [evaluate.evaluation(task, one, split=split, bootstrap=_RESAMPLES) for one in reached]
    final = evaluate.compare(task, *(one.tallies for one in reached), names=("tuned", options.goal))
    agreed = parity.compare(task, tuned.encode(rows), before.runtime, after.runtime, tuned.pad_id)
    some = list(unlabelled(spread(rows, _TIMED)))
    speeds = measure(artifact.folder, {"tuned": None, "found": folder}, some, work)
    report = CompressReport(
        goal=options.goal,
        metric=metric,
        budget=options.budget,
        chosen=options.goal,
        form=str(found.form),
        shape=journal.steps()[f"written {found.shape or 'as it is'}"].value["shape"],
        judged=found.judged,
        lost_there=found.lost,
        by_name=not _fastest(artifact, options.goal, speeds),
        before=evaluations[0],
        after=evaluations[1],
        final=final,
        flips=len(agreed.flips),
        decisions=agreed.decisions,
        speeds=speeds,
        trials=found.trials,
        base=found.base,
        steps=_by_part(journal),
        rows={**found.rows, split: len(rows)},
        seconds=journal.spent(),
    )
    if not (report.kept and report.faster):
        report = replace(report, chosen=None)
    about = {
        "shape": report.shape,
        "parity": {**asdict(agreed), "rows_of": split},
        "compressed": {
            "goal": report.goal,
            "budget": {report.metric: report.budget},
            "epochs": found.epochs,
            "chosen": report.chosen is not None,
            "speedup": report.speedup,
            "final": as_json(final),
            "speeds": {name: asdict(speed) for name, speed in speeds.items()},
        },
    }
    return report, about


def _fastest(artifact: Artifact, goal: str, speeds: dict[str, Speed]) -> bool:
    """Whether the variant, once it is chosen, is the one that is opened where none is named."""
    others = {name: gain for name, gain in variant.gains(artifact).items() if name != goal}
    own = speeds["found"].rows_per_second / speeds["tuned"].rows_per_second
    return variant.fastest(others | {goal: own}) == goal


def _by_part(journal: Journal) -> dict[str, float]:
    """Seconds of the steps of a search, by what they were for."""
    named = {
        "form": "runtimes and precisions",
        "choice": "runtimes and precisions",
        "words": "runtimes and precisions",
        "cost": "timing layers",
        "pace": "timing layers",
        "lessons": "students of the stand-in",
        "learn": "students of the stand-in",
        "rung": "students of the stand-in",
        "stand-in": "stand-in",
        "written": "the variant itself",
    }
    found: dict[str, float] = {}
    for name, done in journal.steps().items():
        part = named.get(name.split(" ")[0], "")
        if part:
            found[part] = found.get(part, 0.0) + done.seconds
    return found
