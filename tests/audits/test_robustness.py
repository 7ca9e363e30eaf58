"""Disturbed texts keep what belongs together, are the same for the same seed, and cost what they cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.audited import Section
from burnish.audits.attack import attacked
from burnish.audits.gates import judged
from burnish.audits.noise import WAYS, disturbed, lists
from burnish.audits.robustness import robustness
from burnish.data.words import join_words
from burnish.variant import TUNED
from tests.audits.conftest import ByRule, ByWord, Make, sentences

TEXTS = (
    "The refund is still waiting, please help!",
    "我的银行卡在哪里？请帮助我，问题不错。",
    "Ａ b",
    "x",
    "",
    "好 the 123 movie",
)
WORDS = st.lists(st.text(min_size=1, max_size=9).filter(str.strip), min_size=1, max_size=8)


@pytest.mark.parametrize("way", WAYS)
def test_same_seed_same_text(way: str) -> None:
    for text in TEXTS:
        assert disturbed({"text": text}, way, 3) == disturbed({"text": text}, way, 3)
    found = {disturbed({"text": " ".join(TEXTS * 3)}, way, seed)["text"] for seed in range(5)}
    assert len(found) > (way not in ("synonyms", "negation"))


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(st.text(min_size=1, max_size=9).filter(str.strip), min_size=1, max_size=8), seed=st.integers(0, 9)
)
def test_words_keep_their_number_tags_and_places(way: str, words: list[str], seed: int) -> None:
    text, starts = join_words(words)
    row = {"words": words, "starts": starts, "text": text, "tags": ["B-PER", *["O"] * (len(words) - 1)]}
    new = disturbed(row, way, seed)
    assert len(new["words"]) == len(new["starts"]) == len(words)
    assert new["tags"] == row["tags"]
    assert all(new["text"][s : s + len(w)] == w for s, w in zip(new["starts"], new["words"], strict=True))


@pytest.mark.parametrize(
    ("way", "text"),
    [("typos", TEXTS[1]), ("typos", TEXTS[0]),
     ("synonyms", TEXTS[1]), ("synonyms", "a big problem"), ("full_width", "ab"),
     ("casing", "The End Is Near Now"), ("negation", TEXTS[0]), ("negation", "他是学生"), ("whitespace", "good film")],
)  # fmt: skip
def test_it_changes_something(way: str, text: str) -> None:
    assert any(disturbed({"text": text}, way, seed)["text"] != text for seed in range(10))


def test_both_texts_of_a_pair_are_disturbed() -> None:
    row = {"text": "please help with payment", "text_b": "another waiting payment"}
    changed = [disturbed(row, "typos", seed) for seed in range(20)]
    assert any(one["text"] != row["text"] for one in changed)
    assert any(one["text_b"] != row["text_b"] for one in changed)


def test_homoglyphs_look_alike_but_are_others() -> None:
    assert all(a != b and len(b) == 1 for a, b in lists()["homoglyphs"].items())


def test_a_brittle_model_drops_and_a_blind_one_does_not(subject: Make) -> None:
    rows = [(text, "yes" if "refund" in text else "no") for text in sentences(200)]
    brittle = robustness(subject(ByRule(lambda text: 0.9 if "refund" in text else 0.2), rows))
    assert brittle.figures["typos_drop"] > 0.02
    assert brittle.figures["full_width_flips"] == pytest.approx(brittle.figures["full_width_drop"])
    assert brittle.figures["whitespace_drop"] == 0.0
    blind = robustness(subject(ByRule(lambda text: 0.2), rows))
    assert all(value == 0.0 for value in blind.figures.values())


def _han(count: int) -> list[tuple[str, str]]:
    """Texts of Han characters alone."""
    digits = str.maketrans("0123456789", "零一二三四五六七八九")
    return [
        (f"我要{'退' if i % 2 else '付'}款，谢谢{i}".translate(digits), "yes" if i % 2 else "no") for i in range(count)
    ]


def _by_han(text: str) -> float:
    return 0.9 if "退" in text else 0.2


def _passed(found: Section) -> dict[str, bool]:
    gates = judged({TUNED: (found,)}, "classify", {}, quick=True, tuned=TUNED)
    return {gate.name: gate.passed for gate in gates}


def test_a_way_that_changes_nothing_costs_nothing(subject: Make) -> None:
    found = robustness(subject(ByRule(_by_han), _han(200)))
    assert found.figures["keyboard_drop"] == found.figures["casing_drop"] == found.figures["casing_flips"] == 0.0
    note = found.tables[0].note
    assert "so few of 200 rows were changed" in note
    assert "keyboard 0" in note
    assert "casing 0" in note
    assert _passed(found)["robustness.keyboard_drop"]
    assert _passed(found)["robustness.casing_drop"]


def test_a_way_that_changes_few_rows_is_judged_by_all(subject: Make) -> None:
    """Ten of 200 rows have letters, and lose their label with each of these in another case or exchanged."""
    rows = [(f"{text} please" if i < 10 else text, "yes") for i, (text, _) in enumerate(_han(400)[1::2])]
    found = robustness(subject(ByRule(lambda text: 0.9 if "please" in text or text.isalpha() else 0.1), rows))
    table = {row[0]: row for row in found.tables[0].rows}
    assert table["casing"][2] == 200
    assert 0 < found.figures["casing_drop"] == found.figures["casing_flips"] <= 10 / 200


def test_too_few_rows_do_not_pass_for_robust(subject: Make) -> None:
    """Neither a dozen rows at all, nor a fifth of the rows that a way changes."""
    few = robustness(subject(ByRule(_by_han), _han(12)))
    some = robustness(
        subject(ByRule(_by_han), [(f"{text} PLEASE" if i % 5 else text, y) for i, (text, y) in enumerate(_han(36))])
    )
    for found, gone in ((few, "0 of 12"), (some, " of 36")):
        assert any(one.startswith("robustness.casing: ") and gone in one for one in found.impossible)
        assert not _passed(found)["robustness.casing_drop"]


def test_the_attack_finds_the_word_that_matters(subject: Make) -> None:
    rows = [(text, "yes" if "refund" in text else "no") for text in sentences(60)]
    engine = ByRule(lambda text: 0.9 if "refund" in text else 0.2)
    given = subject(engine, rows, quick=False)
    found = attacked(given)
    assert found is not None
    expected = sum(label == "yes" and text.split().count("refund") == 1 for text, label in rows) / len(rows)
    assert found.success == pytest.approx(expected)
    assert found.queries > 8
    robust = attacked(subject(ByRule(lambda text: 0.2), rows, quick=False))
    assert robust is not None
    assert robust.success == 0.0


def test_a_tagger_is_attacked_around_its_entities(subject: Make) -> None:
    rows = [(["Anna", "lives", "here", str(i)], ["B-PER", "O", "O", "O"]) for i in range(200)]
    found = robustness(subject(ByWord({"Anna"}), rows, quick=False))
    assert found.figures["attack_success"] == 0.0
    assert found.figures["homoglyphs_flips"] > 0.0
