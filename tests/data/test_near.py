"""Near pairs against brute force, and their bounds."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.data.near import Sketch, jaccard, near_pairs, normal, signatures

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "rt", "lk", "sh")]


def sentences(count: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    made = [" ".join(generator.choices(WORDS, k=12)) for _ in range(count)]
    for i in range(0, count, 10):  # every tenth resembles the one after it
        words = made[i].split()
        made[i + 1] = " ".join([*words[:-1], words[-1] + "x"])
    return made


def test_finds_what_brute_force_finds() -> None:
    texts = sentences(150, 1)
    close = {(i, j) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= 0.85}
    pairs = near_pairs(Sketch.of(texts))
    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == close
    assert len(close) == 15


def test_pairs_across_two_sets() -> None:
    first, second = sentences(100, 2), sentences(50, 3)
    second[7] = first[40] + " too"
    pairs = near_pairs(Sketch.of(first), Sketch.of(second), threshold=0.8)
    assert (40, 7) in set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert set(pairs.second.tolist()) == {7}


def test_chinese_uses_shorter_shingles() -> None:
    texts = [
        "这家酒店的服务态度非常好下次还会再来的",
        "这家酒店的服务态度非常好下次还会再来",
        "房间很小而且隔音太差了一晚上没睡好",
    ]
    pairs = near_pairs(Sketch.of(texts), threshold=0.85)
    assert pairs.second.tolist() == [1]


def test_templates_stay_linear() -> None:
    texts = [f"your order number {i % 7} has been sent to you by our friendly delivery service" for i in range(3000)]
    pairs = near_pairs(Sketch.of(texts), threshold=0.85)
    assert len(pairs) == len(texts) - 1  # at most one pair a row


def test_empty_sets() -> None:
    assert len(near_pairs(Sketch.of([]))) == 0
    assert len(near_pairs(Sketch.of(["a"]), Sketch.of([]))) == 0
    assert signatures([]).shape == (0, 64)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_signature_of_a_text_does_not_depend_on_its_company(texts: list[str]) -> None:
    together = signatures(texts)
    assert all(np.array_equal(together[i], signatures([text])[0]) for i, text in enumerate(texts))


@given(st.text(max_size=30), st.text(max_size=30))
def test_jaccard_is_symmetric_and_one_for_equal_texts(a: str, b: str) -> None:
    assert jaccard(a, b) == jaccard(b, a)
    assert jaccard(a, a) == 1.0


def test_estimates_follow_the_true_similarity() -> None:
    generator = random.Random(4)
    errors = []
    for _ in range(100):
        words = generator.choices(WORDS, k=30)
        other = words[: generator.randrange(10, 30)] + generator.choices(WORDS, k=5)
        a, b = " ".join(words), " ".join(other)
        one, two = signatures([a, b])
        errors.append(float((one == two).mean()) - jaccard(a, b))
    assert abs(float(np.mean(errors))) < 0.03
    assert float(np.std(errors)) < 0.09  # sqrt(0.25 / 64) is 0.063


def test_normal_form() -> None:
    assert normal(" Ｈｅｌｌｏ\u3000 WORLD\n") == "hello world"
