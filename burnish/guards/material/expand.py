"""Templates and word lists to rows, the same for the same seed.

`{name}` is a value of a list, `(a|b|)` one of several, `{name:leet}` a value in disguise. Some templates, and some
values of the lists named under `apart`, are for dev rows alone, so that dev measures on sentences and deeds that
training has not seen.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from burnish.guards.material.disguise import DISGUISES, carelessly

Part = Literal["train", "dev"]
Classes = Mapping[str, Mapping[str, Sequence[str]]]

_SLOT = re.compile(r"\{([a-z_]+)(?::([a-z0-9]+))?\}")
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
_NO_SPACE = re.compile(r" +(?=[ ,?!]|\.(?!\w))")  # that an empty value leaves behind
TEMPLATES = 4  # one in so many is for dev alone
_VALUES = 6  # the same
_TRIES = 40  # draws of a row before a template counts as used up
_CARELESS = 0.35  # share of rows written without care


@dataclass(frozen=True)
class Sheet:
    """Material of a model: the values of word lists for train and for dev, and templates by class and group."""

    lists: Mapping[str, Mapping[Part, Sequence[str]]]
    classes: Classes


def parted(given: Sequence[str], one_in: int) -> dict[Part, Sequence[str]]:
    """Templates or values for train, and one in so many of them, at least one, for dev: chosen by their text alone."""
    ranked = sorted(given, key=lambda one: (zlib.crc32(one.encode()), one))
    dev = set(ranked[: max(1, len(ranked) // one_in)])
    return {"train": [one for one in given if one not in dev], "dev": [one for one in given if one in dev]}


@cache
def sheet(*names: str) -> Sheet:
    """The files of these names together; lists of one may be used in another."""
    lists: dict[str, list[str]] = {}
    apart: set[str] = set()
    classes: dict[str, Mapping[str, Sequence[str]]] = {}
    for name in names:
        text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        found = yaml.load(text, yaml.BaseLoader)  # all values are text: `no` is a syllable
        lists |= found.get("lists", {})
        apart |= set(found.get("apart", ()))
        for label, groups in found.get("classes", {}).items():
            classes[label] = {**classes.get(label, {}), **groups}
    values_of: dict[str, Mapping[Part, Sequence[str]]] = {
        name: parted(values, _VALUES) if name in apart else {"train": values, "dev": values}
        for name, values in lists.items()
    }
    return Sheet(values_of, classes)


def texts(given: Sheet, label: str, part: Part, count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Up to `count` different texts of a class, each with its group: groups take turns, and in each its templates.

    A template that gives nothing new any more drops out; there are fewer texts when all have.
    """
    draw = random.Random(f"{seed} {label} {part}")
    groups = given.classes[label].items()
    turns = [(name, list(own)) for name, templates in groups if (own := parted(templates, TEMPLATES)[part])]
    seen: set[str] = set()
    while turns:
        for turn in list(turns):
            name, group = turn
            template = group.pop(0)
            for _ in range(_TRIES):
                text = _NO_SPACE.sub("", fill(template, given, part, draw)).strip()
                if text and text not in seen:
                    seen.add(text)
                    group.append(template)
                    yield name, carelessly(text, draw) if draw.random() < _CARELESS else text
                    break
            if len(seen) >= count:
                return
            if not group:
                turns.remove(turn)


def fill(template: str, given: Sheet, part: Part, draw: random.Random) -> str:
    """One text of a template."""

    def value(found: re.Match[str]) -> str:
        name, disguise = found.groups()
        chosen = fill(draw.choice(given.lists[name][part]), given, part, draw)
        return DISGUISES[disguise](chosen, draw) if disguise else chosen

    chosen = template
    while _CHOICE.search(chosen):
        chosen = _CHOICE.sub(lambda found: draw.choice(found[1].split("|")), chosen)
    return _SLOT.sub(value, chosen)
