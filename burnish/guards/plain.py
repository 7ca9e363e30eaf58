"""The text that a reader sees: no invisible signs, no look-alikes, each character with its place in the original."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple


class Hidden(NamedTuple):
    """A way to hide that was found: its name, and the characters of the original that it takes."""

    way: str
    start: int
    end: int


class View(NamedTuple):
    """A text, and for each of its characters where it begins and ends in the original; None where nothing moved."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original that stand behind `start` to `end`, which are not empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def then(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> View:
        """A view of this view."""
        if self.starts is None or self.ends is None:
            return View(text, starts, ends)
        return View(text, [self.starts[one] for one in starts], [self.ends[one - 1] for one in ends])


_UNSEEN = re.compile(  # with control signs other than white space
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]")
_STYLED = re.compile("[\u1d00-\u1d2b\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f110-\U0001f189]")
_FLAG = re.compile(
    "\U0001f3f4(?:"
    + "|".join("".join(chr(0xE0000 + ord(c)) for c in name) for name in ("gbeng", "gbsct", "gbwls"))
    + ")"
)
_NUMBER = 7  # digits from which on a number stands for itself
_WIDE = re.compile("[Ａ-Ｚａ-ｚ]")
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_OTHER = re.compile("[\u0370-\u03ff\u0400-\u052f\u0530-\u058f\u13a0-\u13ff\u0251\u0261\u026a\u1d00-\u1d2b\ua731\ua730]")
_LOOKS_LIKE = dict(
    zip(
        "аасеорхуіјѕԁһԛԝкмтвнгӏѵүАВЕЅІЈКМНОРСТУХԌԚԜӀ" + "οανρυτικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օոսցհՕՍ" + "ᎪᏴᏟᎬᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ"
        + "ɑɡɪᴀʙᴄᴅᴇꜰɢʜᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
        "aaceopxyijsdhqwkmtbhrlvyABESIJKMHOPCTYXGQWI" + "oavputikABEZHIKMNOPTYX" + "onughOU" + "ABCEHJKLMPRSTVWZ"
        + "agiabcdefghjklmnoprstuvwyz",
        strict=True,
    )
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


def plain(text: str) -> tuple[View, list[Hidden]]:
    """The text as it looks, and how it was hidden.

    Compatibility forms (NFKC: full-width, mathematical letters), digits of other scripts and letters that only look
    Latin become plain ones; invisible signs and marks piled on letters go.
    """
    if text.isascii() and not _UNSEEN.search(text):
        return View(text), []
    odd = _UNSEEN.search(text) or _OTHER.search(text) or _MARKS.search(text)
    if not odd and unicodedata.is_normalized("NFKC", text):
        return View(text), []
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    found: list[Hidden] = []
    piled: list[Hidden] = []
    place, size = 0, len(text)
    while place < size:
        sign = text[place]
        end = place + 1
        if " " <= sign < "\x7f":
            shown = sign
        elif _UNSEEN.match(sign):
            shown = _unseen(text, place, found)
        else:
            shown = _compatible(text, place)
        while end < size and unicodedata.combining(text[end]):
            end += 1
        if end > place + 1 and shown:  # accents that compose stay, others on a letter go
            shown = unicodedata.normalize("NFKC", text[place:end])
            if shown[:1].isascii() and len(shown) > 1:
                shown = shown[0]
                piled.append(Hidden("styled", place, end))
        out += shown
        starts += [place] * len(shown)
        ends += [end] * len(shown)
        place = end
    found += [*(piled if len(piled) > 2 else ()), *_in_another_style(text)]
    shown = _latin("".join(out), starts, ends, found)
    return View(shown, starts, ends), _merged(found)


def _compatible(text: str, place: int) -> str:
    """What a sign beyond ASCII is written as in plain ones; those that enclose another are left out. A sign that holds
    a digit or several letters, as before items of a list, is no part of a whole number beside it."""
    sign = text[place]
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    category = unicodedata.category(sign)
    if category == "Me":
        return ""
    shown = unicodedata.normalize("NFKC", sign)
    if category not in ("No", "So") or (len(shown) == 1 and not shown.isdecimal()):
        return shown
    before, after = text[max(0, place - _NUMBER) : place], text[place + 1 : place + 1 + _NUMBER]
    left, right = before[-1:].isdecimal(), after[:1].isdecimal()
    if (left and not _whole(before)) or (right and not _whole(after)):
        return shown
    return " " * left + shown + " " * right


def _whole(digits: str) -> bool:
    return len(digits) == _NUMBER and digits.isdecimal()


def _unseen(text: str, place: int, found: list[Hidden]) -> str:
    """What an invisible sign stands for: mostly nothing."""
    sign = text[place]
    if "\U000e0020" <= sign <= "\U000e007e":
        flag = _FLAG.match(text, max(0, text.rfind("\U0001f3f4", 0, place)))
        if flag and place < flag.end():
            return ""  # it is spelled in such letters
        found.append(Hidden("zero-width", place, place + 1))
        return chr(ord(sign) - 0xE0000)
    if "\ufe00" <= sign <= "\ufe0f":
        return ""  # the style of an emoji
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if (_joins(before) and (_joins(after) or _UNSEEN.match(after))) or "\u202a" <= sign <= "\u202e":
        found.append(Hidden("zero-width", place, place + 1))
    return ""


def _joins(sign: str) -> bool:
    """Whether a sign is of a script in which invisible signs have no work inside words."""
    return bool(sign) and ((sign.isascii() and sign.isalnum()) or "\u3400" <= sign <= "\u9fff" or "À" <= sign <= "ӿ")


def _in_another_style(text: str) -> list[Hidden]:
    """Letters of a mathematical or circled alphabet, and full-width ones where no full-width script is around."""
    spans = [match.start() for match in _STYLED.finditer(text) if _letter(match[0])]
    if not _IDEOGRAPH.search(text):
        spans += [match.start() for match in _WIDE.finditer(text)]
    return [Hidden("styled", place, place + 1) for place in sorted(spans)] if len(spans) > 2 else []


def _letter(sign: str) -> bool:
    return unicodedata.normalize("NFKC", sign).strip("()").isalpha()


def _latin(text: str, starts: Sequence[int], ends: Sequence[int], found: list[Hidden]) -> str:
    """Words of Latin letters and look-alikes, or of look-alikes alone in a text that is Latin, in Latin letters."""
    if not _OTHER.search(text):
        return text
    latin = sum("a" <= c.lower() <= "z" for c in text)
    foreign = any(c.isalpha() and _OTHER.match(c) and c not in _LOOKS_LIKE for c in text)
    parts = list(text)
    for match in _WORD.finditer(text):
        word = match[0]
        alike = sum(c in _LOOKS_LIKE for c in word)
        mixed = any(c.isascii() for c in word)
        if not alike or any(not c.isascii() and c not in _LOOKS_LIKE and _OTHER.match(c) for c in word):
            continue
        if mixed or (not foreign and latin > len(word) and len(word) > 2):
            parts[match.start() : match.end()] = [_LOOKS_LIKE.get(c, c) for c in word]
            found.append(Hidden("mixed-scripts", starts[match.start()], ends[match.end() - 1]))
    return "".join(parts)


def _merged(found: list[Hidden]) -> list[Hidden]:
    """One finding for neighbours of the same way."""
    kept: list[Hidden] = []
    for one in sorted(found):
        if kept and kept[-1].way == one.way and one.start <= kept[-1].end + 2:
            kept[-1] = kept[-1]._replace(end=max(one.end, kept[-1].end))
        else:
            kept.append(one)
    return kept
