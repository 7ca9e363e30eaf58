"""Which of the languages that a policy can name a text is in, by its script alone."""

from __future__ import annotations

import re

_LATIN, _HAN = re.compile("[A-Za-zÀ-ɏ]"), re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u30ff]")
_SHARE = 0.2  # of the letters, from which on a script counts


def languages(text: str) -> tuple[str, ...]:
    """`en` where Latin letters count, `zh` where ideographs do and there is no kana; nothing for other scripts.

    Other languages in Latin letters count as `en`. A text without letters is in both, as nothing speaks against it.
    """
    if text.isascii():
        return ("en",) if _LATIN.search(text) else ("en", "zh")
    letters = sum(c.isalpha() for c in text)
    if not letters:
        return ("en", "zh")
    latin, han = len(_LATIN.findall(text)), len(_HAN.findall(text))
    found = ["en"] if latin >= _SHARE * letters else []
    if han and 3 * han >= _SHARE * letters and not _KANA.search(text):  # a character says as much as some letters
        found.append("zh")
    return tuple(found)
