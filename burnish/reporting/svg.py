"""Small pieces of inline SVG: elements with escaped text, scales, ticks and a frame with axes.

Shapes carry CSS classes and no colours, so that one picture serves light, dark and print.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

FONT = 12.0


def element(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """Write one element; children and attribute values are escaped unless they are Markup already."""
    written = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), value if isinstance(value, str) else f"{value:.5g}"
        )
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, Markup("").join(children))


def picture(width: float, height: float, label: str, *parts: str) -> Markup:
    """Wrap shapes as a picture that shrinks with the page; `label` is what a screen reader says."""
    attributes: dict[str, str | float] = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "width": width, "height": height}
    return element("svg", *parts, class_="plot", role="img", aria_label=label, **attributes)


def text(x: float, y: float, content: str, **attributes: str | float) -> Markup:
    return element("text", content, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text_width(content: str, size: float = FONT) -> float:
    """Estimate the width in pixels; Chinese and other wide characters take a full square."""
    return size * sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.58 for c in content)


def fit(content: str, width: float, size: float = FONT) -> str:
    """Cut a label so that it takes at most `width` pixels."""
    if text_width(content, size) <= width:
        return content
    while content and text_width(content + "…", size) > width:
        content = content[:-1]
    return content.rstrip() + "…"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Choose round values between two ends, about `wanted` of them."""
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """A straight map from values to pixels; a range without width is opened, so that one point can be drawn."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, margin: float = 0.0) -> Scale:
        """Span the values with a share of `margin` on both ends."""
        low, high = min(values), max(values)
        span = (high - low) * margin or (0.0 if high > low else abs(high) * 0.1 or 1.0)
        return cls(low - span, high + span, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        return ticks(self.low, self.high, wanted)


def axes(x: Scale, y: Scale, x_label: str, y_label: str) -> Markup:
    """Draw grid lines, tick values and the names of both axes."""
    parts = []
    for tick in y.ticks():
        parts.append(line(x.start, y(tick), x.end, y(tick), "grid"))
        parts.append(text(x.start - 6, y(tick) + 4, f"{tick:,.5g}", class_="tick", text_anchor="end"))
    for tick in x.ticks():
        parts.append(text(x(tick), y.start + 18, f"{tick:,.6g}", class_="tick", text_anchor="middle"))
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(text(x.start - 6, y.end - 12, y_label, class_="label"))
    parts.append(text(x.end, y.start + 36, x_label, class_="label", text_anchor="end"))
    return Markup("").join(parts)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def dot(x: float, y: float, radius: float, class_: str, title: str = "") -> Markup:
    children = [element("title", title)] if title else []
    return element("circle", *children, cx=x, cy=y, r=radius, class_=class_)
