"""Keys, tokens and passwords in a text: by the form their issuers give them, or by the word before them."""

from __future__ import annotations

import re
from collections import Counter
from math import log2

from burnish.data.personal import CHECKED, DIGIT, FORM, FORMS, Form

_BEFORE, _AFTER = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])"
_NAME = (
    r"(?:api[_ -]?key|access[_ -]?key|secret[_ -]?key|private[_ -]?key|auth[_ -]?token"
    r"|access[_ -]?token|client[_ -]?secret"
    r"|password|passwd|passphrase|passcode|pwd|secret|token|bearer|credentials?)|密码|口令|密钥|令牌"
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:[x*.•_-]+|<.*>|\$?\{.*\}?|\$[a-z_]+|%.*%|your.*|my.*|example.*|changeme"
    r"|change_me|placeholder|none|null|true|false|undefined"
    r"|required|optional|string|todo|redacted|hidden|os\.\S*|process\.\S*|env\S*|self\.\S*|config\S*)$"
)
_SIGNS = "!-~¡-ɏ₠-⃏"  # that passwords are written with: ASCII, Latin letters, signs of currencies
_EAST = r"\u3000-\u9fff\uac00-\ud7af"
_QUOTED = "|".join(rf"(?<={a})(?:\\.|[^{b}\\\n]){{4,}}+(?={b})" for a, b in ('""', "''", "“”", "‘’"))
_BARE = rf"(?:(?![,;:)][{_EAST}])[{_SIGNS}]){{4,}}+"  # full-width signs behind it look like these in a view
_WORD = re.compile(r"[(\[]?(?:[A-Z]?[a-z'’]+[.,;:!?…)\]]*|[\d.:/~-]{1,5}[)\]]?)")
_PROSE = re.compile(r"(?:[(\[]?(?:[A-Za-z'’-]+|[\d.:/~-]{1,5})[.,;:!?…)\]]*(?:\s+|$)){2,}+")
_KEY = r"(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"


def entropy(text: str) -> float:
    """Bits a character, by the shares of the characters in the text itself (Shannon)."""
    return -sum(n / len(text) * log2(n / len(text)) for n in Counter(text).values())


def _random(text: str) -> bool:
    return entropy(text) >= 3.0 and any(c.isdecimal() for c in text) and _PLACEHOLDER.match(text) is None


def _password(text: str) -> bool:
    """Whether what stands behind the word is likely to be one: no plain words, no placeholder."""
    kinds = sum(any(map(test, text)) for test in (str.islower, str.isupper, str.isdecimal, lambda c: not c.isalnum()))
    return (
        kinds >= 2
        and _PLACEHOLDER.match(text) is None
        and not _WORD.fullmatch(text)
        and not _PROSE.fullmatch(text)
        and (text.isascii() or re.search(f"[{_SIGNS}]{{4}}", text) is not None)
    )


def _form(name: str, hint: str | re.Pattern[str], pattern: str, score: float = FORM) -> Form:
    return Form(name, hint, re.compile(pattern), bool, score)


SECRETS: tuple[Form, ...] = (
    _form(
        "private-key",
        "-----BEGIN",
        rf"-----BEGIN {_KEY}(?:(?:(?!-----)[\s\S]){{0,20000}}+-----END {_KEY}"
        r"|(?:(?:\s|\\+[nr]|>)*+[A-Za-z0-9+/=]{16,}+)*+)",
        CHECKED,
    ),
    _form(
        "aws-key",
        re.compile("A[A-Z]{3}[A-Z2-7]{6}"),
        rf"{_BEFORE}(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z2-7]{{16}}{_AFTER}",
    ),
    _form(
        "github-token", "_", rf"{_BEFORE}(?:gh[pousr]_[A-Za-z0-9]{{36,255}}|github_pat_[A-Za-z0-9_]{{50,255}}){_AFTER}"
    ),
    _form("gitlab-token", "glpat-", rf"{_BEFORE}glpat-[A-Za-z0-9_-]{{20,}}{_AFTER}"),
    _form("google-key", "AIza", rf"{_BEFORE}AIza[A-Za-z0-9_-]{{35}}{_AFTER}"),
    _form("slack-token", "xox", rf"{_BEFORE}xox[abeoprs]-[A-Za-z0-9-]{{10,250}}"),
    _form("slack-hook", "hooks.slack.com", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    _form(
        "model-key",
        "sk-",
        rf"{_BEFORE}sk-(?:(?:proj|svcacct|ant|or)-[A-Za-z0-9_-]{{20,200}}|[A-Za-z0-9]{{32,64}})"
        rf"{_AFTER}",
    ),
    _form("payment-key", "k_", rf"{_BEFORE}[spr]k_(?:live|test)_[A-Za-z0-9]{{16,128}}{_AFTER}"),
    _form(
        "hub-token",
        "_",
        rf"{_BEFORE}(?:hf_[A-Za-z0-9]{{30,64}}|npm_[A-Za-z0-9]{{36}}|pypi-AgEI[A-Za-z0-9_-]{{50,}})"
        rf"{_AFTER}",
    ),
    _form("jwt", "eyJ", rf"{_BEFORE}eyJ[A-Za-z0-9_-]{{10,}}\.eyJ[A-Za-z0-9_-]{{10,}}\.[A-Za-z0-9_-]{{10,}}"),
    *(form._replace(kind="url-with-key") for form in FORMS if form.kind == "url"),
    Form(
        "key",
        DIGIT,
        re.compile(
            rf"(?i)(?<![a-z])(?:{_NAME}|key|sig(?:nature)?)[\"']?\s{{0,2}}(?:[:=：]|=>)\s{{0,2}}[\"']?(["
            rf"a-z0-9_+/=.~-]{{20,}}+)"
        ),
        _random,
        0.8,
    ),
    Form(
        "password",
        re.compile("[:=：]|=>| is | was |是|为"),
        re.compile(
            rf"(?i)(?<![a-z])(?:{_NAME})[\"']?(?:\s{{0,2}}(?:[:=：]|=>)\s{{0,2}}|(?:(?<=password)|(?<=pa"
            rf"sscode)|(?<=passphrase)|(?<=pwd))\s(?:is|was)[: ]\s?|(?:是|为)[:： ]?)[\"'“‘]?("
            rf"{_QUOTED}|{_BARE})"
        ),
        _password,
        0.7,
    ),
)
