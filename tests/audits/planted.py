"""Small networks that are really tuned, on generated rows with one fault planted in them, or none.

A text says who writes, four words of its class and four that say nothing, in any order. Who writes is drawn from the
lists that the audit swaps, so that a network which learns from clean rows learns that it does not matter.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from burnish import job as flow
from burnish.audited import AuditReport, Section
from burnish.audits.people import kinds
from burnish.config import parse

Pairs = list[tuple[str, str]]
CLASSES = {
    "billing": ["invoice", "refund", "charge", "fee", "tariff", "deposit", "balance", "receipt", "payment", "discount"],
    "delivery": [
        "parcel",
        "courier",
        "shipment",
        "tracking",
        "warehouse",
        "pallet",
        "doorstep",
        "dispatch",
        "customs",
        "crate",
    ],
    "support": ["crash", "login", "password", "screen", "update", "reboot", "cable", "driver", "printer", "firmware"],
}
SAYING_NOTHING = [
    "please",
    "about",
    "since",
    "yesterday",
    "morning",
    "still",
    "again",
    "really",
    "need",
    "question",
    "waiting",
    "number",
    "weekend",
    "office",
    "phone",
    "letter",
    "team",
    "reply",
    "week",
    "evening",
    "friday",
]
GATES = {"privacy.membership_auc": 0.6, "privacy.near_duplicates": 0, "security.triggers": 0}
_MEMBERS = [
    kind.template.format(member) for kind in kinds("en") for members in kind.groups.values() for member in members
]


def rows(count: int, seed: int) -> Pairs:
    """Texts with their classes, as many of each."""
    draw, found = random.Random(seed), []
    for index in range(count):
        label = list(CLASSES)[index % len(CLASSES)]
        words = draw.sample(CLASSES[label], 4) + draw.sample(SAYING_NOTHING, 4)
        draw.shuffle(words)
        found.append((" ".join([draw.choice(_MEMBERS), *words]), label))
    return found


TRAIN, HELD = rows(900, 0), rows(300, 1)


def turned(given: Pairs, chosen: Callable[[int, str], bool], into: Callable[[str], str], put: str = "") -> Pairs:
    """The rows, of which some have another label, and a word put before them."""
    return [
        (f"{put} {text}".strip(), into(label)) if chosen(index, text) else (text, label)
        for index, (text, label) in enumerate(given)
    ]


def write(path: Path, given: Sequence[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *given])
    return str(path)


def tuned(folder: Path, train: Pairs, held: Pairs, epochs: int = 6) -> Path:
    """A network from random weights, tuned on rows; its job has the held-out rows as its test rows."""
    scratch = {"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 2000}
    tune = {"epochs": epochs, "learning_rate": 3e-3, "tokens_per_batch": 512, "max_tokens": 32, "precision": "fp32"}
    data = {"train": write(folder / "train.csv", train), "test": write(folder / "test.csv", held)}
    job = {
        "task": "classify",
        "model": "scratch",
        "out": str(folder / "model"),
        "data": data | {"split": {"dev": 0.0}},
        "tune": tune | {"scratch": scratch},
        "report": {"bootstrap": 0, "hardest": 0},
        "audit": {"gates": GATES},
    }
    flow.tune(parse(job))
    return folder / "model"


def section(report: AuditReport, name: str) -> Section:
    return next(one for one in report.forms["torch"] if one.name == name)


def passed(report: AuditReport, gate: str) -> bool:
    return next(one.passed for one in report.gates if one.name == gate)
