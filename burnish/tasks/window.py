"""A baseline for boxes: windows of one size a class, slid over an image, judged by a linear model of their colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.images import size
from burnish.data.rows import Row, Rows
from burnish.tasks.boxes import overlaps

_CELLS = 6  # a window is looked at in so many mean colours a side
_STEPS = 40  # windows along the longer side of an image
_MOST, _MISSES = 500, 40  # images that are learnt from, and windows beside things in each of them, a class
_GOOD = 0.5  # overlap from which on a window is on a thing

Guess = tuple[Row, NDArray[np.float32], NDArray[np.float32]]


def slid(labels: Sequence[str], train: Rows, rows: Iterable[Row], reader: Any) -> tuple[str, Iterator[Guess]]:
    """Name of the baseline, and for each row scores (places, classes) and boxes (places, classes, 4) as shares."""
    kept = train.select(np.unique(np.linspace(0, len(train) - 1, min(len(train), _MOST)).astype(int)))
    shapes = _shapes(labels, kept)
    models = _fitted(labels, shapes, kept, reader)

    def guesses() -> Iterator[Guess]:
        for row in rows:
            seen, windows = reader.array(row["image"]), _windows(shapes, reader.shape)
            numbers = [_numbers(seen, own) @ model[:-1] + model[-1] for own, model in zip(windows, models, strict=True)]
            yield row, np.clip(np.stack(numbers, -1), 0, 1).astype(np.float32), np.stack(windows, 1)

    note = f" of {len(kept):,} rows" if len(kept) < len(train) else ""
    return f"sliding window + ridge on colours{note}", guesses()


def _shares(row: Row) -> NDArray[np.float32]:
    """Corners of the boxes of a row as shares of the image."""
    width, height = size(row["image"])
    edges = [[box["xmin"], box["ymin"], box["xmax"], box["ymax"]] for box in row["boxes"] or ()]
    shares = np.array(edges, dtype=np.float64).reshape(-1, 4) / np.array([width, height, width, height], np.float64)
    return shares.astype(np.float32)


def _shapes(labels: Sequence[str], rows: Rows) -> NDArray[np.float32]:
    """Median width and height of each class, (classes, 2)."""
    sizes: dict[str, list[NDArray[np.float32]]] = {label: [np.array([0.1, 0.1], np.float32)] for label in labels}
    for row in rows:
        for box, edges in zip(row["boxes"] or (), _shares(row), strict=True):
            sizes[box["label"]].append(edges[2:] - edges[:2])
    return np.stack([np.median(own[1:] or own, axis=0) for own in sizes.values()]).astype(np.float32)


def _windows(shapes: NDArray[np.float32], seen: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Corners of the windows of each class, (places, 4), the same places for all."""
    height, width = seen
    step = max(seen) / _STEPS
    down = (np.arange(max(1, int(height / step))) + 0.5) * step / height
    along = (np.arange(max(1, int(width / step))) + 0.5) * step / width
    middles = np.stack(np.meshgrid(along, down), -1).reshape(-1, 2)
    every = [np.concatenate([middles - shape / 2, middles + shape / 2], -1) for shape in shapes]
    return [np.clip(one, 0, 1).astype(np.float32) for one in every]


def _numbers(seen: NDArray[np.uint8], windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean colours of the cells of windows, (windows, cells * cells * 3), by sums from the upper left corner."""
    height, width = seen.shape[:2]
    sums = np.zeros((height + 1, width + 1, 3))
    sums[1:, 1:] = seen.astype(np.float64).cumsum(0).cumsum(1)
    part = np.linspace(0, 1, _CELLS + 1)
    across = ((windows[:, :1] + part * (windows[:, 2:3] - windows[:, :1])) * width).round().astype(int)
    down = ((windows[:, 1:2] + part * (windows[:, 3:] - windows[:, 1:2])) * height).round().astype(int)
    at = sums[down[:, :, None], across[:, None, :]]
    of = at[:, 1:, 1:] - at[:, :-1, 1:] - at[:, 1:, :-1] + at[:, :-1, :-1]
    areas = np.diff(down, axis=1)[:, :, None] * np.diff(across, axis=1)[:, None, :]
    found: NDArray[np.float32] = (of / np.maximum(areas, 1)[..., None] / 255).reshape(len(windows), -1)
    return found.astype(np.float32)


def _fitted(labels: Sequence[str], shapes: NDArray[np.float32], rows: Rows, reader: Any) -> list[NDArray[np.float32]]:
    """Weights of each class, with the constant behind them."""
    from sklearn.linear_model import Ridge

    chance = np.random.default_rng(0)
    windows = _windows(shapes, reader.shape)
    given: list[list[NDArray[np.float32]]] = [[] for _ in labels]
    right: list[list[NDArray[np.bool_]]] = [[] for _ in labels]
    for row in rows:
        seen, edges = reader.array(row["image"]), _shares(row)
        for place, label in enumerate(labels):
            own = edges[[box["label"] == label for box in row["boxes"] or ()]]
            on = overlaps(windows[place], own).max(1, initial=0) >= _GOOD
            beside = chance.choice(np.flatnonzero(~on), min(_MISSES, int((~on).sum())), replace=False)
            chosen = np.concatenate([np.flatnonzero(on), beside])
            given[place].append(_numbers(seen, windows[place][chosen]))
            right[place].append(on[chosen])
    models = []
    for numbers, true in zip(given, right, strict=True):
        model = Ridge(alpha=10.0).fit(np.concatenate(numbers), np.concatenate(true).astype(np.float32))
        models.append(np.append(model.coef_, model.intercept_).astype(np.float32))
    return models
