"""Embeddings: ranks against a plain count, the loss and what is no negative in it, words in common, matches."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import orjson
import pytest
import torch

from burnish.errors import InputError
from burnish.tasks.base import LossOptions
from burnish.tasks.embed import KEY, Embed, MatchPrediction, key, sides_of
from burnish.tasks.ranking import RankCounts, ranked
from burnish.tasks.retrieval import Bm25, terms


def _matches(task: Embed, first: np.ndarray, second: np.ndarray, texts: list[tuple[str, str]]) -> list[MatchPrediction]:
    return [
        task.assemble([(a, 1), (b, 1)], {"text": one, "text_b": other})
        for a, b, (one, other) in zip(first, second, texts, strict=True)
    ]


def _unit(draw: np.random.Generator, *shape: int) -> np.ndarray:
    found = draw.normal(size=shape).astype(np.float32)
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def test_ranks_are_those_of_a_plain_count() -> None:
    draw = np.random.default_rng(3)
    first, second = _unit(draw, 40, 6), _unit(draw, 40, 6)
    found = list(Embed(6).judged(_matches(Embed(6), first, second, [(f"q{i}", f"a{i}") for i in range(40)])))
    scores = first @ second.T
    for row, one in enumerate(found):
        assert one.forward == 1 + sum(scores[row, other] > scores[row, row] for other in range(40))
        assert one.back == 1 + sum(scores[other, row] > scores[row, row] for other in range(40))
        assert one.best == (f"a{scores[row].argmax()}", f"q{scores[:, row].argmax()}")
    counts = RankCounts()
    for one in found:
        counts.add(one, None)
    metrics = counts.metrics()
    tallies = np.array([Embed(6).tally(one, None) for one in found])
    assert metrics["mrr"] == pytest.approx(float(Embed(6).score(tallies.sum(0))))
    assert metrics["forward_recall@5"] == np.mean([one.forward <= 5 for one in found])
    assert "40 distinct" in counts.note()


def test_what_is_right_in_another_row_is_passed_over_and_the_same_answer_counts_once() -> None:
    keys = np.array([1, 1, 2]), np.array([7, 8, 8])
    scores = np.array([[0.1, 0.9], [0.1, 0.9], [0.2, 0.5]])  # of each first side for the contents 7 and 8
    back = np.array([[0.3, 0.9], [0.3, 0.9], [0.3, 0.9]])  # of each second side for the contents 1 and 2
    found = ranked(keys, [("q", "a")] * 3, (lambda at: lambda rows: scores[rows], lambda at: lambda rows: back[rows]))
    assert [one.forward for one in found] == [1, 1, 1]
    assert [one.candidates for one in found] == [(2, 2)] * 3
    assert [one.back for one in found] == [2, 1, 1]  # 7 stands with 1 alone; 8 with 1 and 2


def test_scores_that_are_all_alike_gain_nothing() -> None:
    same = np.ones((5, 3), np.float32) / np.sqrt(3).astype(np.float32)
    found = Embed(3).judged(_matches(Embed(3), same, same, [(f"q{i}", f"a{i}") for i in range(5)]))
    assert all(one.forward == one.back == 5 for one in found)


def test_the_loss_is_cross_entropy_both_ways_and_rows_with_a_side_in_common_are_no_negatives() -> None:
    torch.manual_seed(0)
    task, logits = Embed(4), torch.randn(6, 4)
    first, second = (torch.nn.functional.normalize(logits[side::2], dim=-1) for side in (0, 1))
    likeness = 20 * first @ second.T
    each = [torch.nn.functional.cross_entropy(values, torch.arange(3)) for values in (likeness, likeness.T)]
    apart = torch.tensor([1, 2, 3, 4, 5, 6])
    assert task.loss(logits, {KEY: apart}, LossOptions()).item() == pytest.approx(float(sum(each)) / 2, rel=1e-5)

    shared = torch.tensor([1, 2, 3, 2, 5, 6])  # the first two rows have one answer
    likeness[0, 1] = likeness[1, 0] = -torch.inf
    each = [torch.nn.functional.cross_entropy(values, torch.arange(3)) for values in (likeness, likeness.T)]
    assert task.loss(logits, {KEY: shared}, LossOptions()).item() == pytest.approx(float(sum(each)) / 2, rel=1e-5)


def test_bm25_is_the_formula_and_han_characters_go_by_twos() -> None:
    texts = ["the parcel is late", "a parcel and a parcel", "pay by card"]
    scores = Bm25(texts).scores(["parcel late", "nothing of it"])
    rarity = {"parcel": np.log(1 + 1.5 / 2.5), "late": np.log(1 + 2.5 / 1.5)}
    mean = (4 + 5 + 3) / 3

    def value(word: str, often: int, length: int) -> float:
        return rarity[word] * often * 2.5 / (often + 1.5 * (0.25 + 0.75 * length / mean))

    expected = [value("parcel", 1, 4) + value("late", 1, 4), value("parcel", 2, 5), 0.0]
    np.testing.assert_allclose(scores, [expected, [0.0] * 3])
    assert terms("快递ＡＢ 到了") == ["快", "递", "ａｂ", "到", "了", "快递", "到了"]
    assert Bm25(["我的快递在哪里", "怎么退款"]).scores(["快递没到"]).argmax() == 0
    assert Bm25(["", ""]).scores(["x"]).tolist() == [[0.0, 0.0]]


def test_a_match_says_how_likely_it_is_once_that_is_fitted_and_nothing_of_its_vectors_is_told() -> None:
    draw = np.random.default_rng(0)
    first = _unit(draw, 60, 8)
    second = first + 0.2 * _unit(draw, 60, 8)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    task = Embed(8)
    said = _matches(task, first, second, [(f"q{i}", f"a{i}") for i in range(60)])
    assert said[0].probability is None
    task.fit_thresholds(said, [None] * 60)
    near, far = (_matches(task, first[:1], second[at : at + 1], [("q", "a")])[0] for at in (0, 7))
    assert near.probability > 0.9 > 0.1 > far.probability
    assert set(asdict(near)) == set(orjson.loads(orjson.dumps(near))) == {"similarity", "probability"}
    again = Embed.restore(orjson.loads(orjson.dumps(task.state())))
    assert again.state() == task.state()


def test_sides_and_their_keys() -> None:
    pair = {"text": " a ", "text_b": "b"}
    assert [side["text"] for side in sides_of(pair)] == [" a ", "b"]
    assert key({"text": " a "}) == key({"text": "a"}) != key({"text": "b"})
    image = {"text": "a", "image": "x.png", "image_digest": "ab"}
    assert [key(side) for side in sides_of(image)] == [key({"text": "a"}), key({"image": "y.png", "digest": "ab"})]
    with pytest.raises(InputError, match="two sides"):
        Embed.learn([{"text": "a"}])
    with pytest.raises(InputError, match="same content"):
        Embed.learn([{"text": "a", "text_b": "b"}, {"text": "c", "text_b": "b"}])
