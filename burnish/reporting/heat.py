"""Scores of the parts of an input over a picture of it."""

from __future__ import annotations

from markupsafe import Markup
from rich.text import Text

from burnish.explained import Explanation
from burnish.reporting import wording
from burnish.reporting.svg import element, picture

_WIDTH = 360.0  # of the picture, in pixels
_STRONGEST = 0.65  # opacity of the part that weighs most
_FRAMED = 0.5  # share of its weight from which on a part has a frame, dotted where it speaks against
_CELLS = {True: "▒▓█", False: "·-="}  # of a terminal: for, and against


def heat(explanation: Explanation) -> Markup:
    """The picture with a square on each part: blue for the target, orange against it, the stronger the denser."""
    rows, columns = len(explanation.grid), len(explanation.grid[0])
    side = _WIDTH / max(rows, columns)
    width, height = columns * side, rows * side
    shown = element("image", href=explanation.picture, width=width, height=height, preserveAspectRatio="none")
    parts = [shown]
    for row, scores in enumerate(explanation.grid):
        for column, (score, share) in enumerate(zip(scores, _shares(explanation, scores), strict=True)):
            kind = f"{'f' if score > 0 else 'a'}{' framed' if abs(share) >= _FRAMED else ''}"
            title = element("title", f"{row + 1}, {column + 1}: {wording.signed(score)}")
            place: dict[str, str | float] = {"x": column * side, "y": row * side, "width": side, "height": side}
            parts.append(element("rect", title, **place, class_=kind, fill_opacity=_STRONGEST * abs(share)))
    return element("div", picture(width, height, f"{explanation.target}: {rows} x {columns}", *parts), class_="heat")


def lines(explanation: Explanation) -> list[Text]:
    """The grid for a terminal: ▒▓█ for the target, ·-= against it; none of parts with names, which say more."""
    found: list[Text] = []
    for scores in explanation.grid if not explanation.names else ():
        line = Text()
        for share in _shares(explanation, scores):
            strength = min(2, int(3 * abs(share)))
            cell = _CELLS[share > 0][strength] if abs(share) > 0.1 else " "
            line.append(2 * cell, "blue" if share > 0 else "dark_orange")
        found.append(line)
    return found


def _shares(explanation: Explanation, scores: tuple[float, ...]) -> list[float]:
    largest = max((abs(score) for row in explanation.grid for score in row), default=0.0)
    return [score / largest if largest else 0.0 for score in scores]
