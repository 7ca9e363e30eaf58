"""Frames on a picture: what a model found in it, rightly or wrongly, and what it missed."""

from __future__ import annotations

from markupsafe import Markup

from burnish.reporting.svg import element
from burnish.results import HardRow

_WORDS = {"right": "found", "wrong": "wrong", "missed": "missed"}


def marked(row: HardRow) -> Markup:
    """The picture of a row with frames: lines for what is right, dashes for what is wrong, dots for what was missed."""
    frames = []
    for mark in row.marks:
        left, top, right, bottom = mark.edges
        title = element("title", f"{_WORDS[mark.kind]}: {mark.title}")
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        frames.append(element("rect", title, **place, class_=mark.kind))
    counts = [f"{word} {n}" for kind, word in _WORDS.items() if (n := sum(mark.kind == kind for mark in row.marks))]
    shown = element(
        "svg", *frames, viewBox="0 0 1 1", preserveAspectRatio="none", role="img", aria_label=", ".join(counts)
    )
    return element("div", Markup('<img src="{}" alt="">').format(row.picture), shown, class_="marked")
