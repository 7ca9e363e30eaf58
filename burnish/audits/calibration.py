"""Whether 0.8 is right four times of five, what a temperature would bring, and what may be decided alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from burnish.audited import Section, Table
from burnish.audits.subject import LEAST, Subject
from burnish.data.features import Batch
from burnish.engine.run import answers
from burnish.tasks import Task
from burnish.tasks.certainty import BINS, Floats, believed, certainty, ece, nll, scaled, temperature
from burnish.tasks.classify import Classify
from burnish.tasks.score import Score
from burnish.tasks.tag import Tag

RELIABILITY = "Reliability"
_RISKS = (0.01, 0.02, 0.05, 0.1)
_HALVES = 17  # a stream of its own, so that the halves have nothing to do with other draws
_SHARE = 0.1  # of the time


@dataclass(frozen=True)
class Beliefs:
    """Log-probabilities of decisions (n, labels) and the index of the right label, -1 for one the model does not have.

    `what` says what the decisions are; `claims` are those that calibration is measured on.
    """

    logs: Floats
    truth: NDArray[np.int64]
    claims: NDArray[np.bool_]
    what: str


def calibration(subject: Subject) -> Section:
    """Expected calibration error, Brier score, a temperature, and coverage at a stated risk."""
    if isinstance(subject.engine.task, Score):
        return _errors(subject)
    given = beliefs(subject)
    if isinstance(given, str):
        return Section("calibration", "not measured", impossible=(given,))
    if given.claims.sum() < LEAST:
        few = f"calibration: only {given.claims.sum()} {given.what}, and {LEAST} are needed"
        return Section("calibration", "not measured", impossible=(few,))
    sure, right = certainty(given.logs[given.claims], given.truth[given.claims])
    figures = {"ece": ece(sure, right), "brier": brier(given.logs[given.claims], given.truth[given.claims])}
    figures["confidence"], figures["accuracy"] = float(sure.mean()), float(right.mean())
    half = np.random.default_rng((subject.seed, _HALVES)).random(len(given.truth)) < 0.5
    warmth = temperature(given.logs[half], given.truth[half])
    other = ~half & given.claims
    own = getattr(subject.engine.task, "temperature", 1.0)
    if other.sum() >= LEAST:
        figures["temperature"] = own * warmth
        for name, by in (("half", 1.0), ("scaled", warmth)):
            figures[f"ece_{name}"] = ece(*certainty(scaled(given.logs[other], by), given.truth[other]))
            figures[f"nll_{name}"] = nll(scaled(given.logs[other], by), given.truth[other])
    coverages = [(risk, coverage(sure, right, risk)) for risk in _RISKS]
    if own != 1.0:
        without = scaled(given.logs, 1 / own)
        figures["ece_without"] = ece(*certainty(without[given.claims], given.truth[given.claims]))
        figures["nll_without"], figures["nll"] = nll(without, given.truth), nll(given.logs, given.truth)
    figures["coverage_5"] = dict(coverages)[0.05]
    way = "over" if figures["confidence"] > figures["accuracy"] else "under"
    findings = []
    if figures["ece"] > 0.05:
        said = (
            f"the model is {way}confident: {figures['confidence']:.3f} on average, and right {figures['accuracy']:.3f}"
        )
        findings.append(said)
    tables = [
        Table(
            RELIABILITY,
            ("said", "right", "decisions"),
            tuple(reliability(sure, right)),
            f"{BINS} bins with as many of the {len(sure):,} {given.what} each",
        ),
        Table(
            "Coverage at a risk",
            ("risk", "coverage"),
            tuple(coverages),
            "share of decisions, the surest first, that may be taken alone with at most this share of mistakes",
        ),
    ]
    if "temperature" in figures:
        rows = (
            ("as it is", own, figures["ece_half"], figures["nll_half"]),
            ("with another temperature", figures["temperature"], figures["ece_scaled"], figures["nll_scaled"]),
        )
        note = "fitted on one half of the rows, measured on the other; nothing is changed in the model"
        tables.append(Table("What another temperature would bring", ("", "temperature", "ECE", "NLL"), rows, note))
    if own != 1.0:
        rows = (
            ("without", 1.0, figures["ece_without"], figures["nll_without"]),
            ("with it", own, figures["ece"], figures["nll"]),
        )
        note = "fitted on dev when the model was tuned; all rows"
        tables.append(Table("What the model's own temperature brings", ("", "temperature", "ECE", "NLL"), rows, note))
    summary = f"ECE {figures['ece']:.3f}, Brier {figures['brier']:.3f} over {len(sure):,} {given.what}"
    return Section("calibration", summary, figures, tuple(tables), tuple(findings))


def beliefs(subject: Subject) -> Beliefs | str:
    """What the model holds probable of each decision; or why that is not known."""
    task = subject.engine.task
    if isinstance(task, Tag):
        return (
            "calibration of a model with a CRF: it gives no distribution of each word" if task.crf else _words(subject)
        )
    assert isinstance(task, Classify)
    logs, truth = believed(task, subject.predictions, subject.given)
    what = "yes or no to a label" if task.multi_label else "decisions"
    return Beliefs(logs, truth, np.ones(len(truth), bool), what)


def _words(subject: Subject) -> Beliefs:
    """Words of sampled rows; what is claimed is that a word is in an entity."""
    engine = subject.engine
    rows = [subject.given[i] for i in subject.sample(subject.affordable(_SHARE, 1))]
    features = engine.encode(rows)
    raw = answers(engine.runtime, cast(Task, _Logits()), features, pad_id=engine.pad_id)
    ids = {label: index for index, label in enumerate(engine.task.labels)}
    logs, truth = [], []
    for owner, (words, logits) in zip(features.row, raw, strict=True):
        tags = rows[int(owner)]["tags"]
        inside = words < len(tags)
        logs.append(logits[inside])
        truth += [ids.get(tags[word], -1) for word in words[inside]]
    all_logs = scaled(np.concatenate(logs).astype(np.float64), 1.0)
    claims = all_logs.argmax(1) != ids["O"]
    return Beliefs(all_logs, np.array(truth), claims, "words said to be in an entity")


class _Logits:
    """Decodes a batch to the logits of its words; takes the place of a task in the one prediction loop."""

    def decode(self, logits: Any, batch: Batch) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        words, values = batch["words"].cpu().numpy(), logits.float().cpu().numpy()
        return [(row[row >= 0], own[row >= 0]) for row, own in zip(words, values, strict=True)]


def reliability(sure: Floats, right: NDArray[np.bool_], bins: int = BINS) -> list[tuple[float, float, int]]:
    """Mean probability, share that is right, and count of each bin."""
    parts = np.array_split(np.argsort(sure, kind="stable"), min(bins, len(sure)))
    return [(float(sure[part].mean()), float(right[part].mean()), len(part)) for part in parts]


def brier(logs: Floats, truth: NDArray[np.int64]) -> float:
    """Mean squared distance of the distribution from the truth, from 0 to 2 (Brier 1950)."""
    distance = np.exp(logs)
    known = truth >= 0
    distance[known, truth[known]] -= 1
    return float((distance**2).sum(1).mean() + (~known).mean())


def coverage(sure: Floats, right: NDArray[np.bool_], risk: float) -> float:
    """Largest share of decisions, the surest first, with at most `risk` of them wrong (El-Yaniv and Wiener 2010)."""
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    ends = np.append(sure[order][1:] < sure[order][:-1], True)  # equally sure ones go together
    kept = np.flatnonzero((wrong <= risk) & ends)
    return float((kept[-1] + 1) / len(order)) if len(kept) else 0.0


def _errors(subject: Subject) -> Section:
    """Quantiles of the error of a number, in the units of the labels."""
    errors = np.array([one.value - row["label"] for one, row in zip(subject.predictions, subject.given, strict=True)])
    shares = (0.5, 0.8, 0.9, 0.95, 0.99)
    quantiles = [float(np.quantile(np.abs(errors), share)) for share in shares]
    figures = {"bias": float(errors.mean()), "error_50": quantiles[0], "error_95": quantiles[3]}
    table = Table("Errors", ("share of rows", "error at most"), tuple(zip(shares, quantiles, strict=True)))
    return Section("calibration", f"half of the numbers are within {quantiles[0]:.3g} of the label", figures, (table,))
