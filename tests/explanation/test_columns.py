"""Explanations of rows of a table: what each column adds, on any engine, and how far that can be trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from burnish import verbs
from burnish.cli import app
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explanation import explain, shapley
from burnish.explanation.piece import Cut
from burnish.explanation.target import Target, aim
from burnish.job import tune
from burnish.reporting.explain import explain_html, overview_html
from tests import tiny_tables

OLD_IN_BONN = {"age": 75, "income": 40_000, "town": "Bonn"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("columns")
    job = tiny_tables.job(place, tiny_tables.table(place, tiny_tables.rows(300)), epochs=15)
    tuned = tune(job)
    assert tuned.report.after.value > 0.85
    return tuned.artifact.folder


def test_the_columns_that_decide_have_the_scores(folder: Path) -> None:
    engine = Engine.open(folder, "torch")
    found = explain(engine, OLD_IN_BONN, target="yes")
    scores = dict(zip(found.names, found.grid[0], strict=True))
    assert (found.method, found.form, found.baseline.kind) == ("shapley", "itself", "typical")
    assert found.cells == ("75", "40000", "Bonn")
    assert abs(scores["income"]) < 0.5 * (abs(scores["age"]) + abs(scores["town"]))
    assert sum(scores.values()) == pytest.approx(found.value - found.baseline.value, abs=1e-5)
    assert found.delta == pytest.approx(0, abs=1e-5)
    assert found.words(1)[0][0] in ("age = 75", "town = Bonn")
    bare = explain(engine, {"town": "Bonn"}, method="occlusion")
    assert (bare.method, bare.cells) == ("occlusion", ("–", "–", "Bonn"))
    assert bare.value - bare.baseline.value == pytest.approx(sum(bare.grid[0]) + bare.delta)


def test_a_typical_row_has_no_scores(folder: Path) -> None:
    engine = Engine.open(folder, "torch")
    typical = engine.tokenizer.document["typical"]
    assert list(typical) == ["age", "income", "town"]
    assert 40 < typical["age"] < 58
    assert explain(engine, typical).grid == ((0.0, 0.0, 0.0),)
    older = replace(engine.tokenizer, document={k: v for k, v in engine.tokenizer.document.items() if k != "typical"})
    grid = older.parts(older.row(OLD_IN_BONN))
    assert grid.empty.tolist() == [-1.0, -1.0, 1.0], "a folder from before has everything missing there"


def _values(weights: dict[frozenset[int], float], parts: int) -> object:
    def values(engine: object, piece: Cut, target: object, kept: np.ndarray) -> np.ndarray:
        return np.array([sum(w for part, w in weights.items() if row[list(part)].all()) for row in kept])

    return values


@pytest.mark.parametrize("few", [8, 2])  # every set, and orders that are drawn
def test_shares_of_what_parts_do_together(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Piece:
        words = range(4)

    game = {frozenset({0}): 1.0, frozenset({1, 2}): 3.0, frozenset[int](): 5.0}
    monkeypatch.setattr(shapley, "values_of", _values(game, 4))
    monkeypatch.setattr(shapley, "_FEW", few)
    found = shapley.shapley(None, Piece(), None)  # type: ignore[arg-type]
    assert found.scores == pytest.approx([1.0, 1.5, 1.5, 0.0]), "an order and its reverse share a pair evenly"
    assert (found.value, found.baseline, found.delta) == (9.0, 5.0, 0.0)
    assert found.points == (16 if few == 8 else 2 * 6 * 5)


def test_orders_that_are_drawn_come_near_to_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(folder, "torch")
    row = engine.row(OLD_IN_BONN)
    (said,) = engine.predict_rows([row])
    target, piece = aim(engine, row, said, "yes", None, None)
    assert isinstance(target, Target)
    exact = shapley.shapley(engine, piece, target)
    monkeypatch.setattr(shapley, "_FEW", 2)
    drawn = shapley.shapley(engine, piece, target)
    assert drawn.scores.sum() == pytest.approx(exact.scores.sum(), abs=1e-5)
    assert np.abs(drawn.scores - exact.scores).max() < 0.25 * np.abs(exact.scores).max()


def test_it_is_faithful_and_the_page_has_bars(folder: Path) -> None:
    explanation, quality, change, found = verbs.explain_text(folder, json.dumps(OLD_IN_BONN))
    assert (change, found) == (None, None)
    assert quality.comprehensiveness > quality.random
    page = explain_html(explanation, quality)
    assert page.count("<rect") == 3
    assert "What each column adds" in page
    assert "各列的作用" in page
    assert "town = Bonn" in page
    assert "<image" not in page
    for options, told in (
        ({"method": "gradients"}, "take shapley or occlusion"),
        ({"method": "rollout"}, "take occlusion"),
        ({"edits": True}, "texts so far"),
        ({"examples": True}, "texts so far"),
        ({"edits": True, "examples": True}, "texts so far"),
        ({"edits": True, "train": "gone.csv"}, "texts so far"),
        ({"target": "maybe"}, "maybe"),
    ):
        with pytest.raises(InputError, match=told):
            verbs.explain_text(folder, json.dumps(OLD_IN_BONN), **options)  # type: ignore[arg-type]


def test_many_rows_are_added_up_by_column(folder: Path, tmp_path: Path) -> None:
    source = tiny_tables.table(tmp_path, tiny_tables.rows(24, seed=3))
    overview = verbs.explain_file(folder, str(source), say=lambda line: None)
    assert (overview.rows, overview.named, set(overview.labels)) == (24, True, {"yes", "no"})
    assert {weight.word for weight in overview.labels["yes"]} == {"age", "income", "town"}
    assert overview.faithfulness.comprehensiveness > overview.faithfulness.random
    assert "Columns by label" in overview_html(overview)


@pytest.mark.parametrize(("method", "told"), [("gradients", "take shapley"), ("shapely", "did you mean 'shapley'")])
def test_a_method_that_is_none_here_is_refused_for_many_rows(
    folder: Path, tmp_path: Path, method: str, told: str
) -> None:
    source = tiny_tables.table(tmp_path, tiny_tables.rows(6, seed=3))
    with pytest.raises(InputError, match=told):
        verbs.explain_file(folder, str(source), method, say=lambda line: None)


def test_the_verb_prints_names(folder: Path) -> None:
    told = json.loads(CliRunner().invoke(app, ["explain", str(folder), json.dumps(OLD_IN_BONN), "--json"]).stdout)
    assert told["names"] == ["age", "income", "town"]
    said = CliRunner().invoke(app, ["explain", str(folder), json.dumps(OLD_IN_BONN)]).stdout
    assert "town = Bonn" in said
    assert "█" not in said
