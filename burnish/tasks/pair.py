"""Classify two texts together: same or not, follows or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from burnish.data.rows import Row
from burnish.errors import InputError
from burnish.tasks.classify import Classify


class Pair(Classify):
    name = "pair"

    def row(self, given: Any) -> Row:
        if (
            isinstance(given, str)
            or not isinstance(given, Sequence)
            or len(given) != 2
            or not all(isinstance(text, str) for text in given)
        ):
            raise InputError("pair takes two texts, as [text, text]")
        return {"text": given[0], "text_b": given[1]}
