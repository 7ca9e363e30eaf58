"""A temperature for the probabilities of a tuned classifier, fitted on dev and judged by rows that did not choose it;
and what dev rows look like, to tell later which texts belong to no class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.results import Calibration
from burnish.tasks.certainty import believed, certainty, ece, nll, scaled, temperature
from burnish.tasks.classify import Classify
from burnish.tasks.scope import energies, has_scope, usual
from burnish.tasks.score import Score

LEAST = 100  # rows; with fewer, halves of them say too little
MISTAKES = 10  # of the model on them; with none at all, the best temperature would be nought
_MOST = 20_000  # rows that are looked at


def calibrate(engine: Engine, parts: dict[str, Rows], seed: int = 0) -> Calibration | None:
    """Give the task of an engine the temperature that fits its dev rows, and how these look; None without classes of a
    text.

    It is given only where it lowers the negative log-likelihood of rows that did not choose it: of each half of dev, by
    the temperature of the other half. ECE and NLL before and after are told of the same.
    """
    task = engine.task
    if not isinstance(task, Classify) or isinstance(task, Score):
        return None
    if "dev" not in parts:
        return Calibration(missing="there are no dev rows to fit one on")
    rows = parts["dev"]
    if len(rows) > _MOST:
        rows = rows.select(np.linspace(0, len(rows) - 1, _MOST).astype(np.int64))
    said = list(engine.stream(rows))
    logs, truth = believed(task, said, rows)
    each = len(truth) // len(rows)  # decisions a row
    half = np.repeat(np.random.default_rng(seed).random(len(rows)) < 0.5, each)
    known = truth >= 0
    logs, truth, half = logs[known], truth[known], half[known]
    if has_scope(task) and known.sum() >= LEAST:
        task.usual = usual(energies(task, [one for one, belongs in zip(said, known, strict=True) if belongs]))
    count, mistakes = len(truth) // each, int((logs.argmax(-1) != truth).sum())
    if count < LEAST:
        return Calibration(rows=count, missing=f"dev has {count:,} rows, and {LEAST} are needed to fit one on")
    if mistakes < MISTAKES:
        return Calibration(
            rows=count, missing=f"the model errs {mistakes} times on dev, and {MISTAKES} mistakes are needed to fit one"
        )
    crossed = np.empty_like(logs)
    for own in (half, ~half):
        crossed[own] = scaled(logs[own], temperature(logs[~own], truth[~own]))
    found = Calibration(
        rows=count,
        ece_before=ece(*certainty(logs, truth)),
        ece=ece(*certainty(crossed, truth)),
        nll_before=nll(logs, truth),
        nll=nll(crossed, truth),
    )
    if found.nll >= found.nll_before:
        return replace(found, missing="one would make the probabilities of dev rows no better")
    task.temperature = temperature(logs, truth)
    return replace(found, temperature=task.temperature)
