"""Forms of personal data that need a look at the words around them, after those of `data/personal.py`.

A number that may be many things has a low score of its own, and a higher one beside a word that says what it is, so
that order numbers and amounts are not taken for phones. A score of 0 means that the form is found beside such a word
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from burnish.data.checksums import luhn
from burnish.data.personal import CHECKED, DIGIT, FORM, FORMS, NOT_COUNTED, NOT_NUMBERED, Form

KINDS = (
    "person",
    "address",
    "place",
    "organization",
    "card",
    "iban",
    "resident_id",
    "phone",
    "email",
    "ip",
    "ssn",
    "passport",
    "licence",
    "url",
    "date",
    "postcode",
)
IDENTIFYING = tuple(kind for kind in KINDS if kind not in ("place", "organization", "url", "date", "postcode"))

_LABELS = {
    "PERSON": "person", "PER": "person", "NAME": "person", "STREET_ADDRESS": "address", "ADDRESS": "address",
    "GPE": "place", "LOC": "place", "LOCATION": "place", "ORGANIZATION": "organization", "ORG": "organization",
    "COMPANY": "organization", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "US_SSN": "ssn", "US_PASSPORT": "passport",
    "US_DRIVER_LICENSE": "licence", "DOMAIN_NAME": "url", "DATE_TIME": "date", "ZIP_CODE": "postcode",
}  # fmt: skip


def kind_of(label: str) -> str:
    """The kind that a class of a tagger, or an entity of Presidio, stands for; its name in small letters if unknown."""
    return _LABELS.get(label.upper(), label.lower())


_SIGNS = {"email": re.compile("@"), "url": re.compile(r"\.")} | dict.fromkeys(
    ("card", "iban", "resident_id", "phone", "ssn", "passport", "licence", "postcode"), re.compile(r"\d")
)
_SIGN = re.compile(r"[^\W_]")


def may_be(kind: str, text: str) -> bool:
    """Whether a text has the sign that all of a kind have: an @, a dot, a digit, or any letter or digit at all."""
    return _SIGNS.get(kind, _SIGN).search(text) is not None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?<![a-z])(?:{pattern})")


_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_CLOCK = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z| ?[AaPp][Mm]\b|[+-]\d{2}:?\d{2})?)?"
_DAY, _NUMBER_OF_MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_TLD = (
    "com|org|net|edu|gov|mil|info|biz|int|io|co|ai|app|dev|xyz|online|site|shop|club|top|eu|uk|us|ca|de|fr|es|it|nl|be|"
    "ch|at|dk|se|no|fi|is|ie|pt|pl|cz|sk|hu|si|hr|ro|bg|gr|tr|ru|ua|cn|jp|kr|in|au|nz|br|mx|ar|cl|za|il"
)
_PHONE_WORDS = _words(
    r"phone|tele?\b|telephone|mobile|cell|fax|desk|call|dial|ring me|text me|whats ?app|answer|pick(?:ing)? up"
    r"|contact|hotline|number at|office"
    r"|reach (?:me|us|him|her|them)|telefon|tel\.|mob\b"
)
_PHONE_WORDS = re.compile(f"{_PHONE_WORDS.pattern}|电话|手机|联系|致电|传真|座机|拨打")
_CARD_WORDS = _words(r"cards?\b|credit|debit|visa|maestro|master ?card|amex|payment")
_CARD_WORDS = re.compile(f"{_CARD_WORDS.pattern}|卡号|信用卡|银行卡|借记卡")
_ALONE = r"(?<![0-9A-Za-z])(?<![0-9][.,:/-])(?<![$€£¥#])"
_END = r"(?![0-9A-Za-z]|[.,:/-]\d)"

_ENDS = (
    r"\s<>\"'，。；！？、（）「」《》)\]}"  # a URL; and so do ideographs, kana and hangul, which follow without a space
)
_EAST = r"\u3000-\u9fff\uac00-\ud7af"
_IN_URL, _LAST = f"[^{_ENDS}{_EAST}]", f"[^{_ENDS}{_EAST}.,;:!?]"

_DOTTED = re.compile(r"[A-Za-z0-9]\.[A-Za-z]{2}")

_BEFORE_MINE = tuple(form for form in FORMS if form.kind not in ("phone",))
_PHONES = tuple(form for form in FORMS if form.kind == "phone")


def _date_like(text: str) -> bool:
    return re.fullmatch(r"(?:19|20)\d\d[-/. ]?\d\d?[-/. ]?\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d", text) is None


def _has_digits(low: int, high: int) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        return low <= sum(c.isdecimal() for c in text) <= high and _date_like(text)

    return holds


_PHONE_LIKE = _has_digits(7, 15)
_DECIMAL = re.compile(r"\d+\.\d+")
_HOURS = re.compile(r"\d\d?\.\d\d ?- ?\d\d?\.\d\d")


def _phone(text: str) -> bool:
    return _PHONE_LIKE(text) and not _DECIMAL.fullmatch(text) and not _HOURS.fullmatch(text)


def _form(
    kind: str, hint: str | re.Pattern[str], pattern: str, score: float, near: re.Pattern[str] | None = None,
    holds: Callable[[str], bool] = bool, lifted: float = 0.8, roomy: bool = False,
) -> Form:  # fmt: skip
    return Form(kind, hint, re.compile(pattern), holds, score, near, lifted, roomy)


ALL: tuple[Form, ...] = (
    *_BEFORE_MINE,
    _form(
        "url",
        "://",
        rf"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+-]*://(?:{_IN_URL}+{_LAST}|(?=[{_EAST}])[^{_ENDS}]+[^{_ENDS}.,;:!?])",
        FORM,
        roomy=True,
    ),
    _form(
        "url",
        "www.",
        rf"(?i)(?<![a-z0-9.-])www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/{_IN_URL}*{_LAST})?",
        FORM,
        roomy=True,
    ),
    _form("card", DIGIT, rf"{_ALONE}\d(?:[ -]?\d){{11,18}}{_END}", 0.0, _CARD_WORDS, luhn, CHECKED),
    *_PHONES,
    _form("date", "-", rf"(?<![0-9A-Za-z-])(?:19|20)\d\d-{_NUMBER_OF_MONTH}-{_DAY}(?!\d){_CLOCK}(?![0-9-])", FORM),
    _form(
        "date",
        "/",
        rf"(?<![0-9A-Za-z/])(?:\d{{4}}/{_NUMBER_OF_MONTH}/{_DAY}|{_DAY}/{_DAY}/(?:(?:19|20)\d\d|\d"
        rf"\d)){_CLOCK}(?![0-9/])",
        FORM,
    ),
    _form("date", DIGIT, rf"(?<![0-9A-Za-z.]){_DAY}\.{_NUMBER_OF_MONTH}\.(?:19|20)\d\d(?!\d|\.\d)", FORM),
    _form("date", "年", r"(?<!\d)(?:19|20)\d\d ?年(?: ?\d{1,2} ?月(?: ?\d{1,2} ?[日号])?)?", FORM),
    _form("date", "月", r"(?<!\d)(?:1[0-2]|[1-9]) ?月 ?(?:3[01]|[12]\d|[1-9]) ?[日号]", FORM),
    _form(
        "date",
        DIGIT,
        rf"(?i)(?<![a-z0-9])(?:{_DAY}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? (?:19|20)\d\d)?|"
        rf"{_MONTH} {_DAY}(?:st|nd|rd|th)?\b(?:,? (?:19|20)\d\d\b)?|{_MONTH},? (?:19|20)\d\d\b)",
        FORM,
    ),
    _form("date", "day", r"(?i)(?<![a-z])(?:mon|tues|wednes|thurs|fri|satur|sun)day(?![a-z])", 0.6),
    _form(
        "date",
        DIGIT,
        r"(?i)(?<![a-z])(?:a|an|the|in|during|since|until|till|by|before|after|from|of|year|circa|early"
        r"|late|mid|summer|winter|spring|autumn|fall) ((?:19|20)\d\d)(?![0-9A-Za-z]|[.,:/-]\d)",
        0.7,
    ),
    _form("ssn", "-", rf"{_ALONE}(?!000|666)[0-8]\d\d-(?!00)\d\d-(?!0000)\d{{4}}{_END}", FORM),
    _form(
        "ssn",
        DIGIT,
        rf"{_ALONE}(?!000|666)\d{{3}}[ -]?(?!00)\d\d[ -]?(?!0000)\d{{4}}{_END}",
        0.0,
        _words(r"ssn|social security|itin\b|taxpayer"),
        lifted=FORM,
    ),
    _form(
        "passport",
        DIGIT,
        rf"{_ALONE}(?:[A-Za-z]{{1,2}}\d{{6,8}}|\d{{8,9}}){_END}",
        0.0,
        re.compile("(?i)passport|护照"),
    ),
    _form(
        "licence",
        DIGIT,
        rf"(?i){_ALONE}(?=[a-z0-9-]{{0,19}}\d{{3}})[a-z0-9](?:[a-z0-9]|-(?=\d)){{4,18}}{_END}",
        0.0,
        re.compile("(?i)driv(?:er|ing)'?s? licen[cs]e|licen[cs]e number|DL number|驾照|驾驶证"),
        _has_digits(4, 18),
    ),
    _form(
        "phone",
        DIGIT,
        rf"{_ALONE}(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{{4}}(?: ?(?:x|ext\.?"
        rf") ?\d{{1,5}})?(?![0-9A-Za-z]|[.,:/-]\d)",
        0.8,
    ),
    _form(
        "phone",
        "0",
        rf"{_ALONE}(?:\(0\d{{1,4}}\) ?\d{{3,4}}[ -]?\d{{3,4}}|0\d{{4}} \d{{6}}|07\d{{3}} \d{{3}} ?"
        rf"\d{{3}}|0\d(?:[. ]\d\d){{4}}|0\d{{2}} \d{{4}} \d{{4}}|0\d{{3}} \d{{3}} \d{{4}}|0\d{{2,3"
        rf"}}-\d{{7,8}}){_END}",
        0.7,
    ),
    _form(
        "phone",
        DIGIT,
        rf"(?<![0-9A-Za-z$€£¥#])(?<![0-9][.,:/])(?=.{NOT_NUMBERED})(\(?\d(?:[ ./()-]{{0,2}}\d){{6,14}}(?: ?(?:x"
        rf"|ext\.?) ?\d{{1,5}})?)(?![0-9A-Za-z]|[.,:/]\d){NOT_COUNTED}",
        0.0,
        _PHONE_WORDS,
        _phone,
    ),
    _form(
        "postcode",
        DIGIT,
        r"(?i)(?<![a-z])(?:zip(?: ?code)?|post(?:al)? ?code|postcode|eircode|plz)(?: is| was|:|="
        r"|#)?[: ]{0,2}([a-z]{0,2}-?\d[a-z0-9]{1,6}(?:[ -](?=[a-z0-9]*\d)[a-z0-9]{2,4}"
        r"|[ -][a-z]{2}(?![a-z]))?)(?![a-z0-9])",
        FORM,
    ),
    _form("postcode", "邮", r"(?:邮政编码|邮编)(?:是|为)?[:： ]{0,2}(\d{6})(?!\d)", FORM),
    _form(
        "postcode",
        DIGIT,
        r"(?<![0-9A-Za-z])(?:[A-Z]{1,2}\d[A-Z0-9]? \d[ABD-HJLNP-UW-Z]{2}"
        r"|[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)(?![0-9A-Za-z])",
        0.6,
    ),
    _form(
        "url",
        _DOTTED,
        rf"(?i)(?<![a-z0-9@._/\\-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.)+(?:{_TLD})(?![a-z0-"
        rf"9@_-]|\.[a-z0-9])(?:/{_IN_URL}*{_LAST})?",
        0.6,
        roomy=True,
    ),
)
