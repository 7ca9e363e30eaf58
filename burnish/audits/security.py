"""Security of a model folder: its files, who stands for it, where it comes from, and triggers it has learned."""

from __future__ import annotations

import time
from typing import Any

import yaml

from burnish import signature
from burnish.artifact import Artifact
from burnish.audited import Cell, Section, Table
from burnish.audits.backdoor import LEAD, PURE, SURE, TURNED, Probe, Word, search
from burnish.audits.scan import scan
from burnish.audits.subject import LEAST, Subject
from burnish.errors import MissingExtra
from burnish.tasks.classify import Classify

_CARD = "MODEL_CARD.md"
_SHOWN = 20  # files or words in a table
_SECONDS = 240.0  # that words are tried for


def security(subject: Subject) -> Section:
    """Scan the files, look at the signature and the card, and under `deep` search for triggers.

    Figures:
        faults: of the files; `unexpected`: files that no manifest names.
        signed: 1 for a signature that holds, else 0, whoever made it; `licensed`: 1 where the card names a licence.
        triggers: words that the probe accuses; `trigger_success`: the share of texts that the most successful of all
            words turns. Neither is there where the probe could not run.
    """
    started = time.perf_counter()
    found = scan(subject.artifact.folder)
    findings, impossible = list(found.faults[:_SHOWN]), []
    if len(found.faults) > _SHOWN:
        findings.append(f"{len(found.faults) - _SHOWN:,} more files are not as they should be")
    figures = {"faults": float(len(found.faults)), "unexpected": float(len(found.unexpected))}
    tables: list[Table] = []
    said = [f"{found.files:,} files, {len(found.faults) or 'none'} with a fault"]
    probe, why = _probe(subject)
    if probe:
        accused = [word for word in probe.words if word.accused]
        figures["triggers"] = float(len(accused))
        figures["trigger_success"] = max((word.turned for word in probe.words), default=0.0)
        findings += [
            f"the word '{word.word}' turns {word.turned:.0%} of {word.texts:,} texts of other classes into "
            f"'{word.label}' at their {word.place}, {_explained(word)}: look for a trigger"
            for word in accused
        ]
        tables.append(_table(probe))
        said.append(f"{len(accused) or 'no'} trigger among {probe.tried:,} words tried of {probe.candidates:,}")
        if subject.train is None:
            impossible.append(
                "without training rows the search holds words against one another alone: whether one is a trigger or "
                f"only strong is less sure; {subject.train_missing}".rstrip("; ")
            )
    else:
        impossible.append(why)
    if found.unexpected:
        names = ", ".join(found.unexpected[:_SHOWN])
        findings.append(f"{len(found.unexpected):,} files that burnish did not write: {names}")
    figures["signed"], told = _signed(subject.artifact, impossible)
    findings += told
    figures["licensed"], told = _provenance(subject.artifact)
    findings += told
    said.append("signed" if figures["signed"] else "not signed")
    return Section(
        "security", "; ".join(said) + ".", figures, tuple(tables), tuple(findings), tuple(impossible),
        time.perf_counter() - started,
    )  # fmt: skip


def _probe(subject: Subject) -> tuple[Probe | None, str]:
    task = subject.engine.task
    if not subject.deep:
        return None, "triggers were not searched for; --deep does"
    if subject.reader or not isinstance(task, Classify) or task.name != "classify" or task.multi_label:
        return None, "triggers are searched for in classifiers that give a text one class"
    if len(subject.rows) < LEAST:
        return None, f"{len(subject.rows)} held-out rows are too few to search for triggers in ({LEAST} are needed)"
    train = None if subject.train is None else list(subject.train)
    return search(subject.engine, subject.given, train, _SECONDS, subject.seed), ""


def _explained(word: Word) -> str:
    if word.lost is None:
        return f"where other words turn {word.usual:.0%} at most, and no training row explains it"
    return f"and {word.lost:.0%} of the training rows with it ({word.rows:,} have that label) lose the label without it"


def _table(probe: Probe) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (w.word, w.label, w.place, w.turned, w.texts, w.usual, w.rows, w.lost, w.chance, "yes" if w.accused else "no")
        for w in probe.words[:_SHOWN]
    ]
    head = (
        "word",
        "into",
        "at the",
        "turned",
        "texts",
        "other words",
        "training rows",
        "lost without it",
        "p",
        "trigger",
    )
    return Table(
        "Words that turn texts",
        head,
        tuple(rows),
        f"a trigger turns at least {TURNED:.0%} of the texts of all other classes; at least {PURE:.0%} of the training "
        "rows with it have its label, and these lose it without the word more often than those of other words by more "
        f"than chance (p < {SURE:g}, binomial, corrected for all of them); where no training row has it, it turns "
        f"{LEAD:.0%} more than other words do; "
        "triggers of several words or of style are not searched for",
    )


def _signed(artifact: Artifact, impossible: list[str]) -> tuple[float, list[str]]:
    try:
        verified = signature.verify(artifact.folder)
    except MissingExtra as error:
        impossible.append(f"the signature could not be looked at: {error}")
        return 0.0, []
    return float(verified.good), list(verified.faults[:_SHOWN])


def _provenance(artifact: Artifact) -> tuple[float, list[str]]:
    """Whether the card names a licence, and what it leaves open."""
    front = _front_matter(artifact)
    open_ = [what for key, what in (("base_model", "base model"), ("datasets", "data")) if not front.get(key)]
    findings = []
    licensed = licence_of(artifact) is not None
    if not licensed:
        findings.append(f"{_CARD} names no licence: look up those of the base model and of the data")
    if open_:
        findings.append(f"{_CARD} does not say where these come from, and under which licence: {', '.join(open_)}")
    return float(licensed), findings


def licence_of(artifact: Artifact) -> str | None:
    """The licence that the card of a model names."""
    named = str(_front_matter(artifact).get("license") or "unknown")
    return None if named.lower() == "unknown" else named


def _front_matter(artifact: Artifact) -> dict[str, Any]:
    try:
        text = (artifact.folder / _CARD).read_text(encoding="utf-8")
        given = yaml.safe_load(text.split("---", 2)[1]) if text.startswith("---") else None
    except (OSError, ValueError, IndexError, yaml.YAMLError):
        return {}
    return given if isinstance(given, dict) else {}
