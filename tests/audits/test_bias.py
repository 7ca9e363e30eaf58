"""A planted bias is found, and a blind model is not accused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest

from burnish import extras
from burnish.audits.bias import bias
from burnish.audits.people import kinds
from burnish.audits.rewrite import words_of
from burnish.data.words import join_words
from burnish.errors import MissingExtra
from tests.audits.conftest import ByRule, ByWord, Make, sentences


def _about(count: int = 80) -> list[tuple[str, str]]:
    who = ("She", "He")
    return [(f"{who[i % 2]} asked: {text}", "yes" if i % 3 else "no") for i, text in enumerate(sentences(count))]


def test_a_gender_word_in_the_logit_is_found(subject: Make) -> None:
    found = bias(subject(ByRule(lambda text: 0.7 if "she" in text.lower().split() else 0.4), _about()))
    assert found.figures["gender_shift"] > 0.2
    assert found.figures["gender_flips"] == 0.5  # each text turns with the other word: one of two groups is unlike
    assert found.figures["religion_shift"] == 0.0
    assert any(finding.startswith("gender") for finding in found.findings)


def test_a_name_is_found_by_templates(subject: Make) -> None:
    arabic = {name.lower() for group, names in kinds("en")[0].groups.items() if "Arabic" in group for name in names}
    rows = [(text, "no") for text in sentences(80)]
    found = bias(subject(ByRule(lambda text: 0.3 if arabic & set(text.lower().split()) else 0.2), rows))
    assert found.figures["name_shift"] > 0.05
    assert found.figures["gender_shift"] == 0.0
    assert "before them" in next(table for table in found.tables if table.title == "By name").note


def test_a_blind_model_is_not_accused(subject: Make) -> None:
    found = bias(subject(ByRule(lambda text: 0.9 if "refund" in text else 0.2), _about()))
    assert found.figures["shift"] == found.figures["flips"] == 0.0
    assert not found.findings


def test_noise_without_a_group_is_not_accused(subject: Make) -> None:
    def noise(text: str) -> float:
        return (crc32(text.encode()) % 1000) / 1000  # another number for each text, whoever is in it

    found = bias(subject(ByRule(noise), _about(), seed=1))
    assert found.figures["gender_shift"] < 0.15
    assert not [said for said in found.findings if "gender" in said]


def test_too_few_rows_are_said(subject: Make) -> None:
    found = bias(subject(ByRule(lambda text: 0.9), _about(20)))
    assert found.figures["flips"] == 0.0
    assert sum("too few" in said for said in found.impossible) == 6


def test_names_that_a_tagger_misses_are_found(subject: Make) -> None:
    english = {name for group, names in kinds("en")[0].groups.items() if "English" in group for name in names}
    rows = [(["Peter", "lives", "here", str(i)], ["B-PER", "O", "O", "O"]) for i in range(60)]
    found = bias(subject(ByWord(english), rows))
    assert found.figures["name_shift"] > 0.5
    everyone = {name for names in kinds("en")[0].groups.values() for name in names}
    assert bias(subject(ByWord(everyone), rows)).figures["name_shift"] == 0.0


def test_chinese_members_are_swapped(subject: Make) -> None:
    rows = [(f"{'王芳' if i % 2 else '李伟'}昨天买了{i}本书，他很高兴", "no") for i in range(60)]
    found = bias(subject(ByRule(lambda text: 0.6 if "她" in text else 0.4), rows))
    assert found.figures["gender_shift"] > 0.1
    assert found.figures["name_shift"] == 0.0


def test_swaps_keep_tags_with_their_words() -> None:
    import numpy as np

    words = list("王芳在北京")
    text, starts = join_words(words)
    row: dict[str, Any] = {
        "words": words,
        "starts": starts,
        "text": text,
        "tags": ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"],
    }
    names = next(kind for kind in kinds("zh") if kind.name == "name")
    for (new, places), members in zip(
        names.versions(row, np.random.default_rng(0)) or [], names.groups.values(), strict=True
    ):
        first, last = places[0]
        assert "".join(new["words"][first:last]) in members
        assert new["tags"][first:last] == ["B-PER", *["I-PER"] * (last - first - 1)]
        assert new["tags"][last:] == ["O", "B-LOC", "I-LOC"]
        assert all(new["text"][s : s + len(w)] == w for s, w in zip(new["starts"], new["words"], strict=True))


def test_forms_of_her_and_case_follow() -> None:
    import numpy as np

    gender = next(kind for kind in kinds("en") if kind.name == "gender")
    row = {"text": "SHE saw her mother. Her bag was with her."}
    _, (men, _) = gender.versions(row, np.random.default_rng(0)) or []
    assert men["text"] == "HE saw his father. His bag was with him."
    assert next(word.text for word in words_of(men)) == "HE"


def test_lists_are_balanced() -> None:
    for language in ("en", "zh"):
        for kind in kinds(language):
            assert len(kind.groups) > 1
            assert len({len(members) for members in kind.groups.values()}) == 1, (language, kind.name)
            assert "{}" in kind.template


def _groups(small: int) -> Sequence[str]:
    return ["north"] * 60 + ["south"] * 60 + ["island"] * small


def test_sensitive_groups(subject: Make) -> None:
    groups = _groups(10)
    rows = [
        (text, "yes" if group == "south" else "no", group) for text, group in zip(sentences(130), groups, strict=True)
    ]
    given = subject(
        ByRule(lambda text: 0.1), rows, header=("text", "label", "place"), extra={"place": groups}, sensitive="place"
    )
    if not extras.have("fairlearn"):
        with pytest.raises(MissingExtra, match=r"burnish\[audit\]"):
            bias(given)
        return
    found = bias(given)
    assert found.figures["group_gap"] == 1.0
    assert any("island" in said for said in found.impossible)
    assert all("island" not in row for table in found.tables for row in table.rows)
