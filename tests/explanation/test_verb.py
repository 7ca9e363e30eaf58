"""From the command line to page and JSON; examples, counterfactuals and the words of each label."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from burnish import verbs
from burnish.artifact import Artifact
from burnish.cli import app
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explained import Edit
from burnish.explanation.attribute import explained
from burnish.explanation.counterfactual import counterfactual, typical_words
from burnish.explanation.examples import examples
from burnish.reporting.explain import explain_html
from burnish.tasks.classify import Classify
from burnish.training.origin import training_rows

GOOD, BAD = "the film was very good", "very bad film"


def of(engine: Engine) -> Artifact:
    assert engine.artifact
    return engine.artifact


def run(*arguments: object) -> Any:
    found = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_json_and_page(folders: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    given = run(folders["classify"], "the film was good", "--json", "--html", page, "--edits", "--examples")
    found = json.loads(given.stdout)
    assert found["target"] in ("pos", "neg")
    assert [found["text"][s["start"] : s["end"]] for s in found["scores"]] == ["the", "film", "was", "good"]
    assert {"comprehensiveness", "sufficiency", "deletion", "random", "randomised"} <= set(found["faithfulness"])
    assert {"nearest", "supporting", "opposing"} <= set(found["examples"])
    written = page.read_text(encoding="utf-8")
    assert "<script" not in written
    assert not re.search(r"(?:src|href)=|url\(", written)
    assert "为什么是" in written
    assert "Can this be trusted?" in written


def test_what_is_printed_and_errors(folders: dict[str, Path]) -> None:
    assert "rank correlation" in " ".join(run(folders["tag"], "Anna lives in Paris.").stdout.split())
    with pytest.raises(InputError, match="--at"):
        run(folders["tag"], "Anna", "--at", "4:2")
    with pytest.raises(InputError, match="--data"):
        run(folders["tag"])


def test_the_words_of_each_label(folders: dict[str, Path], tmp_path: Path) -> None:
    data, page = tmp_path / "rows.csv", tmp_path / "words.html"
    data.write_text("text\n" + "the film was good\nvery bad film\n\n" * 3, encoding="utf-8")
    found = json.loads(run(folders["classify"], "--data", data, "--json", "--html", page).stdout)
    assert found["rows"] == 6
    assert sum(weight["count"] for words in found["labels"].values() for weight in words) == 21
    assert found["faithfulness"]["texts"] == 6
    assert "Words by label" in page.read_text(encoding="utf-8")


@pytest.fixture
def strict(engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine of several labels a text, which gives GOOD the label pos and BAD none; every folder opens as it."""
    plain = engines["classify"]
    task = Classify(plain.task.labels, multi_label=True)
    engine = Engine(plain.runtime, task, plain.tokenizer, plain.max_tokens)
    chances = [said.probabilities["pos"] for said in engine.predict([GOOD, BAD])]
    assert chances[0] > chances[1]
    task.thresholds = tuple(sum(chances) / 2 if label == "pos" else 1.0 for label in task.labels)
    monkeypatch.setattr(Engine, "open", lambda *_: engine)
    return engine


def test_where_no_label_is_given(strict: Engine, folders: dict[str, Path], tmp_path: Path) -> None:
    assert [said.labels for said in strict.predict([GOOD, BAD])] == [("pos",), ()]
    page = tmp_path / "why.html"
    given = run(folders["classify"], BAD, "--edits", "--html", page)
    assert "no label is given; the most probable is" in given.stdout
    assert "nothing to turn" in given.stderr
    assert "gives no label here" in page.read_text(encoding="utf-8")
    assert "no label" not in run(folders["classify"], GOOD).stdout
    data = tmp_path / "rows.csv"
    data.write_text("text\n" + f"{GOOD}\n{BAD}\n" * 3, encoding="utf-8")
    found = json.loads(run(folders["classify"], "--data", data, "--json").stdout)
    assert (found["rows"], list(found["labels"])) == (3, ["pos"])


def test_of_several_labels_one_that_is_given_is_explained(strict: Engine) -> None:
    assert isinstance(strict.task, Classify)
    chances = strict.predict([GOOD])[0].probabilities
    least = min(chances, key=chances.__getitem__)
    strict.task.thresholds = tuple(0.0 if label == least else 1.0 for label in strict.task.labels)
    one = explained(strict, strict.task.row(GOOD)).explanation
    assert (one.target, one.unsaid) == (least, False)


def test_what_is_lost_of_a_number_is_no_probability(folders: dict[str, Path], tmp_path: Path) -> None:
    data, page = tmp_path / "rows.csv", tmp_path / "words.html"
    data.write_text(f"text\n{GOOD}\n", encoding="utf-8")
    said = [
        " ".join(run(folders["score"], *given, "--html", page).stdout.split()) for given in ([GOOD], ["--data", data])
    ]
    assert all("the number falls by" in one and "probability" not in one for one in said)
    assert "probability lost" not in page.read_text(encoding="utf-8")


def test_a_page_escapes_whatever_comes_from_data(engines: dict[str, Engine]) -> None:
    text = "<script>alert(1)</script> \"good\" & 'film' \u202e"
    one = explained(engines["classify"], engines["classify"].task.row(text)).explanation
    edit = counterfactual(engines["classify"], {"text": text}, one)
    shown = replace(edit, before="<b>", after="<i>", edits=(Edit(0, 1, "<u>", '"><img>'),))
    page = explain_html(replace(one, target="<img src=x>"), None, shown)
    assert not re.search(r"<(script|img|u)\b", page)
    assert "&lt;script" in page or "&lt;</span>" in page
    assert "\u202e" not in page


def test_a_chinese_text_opens_in_chinese(engines: dict[str, Engine]) -> None:
    one = explained(engines["classify"], engines["classify"].task.row("电影很好")).explanation
    assert '<html lang="zh">' in explain_html(one)


def test_a_counterfactual_turns_the_decision_and_the_engine_says_so(engines: dict[str, Engine]) -> None:
    engine = engines["classify"]
    row = engine.task.row("very bad film , not good")
    one = explained(engine, row).explanation
    found = counterfactual(engine, row, one, typical_words(training_rows(of(engine))))
    assert found.before == one.target
    if found.found:
        assert engine.predict([found.text])[0].label == found.after != found.before
        text = row["text"]
        assert all(text[edit.start : edit.end] == edit.old for edit in found.edits)
    score = engines["score"]
    number = explained(score, score.task.row("good")).explanation
    with pytest.raises(InputError, match="decides nothing"):
        counterfactual(score, {"text": "good"}, number)


def test_words_that_tell_a_class() -> None:
    rows = [{"text": "the good film", "label": "pos"}, {"text": "the bad film", "label": "neg"}] * 3
    found = typical_words(rows, 1)
    assert found == {"pos": ("good",), "neg": ("bad",)}


@pytest.mark.parametrize("name", ["classify", "pair", "tag", "score"])
def test_a_training_row_is_nearest_to_itself(engines: dict[str, Engine], name: str) -> None:
    engine = engines[name]
    rows = training_rows(of(engine))
    first = {column: value for column, value in rows[0].items() if column not in ("label", "tags")}
    one = explained(engine, first)
    found = examples(engine, one.piece, one.target, rows, 3)
    assert found.nearest[0].nearness == pytest.approx(1, abs=1e-4)
    assert found.nearest[0].text.startswith(first["text"])
    assert all(row.influence > 0 for row in found.supporting)
    assert all(row.influence < 0 for row in found.opposing)


def test_influence_is_what_a_step_of_the_last_layer_does(engines: dict[str, Engine]) -> None:
    import torch

    from burnish.data.features import collate
    from burnish.explanation.examples import last_layer
    from burnish.explanation.occlusion import values_of
    from burnish.tasks.base import LossOptions

    engine = engines["classify"]
    rows = training_rows(of(engine))
    one = explained(engine, engine.task.row("the film was good"))
    found = examples(engine, one.piece, one.target, rows, len(rows))
    best = found.supporting[0]
    index = next(i for i in range(len(rows)) if rows.where(i) == best.where)
    head = last_layer(engine.twin)
    features = engine.task.encode([rows[index]], engine.tokenizer, engine.max_tokens)
    batch = collate(features, [0], engine.pad_id)
    (slope,) = torch.autograd.grad(engine.task.loss(engine.twin(batch), batch, LossOptions()), head.weight)
    kept = torch.ones(1, len(one.piece.words), dtype=torch.bool).numpy()
    before = values_of(engine, one.piece, one.target, kept)[0]
    with torch.no_grad():
        head.weight -= 1e-3 * slope
    after = values_of(engine, one.piece, one.target, kept)[0]
    with torch.no_grad():
        head.weight += 1e-3 * slope
    assert (after - before) / 1e-3 == pytest.approx(best.influence, rel=0.1, abs=1e-3)


def test_training_rows_that_are_gone_are_said(folders: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(folders["classify"])
    with pytest.raises(InputError, match="--train FILE"):
        training_rows(of(engine), str(tmp_path / "gone.csv"))
    other = tmp_path / "other.csv"
    other.write_text("text,label\na,pos\nb,neg\nc,pos\nd,neg\n" * 5, encoding="utf-8")
    with pytest.raises(InputError, match="does not hold the rows"):
        verbs.explain_text(folders["classify"], "good", examples=True, train=str(other))


def test_what_goes_with_one_text_is_refused_for_a_file(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the text, --target, --edits goes with one text"):
        run(folders["classify"], "good", "--data", "rows.csv", "--target", "pos", "--edits")
    with pytest.raises(InputError, match="there is no folder"):
        run(folders["classify"], "good", "--html", tmp_path / "none" / "why.html")
