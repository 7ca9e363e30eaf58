"""What looks like personal data goes, what only resembles it stays, and every place in the text can be found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.monitoring.redact import Move, moved, redact


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Write to anna.b+x@mail.example.co.uk.", "Write to <EMAIL>."),
        ("'jörg@müller.de', o_x@a-b.org", "'<EMAIL>', <EMAIL>"),
        ("邮箱是anna@example.com请联系", "邮箱是<EMAIL>请联系"),
        ("邮箱：ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ。", "邮箱：<EMAIL>。"),
        ("Call +1 (555) 123-4567 or 0049 171 1234567!", "Call <PHONE> or <PHONE>!"),
        ("+49 (0)171 1234567, Tel.+4417712345678", "<PHONE>, Tel.<PHONE>"),
        ("手机13800138000，或138-0013-8000", "手机<PHONE>，或<PHONE>"),
        ("电话 +86 138 0013 8000 / 8613800138000 13900139000", "电话 <PHONE> / <PHONE> <PHONE>"),
        ("手机１３８００１３８０００", "手机<PHONE>"),
        ("card 4111 1111 1111 1111, amex 3782-822463-10005", "card <CARD>, amex <CARD>"),
        ("卡号6222020000000000000请查收", "卡号<CARD>请查收"),
        ("IBAN DE89 3704 0044 0532 0130 00 AND gb29nwbk60161331926819", "IBAN <IBAN> AND <IBAN>"),
        ("身份证11010519491231002X，440308199901101512", "身份证<RESIDENT_ID>，<RESIDENT_ID>"),
        ("from 192.168.1.10:8080 to 10.0.0.1-10.0.0.5.", "from <IP>:8080 to <IP>-<IP>."),
        ("服务器2001:db8::1和fe80::1", "服务器<IP>和<IP>"),
        ("see https://me:p@ss@host.org/a?b=c. Next", "see <URL>. Next"),
        ("postgresql://me:secret@127.0.0.1:5432/db", "<URL>"),
        ("点https://x.cn/a?b=1&api_key=abc，谢谢", "点<URL>，谢谢"),
        (
            "官网http://a.cn，邮箱a@b.com，见x://y，https://z.cn/?token=1",
            "官网http://a.cn，邮箱<EMAIL>，见x://y，<URL>",
        ),
        ('<a href="https://u:p@h.de/x">', '<a href="<URL>">'),
    ],
)
def test_personal_data_goes(text: str, clean: str) -> None:
    assert redact(text)[0] == clean


@pytest.mark.parametrize(
    "text",
    [
        "@anna and user@host and pkg@1.2.3 and a@b.c",
        "in 2024-01-02 10:00 +0800 2024-01-02, +1234567, 1+1234567890, C++ 20240101",
        "订单号A13800138000，12800138000，1380013800，138001380001，0.13800138000元",
        "4111 1111 1111 1112 and 1234 5678 9012 3456 and 0.4111111111111111",
        "DE88 3704 0044 0532 0130 00, DE89 3704 0044 0532 0130, ZZ89370400440532013000",
        "身份证110105194912310021，110105194913310025",
        "version 1.2.3, 1.2.3.4.5, 256.1.1.1, v1.2.3.4",
        "at 10:20:30, MAC 00:1A:2B:3C:4D:5E, std::vector, a::b, ::1",
        "https://example.org/x?y=1&monkey=2 https://medium.com/@anna",
        "我在2024年1月2日花了128.50元，房间号8080。",
    ],
)
def test_near_misses_stay(text: str) -> None:
    assert redact(text) == (text, ())


PIECES = ["Anna ", "上海", "a@b.org", "，", "13800138000", " 10.0.0.1 ", "😀", "DE89370400440532013000 "]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4)).map("".join))
def test_what_is_outside_stays_and_can_be_found(text: str) -> None:
    clean, moves = redact(text)
    at = 0
    for move in moves:
        assert text[at : move.start] == clean[slice(*moved(at, move.start, moves))]
        assert clean[move.new_start : move.new_end].strip("<>").isupper() or "_" in clean[move.new_start : move.new_end]
        at = move.end
    assert moved(at, len(text), moves)[1] == len(clean)
    assert text[at:] == clean[moved(at, len(text), moves)[0] :] if at < len(text) else True


def test_entities_move_with_the_text() -> None:
    text = "Ann (ann@acme.org) met Bob in 上海"
    clean, moves = redact(text)
    assert clean == "Ann (<EMAIL>) met Bob in 上海"

    def said(word: str) -> str:
        start = text.index(word)
        return clean[slice(*moved(start, start + len(word), moves))]

    assert [said(word) for word in ("Ann", "Bob", "上海", "(ann@acme.org)")] == ["Ann", "Bob", "上海", "(<EMAIL>)"]
    assert said("acme") == said("ann@acme.org") == "<EMAIL>"  # a part of a placeholder is all of it
    assert said("org) met") == "<EMAIL>) met"


def test_many_entities_are_no_trap() -> None:
    """Quadratic time would take minutes here."""
    count = 20_000
    moves = [Move(10 * n + 5, 10 * n + 10, 8 * n + 5, 8 * n + 8) for n in range(count)]  # five characters become three
    found = [moved(10 * n + 1, 10 * n + 3, moves) for n in range(count)]
    assert found == [(8 * n + 1, 8 * n + 3) for n in range(count)]


@pytest.mark.parametrize("piece", ["a", "1", "a.", "1 ", "a@", "a://b", "h://a?", "&key=", "+1 ", ":", "DE89 "])
def test_long_texts_are_no_trap(piece: str) -> None:
    """Quadratic time would take minutes here."""
    assert len(redact(piece * (100_000 // len(piece)))[0]) > 0
