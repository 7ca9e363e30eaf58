"""What is said, in the one way of writing it that a model of speech learns and is judged by."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from burnish.data.words import kind

TRANSCRIPT = "transcript"  # name of a batch's target whose order is that of what is heard


def normal(text: str) -> str:
    """A transcript in lower case and NFKC, without punctuation and with single spaces.

    An apostrophe between letters stays. There is no space between two characters of scripts that are written without
    (Han, kana): it cannot be heard. Numbers and signs such as $ stay as they are written.
    """
    given = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    words: list[str] = []
    for word in "".join(map(_kept, " " + given, given, given[1:] + " ")).split():
        if words and kind(words[-1][-1]) == kind(word[0]) == "single":
            words[-1] += word
        else:
            words.append(word)
    return " ".join(words)


def _kept(before: str, character: str, after: str) -> str:
    if character == "'" and before.isalpha() and after.isalpha():
        return character
    return " " if kind(character) == "space" or unicodedata.category(character)[0] == "P" else character


def by_character(transcripts: Iterable[str]) -> bool:
    """Whether most of what is written is in scripts without spaces between words, so that words cannot be counted."""
    single = letters = 0
    for text in transcripts:
        kinds = [kind(character) for character in text]
        single, letters = single + kinds.count("single"), letters + kinds.count("letter")
    return single > letters
