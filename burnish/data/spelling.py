"""Labels that were probably meant to be the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter


def misspelt(labels: Counter[str]) -> dict[str, str]:
    """Return label -> the more frequent label it may be a spelling of.

    Two labels belong together when they are the same but for case, width, white space, underscores and hyphens, or
    when one edit separates them and one is ten times as frequent.
    """
    ranked = [name for name, _ in labels.most_common()]
    first: dict[str, str] = {}
    typos: dict[str, str] = {}
    for name in ranked:
        folded = re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold())
        if folded and first.setdefault(folded, name) != name:
            typos[name] = first[folded]
    for right in ranked[:500]:  # a table of free text in the label column must not take minutes
        for wrong in ranked[:-1001:-1]:
            if wrong not in typos and labels[right] >= 10 * labels[wrong] and _one_edit(right, wrong):
                typos[wrong] = right
    return typos


def _one_edit(a: str, b: str) -> bool:
    """Whether one letter was added, left out, changed or swapped with its neighbour (`class 1`, `class 2` differ
    on purpose, and so may names of three letters)."""
    if abs(len(a) - len(b)) > 1 or min(len(a), len(b)) < 4:
        return False
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    if any(character.isdigit() for character in a + b):
        return False
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])
