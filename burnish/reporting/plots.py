"""The pictures of the report, as inline SVG: bars, learning curve, latency by length, confusion."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup

from burnish.compressed import Trial
from burnish.metrics import LOWER_IS_BETTER
from burnish.reporting import wording
from burnish.reporting.svg import Scale, axes, dot, element, fit, line, picture, polyline, text, text_width
from burnish.results import Interval

Matrix = Sequence[Sequence[int]]
LARGEST_CONFUSION = 25
WIDTH, HEIGHT = 460.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 14.0, 30.0, 46.0


def bars(rows: Sequence[tuple[str, float, Interval | None]], metric: str, of: str = "model") -> Markup:
    """Draw one bar a model with its confidence interval; the last one, the tuned model, stands out.

    Args:
        rows: name, value of the metric and its interval, if there is one; values that are not finite are left out.
        of: what there is a bar for, where it is no model.
    """
    rows = [row for row in rows if math.isfinite(row[1])]
    if not rows:
        return Markup("")
    width, pitch, value_width = 944.0, 38.0, 64.0
    left = min(max(text_width(name) for name, _, _ in rows), 240.0) + 16
    ends = [0.0, *(v for _, v, _ in rows), *(e for _, _, i in rows if i for e in (i.low, i.high))]
    within_one = max(ends) <= 1.0 and min(ends) >= 0.0
    x = Scale.over([0.0, 1.0] if within_one else ends, left, width - value_width)
    bottom = len(rows) * pitch + 8
    parts = [line(x(t), 4, x(t), bottom, "grid") for t in x.ticks()]
    parts += [text(x(t), bottom + 16, f"{t:,.4g}", class_="tick", text_anchor="middle") for t in x.ticks()]
    for index, (name, value, around) in enumerate(rows):
        middle = index * pitch + pitch / 2 + 4
        kind = "bar main" if index == len(rows) - 1 else "bar"
        start, end = sorted((x(0.0), x(value)))
        parts.append(text(left - 10, middle + 4, fit(name, left - 14), text_anchor="end"))
        parts.append(element("rect", x=start, y=middle - 11, width=end - start, height=22.0, rx=3.0, class_=kind))
        if around:
            low, high = x(around.low), x(around.high)
            parts.append(line(low, middle, high, middle, "whisker"))
            parts += [line(edge, middle - 5, edge, middle + 5, "whisker") for edge in (low, high)]
        beyond = max(end, x(around.high)) if around else end
        parts.append(text(beyond + 8, middle + 4, wording.number(value), class_="value"))
    said = ", ".join(f"{name} {wording.number(value)}" for name, value, _ in rows)
    return picture(width, bottom + 24, f"{metric} by {of}: {said}", *parts)


def curve(points: Sequence[tuple[int, float]], name: str, best: bool = False) -> Markup:
    """Draw a value over training steps; with `best`, mark each measurement and name the best one.

    Points that are not finite are left out; long series are drawn as the mean of neighbours.
    """
    points = [(step, value) for step, value in points if math.isfinite(value)]
    if not points:
        return Markup("")
    drawn = points if best else _thinned(points, 200)
    x = Scale.over([0.0, *(float(s) for s, _ in points)], LEFT, WIDTH - RIGHT)
    y = Scale.over([v for _, v in drawn], HEIGHT - BOTTOM, TOP, margin=0.06)
    placed = [(x(step), y(value)) for step, value in drawn]
    parts = [axes(x, y, "step", name), polyline(placed, "trace main")]
    if best or len(placed) == 1:
        parts += [dot(a, b, 3, "point main") for a, b in placed]
    said = f"{name} over {points[-1][0]:,} steps, from {points[0][1]:.3g} to {points[-1][1]:.3g}"
    if best:
        choose = min if name in LOWER_IS_BETTER else max
        step, value = choose(points, key=lambda point: point[1])
        parts.append(dot(x(step), y(value), 5.5, "ring", f"step {step}: {wording.number(value)}"))
        anchor = "end" if x(step) > WIDTH / 2 else "start"
        below = 20 if y(value) < TOP + 20 else -10
        parts.append(text(x(step), y(value) + below, wording.number(value), class_="value", text_anchor=anchor))
        said += f"; best {wording.number(value)} at step {step:,}"
    return picture(WIDTH, HEIGHT, said, *parts)


def latency(points: Sequence[tuple[int, float]]) -> Markup:
    """Draw milliseconds of single inputs over their length in tokens, with the median of neighbouring lengths."""
    points = sorted((tokens, ms) for tokens, ms in points if math.isfinite(ms))
    if not points:
        return Markup("")
    times = sorted(ms for _, ms in points)
    # One hiccup of the machine would flatten all the rest: it is drawn on the upper edge.
    top = times[min(len(times) - 1, int(len(times) * 0.99))] * 1.15
    x = Scale.over([float(tokens) for tokens, _ in points], LEFT, WIDTH - RIGHT, margin=0.03)
    y = Scale.over([0.0, top], HEIGHT - BOTTOM, TOP)
    shown = points[:: math.ceil(len(points) / 800)]
    dots = [dot(x(tokens), y(min(ms, top)), 2.4, "point") for tokens, ms in shown]
    size = max(1, math.ceil(len(points) / 12))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    medians = [(x(statistics.median(t for t, _ in g)), y(min(statistics.median(m for _, m in g), top))) for g in groups]
    said = f"Latency of {len(points):,} single inputs by length; {latency_words(points)}"
    parts = [axes(x, y, "tokens", "milliseconds"), *dots, polyline(medians, "trace main")]
    return picture(WIDTH, HEIGHT, said, *parts)


def lengths(points: Sequence[tuple[int, float]]) -> Markup:
    """Draw how many inputs have which length in tokens; `points` are those of `latency`."""
    tokens = [tokens for tokens, _ in points]
    if not tokens:
        return Markup("")
    width = max(1, math.ceil((max(tokens) + 1) / 30))
    counts = Counter(value // width for value in tokens)
    x = Scale(0.0, float((max(counts) + 1) * width), LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(counts.values()) * 1.06, HEIGHT - BOTTOM, TOP)
    parts = [axes(x, y, "tokens", "inputs")]
    for group, count in sorted(counts.items()):
        start, end = x(group * width), x((group + 1) * width)
        title = element("title", f"{group * width} to {(group + 1) * width - 1} tokens: {count:,} inputs")
        size = {"x": start + 0.5, "y": y(count), "width": end - start - 1, "height": y.start - y(count)}
        parts.append(element("rect", title, class_="bar main", **size))
    said = f"Lengths of {len(tokens):,} inputs: median {statistics.median(tokens):.0f} tokens, longest {max(tokens):,}"
    return picture(WIDTH, HEIGHT, said, *parts)


def tradeoff(trials: Sequence[Trial], metric: str, limit: float, by: Literal["speed", "size"]) -> Markup:
    """Draw every trial as a dot, quality over speed or size, with a line at the least quality that was asked for."""
    shown = [trial for trial in trials if math.isfinite(trial.score)]
    if not shown:
        return Markup("")
    across = [trial.rows_per_second if by == "speed" else trial.size / 1e6 for trial in shown]
    x = Scale.over([0.0, *across], LEFT, WIDTH - RIGHT, margin=0.04)
    y = Scale.over([limit, *(trial.score for trial in shown)], HEIGHT - BOTTOM, TOP, margin=0.06)
    parts = [axes(x, y, "rows/s" if by == "speed" else "MB", metric)]
    parts.append(line(x.start, y(limit), x.end, y(limit), "whisker"))
    for trial, value in zip(shown, across, strict=True):
        about = f"{trial.name}, {trial.epochs} epochs: {wording.number(trial.score)}, {value:,.0f}"
        parts.append(dot(x(value), y(trial.score), 4.5, "point main" if trial.within else "point", about))
    said = f"{metric} of {len(shown)} trials over {by}; {sum(trial.within for trial in shown)} keep to the budget"
    return picture(WIDTH, HEIGHT, said, *parts)


def latency_words(points: Sequence[tuple[int, float]]) -> str:
    """Say the median, the 95th percentile and the slowest of single inputs."""
    times = sorted(ms for _, ms in points if math.isfinite(ms))
    if not times:
        return "nothing measured"
    high = times[min(len(times) - 1, int(len(times) * 0.95))]
    return f"median {statistics.median(times):.1f} ms, 95th percentile {high:.1f} ms, slowest {times[-1]:.1f} ms"


def top_confusions(labels: Sequence[str], matrix: Matrix, limit: int = 10) -> list[tuple[str, str, int, float]]:
    """Return the most frequent mistakes as (reference, predicted, count, share of the reference's rows)."""
    return [(labels[r], labels[c], matrix[r][c], matrix[r][c] / sum(matrix[r])) for r, c in _mistakes(matrix)[:limit]]


def most_confused(matrix: Matrix, limit: int = 20) -> list[int]:
    """Choose at most `limit` classes, pair by pair from the most frequent mistake on, in their own order."""
    chosen: dict[int, None] = {}
    for pair in _mistakes(matrix):
        new = [index for index in pair if index not in chosen]
        if len(chosen) + len(new) <= limit:
            chosen.update(dict.fromkeys(new))
    return sorted(chosen)


def confusion(labels: Sequence[str], matrix: Matrix) -> Markup:
    """Draw counts with the reference by row; the tint is the share of that row.

    Of more than 25 classes only the most confused are drawn, so that the picture can be read.
    """
    kept = list(range(len(labels))) if len(labels) <= LARGEST_CONFUSION else most_confused(matrix)
    if not kept:
        return Markup("")
    names = [labels[index] for index in kept]
    cell = max(30.0, min(84.0, 520.0 / len(kept)))
    longest = min(max(text_width(name) for name in names), 170.0)
    left, flat = longest + 34, longest <= cell - 6
    top = 46.0 if flat else 30 + 0.72 * (longest + 8)
    side = cell * len(kept)
    overhang = 0.0 if flat else max(0.0, top - 30 - cell / 2)
    parts = [
        text(left + side / 2, 14, "predicted", class_="label", text_anchor="middle"),
        text(
            12,
            top + side / 2,
            "reference",
            class_="label",
            text_anchor="middle",
            transform=_turn(-90, 12, top + side / 2),
        ),
    ]
    for position, (index, name) in enumerate(zip(kept, names, strict=True)):
        offset = position * cell + cell / 2
        x, y = left + offset, top - 8
        turned: dict[str, str | float] = {"text_anchor": "middle"} if flat else {"transform": _turn(-45, x, y)}
        parts.append(text(x, y, fit(name, longest), **turned))
        parts.append(text(left - 8, top + offset + 4, fit(name, longest), text_anchor="end"))
        total = sum(matrix[index])
        for column, (other, predicted) in enumerate(zip(kept, names, strict=True)):
            count = matrix[index][other]
            title = element("title", f"{name} → {predicted}: {count:,} of {total:,}")
            parts.append(_cell(left + column * cell, top + position * cell, cell, count, total, index == other, title))
    said = f"Confusion matrix of {len(kept)} of {len(labels)} classes, reference by row; tints are shares of a row"
    return picture(left + side + overhang + 8, top + side + 8, said, *parts)


def _cell(x: float, y: float, size: float, count: int, total: int, right: bool, title: Markup) -> Markup:
    share = count / total if total else 0.0
    # The strongest tint stays below half, so that the same ink is readable on it in light and dark.
    tint = 0.06 + 0.40 * math.sqrt(share)
    kind = "cell right" if right else "cell wrong"
    box = element("rect", x=x + 1, y=y + 1, width=size - 2, height=size - 2, rx=2.0, class_=kind, fill_opacity=tint)
    border = element("rect", x=x + 1, y=y + 1, width=size - 2, height=size - 2, rx=2.0, class_="outline")
    if not count:
        return element("g", title, border)
    written = f"{count:,}" if count < 10_000 or size > 50 else wording.short(count).replace(" ", "")
    font = min(13.0, size * 0.42, (size - 4) / (0.6 * len(written)))
    number = text(x + size / 2, y + size / 2 + font * 0.35, written, text_anchor="middle", font_size=font)
    return element("g", title, border, box, number)


def _mistakes(matrix: Matrix) -> list[tuple[int, int]]:
    """Places off the diagonal that count something, most frequent first."""
    places = [(r, c) for r, row in enumerate(matrix) for c, count in enumerate(row) if count and r != c]
    return sorted(places, key=lambda place: -matrix[place[0]][place[1]])


def _thinned(points: Sequence[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    size = math.ceil(len(points) / limit)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], statistics.fmean(value for _, value in group)) for group in groups]


def _turn(degrees: float, x: float, y: float) -> str:
    return f"rotate({degrees:g} {x:.1f} {y:.1f})"
