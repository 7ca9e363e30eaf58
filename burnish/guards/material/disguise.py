"""How people write to get past a filter, and how they write when they do not care."""

from __future__ import annotations

import base64
import codecs
import random
import unicodedata
from collections.abc import Callable

_LEET = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})
_LOOKALIKES = str.maketrans({"a": "а", "e": "е", "o": "о", "c": "с", "i": "і", "p": "р"})  # Cyrillic
_STARRED = "aeiou"

Disguise = Callable[[str, random.Random], str]


def leet(text: str, draw: random.Random) -> str:
    chosen = draw.sample("aeiost", draw.randint(3, 6))
    table = {ord(letter): _LEET[ord(letter)] for letter in chosen}
    return text.translate(table)


def starred(text: str, draw: random.Random) -> str:
    """One vowel of each longer word becomes a sign."""
    sign = draw.choice("*#@-_")
    words = text.split(" ")
    for index, word in enumerate(words):
        places = [place for place, letter in enumerate(word) if letter in _STARRED and place]
        if len(word) > 3 and places:
            place = draw.choice(places)
            words[index] = word[:place] + sign + word[place + 1 :]
    return " ".join(words)


def swapped(text: str, draw: random.Random) -> str:
    """Two neighbouring letters inside of a word change places."""
    places = [i for i in range(1, len(text) - 2) if text[i].isalpha() and text[i + 1].isalpha()]
    if not places:
        return text
    place = draw.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def dropped(text: str, draw: random.Random) -> str:
    places = [i for i in range(1, len(text) - 1) if text[i].isalpha()]
    if not places:
        return text
    place = draw.choice(places)
    return text[:place] + text[place + 1 :]


def doubled(text: str, draw: random.Random) -> str:
    places = [i for i, letter in enumerate(text) if letter.isalpha()]
    if not places:
        return text
    place = draw.choice(places)
    return text[:place] + text[place] * draw.randint(2, 4) + text[place:]


def bare(text: str) -> str:
    """Letters without their accents, and no spaces, as in addresses of mail."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().replace(" ", "")


DISGUISES: dict[str, Disguise] = {
    "leet": leet,
    "starred": starred,
    "swapped": swapped,
    "dropped": dropped,
    "doubled": doubled,
    "spaced": lambda text, draw: "  ".join(" ".join(word) for word in text.split(" ")),
    "hyphened": lambda text, draw: " ".join("-".join(word) for word in text.split(" ")),
    "joined": lambda text, draw: text.replace(" ", ""),
    "reversed": lambda text, draw: text[::-1],
    "halved": lambda text, draw: f"{text[: len(text) // 2]}' + '{text[len(text) // 2 :]}'",
    "base64": lambda text, draw: base64.b64encode(text.encode()).decode(),
    "rot13": lambda text, draw: codecs.encode(text, "rot13"),
    "lookalikes": lambda text, draw: text.translate(_LOOKALIKES),
    "upper": lambda text, draw: text.upper(),
    "lower": lambda text, draw: text.lower(),
    "title": lambda text, draw: text[:1].upper() + text[1:],
    "bare": lambda text, draw: bare(text),
}


def carelessly(text: str, draw: random.Random) -> str:
    """The text in lower case, in capitals, with a slip, or without its last sign."""
    kind = draw.random()
    if kind < 0.4:
        return text.lower()
    if kind < 0.5:
        return text.upper()
    if kind < 0.7:
        return text.rstrip(".!?。！？")
    return draw.choice((swapped, dropped, doubled))(text, draw)
