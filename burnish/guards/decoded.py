"""Pieces of a text that are another text in disguise: base64, hexadecimal, escapes, rot13, backwards."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

DEEPEST = 3  # layers that are opened, one inside the other


class Piece(NamedTuple):
    """Characters `start` to `end` say `text`; it `hides` where there was no need to write it so."""

    start: int
    end: int
    text: str
    hides: bool = True


_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/_=-])(?:[A-Za-z0-9+/_-]{16,}+={0,2}|[A-Za-z0-9+/_-]{6,}+={1,2})(?![A-Za-z0-9+/_=-])"
)
_HEX = re.compile(
    r"(?i)(?<![0-9a-z])(?:0x)?(?:[2-9abe][0-9a-f]){6,}+(?![0-9a-z])|(?<![0-9a-z])(?:"
    r"(?:0x)?[2-9abe][0-9a-f][ ,:]{1,2}){5,}+(?:0x)?[2-9abe][0-9a-f](?![0-9a-z])"
)
_PAIR = re.compile("[0-9][0-9A-Fa-f]{4}|[0-9][0-9A-Fa-f][ ,:]{1,2}(?:0x)?[0-9]")
_ESCAPES = re.compile(r"(?i)(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}){3,}+")
_PERCENT = re.compile(r"(?i)(?:[a-z0-9._-]{0,8}%[0-9a-f]{2}){3,}+[a-z0-9._-]*")
_ENTITIES = re.compile(r"(?i)(?:&#(?:x[0-9a-f]{1,6}|[0-9]{1,7});){3,}+")
_BITS = re.compile(r"(?<![0-9])(?:[01]{8} ?){4,}+(?![0-9])")
_COMMON = [
    "the",
    "and",
    "you",
    "that",
    "for",
    "with",
    "this",
    "how",
    "make",
    "from",
    "your",
    "what",
    "are",
    "tell",
    "was",
    "have",
    "about",
    "all",
    "not",
    "can",
    "will",
    "who",
    "when",
    "where",
    "ignore",
    "instructions",
    "bomb",
    "kill",
    "password",
    "prompt",
    "system",
    "previous",
    "hack",
    "weapon",
    "poison",
    "steal",
    "explain",
    "write",
    "give",
    "show",
]
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
_WORD = re.compile("[a-z]+")
_STRAIGHT = frozenset(_COMMON)
_WAYS: tuple[tuple[frozenset[str], Callable[[str], str]], ...] = (
    (frozenset(word.translate(_ROT13) for word in _COMMON), lambda text: text.translate(_ROT13)),
    (frozenset(word[::-1] for word in _COMMON) - {"era", "saw"}, lambda text: text[::-1]),
)


def pieces(text: str) -> list[Piece]:
    """The pieces that say something readable; a hash, a picture or an identifier does not."""
    found: list[Piece] = []
    if len(text) < 8:
        return found
    if "=" in text or max(map(len, text.split()), default=0) >= 16:
        for match in _BASE64.finditer(text):
            _add(found, match, _from_base64(match[0]))
    for match in _HEX.finditer(text) if _PAIR.search(text) else ():
        digits = re.sub(r"(?i)0x|[ ,:]", "", match[0])
        _add(found, match, bytes.fromhex(digits) if len(digits) % 2 == 0 else b"")
    if "\\" in text:
        for match in _ESCAPES.finditer(text):
            _add(found, match, _from_escapes(re.findall(r"(?i)\\([xu])([0-9a-f]+)", match[0])))
    if "%" in text:
        for match in _PERCENT.finditer(text):
            needless = re.search("(?i)%(?:3[0-9]|[46][1-9a-f]|[57][0-9a])", match[0])  # letters and digits
            _add(found, match, unquote_to_bytes(match[0]), hides=needless is not None)
    if "&#" in text:
        for match in _ENTITIES.finditer(text):
            _add(found, match, html.unescape(match[0]).encode("utf-8", "replace"))
    if "01" in text:
        for match in _BITS.finditer(text):
            bits = match[0].replace(" ", "")
            _add(found, match, int(bits, 2).to_bytes(len(bits) // 8, "big"))
    words = _WORD.findall(text.lower())
    straight = sum(map(_STRAIGHT.__contains__, words))
    for turned, read in _WAYS:
        hits = sum(map(turned.__contains__, words))
        if hits >= 2 and hits > 2 * straight and hits * 12 >= len(words):
            found.append(Piece(0, len(text), read(text)))
    return found


def _add(found: list[Piece], match: re.Match[str], raw: bytes, hides: bool = True) -> None:
    said = _readable(raw)
    if said is not None and not any(piece.start < match.end() and match.start() < piece.end for piece in found):
        found.append(Piece(*match.span(), said, hides))


def _from_escapes(codes: list[tuple[str, str]]) -> bytes:
    """Codes of two digits as bytes of UTF-8 where they are such, or else as characters, as those of four are."""
    if all(kind in "xX" for kind, _ in codes):
        raw = bytes(int(code, 16) for _, code in codes)
        if not raw.isascii() and _readable(raw) is not None:
            return raw
    return "".join(chr(int(code, 16)) for _, code in codes).encode("utf-8", "replace")


def _from_base64(text: str) -> bytes:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _readable(raw: bytes) -> str | None:
    """Bytes as a text, where nearly all of it are letters, digits, spaces and punctuation."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(text) < 4 or any(not c.isprintable() and c not in "\n\r\t" for c in text):
        return None
    letters = sum(c.isalpha() or c.isspace() for c in text)
    plain = sum(
        c.isascii() or "\u3400" <= c <= "\u9fff" or "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uffef" for c in text
    )
    digits = sum(c.isdecimal() for c in text)
    return text if letters + digits >= 0.7 * len(text) and plain >= 0.9 * len(text) else None
