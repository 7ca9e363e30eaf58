"""The text around a sentence: words of its neighbours in the same document.

Schweter and Akbik, "FLERT: Document-Level Features for Named Entity Recognition" (2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from burnish.data.rows import Row
from burnish.data.text import chunked

_SENTENCES = 1000  # of a document at once, so that a file without marks does not lie in memory as a whole


def with_context(rows: Iterable[Row], size: int) -> Iterator[Row]:
    """Add `left` and `right`, up to `size` words before and after the row in its document, in the order of the rows.

    A row without `document`, or alone in it, stays without.
    """
    if not size:
        yield from rows
        return
    for document, group in groupby(rows, key=lambda row: row.get("document")):
        for part in chunked(group, _SENTENCES):
            flat = [] if document is None else [word for row in part for word in row["words"]]
            end = 0
            for row in part:
                start, end = end, end + len(row["words"])
                yield row | {"left": flat[max(0, start - size) : start], "right": flat[end : end + size]}
