"""All that a text says: as it stands, with hidden words opened, and what pieces of it say once they are decoded."""

from __future__ import annotations

from burnish.guards.decoded import DEEPEST, pieces
from burnish.guards.plain import Hidden, View, plain
from burnish.guards.spelled import opened

_MOST = 64  # layers of one text


def layers(text: str) -> tuple[list[View], list[Hidden]]:
    """The text as a reader sees it first, then what it hides, each with places in the text; and how it was hidden."""
    view, found = plain(text)
    views = [view]
    waiting = [(view, 0)]
    while waiting and len(views) < _MOST:
        view, depth = waiting.pop()
        other, hidden = opened(view)
        found += hidden
        if other:
            views.append(other)
        if depth == DEEPEST:
            continue
        for start, end, said in pieces(view.text):
            place = view.span(start, end)
            inner, hidden = plain(said)
            size = len(inner.text)
            found += [Hidden("encoded", *place), *(one._replace(start=place[0], end=place[1]) for one in hidden)]
            views.append(View(inner.text, [place[0]] * size, [place[1]] * size))
            waiting.append((views[-1], depth + 1))
    return views, sorted(set(found), key=lambda one: (one.start, one.end, one.way))
