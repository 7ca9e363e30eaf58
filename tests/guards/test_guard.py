"""What follows from findings: the most severe action, sides, languages, rates, and texts that reach no log."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

import burnish
from burnish.errors import InputError
from burnish.guards import Finding, Guard, Verdict
from burnish.guards.language import languages
from burnish.guards.rate import Rate
from burnish.guards.verdict import SEVERITY, severest


def guard(folder: Path, *checks: str) -> Guard:
    path = folder / "policy.yaml"
    path.write_text("checks:\n" + "".join(f"  - {{{check}}}\n" for check in checks), encoding="utf-8")
    return Guard.load(path)


def test_the_promised_names() -> None:
    verdict = burnish.Guard.default().check("mail a@b.org", side="input")
    assert verdict == Verdict("redact", (Finding("personal", "email", 5, 12, 0.9, "redact", 3),), "mail <EMAIL>")


def test_the_most_severe_action_wins(tmp_path: Path) -> None:
    assert SEVERITY == ("allow", "flag", "redact", "human", "block")
    for actions in permutations(SEVERITY, 2):
        checks = [f"check: length, at_most: {n + 1}, action: {a}" for n, a in enumerate(actions) if a != "redact"]
        if len(checks) == 2:
            assert guard(tmp_path, *checks).check("long").action == max(actions, key=SEVERITY.index)
    assert severest([]) == "allow"


def test_sides_and_thresholds(tmp_path: Path) -> None:
    found = guard(
        tmp_path,
        "check: personal, side: input, action: redact",
        "check: personal, side: output, types: [card], action: block",
        "check: secrets, threshold: 0.75, side: output",
    )
    text = "a@b.org 4111111111111111 password: hunter2"
    assert found.check(text).text == "<EMAIL> <CARD> password: hunter2"
    assert found.check(text, side="output").action == "block"
    assert {one.kind for one in found.check(text, side="output").findings} == {"card"}


def test_many_are_as_one_by_one() -> None:
    texts = ["a@b.org", "", "plain", "k\u200bill 13800138000", "Ym9tYiBib21iIGJvbWI="]
    one = Guard.default()
    assert one.check_many(texts) == [one.check(text) for text in texts]


def test_texts_only() -> None:
    with pytest.raises(InputError, match="number 2 is of the type int"):
        Guard.default().check_many(["a", 3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "官网http://a.cn，身份证11010519491231002X，卡6222021234567890128，邮箱a@b.com",
            "官网http://a.cn，身份证<RESIDENT_ID>，卡<CARD>，邮箱<EMAIL>",
        ),
        ("https://x.org/?email=anna@example.org&token=abc", "https://x.org/?email=<EMAIL>&token=abc"),
        ("x://anna@example.org", "x://<EMAIL>"),
    ],
)
def test_what_is_not_asked_for_hides_nothing(tmp_path: Path, text: str, clean: str) -> None:
    other = "check: personal, types: [url], side: output"
    assert guard(tmp_path, "check: personal, action: redact", other).check(text).text == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("我的手机x://13800138000", "我的手机x://<PHONE>"),
        ("https://wa.me/8613800138000", "https://wa.me/<PHONE>"),
        ("https://shop.cn/u?mobile=13800138000", "https://shop.cn/u?mobile=<PHONE>"),
        ("www.shop.cn/u?mobile=13800138000", "www.shop.cn/u?mobile=<PHONE>"),
        ("http://商店.中国/u?mobile=13800138000", "http://商店.中国/u?mobile=<PHONE>"),
        ("https://x.org/?ssn=123-45-6789", "https://x.org/?ssn=<SSN>"),
        (
            "见http://example.com，联系电话13800138000，邮箱anna@example.com，谢谢",
            "见http://example.com，联系电话<PHONE>，邮箱<EMAIL>，谢谢",
        ),
        ("官网http://a.cn，电话62771234", "官网http://a.cn，电话<PHONE>"),
        ("https://user:pass@host.com/x", "<URL_WITH_KEY>"),
        ("call https://x.org/62771234", "call https://x.org/62771234"),  # a word nearby says nothing about a URL
    ],
)
def test_a_url_hides_nothing(text: str, clean: str) -> None:
    assert Guard.default().check(text).text == clean


def test_rate(tmp_path: Path) -> None:
    found = guard(tmp_path, "check: rate, at_most: 2, seconds: 60, action: block")
    assert [found.check("x", sender="a").action for _ in range(3)] == ["allow", "allow", "block"]
    assert found.check("x", sender="b").action == "allow"
    counter = Rate(1, 10)
    assert [counter.over("a", now) for now in (0.0, 5.0, 10.0, 10.5)] == [False, True, False, True]


def test_what_is_too_long_is_not_read(tmp_path: Path) -> None:
    found = guard(tmp_path, "check: length, at_most: 5, action: block", "check: personal, action: redact")
    assert [one.check for one in found.check("write a@b.org").findings] == ["length"]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("hello there", ("en",)),
        ("你好", ("zh",)),
        ("你好 hello 世界", ("en", "zh")),
        ("这里有很长的一段中文，" * 20 + " I hate them all", ("en", "zh")),
        ("long English text " * 20 + "我讨厌他们", ("en", "zh")),
        ("这里有很长的一段中文，" * 3 + " iPhone", ("zh",)),
        ("鲜の每日生活好开心", ("zh",)),
        ("これは日本語です", ()),
        ("Привет", ()),
        ("12 + 3", ("en", "zh")),
        ("１２", ("en", "zh")),
        ("", ("en", "zh")),
    ],
)
def test_languages(text: str, spoken: tuple[str, ...]) -> None:
    assert languages(text) == spoken


def test_language_of_a_check(tmp_path: Path) -> None:
    found = guard(tmp_path, "check: personal, language: zh, action: redact")
    assert found.check("手机13800138000").action == "redact"
    assert found.check("phone 13800138000").action == "allow"


def test_what_is_hidden_has_a_language_of_its_own(tmp_path: Path) -> None:
    found = guard(tmp_path, "check: personal, language: zh, action: redact")
    assert found.check(base64.b64encode("手机13800138000".encode()).decode()).action == "redact"


def test_texts_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Guard.default().check("mail secret-name@b.org password: hunter2 k\u200bill")
    assert caplog.text == ""


def test_command_line(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("mail a@b.org\n干净\n", encoding="utf-8")
    command = [sys.executable, "-m", "burnish", "guard", "check", "patterns", str(lines)]
    said = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [(one["action"], one["text"]) for one in map(json.loads, said)] == [
        ("redact", "mail <EMAIL>"),
        ("allow", "干净"),
    ]
    assert "personal email 5-12" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_patterns_need_no_torch() -> None:
    code = "import sys, burnish; burnish.Guard.default().check('a@b.org'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
