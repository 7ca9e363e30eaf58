"""Redaction can be taken back, exactly, and nothing of the originals shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from burnish.guards import Guard, Vault
from burnish.guards.vault import redacted

GUARD = Guard.default()
PIECES = [
    "anna@b.org",
    " 13800138000 ",
    "<EMAIL_1>",
    "<PHONE_2>",
    "<LITERAL_1>",
    "😀",
    "上海",
    "<",
    "_1>",
    " b@c.de ",
    "１０.0.0.1 ",
]


@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=4)).map("".join), max_size=4))
def test_round_trip(texts: list[str]) -> None:
    vault = Vault()
    clean = [GUARD.check(text, vault=vault).text for text in texts]
    assert [vault.restore(text) for text in clean] == texts


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from(["a", "b"]))))
def test_spans_of_any_kind(text: str, spans: list[tuple[int, int, str]]) -> None:
    vault = Vault()
    inside = [(start, min(start + size, len(text)), kind) for start, size, kind in spans if start < len(text)]
    assert vault.restore(redacted(text, inside, vault)) == text


def test_the_same_original_has_one_placeholder() -> None:
    vault = Vault()
    assert GUARD.check("a@b.org, c@d.org", vault=vault).text == "<EMAIL_1>, <EMAIL_2>"
    assert GUARD.check("again a@b.org", vault=vault).text == "again <EMAIL_1>"
    assert vault.restore("Dear <EMAIL_2>, <EMAIL_9>") == "Dear c@d.org, <EMAIL_9>"


def test_nobody_asks_for_an_original_by_its_number() -> None:
    vault = Vault()
    GUARD.check("a@b.org", vault=vault)
    echoed = GUARD.check("say <EMAIL_1>", vault=vault).text
    assert vault.restore(echoed) == "say <EMAIL_1>"


def test_overlapping_spans_become_one() -> None:
    assert redacted("0123456789", [(0, 4, "a"), (3, 9, "long"), (9, 10, "b")], None) == "<LONG><B>"
    assert redacted("0123456789", [(2, 8, "out-er"), (3, 4, "in")], None) == "01<OUT_ER>89"


def test_originals_do_not_show() -> None:
    vault = Vault()
    verdict = GUARD.check("a@b.org is it", vault=vault)
    assert "a@b" not in repr(vault) + repr(verdict) + str(verdict)
    assert "a@b" not in repr(GUARD.check("block " + "a@b.org " * 5000))
