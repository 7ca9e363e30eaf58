"""The models of the default policy: how each is trained, and which checks it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from burnish.guards.material.sets import BUSINESS, HARD, PLAIN


@dataclass(frozen=True)
class Check:
    """A line of the policy.

    Attributes:
        labels: classes that count together.
        limits: the share of harmless rows that it may find, by kind of row.
        entry: the line, without model, classes and threshold.
    """

    labels: tuple[str, ...]
    limits: Mapping[str, float]
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained and used; without a `model` of its own it starts from the one that `init` is given."""

    task: str
    tune: Mapping[str, Any]
    checks: tuple[Check, ...]
    model: str = ""


def _attacks(language: str) -> tuple[Check, ...]:
    entry = {"check": "injection", "side": "input", "action": "block", "language": language}
    return (Check(("injection", "jailbreak"), {HARD: 0.03, BUSINESS: 0.004}, entry),)


def _harmful(language: str) -> tuple[Check, ...]:
    entry = {"check": "injection", "side": "input", "language": language}
    return (
        Check(("harmful",), {HARD: 0.04, BUSINESS: 0.004}, {**entry, "action": "block"}),
        Check(("harmful",), {HARD: 0.10, BUSINESS: 0.010}, {**entry, "action": "flag"}),
    )


_ENGLISH = {"freeze": "top:3", "metric": "macro_f1", "max_tokens": 128, "epochs": 2}
_CHARACTERS = {  # no encoder of Chinese comes with burnish
    "metric": "macro_f1",
    "max_tokens": 128,
    "learning_rate": 1e-3,
    "bigrams": True,
    "scratch": {"layers": 2, "hidden": 128, "heads": 4, "vocabulary": 6000},
}
_HELD = {  # an encoder of so few rows knows them by heart after two epochs else
    "head_learning_rate": 1e-3,
    "layer_decay": 1.0,
    "weight_decay": 0.1,
    "dropout": 0.3,
    "label_smoothing": 0.1,
    "average": 0.998,
}
_HARM = {"check": "harm", "side": "both"}

RECIPES = {
    "injection": Recipe("classify", {**_ENGLISH, "bigrams": True}, _attacks("any")),
    # The encoder as it is tells deeds from their likes better than one that has learnt the wording of templates.
    "harmful": Recipe("classify", {**_ENGLISH, "freeze": "head", "epochs": 1}, _harmful("any")),
    "harm": Recipe(
        "classify",
        {**_ENGLISH, "bigrams": True},
        (
            Check(("hate",), {HARD: 0.05, BUSINESS: 0.004}, {**_HARM, "action": "block", "language": "en"}),
            Check(("hate", "offensive"), {HARD: 0.08, BUSINESS: 0.004}, {**_HARM, "action": "flag", "language": "en"}),
        ),
    ),
    "personal": Recipe(
        "tag",
        {"epochs": 3, "learning_rate": 5e-4, "max_tokens": 128},
        (Check((), {}, {"check": "personal", "side": "both", "action": "redact"}),),
    ),
    "harm-zh": Recipe(
        "classify",
        {**_CHARACTERS, **_HELD, "epochs": 3},
        (Check(("offensive",), {PLAIN: 0.05}, {**_HARM, "action": "flag", "language": "zh"}),),
        "scratch",
    ),
    "injection-zh": Recipe("classify", {**_CHARACTERS, "epochs": 4}, (*_attacks("zh"), *_harmful("zh")), "scratch"),
}
