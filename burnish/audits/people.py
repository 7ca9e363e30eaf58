"""Members of groups of people in texts, and the same texts with members of other groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from burnish.audits.rewrite import Match, Word, before, swapped, words_of
from burnish.data.rows import Row
from burnish.data.words import split_words

Version = tuple[Row, tuple[tuple[int, int], ...]]
"""A row, and the first and last (exclusive) word of each member of a list in it."""
_HIM = {"and", "or", "to", "in", "on", "at", "for", "with", "from", "by", "that", "when", "if", "as", "but", "the", "a"}


@dataclass(frozen=True)
class Kind:
    """Groups of one kind, such as names or religions, in one language.

    Attributes:
        groups: members by group.
        paired: whether members at the same place stand for each other.
        template: what puts a member before a text.
        insert: the member of each group for the template; any, where there is none.
    """

    language: str
    name: str
    groups: dict[str, tuple[str, ...]]
    template: str
    paired: bool = False
    insert: tuple[str, ...] = ()

    @cached_property
    def members(self) -> dict[tuple[str, ...], tuple[str, int]]:
        """Words of each member in small letters -> the member, and its place in its group."""
        found: dict[tuple[str, ...], tuple[str, int]] = {}
        for members in self.groups.values():
            for place, member in enumerate(members):
                found.setdefault(tuple(word.lower() for word in split_words(member)[0]), (member, place))
        return found

    @cached_property
    def longest(self) -> int:
        return max(map(len, self.members))

    def matches(self, words: Sequence[Word]) -> list[Match]:
        """Members in a text, the longest first where two begin at one word."""
        found: list[Match] = []
        index = 0
        small = [word.text.lower() for word in words]
        while index < len(words):
            for size in range(min(self.longest, len(words) - index), 0, -1):
                one = self.members.get(tuple(small[index : index + size]))
                if one and words[index].column == words[index + size - 1].column:
                    found.append(Match(index, index + size, one[0]))
                    index += size - 1
                    break
            index += 1
        return found

    def versions(self, row: Row, chance: np.random.Generator) -> list[Version] | None:
        """The row for each group, its members swapped for those of the group; None where it has none."""
        words = words_of(row)
        matches = self.matches(words)
        if not matches:
            return None
        names = {member: int(chance.integers(1 << 16)) for member in dict.fromkeys(match.member for match in matches)}
        found = []
        for members in self.groups.values():
            swaps = [(match, self._in_place_of(match, members, words, names)) for match in matches]
            found.append((swapped(row, words, swaps), _places(swaps)))
        return found

    def _in_place_of(self, match: Match, members: tuple[str, ...], words: Sequence[Word], names: dict[str, int]) -> str:
        old = words[match.first].text
        key = tuple(word.text.lower() for word in words[match.first : match.last])
        place = self.members[key][1]
        new = members[place if self.paired else names[match.member] % len(members)]
        after = words[match.last].text.lower() if match.last < len(words) else "."
        object_of = not after.isalpha() or after in _HIM
        if key == ("her",) and new == "his" and object_of:
            new = "him"
        if key == ("his",) and new == "her" and object_of:
            new = "hers"
        return cased(new, old)

    def inserted(self, row: Row, chance: np.random.Generator) -> list[Version]:
        """The row with a member of each group before it."""
        draw = int(chance.integers(1 << 16))
        found: list[Version] = []
        for index, members in enumerate(self.groups.values()):
            member = self.insert[index] if self.insert else members[draw % len(members)]
            first = len(split_words(self.template.partition("{}")[0])[0])
            written = self.template.format(member)
            found.append((before(row, written), ((first, first + len(split_words(member)[0])),)))
        return found


def cased(new: str, old: str) -> str:
    """A member in the letters of what it stands for: all large, the first one large, or as the text has it."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    if old[:1].isupper():
        return new[:1].upper() + new[1:]
    return new.lower() if old.islower() else new


@cache
def kinds(language: str) -> tuple[Kind, ...]:
    """The packaged lists of a language, `en` or `zh`."""
    given: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "people.yaml").read_text(encoding="utf-8"))[
        language
    ]
    return tuple(
        Kind(
            language,
            name,
            {group: tuple(members) for group, members in one["groups"].items()},
            one["template"],
            one.get("paired", False),
            tuple(one.get("insert", ())),
        )
        for name, one in given.items()
    )


def _places(swaps: Sequence[tuple[Match, str]]) -> tuple[tuple[int, int], ...]:
    """Where the new members stand: words of a row that is changed move by what was put in before them."""
    found, moved = [], 0
    for match, new in swaps:
        size = len(split_words(new)[0])
        found.append((match.first + moved, match.first + moved + size))
        moved += size - (match.last - match.first)
    return tuple(found)
