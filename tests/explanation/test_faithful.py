"""The measures themselves: by hand on a network whose answers are known, and the check that must be able to fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from burnish.engine import Engine
from burnish.explanation.attribute import explained, scores_by
from burnish.explanation.faithful import (
    SHARES,
    faithfulness,
    mean_of,
    randomised,
    rank_correlation,
    shuffled_twin,
    without_best,
)
from burnish.explanation.occlusion import _TEXTS, _blocks

TEXT = "the film was very good today , not bad ."


def test_the_best_words_go_first() -> None:
    kept = without_best(np.array([0.1, 3.0, -2.0, 1.0]), [0.01, 0.5, 1.0])
    assert kept.tolist() == [[True, False, True, True], [True, False, True, False], [False] * 4]


def test_figures_are_those_of_the_definition(engines: dict[str, Engine]) -> None:
    engine = engines["classify"]
    one = explained(engine, engine.task.row(TEXT))
    found = faithfulness(engine, one.piece, one.target, one.weights)
    words, label = TEXT.split(), one.explanation.target
    order = np.argsort(-one.weights, kind="stable")

    def chance(kept: set[int]) -> float:
        text = " ".join(word for i, word in enumerate(words) if i in kept)
        return float(engine.predict([text])[0].probabilities[label])

    everything = set(range(len(words)))
    tops = [set(order[: max(1, int(np.ceil(share * len(words))))].tolist()) for share in SHARES]
    full = chance(everything)
    assert found.comprehensiveness == pytest.approx(
        np.mean([full - chance(everything - top) for top in tops]), abs=1e-4
    )
    assert found.sufficiency == pytest.approx(np.mean([full - chance(top) for top in tops]), abs=1e-4)
    curve = [chance(set(order[n:].tolist())) for n in range(len(words) + 1)]
    assert found.deletion == pytest.approx(np.trapezoid(curve, dx=1 / len(words)), abs=1e-4)


def test_scores_beat_random_ones_and_their_opposite(linear: Engine) -> None:
    one = explained(linear, linear.task.row(TEXT), method="gradients")
    found = faithfulness(linear, one.piece, one.target, one.weights)
    other = faithfulness(linear, one.piece, one.target, -one.weights)
    assert found.comprehensiveness >= found.random >= other.comprehensiveness
    assert found.comprehensiveness > other.comprehensiveness


def test_the_check_fails_for_a_method_that_ignores_the_model(engines: dict[str, Engine]) -> None:
    engine = engines["classify"]
    other = shuffled_twin(engine)
    one = explained(engine, engine.task.row(TEXT))
    lengths = np.array([word.end - word.start for word in one.piece.words], float)
    assert randomised(engine, other, one.piece, one.target, lengths, lambda *_: lengths) == pytest.approx(1.0)


def test_the_shuffled_network_is_another_one_of_the_same_numbers(engines: dict[str, Engine]) -> None:
    engine = engines["bigrams"]
    before = {name: weights.clone() for name, weights in engine.twin.state_dict().items()}
    other = shuffled_twin(engine)
    assert all(torch.equal(before[name], weights) for name, weights in engine.twin.state_dict().items())
    for name, weights in other.twin.state_dict().items():
        assert torch.equal(before[name].flatten().sort().values, weights.flatten().sort().values)
    assert not torch.equal(other.twin.state_dict()["extras.head.weight"], before["extras.head.weight"])
    one = explained(engine, engine.task.row(TEXT))
    found = randomised(engine, other, one.piece, one.target, one.weights, scores_by("occlusion"))
    assert abs(found) < 0.95


def test_rank_correlation_needs_something_to_rank() -> None:
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
    assert rank_correlation(np.arange(5.0), -np.arange(5.0)) == pytest.approx(-1)


def test_means_leave_out_what_could_not_be_told(engines: dict[str, Engine]) -> None:
    engine = engines["classify"]
    one = explained(engine, engine.task.row(TEXT))
    measured = [faithfulness(engine, one.piece, one.target, one.weights, told) for told in (0.5, float("nan"))]
    assert (mean_of(measured).randomised, mean_of(measured).texts) == (0.5, 2)


def test_every_word_of_a_long_text_is_left_out_once() -> None:
    for words in (1, _TEXTS, _TEXTS + 1, 200):
        blocks = _blocks(np.random.default_rng(0).random(words))
        assert len(blocks) == min(words, _TEXTS)
        assert sorted(np.concatenate(blocks).tolist()) == list(range(words))
