"""All that a text says: as it stands, with hidden words opened, and what pieces of it say once they are decoded."""

from __future__ import annotations

from typing import NamedTuple

from burnish.guards.decoded import DEEPEST, Piece, pieces
from burnish.guards.plain import Hidden, View, plain
from burnish.guards.spelled import opened

_MOST = 64  # layers of one text


class Layers(NamedTuple):
    """The text as a reader sees it first, then what it hides, each with places in the text.

    Attributes:
        read: which of the views a model reads: not those in which a piece stands encoded, as another view says it.
        hidden: how it was hidden.
    """

    views: list[View]
    read: list[bool]
    hidden: list[Hidden]


def layers(text: str) -> Layers:
    """All that a text says."""
    view, found = plain(text)
    views, read = [view], [True]
    waiting = [(0, 0)]
    while waiting and len(views) < _MOST:
        index, depth = waiting.pop()
        view = views[index]
        said = pieces(view.text) if depth < DEEPEST else []
        parts = [piece for piece in said if piece.end - piece.start < len(view.text)]
        for whole in said:
            if whole not in parts:
                inner, hidden = _decoded(view, [whole])
                found += hidden
                views.append(inner)
                waiting.append((len(views) - 1, depth + 1))
        if parts:
            inner, hidden = _decoded(view, parts)
            found += hidden
            views.append(inner)
            waiting.append((len(views) - 1, depth + 1))
        read += [True] * (len(views) - len(read))
        if parts or any(_is_one_word(view.text, whole) for whole in said):
            read[index] = False
            continue
        other, hidden = opened(view)
        found += hidden
        if other:
            views.append(other)
            read.append(True)
    return Layers(views, read, sorted(set(found), key=lambda one: (one.start, one.end, one.way)))


def _is_one_word(text: str, piece: Piece) -> bool:
    """Whether a text is nothing but an encoded piece; prose that may also be read backwards is not."""
    return piece.end - piece.start == len(text) and (
        " " not in text or not any(c in "ghijklmnopqrstuvwyz" for c in text.lower())
    )


def _decoded(view: View, parts: list[Piece]) -> tuple[View, list[Hidden]]:
    """A view with pieces decoded where they stand."""
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    found: list[Hidden] = []
    at = 0
    for start, end, said, hides in sorted(parts):
        place = view.span(start, end)
        inner, hidden = plain(said)
        found += [Hidden("encoded", *place)] * hides + [*(one._replace(start=place[0], end=place[1]) for one in hidden)]
        text += view.text[at:start], inner.text
        starts += [*range(at, start), *[start] * len(inner.text)]
        ends += [*range(at + 1, start + 1), *[end] * len(inner.text)]
        at = end
    size = len(view.text)
    return view.then(
        "".join([*text, view.text[at:]]), [*starts, *range(at, size)], [*ends, *range(at + 1, size + 1)]
    ), found
