"""Which of the languages that a policy can name a text is in, by its script alone."""

from __future__ import annotations

import re

_LATIN, _HAN = re.compile("[A-Za-zÀ-ɏ]"), re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u30ff]")
_SHARE = 0.2  # of the letters, from which on a script counts
_WORDS, _CHARACTERS = (
    re.compile("(?:[A-Za-z']+[ ,;:.!?-]{1,3}){2}[A-Za-z]"),
    re.compile("[\u3400-\u9fff]{4}"),
)  # or so many


def languages(text: str) -> tuple[str, ...]:
    """`en` where Latin letters count, a fifth of all or three words in a row, `zh` where ideographs do, as many or four
    in a row, and there is hardly any kana; nothing for other scripts.

    Other languages in Latin letters count as `en`. A text without letters is in both, as nothing speaks against it.
    """
    if text.isascii():
        return ("en",) if _LATIN.search(text) else ("en", "zh")
    letters = sum(c.isalpha() for c in text)
    if not letters:
        return ("en", "zh")
    latin, han = len(_LATIN.findall(text)), len(_HAN.findall(text))
    found = ["en"] if latin >= _SHARE * letters or _WORDS.search(text) else []
    enough = 3 * han >= _SHARE * letters or _CHARACTERS.search(text)  # a character says as much as some letters
    if han and enough and 5 * len(_KANA.findall(text)) < han:
        found.append("zh")
    return tuple(found)
