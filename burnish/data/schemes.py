"""Tag schemes: IOB1, IOB2, BIOES, BMES, BILOU and bare types, all to IOB2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from burnish.errors import InputError

_TAG = re.compile(r"([BIEMSLU])-(.+)", re.DOTALL)
_BEGIN, _CLOSE = frozenset("BSU"), frozenset("ESLU")


def is_tag(text: str) -> bool:
    """Whether a cell looks like a tag of one of the schemes."""
    text = text.strip()
    return text == "O" or _TAG.fullmatch(text) is not None


def stripped(tags: Sequence[str], where: Callable[[int], str]) -> list[str]:
    """The tags of one sentence without blanks around them.

    Args:
        where: the place of a tag, for a message.

    Raises:
        InputError: where a tag is empty.
    """
    found = [tag.strip() for tag in tags]
    if "" in found:
        raise InputError(f"{where(found.index(''))}: a word has no tag; a word outside of all entities has the tag O")
    return found


def _parts(tag: str) -> tuple[str, str]:
    match = _TAG.fullmatch(tag)
    return (match[1], match[2]) if match else ("I", tag)  # a bare type: neighbours of one type are one entity


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Rewrite the tags of one sentence as IOB2.

    One rule covers all schemes: an entity begins at B, S or U, and wherever its type is not open; it closes after
    E, L, S and U, and at O.
    """
    out: list[str] = []
    open_type: str | None = None
    for tag in tags:
        if tag == "O":
            out.append("O")
            open_type = None
            continue
        prefix, label = _parts(tag)
        begins = prefix in _BEGIN or open_type != label
        out.append(("B-" if begins else "I-") + label)
        open_type = None if prefix in _CLOSE else label
    return out


class Scheme:
    """Sees sentence after sentence of tags and then names their scheme."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def add(self, tags: Sequence[str]) -> None:
        before = "O"
        for tag in tags:
            if tag != "O":
                match = _TAG.fullmatch(tag)
                same = before != "O" and _parts(before)[1] == _parts(tag)[1]
                self._seen[match[1] if match else "bare"] += 1
                self._seen["number"] += tag.isdecimal()
                if match and match[1] == "I" and not same:
                    self._seen["I that begins"] += 1
                if match and match[1] == "B" and not same:
                    self._seen["B after something else"] += 1
            before = tag

    def must_be_names(self, source: str) -> None:
        """Refuse numbers, of which none is known to be the one of words outside of all entities.

        Raises:
            InputError: when all tags without a prefix are whole numbers.
        """
        if 0 < self._seen["bare"] == self._seen["number"]:
            raise InputError(f"'{source}': its tags are numbers; write their names, such as O, B-PER and I-PER")

    @property
    def note(self) -> str:
        """The scheme, as a line for the report."""
        seen = self._seen
        if seen["bare"]:
            return "tags: without B-/I-, so neighbouring words of one type count as one entity; turned into IOB2"
        if any(seen[p] for p in "EMSLU"):
            name = "BMES" if seen["M"] else "BILOU" if seen["L"] or seen["U"] else "BIOES"
            return f"tags: {name}, turned into IOB2"
        if not seen["I that begins"]:
            return "tags: IOB2"
        if not seen["B after something else"]:
            return "tags: IOB1, turned into IOB2"
        return f"tags: IOB2 with {seen['I that begins']} I- that follow no B-, turned into B-"
