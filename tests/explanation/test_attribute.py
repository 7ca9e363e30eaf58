"""Scores add up, are exact where the truth is known, and speak of the right characters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import burnish
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explained import METHODS
from burnish.explanation import explain_row
from burnish.explanation.attribute import explained
from burnish.explanation.gradients import integrated_gradients
from tests.explanation.conftest import Linear

GIVEN: dict[str, Any] = {
    "classify": "the film was very good today",
    "bigrams": "the film was not good",
    "pair": ["good film", "the film was bad"],
    "score": "very bad film",
    "tag": "Anna lives in Paris.",
}


def weights_of(engine: Engine, text: str, target: int) -> dict[str, float]:
    """What each token adds to the log-odds of a class in the linear network of two classes."""
    net = engine.twin
    assert isinstance(net, Linear)
    ids = engine.tokenizer.backend_tokenizer.encode(text).ids
    empty = net.vectors.weight[engine.pad_id]
    weight = net.weight.detach()
    slope = weight[:, target] - weight[:, 1 - target]
    return {str(i): float((net.vectors.weight[i] - empty) @ slope) for i in ids}


@pytest.mark.parametrize("name", GIVEN)
def test_scores_of_gradients_add_up(engines: dict[str, Engine], name: str) -> None:
    found = burnish.explain(engines[name], GIVEN[name], method="gradients")
    total = sum(span.score for span in found.scores)
    assert found.value - found.baseline.value - total == pytest.approx(found.delta, abs=1e-5)
    assert abs(found.delta) <= max(0.02 * abs(found.value - found.baseline.value), 0.01)
    assert found.form == "itself"


@pytest.mark.parametrize("name", GIVEN)
def test_every_method_explains_every_task(engines: dict[str, Engine], name: str) -> None:
    for method in METHODS:
        found = burnish.explain(engines[name], GIVEN[name], method=method)
        assert found.method == method
        assert np.isfinite([span.score for span in found.scores]).all()
        assert len(found.scores) == (6 if name in ("classify", "pair") else 3 if name == "score" else 5)


def test_gradients_are_exact_on_a_linear_network(linear: Engine) -> None:
    text = "good film today"
    found = burnish.explain(linear, text, method="gradients")
    truth = weights_of(linear, text, linear.task.labels.index(found.target))
    ids = linear.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    assert [span.score for span in found.scores] == pytest.approx([truth[str(i)] for i in ids], abs=1e-4)
    assert found.delta == pytest.approx(0, abs=1e-4)


def test_subwords_are_summed(linear: Engine) -> None:
    text = "zebra film"  # z ##e ##b ##r ##a
    ids = linear.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    assert len(ids) == 6
    found = burnish.explain(linear, text, method="gradients")
    truth = weights_of(linear, text, linear.task.labels.index(found.target))
    assert [span.score for span in found.scores] == pytest.approx(
        [sum(truth[str(i)] for i in ids[:5]), truth[str(ids[5])]], abs=1e-4
    )


def test_occlusion_is_what_the_engine_says_without_the_word(engines: dict[str, Engine]) -> None:
    engine, words = engines["classify"], ["very", "bad", "film"]

    def odds(text: str, label: str) -> float:
        chance = engine.predict([text])[0].probabilities[label]
        return float(np.log(chance) - np.log(1 - chance))

    found = burnish.explain(engine, " ".join(words), method="occlusion")
    full, empty = (odds(text, found.target) for text in (" ".join(words), ""))
    for place, span in enumerate(found.scores):
        without = odds(" ".join(words[:place] + words[place + 1 :]), found.target)
        alone = odds(words[place], found.target)
        assert span.score == pytest.approx((full - without + alone - empty) / 2, abs=0.01)
    assert found.value == pytest.approx(full, abs=0.01)
    assert found.baseline.value == pytest.approx(empty, abs=1e-3)


def test_one_against_another_is_the_other_way_round(engines: dict[str, Engine]) -> None:
    for method in ("gradients", "occlusion"):
        a = burnish.explain(engines["classify"], GIVEN["classify"], target="pos", against="neg", method=method)
        b = burnish.explain(engines["classify"], GIVEN["classify"], target="neg", against="pos", method=method)
        assert [s.score for s in a.scores] == pytest.approx([-s.score for s in b.scores], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("电影很好", ["电", "影", "很", "好"]),
        ("good 😀 film", ["good", "😀", "film"]),
        ("👨‍👩‍👧 good", None),
        ("cafe\u0301 good", ["cafe\u0301", "good"]),
        ("ＡＢ good", ["ＡＢ", "good"]),
        ("  good\u3000film ", ["good", "film"]),
        ("go\u200bod film", ["go\u200bod", "film"]),
    ],
)
def test_offsets_are_those_of_the_text(engines: dict[str, Engine], text: str, words: list[str] | None) -> None:
    found = burnish.explain(engines["classify"], text)
    written = [found.written(span) for span in found.scores]
    assert written == words if words else written[-1] == "good"
    assert all(a.end <= b.start for a, b in zip(found.scores, found.scores[1:], strict=False))


def test_tag_explains_the_entity_asked_for(engines: dict[str, Engine]) -> None:
    engine, text = engines["tag"], "Anna lives in Paris."
    (prediction,) = engine.predict([text])
    found = burnish.explain(engine, text)
    surest = max(prediction.entities, key=lambda entity: entity.score, default=None)
    if surest is not None:
        assert found.at == (surest.start, surest.end)
        assert found.target == surest.label
    asked = burnish.explain(engine, text, at=(14, 19), target="LOC", against="PER")
    assert (asked.at, asked.target, asked.against) == ((14, 19), "LOC", "PER")
    row = engine.task.row(text)
    one = explained(engine, row, at=(14, 19), target="LOC")
    with torch.no_grad():
        features = engine.encode([row])
        ((_, logits),) = engine.runtime.run(
            [
                {k: torch.from_numpy(v[0][None]) for k, v in features.ragged.items()}
                | {"attention_mask": torch.ones(1, int(features.lengths[0]), dtype=torch.long)}
            ]
        )
    token = int(np.flatnonzero(features.ragged["words"][0] == 3)[0])
    place = logits[0, token]
    label = engine.task.labels.index("B-LOC")
    others = torch.cat([place[:label], place[label + 1 :]])
    assert one.explanation.value == pytest.approx(float(place[label] - others.logsumexp(0)), abs=1e-3)
    with pytest.raises(InputError, match="no word"):
        burnish.explain(engine, text, at=(4, 5))


def test_a_long_row_is_explained_in_the_window_that_decides(engines: dict[str, Engine]) -> None:
    words = ["the"] * 60 + ["Paris", "was", "good"]
    found = burnish.explain(engines["tag"], words, at=(240, 245), target="LOC")
    assert found.unread > 0
    assert "Paris" in [found.written(span) for span in found.scores]
    cut = burnish.explain(engines["classify"], " ".join(["good"] * 40))
    assert (len(cut.scores), cut.unread) == (30, 49)


def test_bad_input_is_said(engines: dict[str, Engine]) -> None:
    engine = engines["classify"]
    for text in ("", "  \u200b ", "\u200b\u200d"):
        with pytest.raises(InputError, match="no word"):
            burnish.explain(engine, text)
    with pytest.raises(InputError, match="did you mean 'pos'"):
        burnish.explain(engine, "good", target="poss")
    with pytest.raises(InputError, match="name another"):
        burnish.explain(engine, "good", target="pos", against="pos")
    with pytest.raises(InputError, match="gradients"):
        burnish.explain(engine, "good", method="gradient")
    with pytest.raises(InputError, match="has no labels"):
        burnish.explain(engines["score"], "good", target="pos")
    with pytest.raises(InputError, match="place"):
        burnish.explain(engine, "good", at=(0, 4))


def test_several_labels_are_explained_one_by_one(engines: dict[str, Engine]) -> None:
    from burnish.tasks.classify import Classify

    given = engines["classify"]
    engine = Engine(given.runtime, Classify(given.task.labels, multi_label=True), given.tokenizer, given.max_tokens)
    found = burnish.explain(engine, "good film", target="neg", method="gradients")
    chance = engine.predict(["good film"])[0].probabilities["neg"]
    assert found.value == pytest.approx(np.log(chance / (1 - chance)), abs=1e-3)
    assert found.probability == pytest.approx(chance, abs=1e-5)


def test_a_variant_is_explained_itself_or_through_its_twin(
    folders: dict[str, Path], engines: dict[str, Engine]
) -> None:
    pytest.importorskip("onnxruntime")
    from burnish.compression.export import export

    name = export(folders["classify"], "onnx").name
    engine, text = Engine.open(folders["classify"], name), "the film was very good"
    own = explain_row(engine, text)
    assert own.form == "itself"
    assert "twin" not in engine.__dict__, "no second network for the default"
    tuned = burnish.explain(engines["classify"], text)
    assert [s.score for s in own.scores] == pytest.approx([s.score for s in tuned.scores], abs=1e-3)
    through = burnish.explain(engine, text, method="gradients")
    assert through.form == "twin"
    assert (
        replace(through, form="itself").scores == burnish.explain(engines["classify"], text, method="gradients").scores
    )


def test_gradients_take_more_points_until_they_add_up(engines: dict[str, Engine]) -> None:
    one = explained(engines["classify"], engines["classify"].task.row("very good film"))
    found = integrated_gradients(engines["classify"].twin, one.piece, one.target, 0)
    assert found.points in (8, 16, 32, 64)
