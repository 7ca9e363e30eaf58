"""Models of tables in other runtimes and precisions: codes in, the same answers out; and a search to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from burnish import verbs
from burnish.compressed import Speed
from burnish.compression import forms, last_look
from burnish.compression.forms import Form
from burnish.config import parse
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from burnish.verbs import export
from tests import tiny_tables

GIVEN: list[dict[str, Any]] = [
    {"age": 70, "income": 3, "town": "Bonn"},
    {"age": 20, "town": "Paris"},
    {"income": "99,000"},
    {"town": "上海"},
]
SLOW, FAST = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)


def tuned(place: Path, task: str = "classify", columns: tuple[str, ...] = ("number", "category")) -> Path:
    job = tiny_tables.job(place, tiny_tables.table(place, tiny_tables.rows(200)), task, epochs=4)
    given = job.model_dump(mode="json")
    given["data"]["columns"] |= {kind: () for kind in ("number", "category") if kind not in columns}
    return tune(parse(given)).artifact.folder


@pytest.mark.parametrize("columns", [("number", "category"), ("number",), ("category",)])
def test_the_same_answers_in_every_runtime(columns: tuple[str, ...], tmp_path: Path) -> None:
    folder = tuned(tmp_path, columns=columns)
    torch_engine = Engine.open(folder, "torch")
    known = torch_engine.tokenizer.columns
    given = [own for one in GIVEN if (own := {name: cell for name, cell in one.items() if name in known})]
    expected = [one.probabilities for one in torch_engine.predict(given)]
    for to in ("onnx", "openvino"):
        assert export(folder, to).manifest["parity"]["rows_of"] == "random inputs"
        made = export(folder, to, str(tmp_path / "people.csv")).manifest["parity"]
        assert (made["rows"], made["rows_of"]) == (200, "data")
        assert made["error"] < 1e-4 * made["scale"]
        engine = Engine.open(folder, to)
        alone = [engine.predict(one)[0] for one in 2 * given]
        for found, own in zip(engine.predict(given) + alone, 3 * expected, strict=True):
            assert found.probabilities == pytest.approx(own, abs=1e-4)


def test_made_up_rows_reach_every_cell(tmp_path: Path) -> None:
    reader = Engine.open(tuned(tmp_path), "torch").tokenizer
    made = reader.made_up(400, np.random.default_rng(0)).dense["table"][np.arange(400)]
    assert made.shape == (400, 3)
    assert (made[:, :2] == -1).any()
    assert made[:, :2].max(0) == pytest.approx(reader.spans, rel=0.05)
    assert set(made[:, 2].astype(int)) == set(range(reader.sizes[0]))
    assert reader.features([reader.from_request(reader.example())]).lengths.tolist() == [reader.document["cost"]]


def test_a_number_goes_through_every_verb_too(tmp_path: Path) -> None:
    folder = tuned(tmp_path, "score")
    export(folder, "openvino")
    engine = Engine.open(folder, "openvino")
    (own,) = Engine.open(folder, "torch").predict([GIVEN[0]])
    assert engine.predict([GIVEN[0]])[0].value == pytest.approx(own.value, abs=0.05)
    explanation, *_ = verbs.explain_text(folder, '{"age": 70, "town": "Bonn"}', variant="openvino")
    assert (explanation.target, explanation.form) == ("score", "itself")
    assert explanation.probability == pytest.approx(explanation.value, abs=0.1)


def test_a_search_ends_and_says_what_it_gained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("openvino", "w8")])
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": SLOW, "found": FAST})
    monkeypatch.setattr("burnish.compression.search.Search._cost", lambda search, value: value["size"])
    folder, said = tuned(tmp_path), list[str]()
    report = verbs.compress(folder, budget="0.5", goal="size", minutes=0.05, say=said.append)
    assert [trial.name for trial in report.trials] == ["torch-f32", "openvino-w8"]
    assert (report.form, report.chosen) == ("openvino-w8", "size")
    assert report.lost <= report.budget
    assert Engine.open(folder).predict([GIVEN[0]])[0].label in ("yes", "no")


def test_an_unknown_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no runtime"):
        export(tmp_path, "tensorrt")
