"""Scores of the named parts of an input as bars, on both sides of a line."""

from __future__ import annotations

from markupsafe import Markup

from burnish.explained import Explanation
from burnish.reporting import wording
from burnish.reporting.svg import Scale, element, fit, line, picture, text

_MOST = 20  # bars; the weightiest come first
_NAME, _BARS, _FIGURE, _ROW, _TALL = 250.0, 330.0, 70.0, 24.0, 15.0  # pixels


def bars(explanation: Explanation) -> Markup:
    """A bar for each part, the weightiest first: to the right, blue, for the target; else orange."""
    parts = explanation.words(_MOST)
    low, high = min(0.0, *(score for _, score in parts)), max(0.0, *(score for _, score in parts))
    x = Scale.over([low, high], _NAME + _FIGURE, _NAME + _FIGURE + _BARS)
    shapes = []
    for place, (name, score) in enumerate(parts):
        top = place * _ROW + 4
        title = element("title", f"{name}: {wording.signed(score)}")
        first, last = sorted((x(0.0), x(score)))
        kind = "f" if score > 0 else "a"
        place_of: dict[str, str | float] = {"x": first, "y": top, "width": max(0.5, last - first), "height": _TALL}
        shapes.append(element("rect", title, **place_of, class_=kind))
        middle = top + _TALL - 3
        shapes.append(text(_NAME, middle, fit(wording.visible(name), _NAME), class_="tick", text_anchor="end"))
        end, anchor = (last + 6, "start") if score > 0 else (first - 6, "end")
        shapes.append(text(end, middle, wording.signed(score), class_="tick", text_anchor=anchor))
    tall = len(parts) * _ROW + 6
    shapes.append(line(x(0.0), 0, x(0.0), tall, "axis"))
    width = _NAME + 2 * _FIGURE + _BARS
    return element("div", picture(width, tall, f"{explanation.target}: {len(parts)}", *shapes), class_="heat bars")
