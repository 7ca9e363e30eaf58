"""Personal data in a text: by its form, and by a model where there is one."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from burnish.data.personal import CHECKED, Found, find
from burnish.guards.forms import ALL, kind_of, may_be
from burnish.guards.plain import View

Tagger = Callable[[Sequence[str]], list[list[Found]]]


def personal(views: Sequence[View], tagger: Tagger | None, least: float, kinds: Container[str]) -> list[list[Found]]:
    """Personal data in each of the views, in places of the view's original.

    Args:
        tagger: what finds names, addresses and organisations; the forms alone when None.
        least: score of a form that is reported.
        kinds: what is asked for; nothing else stands in its way.
    """
    said = tagger([view.text for view in views]) if tagger else [[] for _ in views]
    return [
        [
            Found(*view.span(one.start, one.end), one.kind, one.score)
            for one in merged(find(view.text, ALL, least, kinds), [one for one in tagged if one.kind in kinds])
        ]
        for view, tagged in zip(views, said, strict=True)
    ]


def merged(forms: Sequence[Found], tagged: Sequence[Found]) -> list[Found]:
    """Both without overlaps: what has a check digit that holds wins, then the longer, then the surer.

    Two that overlap and are of one kind become one; of another kind that reaches beyond the winner, the longest part
    that is left stays, so that nothing of it is forgotten. What forms alone found stays as it is.
    """
    if not tagged:
        return list(forms)
    kept: list[Found] = []
    mine = set(forms)
    order = sorted(
        [*forms, *tagged], key=lambda one: (one.score < CHECKED or one not in mine, one.start - one.end, -one.score)
    )
    for one in order:
        for other in kept:
            if one.start >= other.end or other.start >= one.end or (one in mine and other in mine):
                continue
            if one.kind == other.kind and other.score < CHECKED:
                kept.remove(other)
                one = Found(min(one.start, other.start), max(one.end, other.end), one.kind, max(one.score, other.score))
                continue
            before, after = other.start - one.start, one.end - other.end
            one = one._replace(end=other.start) if before >= after else one._replace(start=other.end)
            if one.end - one.start < 3:
                break
        else:
            kept.append(one)
    return sorted(kept)


def tagger_of(engine: Any) -> Tagger:
    """The entities of a model of the task `tag`, without those that cannot be what they are said to be."""

    def tag(texts: Sequence[str]) -> list[list[Found]]:
        return [
            [
                Found(one.start, one.end, kind, min(one.score, 0.99))
                for one in said.entities
                if may_be(kind := kind_of(one.label), text[one.start : one.end])
            ]
            for text, said in zip(texts, engine.predict(list(texts)), strict=True)
        ]

    return tag
