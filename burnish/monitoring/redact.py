"""Take personal data out of a text: what has a form of its own is found, names and addresses are not.

Found are e-mail addresses, phone numbers (international with + or 00, and Chinese mobile), payment cards (Luhn), IBANs
(ISO 13616, mod 97), Chinese resident ids (GB 11643, date and check digit), IP addresses, and URLs that carry a
password or a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from ipaddress import ip_address
from itertools import groupby
from typing import NamedTuple


class Move(NamedTuple):
    """Characters `start` to `end` of the original became `new_start` to `new_end`: a placeholder such as <EMAIL>."""

    start: int
    end: int
    new_start: int
    new_end: int


def redact(text: str) -> tuple[str, tuple[Move, ...]]:
    """Return the text with placeholders in place of personal data, and where they are, in order.

    Time grows linearly with the text.
    """
    found: list[tuple[int, int, str]] = []
    taken = bytearray(len(text))
    plain = text.translate(_HALF_WIDTH) if _FULL_WIDTH.search(text) else text
    for placeholder, hint, pattern, holds in _FOUND_BY:
        for match in pattern.finditer(plain) if hint in plain else ():
            start, end = match.span()
            if holds(match[0]) and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, end, placeholder))
    parts: list[str] = []
    moves: list[Move] = []
    at = length = 0
    for start, end, placeholder in sorted(found):
        begin = length + start - at
        moves.append(Move(start, end, begin, begin + len(placeholder)))
        parts += text[at:start], placeholder
        at, length = end, begin + len(placeholder)
    return "".join([*parts, text[at:]]), tuple(moves)


def moved(start: int, end: int, moves: Sequence[Move]) -> tuple[int, int]:
    """Where characters `start` up to `end` of the original are now; a placeholder is covered whole or not at all."""
    first = last = 0  # by how much each border shifts
    for move in moves:
        if move.start <= start < move.end:
            first = move.new_start - start
        elif move.end <= start:
            first = move.new_end - move.end
        if move.start < end <= move.end:
            last = move.new_end - end
        elif move.end < end:
            last = move.new_end - move.end
    return start + first, end + last


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdecimal()]


def _luhn(text: str) -> bool:
    digits = _digits(text)[::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


def _iban(text: str) -> bool:
    signs = [c for c in text.upper() if c.isalnum()]
    return int("".join(str(int(c, 36)) for c in signs[4:] + signs[:4])) % 97 == 1


def _resident(text: str) -> bool:
    signs = "".join(text.split()).upper()
    try:
        date(int(signs[6:10]), int(signs[10:12]), int(signs[12:14]))
    except ValueError:
        return False
    return "10X98765432"[sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(signs[:17])) % 11] == signs[17]


def _ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "." in text or any(len(group) > 2 for group in text.split(":"))  # `a::b` is more often code


_HALF_WIDTH = {code + 0xFEE0: code for code in b"+-.@0123456789" + bytes(range(65, 91)) + bytes(range(97, 123))}
_FULL_WIDTH = re.compile(f"[{''.join(map(chr, _HALF_WIDTH))}]")
_LENGTHS = """
NO15 BE16 DK18 FI18 FK18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 CH21 HR21 LI21 LV21
BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 RO24
SA24 SE24 SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 BI27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 CY28 DO28
GT28 HN28 HU28 LB28 NI28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 MT31 SC31 LC32 RU33
"""  # of an IBAN, by country: the registry of ISO 13616


def _ibans() -> str:
    """Pattern of an IBAN of any country, which knows where each ends."""
    return "|".join(
        f"(?:{'|'.join(name[:2] for name in names)})[0-9]{{2}}(?:[ \u00a0-]?[A-Za-z0-9]){{{int(length) - 4}}}"
        for length, names in groupby(_LENGTHS.split(), key=lambda name: name[2:])
    )


# Behind the first character of a pattern, where it costs nothing at all the places at which there is no such character:
# what stands before is no letter or digit, and no whole part of a decimal number.
_ALONE = r"(?<![0-9A-Za-z].)(?<![0-9]\..)"
_LATIN = "A-Za-z0-9À-ɏ"  # and not \w: in Chinese no space parts an address from the words around it
_LOCAL = f"{_LATIN}._%+-"
_SCHEME = "(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://"
_IN_URL = "[!#-;=?-~À-ɏ]"
_SECRET = "(?:access_|auth_|id_|refresh_)?token|(?:api_?)?key|passw(?:or)?d|pwd|(?:client_)?secret|sig(?:nature)?"
_HEX = "[0-9A-Fa-f]"

# Placeholder, what a text must contain to be searched, pattern, further check; the earlier one wins.
_KINDS: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
    ("URL", "://", rf"{_SCHEME}[^\s/?#@<>\"]+@{_IN_URL}*[{_LATIN}]/?", bool),
    (
        "URL",
        "://",
        rf"(?i){_SCHEME}[^\s?#<>\"]{{1,300}}[?#](?:{_IN_URL}{{0,300}}[&#])?(?:{_SECRET})=(?:{_IN_URL}*[{_LATIN}/=_~%-])?",
        bool,
    ),
    (
        "EMAIL",
        "@",
        rf"(?<![{_LOCAL}])[{_LOCAL}]+@(?:[{_LATIN}-]+\.)+(?:xn--[A-Za-z0-9-]+|[A-Za-zÀ-ɏ]{{2,}})",
        bool,
    ),
    ("IBAN", "", rf"(?i)(?=[A-Z]{{2}}\d\d)(?<![A-Z0-9])(?:{_ibans()})(?![A-Z0-9])", _iban),
    ("RESIDENT_ID", "", rf"[1-9]{_ALONE}\d{{5}} ?\d{{8}} ?\d{{3}}[\dXx](?![0-9A-Za-z])", _resident),
    (
        "CARD",
        "",
        rf"[2-6]{_ALONE}(?:\d{{12,18}}|\d{{3}}(?:[ -]\d{{4}}){{2}}[ -]\d{{1,4}}(?:[ -]\d{{1,3}})?"
        r"|\d{3}[ -]\d{6}[ -]\d{4,5})(?![0-9A-Za-z]|[.-]\d)",
        _luhn,
    ),
    ("PHONE", "+", r"\+(?<![0-9A-Za-z+]\+)\(?[1-9](?:[ .()/\u00a0-]{0,2}\d){7,14}(?!\d)", bool),
    ("PHONE", "00", rf"0{_ALONE}(?<![0-9][ -].)0[1-9]\d{{0,2}}[ /-](?:[ .()/\u00a0-]{{0,2}}\d){{7,12}}(?!\d)", bool),
    ("PHONE", "1", rf"(?:1{_ALONE}|8{_ALONE}6[ -]?1)[3-9]\d(?:[ -]?\d{{4}}){{2}}(?![0-9A-Za-z]|\.\d)", bool),
    ("IP", ".", rf"\d{_ALONE}\d{{0,2}}(?:\.\d{{1,3}}){{3}}(?![0-9A-Za-z]|\.\d)", _ip),
    (
        "IP",
        ":",
        rf"(?<![0-9A-Za-z])(?<!{_HEX}:)(?:{_HEX}{{0,4}}:){{2,7}}(?:{_HEX}{{1,4}}|(?<=::))(?!:?[0-9A-Za-z]|::)",
        _ip,
    ),
)
_FOUND_BY = tuple((f"<{name}>", hint, re.compile(pattern), holds) for name, hint, pattern, holds in _KINDS)
