"""A model of several kinds of input behind the service, where an input is an object with any of them, and audited."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import Any

import orjson
import pytest
from PIL import Image

from burnish import verbs
from burnish.artifact import Artifact
from burnish.auditing import audit
from burnish.config import parse
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from burnish.reporting.explain import explain_html
from burnish.serving import intake, wire
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.worker import Model
from tests import tiny_images, tiny_tables

ROW = {"age": 70, "town": "Bonn"}


def test_a_model_is_compared_with_one_that_reads_no_more(model: Model) -> None:
    folder = model.engine.artifact.folder
    rows = str(folder.parent / "people.csv")
    assert verbs.compare(folder, folder / "text", rows).rows == 120
    with pytest.raises(InputError, match=r"text' reads text, and '.*out' reads text\+image\+table"):
        verbs.compare(folder / "text", folder, rows)
    with pytest.raises(InputError, match=r"table' reads table, and '.*image' reads image"):
        verbs.compare(folder / "table", folder / "image", rows)


def picture() -> str:
    written = io.BytesIO()
    tiny_images.picture("red", 1).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    place = tmp_path_factory.mktemp("together")
    rows = [row | {"note": f"a visitor number {i} of the shop"} for i, row in enumerate(tiny_tables.rows(120))]
    for row in rows:
        colour = "red" if row["buys"] == "yes" else "blue"
        row["photo"] = f"{colour}.png"
        tiny_images.picture(colour, 1).save(place / f"{colour}.png")
    small = {"layers": 1, "hidden": 32, "heads": 2, "vocabulary": 200}
    columns = tiny_tables.COLUMNS | {"text": "note", "image": "photo", "label": "buys"}
    job: dict[str, Any] = {
        "task": "classify",
        "model": "scratch",
        "out": str(place / "out"),
        "data": {"train": str(tiny_tables.table(place, rows)), "columns": columns},
        "tune": {"epochs": 1, "precision": "fp32", "scratch": small},
        "parts": {
            "image": {"tune": {"epochs": 2, "scratch": {"layers": 2, "hidden": 16}}},
            "table": {"tune": {"epochs": 4}},
        },
        "report": {"bootstrap": 0},
    }
    return Model(tune(parse(job)).artifact.folder, None)


def said(model: Model, *inputs: Any) -> list[tuple[bool, Any]]:
    """Through what the HTTP process does with inputs, and the process of the model."""
    about = model.about
    given = intake.fitting(inputs, about["task"], Limits(), about["inputs"], about["fields"])
    parts, *_ = wire.parted(model.answer(given))
    return [(part[:1] == b"+", orjson.loads(part[1:])) for part in parts]


def test_any_of_the_inputs_gives_the_answer_of_the_engine(model: Model) -> None:
    inputs: list[dict[str, Any]] = [
        {"text": "a visitor", "image": picture(), "table": ROW},
        {"image": picture()},
        {"table": ROW, "text": None},
        {"text": "a visitor"},
    ]
    image = Image.open(io.BytesIO(base64.b64decode(picture())))
    own = model.engine.predict([one | ({"image": image} if "image" in one else {}) for one in inputs])
    for (well, told), right in zip(said(model, *inputs), own, strict=True):
        assert well, told
        assert told["probabilities"]["yes"] == pytest.approx(right.probabilities["yes"], abs=1e-4)
    alone, wrapped = said(model, {"image": picture()}, {"image": {"file": picture()}})  # as the client sends a path
    assert alone == wrapped
    assert model.about["inputs"] == "text+image+table"
    assert [field["type"] for field in model.about["fields"].values()] == ["text", "file", "object"]
    assert list(model.about["fields"]["table"]["fields"]) == ["age", "income", "town"]
    model.warm_up()
    model.measure(128)
    assert model.pace > 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "holds none of"),
        ({"text": "  "}, "holds none of"),
        ({"text": 7}, "takes a text"),
        ({"image": "photos/red.png"}, "no path"),
        ({"image": {"file": "x"}}, "no path"),
        ({"image": 7}, "'image' takes the base64 of a file"),
        ({"table": '{"age": 3}'}, "'table' takes an object of its columns"),
        ({"table": {"agee": 3}}, "did you mean 'age'"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], told: str, model: Model) -> None:
    ((well, found),) = said(model, given)
    assert (well, found["status"]) == (False, 422)
    assert told in found["detail"]


def test_what_the_service_refuses_itself(model: Model) -> None:
    for given, told in (
        ("a visitor", "takes an object"),
        ({"note": "x"}, "knows no 'note'"),
        ({"image": {"path": "x"}}, "'image' takes the base64 of a file"),
    ):
        with pytest.raises(Problem, match=told):
            said(model, given)
    with pytest.raises(Problem, match="100,000 characters"):
        said(model, {"text": "x" * 100_001})
    with pytest.raises(Problem, match="a policy guards"):
        intake.must_not_hide_texts(model.about["fields"])
    intake.must_not_hide_texts(model.about["fields"]["table"]["fields"])


def test_an_audit_withholds_each_input(model: Model) -> None:
    artifact = model.engine.artifact
    assert isinstance(artifact, Artifact)
    place = artifact.folder.parent
    rows = [row | {"note": f"a visitor number {i} of the town"} for i, row in enumerate(tiny_tables.rows(90, seed=4))]
    for index, row in enumerate(rows):
        row["photo"] = "none.png" if index % 3 == 0 else ("red.png" if row["buys"] == "yes" else "blue.png")
    report = audit(artifact.folder, str(tiny_tables.table(place, rows, "other.csv")), quick=True)
    sections = {section.name: section for section in report.forms["torch"]}
    figures = sections["robustness"].figures
    assert {name for name in figures if name.endswith("_drop")} == {f"without_{kind}_drop" for kind in artifact.kinds}
    assert any("without_audio: these rows have nothing" in line for line in sections["robustness"].impossible)
    groups = {(row[0], row[1]) for table in sections["slices"].tables for row in table.rows}
    assert ("inputs", "text+image+table") in groups
    assert ("inputs", "text+table") in groups
    assert {by for by, _ in groups} >= {"age", "town", "brightness", "label"}
    assert "membership_auc" in sections["privacy"].figures
    assert sections["slices"].figures["leaked"] < 0.05
    again = audit(artifact.folder, str(place / "people.csv"), quick=True)
    assert {section.name: section for section in again.forms["torch"]}["slices"].figures["leaked"] > 0.8


def test_an_explanation_gives_each_input_its_share(model: Model) -> None:
    artifact = model.engine.artifact
    assert isinstance(artifact, Artifact)
    given = {"text": "a visitor", "image": str(artifact.folder.parent / "red.png"), "table": ROW}
    explanation, quality, *_ = verbs.explain_text(artifact.folder, json.dumps(given), target="yes")
    assert (explanation.names, explanation.baseline.kind) == (("text", "image", "table"), "prior")
    assert explanation.cells[0] == "a visitor"
    assert explanation.cells[1].endswith("red.png")
    assert explanation.cells[2] == "age 70.0, town Bonn"
    assert sum(explanation.grid[0]) == pytest.approx(explanation.value - explanation.baseline.value, abs=1e-4)
    alone, *_ = verbs.explain_text(artifact.folder, json.dumps({"table": ROW}), target="yes")
    assert alone.names == ("table",)
    assert math.isnan(quality.randomised), "there is no one network to shuffle"
    page = explain_html(explanation, quality)
    assert "What each input adds" in page
    assert page.count("<rect") == 3
    (sent,) = intake.fitting([given | {"image": picture()}], "classify", Limits(), "", model.about["fields"])
    parts, *_ = wire.parted(model.answer([{"explain": sent, "target": "yes", "at": None}]))
    told = orjson.loads(parts[0][1:])
    assert told["grid"][0] == pytest.approx(explanation.grid[0], abs=1e-3)
    assert told["cells"][1] == "…"
    for options, why in (({"method": "gradients"}, "take shapley"), ({"edits": True}, "texts so far")):
        with pytest.raises(InputError, match=why):
            verbs.explain_text(artifact.folder, json.dumps(given), **options)  # type: ignore[arg-type]
    overview = verbs.explain_file(artifact.folder, str(artifact.folder.parent / "people.csv"), say=lambda line: None)
    assert overview.named
    assert {weight.word for weights in overview.labels.values() for weight in weights} == set(artifact.kinds)


def test_the_reader_withholds_all_but_the_last(model: Model) -> None:
    reader = model.engine.tokenizer
    row = reader.row({"text": "a", "table": ROW})
    assert reader.corrupted(row, "without_text", 1.0, 0)["text"] is None
    alone = reader.row({"table": ROW})
    assert reader.corrupted(alone, "without_table", 1.0, 0) is alone
    assert reader.corrupted(alone, "without_text", 1.0, 0) is alone


def test_other_verbs_name_a_model_of_one_kind(model: Model) -> None:
    artifact = model.engine.artifact
    assert isinstance(artifact, Artifact)
    for verb in ("export", "compress", "batch"):
        with pytest.raises(InputError, match="takes models of one kind of input; name that of one"):
            artifact.must_go_with(verb)
    for kind in artifact.kinds:
        Engine.open(artifact.folder / kind)
