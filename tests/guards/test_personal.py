"""Each kind of personal data is found in its forms, and what only resembles it is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from burnish.data.personal import Found, find
from burnish.guards.forms import ALL
from burnish.guards.personal import merged, personal
from burnish.guards.plain import View


def found(text: str, least: float = 0.5) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text, ALL, least)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pay with 4111 1111 1111 1111.", ("card", "4111 1111 1111 1111")),
        ("my card 180065008155082 is lost", ("card", "180065008155082")),
        ("the credit card 676271418466 expired", ("card", "676271418466")),
        ("my card 30243755250032", ("card", "30243755250032")),
        ("卡号：４１１１１１１１１１１１１１１１", ("card", "４１１１１１１１１１１１１１１１")),
        ("to GB82 WEST 1234 5698 7654 32 today", ("iban", "GB82 WEST 1234 5698 7654 32")),
        ("身份证号11010519491231002X。", ("resident_id", "11010519491231002X")),
        ("打13800138000找我", ("phone", "13800138000")),
        ("座机010-62771234", ("phone", "010-62771234")),
        ("Phone:\n0490 75 40 81", ("phone", "0490 75 40 81")),
        ("call (602)272-1234 now", ("phone", "(602)272-1234")),
        ("Desk: (898)666-3621x0135", ("phone", "(898)666-3621x0135")),
        ("+41 (0)69 979 80 58-Fax", ("phone", "+41 (0)69 979 80 58")),
        ("ring 020 7946 0018", ("phone", "020 7946 0018")),
        ("Fax: 9498777106", ("phone", "9498777106")),
        ("Here's my SSN: 460-89-9847", ("ssn", "460-89-9847")),
        ("social security number 460899847", ("ssn", "460899847")),
        ("passport no. X1234567", ("passport", "X1234567")),
        ("护照E12345678", ("passport", "E12345678")),
        ("my driver's license number is 2270-66-1551", ("licence", "2270-66-1551")),
        ("driver's license number is U62928788557186", ("licence", "U62928788557186")),
        ("ZIP: 7412 SL", ("postcode", "7412 SL")),
        ("邮编：100084", ("postcode", "100084")),
        ("London SW1A 1AA", ("postcode", "SW1A 1AA")),
        ("see http://Smellology.be/ there", ("url", "http://Smellology.be/")),
        ("on www.example.co.uk.", ("url", "www.example.co.uk")),
        ("born on 8/5/1989.", ("date", "8/5/1989")),
        ("on 2007-01-17 23:08:55, the", ("date", "2007-01-17 23:08:55")),
        ("in 2007 while", ("date", "2007")),
        ("生于1990年3月5日", ("date", "1990年3月5日")),
        ("March 5, 2021 was", ("date", "March 5, 2021")),
        ("from 10.0.0.1 to", ("ip", "10.0.0.1")),
        ("call 212\u2011555\u20110100 now", ("phone", "212\u2011555\u20110100")),
        ("it is 123\u201145\u20116789", ("ssn", "123\u201145\u20116789")),
        ("my ssn 123\u201345\u20136789", ("ssn", "123\u201345\u20136789")),
        ("4111\u20111111\u20111111\u20111111", ("card", "4111\u20111111\u20111111\u20111111")),
        ("138\u20130013\u22128000", ("phone", "138\u20130013\u22128000")),
        ("电话62771234张三", ("phone", "62771234")),
        ("电话62771234本人接听", ("phone", "62771234")),
        ("+1 212-555-0100 5 times", ("phone", "+1 212-555-0100")),
        ("+44.20.7946.0018", ("phone", "+44.20.7946.0018")),
        ("8171999900000018", ("card", "8171999900000018")),
        ("2204240400000008", ("card", "2204240400000008")),
        ("write\u2014anna@example.org", ("email", "anna@example.org")),
        ("见http://a.cn/b谢谢", ("url", "http://a.cn/b")),
        ("见http://例子.中国/书", ("url", "http://例子.中国/书")),
        ("on https://a.org/?next=www.foo.com", ("url", "https://a.org/?next=www.foo.com")),
    ],
)
def test_forms_are_found(text: str, expected: tuple[str, str]) -> None:
    assert found(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112",  # check digit
        "card 676271418467",
        "order 676271418466 has come",  # holds by chance, and no word says card
        "GB83 WEST 1234 5698 7654 32",
        "110105194912310021",
        "订单12800138000",
        "order 9498777106, invoice 0490754081",
        "I paid 1234567.00 for 1,234,567 items",
        "call me at 2024-01-02",  # a date is no phone, and see below
        "SSN 000-12-3456 or 666-12-3456",
        "model X1234567 of 2270-66-1551 parts",
        "ratio 10/12, version 3.11.4, room 301",
        "这款手机售价12999.00元，手机销量1234567台，手机均价1234567 美元",
        "The answer is 3.14159265",
        "Call 9.00-17.30 for help. Our office is open 8.30-16.30",
        "联系客服，订单号202412345678",
        "订单号13812345678，运单号：13812345678，流水号是 13812345678，工号 13812345678",
        "利润+12345678元，营收+8612345678元",
        "growth +1.23456789 or +1 23 456 78 90 12",
        "涨幅+12.5 2024 01 15",
        "订单号2024123010000006，条码6901234567892",
        "readme.md main.py e.g. i.e. U.S. a.m.",
        "May I go? Marching on. Sunflower.",
    ],
)
def test_near_misses_stay(text: str) -> None:
    assert [one for one in found(text) if one[0] != "date" or "call" not in text] == []


def test_offsets_are_those_of_the_text() -> None:
    text = "😀👨‍👩‍👧 手机１３８００１３８０００😀 a@b.org"
    assert found(text) == [("phone", "１３８００１３８０００"), ("email", "a@b.org")]


def test_the_threshold_decides_on_what_context_would_lift() -> None:
    assert found("at 020 7946 0018", least=0.75) == []
    assert found("tel. 020 7946 0018", least=0.75) == [("phone", "020 7946 0018")]


@pytest.mark.parametrize(
    ("forms", "tagged", "expected"),
    [
        ([], [(0, 5, "person", 0.9)], [(0, 5, "person", 0.9)]),
        # of one kind: joined
        ([(4, 12, "phone", 0.9)], [(0, 8, "phone", 0.6)], [(0, 12, "phone", 0.9)]),
        # of two: the longer, and nothing of the other is forgotten
        ([(10, 14, "date", 0.7)], [(0, 20, "address", 0.9)], [(0, 20, "address", 0.9)]),
        ([(10, 20, "url", 0.9)], [(5, 14, "organization", 0.9)], [(5, 10, "organization", 0.9), (10, 20, "url", 0.9)]),
        # what forms found in a URL stays beside it
        (
            [(0, 30, "url", 0.9), (15, 26, "phone", 0.9)],
            [(40, 44, "person", 0.9)],
            [(0, 30, "url", 0.9), (15, 26, "phone", 0.9), (40, 44, "person", 0.9)],
        ),
        # a check digit wins over what is longer
        ([(10, 20, "card", 1.0)], [(0, 20, "address", 0.99)], [(0, 10, "address", 0.99), (10, 20, "card", 1.0)]),
    ],
)
def test_forms_and_tagger_are_merged(forms: list, tagged: list, expected: list) -> None:
    assert merged([Found(*f) for f in forms], [Found(*t) for t in tagged]) == [Found(*e) for e in expected]


def test_a_tagger_too_is_held_to_what_is_asked_for() -> None:
    text = "Anna of Acme"

    def tagger(texts: Sequence[str]) -> list[list[Found]]:
        return [[Found(0, 12, "organization", 0.9), Found(0, 4, "person", 0.8)] for _ in texts]

    assert personal([View(text)], tagger, 0.5, {"person"}) == [[Found(0, 4, "person", 0.8)]]


@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "a.", "www.", "http://", "call ", "12/", "(2", "zip ", "Mar 1 ", "1-"]
)
def test_long_texts_are_no_trap(piece: str) -> None:
    """Quadratic time would take minutes here."""
    find(piece * (50_000 // len(piece)), ALL, 0.0)
