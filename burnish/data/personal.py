"""Personal data that has a form of its own, and how it is found in a text.

In `FORMS` are e-mail addresses, phone numbers (international with + or 00, and Chinese mobile), payment cards (Luhn),
IBANs (ISO 13616, mod 97), Chinese resident ids (GB 11643, date and check digit), IP addresses, and URLs that carry a
password or a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from itertools import groupby
from typing import NamedTuple

from burnish.data.checksums import iban, ip, luhn, resident

DIGIT = "any digit"  # as a hint
CHECKED, FORM = 1.0, 0.9  # scores: a check digit holds; the form alone is clear


class Form(NamedTuple):
    """How one kind of data is written.

    Attributes:
        hint: what a text must contain to be searched, as it stands or as a pattern; `DIGIT` stands for any digit.
        holds: a further check of what the pattern matched; its group 1 where it has one.
        score: how sure a match is.
        near: words around a match that lift its score to `lifted`.
        roomy: whether what is sure without such words is found inside of a match as well, unless it is roomy itself.
    """

    kind: str
    hint: str | re.Pattern[str]
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = bool
    score: float = FORM
    near: re.Pattern[str] | None = None
    lifted: float = 0.8
    roomy: bool = False


class Found(NamedTuple):
    """Characters `start` to `end` (exclusive) are of a kind, with a score from 0 to 1."""

    start: int
    end: int
    kind: str
    score: float


_BEFORE, _AFTER = 40, 16  # characters in which a word counts as near
_FULL, _ROOMY = 1, 2  # characters that a form took, without room for others or with


def find(text: str, forms: Sequence[Form], least: float = 0.0, kinds: Container[str] | None = None) -> list[Found]:
    """What matches any of `forms` with a score of `least` or more, in order; of overlapping ones the earlier form wins.

    Full-width letters and digits count as their half-width twins. Time grows linearly with the text.

    Args:
        kinds: what is asked for, so that nothing else stands in its way; all when None.
    """
    found: list[Found] = []
    taken = bytearray(len(text))
    plain = text if text.isascii() else half_width(text)
    digit = _DIGIT.search(plain) is not None
    for kind, hint, pattern, holds, sure, near, lifted, roomy in forms:
        if kinds is not None and kind not in kinds:
            continue
        closed = (_FULL,) if sure > 0 and not roomy else (_FULL, _ROOMY)
        if not (digit if hint is DIGIT else hint in plain if isinstance(hint, str) else hint.search(plain)):
            continue
        for match in pattern.finditer(plain):
            start, end = match.span(match.re.groups)
            score = sure
            if near and near.search(plain[max(0, start - _BEFORE) : start] + " \0 " + plain[end : end + _AFTER]):
                score = max(sure, lifted)
            if score > 0 and score >= least and holds(plain[start:end]):
                if any(one in taken[start:end] for one in closed):
                    continue
                taken[start:end] = bytes([_ROOMY if roomy else _FULL]) * (end - start)
                found.append(Found(start, end, kind, score))
    return sorted(found)


def half_width(text: str) -> str:
    """The same text, character by character, with Latin letters and digits in their half-width form.

    Dashes and signs of subtraction between digits become hyphens.
    """
    return _DASH.sub("-", text.translate(_HALF_WIDTH) if _FULL_WIDTH.search(text) else text)


_HALF_WIDTH = {code + 0xFEE0: code for code in b"+-.@0123456789" + bytes(range(65, 91)) + bytes(range(97, 123))}
_FULL_WIDTH = re.compile(f"[{''.join(map(chr, _HALF_WIDTH))}]")
_DASH = re.compile(r"(?<=[\d)])[\u2010-\u2015\u2212\ufe58\ufe63](?=[\d(])")  # between words it parts them
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
_NUMBERED = "[单编货型票工批水]号"  # of an order, an article, an employee and so on, and of no phone
NOT_NUMBERED = "".join(f"(?<!{_NUMBERED}{sign}.)" for sign in ("", "[:： 是为]", "[:：是为] "))
NOT_COUNTED = (  # no unit stands behind; 张 and 万 are surnames too, 本人 and 个人 persons
    r"(?! ?(?:[%％元块台件套条亿千份箱盒瓶吨克]|[美欧日港澳]元|万(?:[元块台件个人次]|(?![\u4e00-\u9fff]))"
    r"|个(?!人)|人(?![工事])|次(?!日)|[张本只](?![\u4e00-\u9fff])))"
)
_FREE = _ALONE + NOT_NUMBERED
_GAP = r"[ .()/\u00a0-]{0,2}"
_ISSUERS = re.compile(
    r"(?=(?:\d{13}|\d{16}|\d{19})$)4"  # Visa
    r"|(?=\d{16}$)(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|60)"  # Mastercard, RuPay
    r"|(?=\d{15}$)3[47]"  # American Express
    r"|(?=\d{14,19}$)3(?:0[0-59]|[689])"  # Diners
    r"|(?=\d{16,19}$)(?:6011|64[4-9]|65|352[89]|35[3-8]|62|81|220[0-4])"  # Discover, JCB, UnionPay, Mir
    r"|(?=\d{12,19}$)(?:50|5[6-8]|6304|6759|676[1-3])"  # Maestro, RuPay
)


def _card(text: str) -> bool:
    """Whether an issuer gives out numbers that begin so and are so long, and the check digit holds."""
    return luhn(text) and _ISSUERS.match(re.sub(r"\D", "", text)) is not None


_LATIN = "A-Za-z0-9À-ɏ"  # and not \w: in Chinese no space parts an address from the words around it
_LOCAL = f"{_LATIN}._%+-"
_SCHEME = "(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://"
_IN_URL = "[!#-;=?-~À-ɏ]"
_USER, _PLACE = "[!$-.0-;=A-~À-ɏ]", "[!$-;=@-~À-ɏ]"  # before the @ of a URL, and before its ? or #
_SECRET = "(?:access_|auth_|id_|refresh_)?token|(?:api_?)?key|passw(?:or)?d|pwd|(?:client_)?secret|sig(?:nature)?"
_HEX = "[0-9A-Fa-f]"

_DIGIT = re.compile(r"\d")
# Kind, what a text must contain to be searched, pattern, further check, score; the earlier one wins.
_KINDS: tuple[tuple[str, str, str, Callable[[str], bool], float], ...] = (
    ("url", "://", rf"{_SCHEME}{_USER}+@{_IN_URL}*[{_LATIN}]/?", bool, FORM),
    (
        "url",
        "://",
        rf"(?i){_SCHEME}{_PLACE}{{1,300}}[?#](?:{_IN_URL}{{0,300}}[&#])?(?:{_SECRET})=(?:{_IN_URL}*[{_LATIN}/=_~%-])?",
        bool,
        FORM,
    ),
    (
        "email",
        "@",
        rf"(?<![{_LOCAL}])[{_LOCAL}]+@(?:[{_LATIN}-]+\.)+(?:xn--[A-Za-z0-9-]+|[A-Za-zÀ-ɏ]{{2,}})",
        bool,
        FORM,
    ),
    ("iban", DIGIT, rf"(?i)(?=[A-Z]{{2}}\d\d)(?<![A-Z0-9])(?:{_ibans()})(?![A-Z0-9])", iban, CHECKED),
    ("resident_id", DIGIT, rf"[1-9]{_ALONE}\d{{5}} ?\d{{8}} ?\d{{3}}[\dXx](?![0-9A-Za-z])", resident, CHECKED),
    (
        "card",
        DIGIT,
        rf"[2-68]{_ALONE}(?:\d{{12,18}}|\d{{3}}(?:[ -]\d{{4}}){{2}}[ -]\d{{1,4}}(?:[ -]\d{{1,3}})?"
        r"|\d{3}[ -]\d{6}[ -]\d{4,5})(?![0-9A-Za-z]|[.-]\d)",
        _card,
        CHECKED,
    ),
    (
        "phone",
        "+",
        rf"\+(?<![0-9A-Za-z+]\+)(?!(?:\d+\.\d{{1,2}}|\d\.\d+)(?![\d./()-]))"  # a decimal number is none
        rf"\(?(?:1{_GAP}\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}|[2-9](?:{_GAP}\d){{7,14}})(?!\d){NOT_COUNTED}",
        bool,
        FORM,
    ),
    (
        "phone",
        "00",
        rf"0{_ALONE}(?<![0-9][ -].)0[1-9]\d{{0,2}}[ /-](?:{_GAP}\d){{7,12}}(?!\d)",
        bool,
        FORM,
    ),
    ("phone", "1", rf"(?:1{_FREE}|8{_FREE}6[ -]?1)[3-9]\d(?:[ -]?\d{{4}}){{2}}(?![0-9A-Za-z]|\.\d)", bool, FORM),
    ("ip", DIGIT, rf"\d{_ALONE}\d{{0,2}}(?:\.\d{{1,3}}){{3}}(?![0-9A-Za-z]|\.\d)", ip, FORM),
    (
        "ip",
        ":",
        rf"(?<![0-9A-Za-z])(?<!{_HEX}:)(?:{_HEX}{{0,4}}:){{2,7}}(?:{_HEX}{{1,4}}|(?<=::))(?!:?[0-9A-Za-z]|::)",
        ip,
        FORM,
    ),
)
FORMS = tuple(Form(name, hint, re.compile(pattern), holds, score) for name, hint, pattern, holds, score in _KINDS)
