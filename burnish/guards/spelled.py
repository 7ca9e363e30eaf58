"""Words that are spelled so that no filter knows them: with digits for letters, or with signs between their letters."""

from __future__ import annotations

import itertools
import re

from burnish.guards.plain import Hidden, View

_LETTERS = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "@": "a",
    "$": "s",
    "!": "i",
    "+": "t",
}
_IN_WORD = "[^\\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # in a script that parts words from what is around them
_LEET = re.compile(
    rf"(?<!{_IN_WORD})(?<![@$!+.#/-])(?=[a-zA-Z0134578@$!+]*[a-zA-Z])(?=[a-zA-Z]*[0134578@$!+])[a-zA-Z013457"
    rf"8@$!+]{{3,24}}(?!{_IN_WORD}|[@$+#/-]|\.\w)"
)
_WORTH_HIDING = frozenset(
    """
    abuse acid ammo anal anus arse arson ass assault asshole attack bastard bastards beat bitch bitches bleed blow
    bomb bombs bullet bully bypass cartel cheat child children cocaine cock crack crap credit cum cunt dead death
    delete dick die disregard drug drugs dumb dyke dynamite erase escape execute explode explosive fag faggot fake
    filter fraud fuck fucked fucker fucking gas ghetto grenade gun guns hack hacked hacker hate hated hates heroin
    hitler hostage hurt idiot idiots ignore inject instruction instructions jailbreak jew jews jihad kike kill
    killed killer killing kills knife leak login lynch malware meth moron murder muslim muslims napalm nazi nazis
    negro nigga nigger nude override passcode passport password passwords phish phishing piss pistol poison porn
    pussy racist rape raped rapist restriction restrictions retard retarded revolver rifle root rules scam secret
    secrets sex shit shoot shooting slave slut sluts spam spic steal stupid suicide system terror terrorist threat
    torture toxic trash unlock virus weapon weapons whore whores worthless
    """.split()  # noqa: SIM905
)
# A letter of a script whose words have several.
_ONE = "[^\\W\\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_SPLIT = re.compile(rf"(?<!{_IN_WORD}){_ONE}(?P<gap>[ .\-_*|/~·•+])(?:{_ONE}(?P=gap)){{1,40}}{_ONE}(?!{_IN_WORD})")
_DIGITS = re.compile(rf"(?<!{_IN_WORD})(?<!\.)\d(?P<gap>[ .\-_*|/~])(?:\d(?P=gap)){{5,40}}\d(?!{_IN_WORD})")
_HAN = re.compile(
    r"[\u4e00-\u9fff](?P<gap>[ .\-_*|/~·•#&@])(?:[\u4e00-\u9fff](?P=gap)){1,40}[\u4e00-\u9fff]"
    r"(?![\u4e00-\u9fff](?P=gap))"
)
_HAN_TWO = re.compile(r"[\u4e00-\u9fff][*_|#&@][\u4e00-\u9fff]")
_GAPPED = ((_SPLIT, 3), (_DIGITS, 7), (_HAN, 3), (_HAN_TWO, 2))  # and the least signs of each
_MAYBE = re.compile(r"(?i)[\[({<] ?(?:at|dot)|dot ")
_AT_DOT = re.compile(
    r"(?i)(?<=[a-z0-9]) ?[\[({<] ?(at|dot) ?[\])}>] ?(?=[a-z0-9])| (at"
    r"|dot) (?=[a-z0-9-]+ dot [a-z]+\b)| (dot) (?=(?:com|org|net|edu|gov|info|io|de|fr|uk|cn"
    r"|us)\b)"
)


def opened(view: View) -> tuple[View | None, list[Hidden]]:
    """The text with such words in plain letters, None where there are none, and where it was hidden.

    A word with one digit in it is often a name (mp3, H1N1): it counts as hidden where plain letters make it a word that
    is worth hiding, or with two such digits or more. Text that only may be hidden is opened, and not reported.
    """
    text = view.text
    found: list[Hidden] = []
    changes: list[tuple[int, int, str]] = []
    for match in _LEET.finditer(text) if _SIGN.search(text) else ():
        word = match[0].rstrip("!+")
        told = _word(word)
        if told is not None:
            end = match.start() + len(word)
            changes.append((match.start(), end, told[0]))
            if told[1]:
                found.append(Hidden("leetspeak", *view.span(match.start(), end)))
    for pattern, low in _GAPPED[: 2 if text.isascii() else None]:
        for match in pattern.finditer(text):
            joined, start, end = match[0][::2], *match.span()
            if joined[0] in "aAI" and joined[1:].lower() in _WORTH_HIDING:  # `a b o m b` has an article
                joined, start = joined[1:], start + 2
            if len(joined) < low or any(a < end and start < b for a, b, _ in changes):
                continue
            changes.append((start, end, joined))
            if _hides(joined, match[0][1]):
                found.append(Hidden("split-words", *view.span(start, end)))
    for match in _AT_DOT.finditer(text) if _MAYBE.search(text) else ():
        sign = "@" if "at" in match[0].lower() else "."
        changes.append((match.start(), match.end(), sign))
        if match[1]:
            found.append(Hidden("split-words", *view.span(*match.span())))
    return (_changed(view, changes) if changes else None), found


_SIGN = re.compile(r"[A-Za-z][0134578@$!+]|[0134578@$!+][A-Za-z]")


def _word(word: str) -> tuple[str, bool] | None:
    """A word in plain letters, and whether it was hidden; None when it is none."""
    signs = re.findall(r"[0134578@$!+]+", word)
    small = word.lower()
    if not signs:
        return None
    plain = "".join(_LETTERS.get(c, c) for c in small)
    other = "".join({"1": "l"}.get(c, _LETTERS.get(c, c)) for c in small)
    if plain in _WORTH_HIDING or other in _WORTH_HIDING:
        return (plain if plain in _WORTH_HIDING else other), True
    letters = sum(c.isalpha() for c in word)
    inner = re.findall(r"(?<=[a-z])[0134578@$!](?=[a-z])", small)
    if any(len(run) > 1 for run in signs) or letters < len(word) / 2 or not inner:
        return None
    return plain, len(inner) > 1 and not word.isupper()


def _hides(joined: str, gap: str) -> bool:
    """Whether letters with gaps are more likely a hidden word than initials or a list."""
    small = joined.lower()
    if small in _WORTH_HIDING:
        return True
    if joined.isdigit():
        return gap in " *|~_"
    if "\u4e00" <= joined[0] <= "\u9fff":
        return gap not in " ·-/" and len(joined) > 1
    codes = [ord(c) for c in small]
    listed = all(b - a == 1 for a, b in itertools.pairwise(codes)) or len(set(small)) < 3
    return len(joined) > 3 and not listed and not joined.isupper() and any(c in "aeiouy" for c in small)


def _changed(view: View, changes: list[tuple[int, int, str]]) -> View:
    text = view.text
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end, shown in [*sorted(changes), (len(text), len(text), "")]:
        if start < at:
            continue
        parts += text[at:start], shown
        starts += range(at, start)
        ends += range(at + 1, start + 1)
        if len(shown) == end - start:
            starts += range(start, end)
            ends += range(start + 1, end + 1)
        elif shown:
            starts += [start + 2 * i if len(shown) * 2 - 1 == end - start else start for i in range(len(shown))]
            ends += [start + 2 * i + 1 if len(shown) * 2 - 1 == end - start else end for i in range(len(shown))]
        at = end
    return view.then("".join(parts), starts, ends)
