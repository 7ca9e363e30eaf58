"""Setting rows apart: stratified, at random, by group, by blocks or by time; the same seed gives the same sides."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

import numpy as np

from burnish.config import Split
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

Sides = dict[str, list[int]]
_BLOCKS = 60
_PARTS = 20  # blocks of a split: so few that hardly a row has a neighbour on another side
LabelOf = Callable[[Row], str | None]
_SEVERAL: dict[str, tuple[str, Callable[[Any], list[str]]]] = {  # by task: column, and the names in a cell of it
    "tag": ("tags", lambda tags: [tag[2:] for tag in tags if tag.startswith("B-")]),
    "detect": ("boxes", lambda boxes: [box["label"] for box in boxes]),
}


def split(rows: Rows, config: Split, seed: int, label_of: LabelOf) -> dict[str, Rows]:
    """Return train, and dev and test where their share is not 0: disjoint, complete, each with at least one row.

    Args:
        label_of: what the sides should have equal shares of, with `by: stratify`.

    Raises:
        InputError: with fewer rows (or groups) than sides, or rows without the value they are split by.
    """
    shares = {name: share for name, share in (("test", config.test), ("dev", config.dev)) if share}
    if not shares:
        return {"train": rows}
    if sum(shares.values()) >= 1:
        raise InputError("data.split: dev and test together must leave rows for train; their sum must be below 1")
    if len(rows) < len(shares) + 1:
        raise InputError(
            f"'{rows.source}' has {len(rows)} rows, too few to set {' and '.join(shares)} apart; "
            "give data.dev, or more rows"
        )
    goals = {name: max(1, round(len(rows) * share)) for name, share in shares.items()}
    while sum(goals.values()) >= len(rows):  # tiny sets: rounding up must not empty the training side
        goals[max(goals, key=lambda name: goals[name])] -= 1
    chance = random.Random(seed)
    note = ""
    if config.by in ("group", "block"):
        groups = _groups(rows) if config.by == "group" else _blocks(rows)
        if len(groups) <= len(goals):
            raise InputError(
                f"'{rows.source}' has {len(groups)} {config.by}s, too few to set {' and '.join(goals)} apart "
                f"by {config.by}"
            )
        sides = _whole(groups, goals, chance)
    elif config.by == "time":
        sides = _by_time(rows, goals)
    else:
        labels: list[str | None] = [None] * len(rows)
        if config.by == "stratify":
            known: dict[str | None, str | None] = {}  # one text for a label, not one for each row
            labels = [known.setdefault(label, label) for label in map(label_of, rows)]
        sides, note = _by_label(labels, goals, chance)
    taken = {index for side in sides.values() for index in side}
    sides["train"] = [index for index in range(len(rows)) if index not in taken]
    said = f"split: by {config.by}, seed {seed}, " + ", ".join(
        f"{name} {len(sides[name])}" for name in ("train", "dev", "test") if name in sides
    )
    notes = (*rows.notes, said, *([note] if note else []))
    return {
        name: replace(rows.select(sorted(sides[name])), notes=notes)
        for name in ("train", "dev", "test")
        if name in sides
    }


def in_blocks(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Set a share of the rows apart, in blocks of neighbours: sentences of one document name the same things, so that
    rows beside those of the other side are easier than rows to come. Returns the others, and that share.

    Raises:
        InputError: when there are not two rows.
    """
    if len(rows) < 2:
        raise InputError(f"'{rows.source}' has {len(rows)} row, too few to set some apart; give more rows")
    blocks = np.array_split(np.arange(len(rows)), min(max(_BLOCKS, ceil(2 / share)), len(rows)))
    chosen = np.random.default_rng(seed).permutation(len(blocks))[: max(1, round(share * len(blocks)))]
    apart = np.zeros(len(rows), dtype=bool)
    apart[np.concatenate([blocks[index] for index in chosen])] = True
    return rows.select(np.flatnonzero(~apart)), rows.select(np.flatnonzero(apart))


def strata(rows: Rows, task: str) -> LabelOf:
    """What `by: stratify` keeps equal shares of: the class, the first of several, or the rarest of what a row names."""
    if task in ("score", "transcribe", "embed"):  # hardly two rows have the same
        return lambda row: None
    if task not in _SEVERAL:
        return lambda row: (row["label"] or [None])[0] if isinstance(row["label"], list) else row["label"]
    column, named = _SEVERAL[task]
    counts: Counter[str] = Counter()
    for batch in rows.batches():
        for cell in batch[column]:
            counts.update(named(cell or ()))

    def rarest(row: Row) -> str | None:
        return min(set(named(row[column] or ())), key=lambda t: (counts[t], t), default=None)

    return rarest


def _by_label(labels: Sequence[str | None], goals: dict[str, int], chance: random.Random) -> tuple[Sides, str]:
    """Sample at equal distances from the rows sorted by class: every class gives its share, give or take one."""
    classes: dict[str | None, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        classes[label].append(index)
    pool: list[int] = []
    for label in sorted(classes, key=str):
        chance.shuffle(classes[label])
        pool += classes[label][1:]  # one row of each class always stays in train
    single = sum(len(members) == 1 for members in classes.values())
    note = f"{single} classes have a single row, which stays in train" if single > 1 else ""
    if single == 1:
        note = "1 class has a single row, which stays in train"
    wanted = sum(goals.values())
    if wanted > len(pool):
        pool = list(range(len(labels)))
        chance.shuffle(pool)
        note = "too few rows a class to stratify: split at random"
    picked = _spread(pool, wanted, chance)
    first, *rest = goals
    sides = {first: _spread(picked, goals[first], chance)}
    taken = set(sides[first])
    return sides | {name: [index for index in picked if index not in taken] for name in rest}, note


def _spread(pool: Sequence[int], count: int, chance: random.Random) -> list[int]:
    """Pick `count` members of the pool at equal distances from a random beginning."""
    start = chance.random()
    return [pool[int((n + start) * len(pool) / count)] for n in range(count)]


def _groups(rows: Rows) -> list[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for index, value in enumerate(_column(rows, "group")):
        found[f"={value}" if value is not None else f"row {index}"].append(index)  # no group: a group of its own
    return [found[name] for name in sorted(found)]


def _blocks(rows: Rows) -> list[list[int]]:
    """Neighbours in time, or in the order of the file where no column tells the time."""
    order = _in_time(rows) if "time" in rows.columns else range(len(rows))
    return [[int(index) for index in block] for block in np.array_split(np.array(order), min(_PARTS, len(rows)))]


def _whole(groups: list[list[int]], goals: dict[str, int], chance: random.Random) -> Sides:
    """Fill each side with whole groups in random order, passing over those that are too big for it."""
    chance.shuffle(groups)
    sides: Sides = {}
    for position, (name, goal) in enumerate(goals.items()):
        side: list[int] = []
        must_stay = len(goals) - position  # one group for each side still to come, and train
        for group in list(groups):
            if len(groups) > must_stay and len(side) + len(group) <= goal:
                side += group
                groups.remove(group)
        if not side:
            smallest = min(groups, key=len)
            side += smallest
            groups.remove(smallest)
        sides[name] = side
    return sides


def _by_time(rows: Rows, goals: dict[str, int]) -> Sides:
    """The last rows are the test rows, those before them the dev rows."""
    order, sides = _in_time(rows), Sides()
    for name, goal in goals.items():
        sides[name], order = order[-goal:], order[:-goal]
    return sides


def _in_time(rows: Rows) -> list[int]:
    values = _column(rows, "time")
    try:
        moments = [float(v or "") for v in values]
    except ValueError:
        moments = [_moment(v, rows, index) for index, v in enumerate(values)]
    return sorted(range(len(rows)), key=moments.__getitem__)


def _moment(value: str | None, rows: Rows, index: int) -> float:
    try:
        moment = datetime.fromisoformat(value or "")
    except ValueError:
        raise InputError(
            f"{rows.where(index)}: the time {value!r} is neither a number nor a date such as 2026-11-24 or "
            "2026-11-24T09:30:00; data.split.by: time or block needs one in every row"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _column(rows: Rows, part: str) -> list[str | None]:
    if part not in rows.columns:
        raise InputError(f"data.split.by: {part} needs data.columns.{part}: the name of the column")
    return [value for batch in rows.batches() for value in batch[part]]
