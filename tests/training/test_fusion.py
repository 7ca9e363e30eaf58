"""A job on rows of a text and an image each: tuned apart, joined, and asked with what there is."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from burnish import job as flow
from burnish import verbs
from burnish.artifact import Artifact, must_be_replaceable
from burnish.config import Job, parse
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.errors import BurnishError, ConfigError, InputError
from burnish.models.fusion import Pool, shapley, subsets
from burnish.predicting import predict_lines
from burnish.reporting.wording import alone_words
from burnish.tasks.classify import Classify
from burnish.training.fusion import _Said, _weights, fitted, shares_of
from tests import tiny, tiny_images

KINDS = ("text", "image")
IMAGES = {
    "epochs": 16,
    "learning_rate": 1e-2,
    "head_learning_rate": 1e-1,
    "layer_decay": 1.0,
    "tokens_per_batch": 16,
    "precision": "fp32",
    "scratch": {"layers": 2, "hidden": 16},
}


def table(folder: Path, rows: int = 240) -> Path:
    """Two classes of four by the word, two by the colour: neither the text nor the image tells all of them apart."""
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "class"])
        for number in range(rows):
            word, colour = ("good", "bad")[number % 2], ("red", "blue")[number // 2 % 2]
            tiny_images.picture(colour, number).save(photos / f"{number}.png")
            text = " ".join(draw.sample(["the film was", "very", "today"], 2))
            writer.writerow([number, f"{text} {word}", f"{word} {colour}"])
    return folder / "rows.csv"


def job(folder: Path, **changed: Any) -> Job:
    document: dict[str, Any] = {
        "task": "classify",
        "model": str(tiny.encoder(folder)),
        "out": str(folder / "out"),
        "data": {
            "train": str(folder / "rows.csv"),
            "columns": {"text": "title", "image": "photos/{id}.png", "label": "class"},
            "split": {"dev": 0.3, "test": 0.3},
        },
        "tune": {
            "epochs": 6,
            "precision": "fp32",
            "learning_rate": 1e-3,
            "head_learning_rate": 1e-2,
            "tokens_per_batch": 128,
            "max_tokens": 32,
        },
        "parts": {"image": {"tune": IMAGES}},
        "report": {"bootstrap": 20},
    }
    return parse(document | changed)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> flow.Tuned:
    folder = tmp_path_factory.mktemp("fusion")
    table(folder)
    return flow.tune(job(folder))


def test_together_they_know_what_neither_knows(tuned: flow.Tuned) -> None:
    report = tuned.report
    assert set(report.before) == {"text alone", "image alone"}
    assert max(one.value for one in report.before.values()) <= 0.75
    assert report.after.value >= 0.95
    assert report.comparison is not None
    assert report.comparison.second_value - report.comparison.first_value > 0.2
    assert report.inputs == "text+image"
    assert sum(report.shares.values()) == pytest.approx(1)
    assert min(report.shares.values()) > 0.2
    assert "Shapley" in (tuned.artifact.folder / "report.html").read_text(encoding="utf-8")
    names = {str(path.relative_to(tuned.artifact.folder)) for path in tuned.artifact.folder.rglob("*.safetensors")}
    assert {"text/model.safetensors", "image/model.safetensors"} <= names


def test_an_input_may_lack_some_of_them(tuned: flow.Tuned) -> None:
    engine = Engine.open(tuned.artifact.folder)
    photo = tiny_images.picture("red", 500)
    both, text, image = engine.predict([{"text": "very good", "image": photo}, {"text": "very good"}, {"image": photo}])
    assert both.label == "good red"
    assert text.label.startswith("good")
    assert image.label.endswith("red")
    alone = Engine.open(tuned.artifact.folder / "text").predict("very good")[0]
    assert text.label == alone.label
    assert engine.predict({"text": "very good", "image": None})[0].probabilities == pytest.approx(text.probabilities)
    assert sum(both.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "none of text, image"),
        ({"text": " "}, "none of"),
        ({"text": 3}, "takes a text"),
        ("abc", "mapping"),
        ({"sound": "x"}, "'sound'"),
        ({"text": "good", "image": "missing.png"}, "missing.png"),
    ],
)
def test_bad_inputs_are_told(tuned: flow.Tuned, given: Any, told: str) -> None:
    with pytest.raises(BurnishError, match=told):
        Engine.open(tuned.artifact.folder).predict([given])


def test_rows_of_a_file(tuned: flow.Tuned) -> None:
    folder = tuned.artifact.folder
    source = folder.parent / "rows.csv"
    assert verbs.evaluate(folder, str(source)).value >= 0.95
    (folder.parent / "photos" / "3.png").rename(folder.parent / "photos" / "away")
    try:
        said = list(predict_lines(folder, str(source)))
    finally:
        (folder.parent / "photos" / "away").rename(folder.parent / "photos" / "3.png")
    assert len(said) == 240
    assert said[3]["image"] is None
    assert said[3]["label"].startswith("bad")
    assert said[0]["label"] == "good red"


def test_each_model_can_be_exported_by_itself(tuned: flow.Tuned, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tuned.artifact.folder, tmp_path / "out"))
    given = [{"text": "very good", "image": tiny_images.picture("red", 500)}, {"text": "very bad"}]
    before = Engine.open(folder).predict(given)
    verbs.export(folder / "text", "onnx")
    for one, other in zip(before, Engine.open(folder).predict(given), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    must_be_replaceable(folder)
    with pytest.raises(InputError, match="of one kind of input; name that of one"):
        verbs.export(folder, "onnx")
    (folder / "text" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.txt"):
        must_be_replaceable(folder)


def test_a_text_is_cut_where_its_own_model_cuts_it(tuned: flow.Tuned) -> None:
    folder = tuned.artifact.folder
    long = "very good " * 400
    engine, alone = Engine.open(folder), Engine.open(folder / "text")
    assert engine.max_tokens == alone.max_tokens == 32
    assert Artifact.open(folder / "image").max_tokens == 256
    assert engine.predict({"text": long})[0].label == alone.predict(long)[0].label


def test_rows_that_lack_one_stay_or_are_skipped(tmp_path: Path) -> None:
    table(tmp_path, 24)
    for number in range(8):
        (tmp_path / "photos" / f"{number}.png").unlink()
    given = job(tmp_path)
    found = {finding.name for finding in flow.check(given)}
    assert "broken_files" in found
    rows = flow.load_rows(given)
    assert sum(map(len, rows.values())) == 24
    skipping = given.model_copy(update={"data": given.data.model_copy(update={"incomplete": "skip"})})
    assert sum(map(len, flow.load_rows(skipping).values())) == 16


def test_what_is_finished_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, 48)
    given = job(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(flow, "join", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.tune(given)
    said: list[str] = []
    flow.tune(given, say=said.append)
    assert [line for line in said if "kept" in line] == [
        "text: kept, as it was tuned from the same rows",
        "image: kept, as it was tuned from the same rows",
    ]


def test_mistakes_in_a_job(tmp_path: Path) -> None:
    table(tmp_path, 24)
    with pytest.raises(InputError, match=r"\{number\}"):
        flow.check(job(tmp_path, data={"train": str(tmp_path / "rows.csv")} | _columns("photos/{number}.png")))
    for changed, told in (
        ({"task": "pair"}, "one class a row"),
        ({"tune": {"privacy": {"epsilon": 8}}}, "without tune.privacy"),
        ({"compress": {}}, "OUT/KIND"),
        ({"data": {"train": "rows.csv"}}, "parts goes with"),
        ({"parts": {"sound": {}}}, r"parts\.sound"),
    ):
        with pytest.raises(ConfigError, match=told):
            job(tmp_path, **changed)
    with pytest.raises(ConfigError, match="modell"):
        job(tmp_path, parts={"image": {"modell": "scratch"}})


def _columns(image: str) -> dict[str, Any]:
    return {"columns": {"text": "title", "image": image, "label": "class"}}


def test_the_label_is_no_input_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("title,class,topic\n" + "a,x,1\nb,y,2\n" * 5, encoding="utf-8")

    def read(**label: str) -> Rows:
        columns = {"text": "title", "category": "class", **label}
        return load(parse({"task": "classify", "data": {"train": str(path), "columns": columns}}))["train"]

    assert set(read().table["label"]) == {"1", "2"}
    for label in ("title", "class"):
        with pytest.raises(InputError, match=f"data.columns.label: '{label}' is an input as well"):
            read(label=label)


def test_weights_follow_what_a_network_is_worth() -> None:
    truth = torch.arange(400) % 2
    generator = torch.Generator().manual_seed(0)
    sure = torch.nn.functional.one_hot(truth, 2).float() * 2 + torch.randn(400, 2, generator=generator)
    guess = torch.randn(400, 2, generator=generator) * 3
    (good, bad), _ = _weights(torch.stack([sure.log_softmax(-1), guess.log_softmax(-1)], 1), truth, biased=False)
    assert good > 0.7
    assert bad < 0.15


def test_a_pool_answers_with_what_is_there() -> None:
    pool = Pool(KINDS, {("text",): (2.0,), ("image",): (1.0,), KINDS: (1.0, 0.5)}, (-0.1, -2.4))
    logs = torch.tensor([[[-0.2, -1.7], [-1.2, -0.4]]]).expand(4, 2, 2).log_softmax(-1)
    there = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    joined = pool.join(logs, there)
    for row, expected in enumerate(
        (logs[0, 0] + 0.5 * logs[0, 1], 2 * logs[0, 0], logs[0, 1], torch.tensor([-0.1, -2.4]))
    ):
        assert torch.allclose(joined[row], expected.log_softmax(-1))
    again = Pool.restore(json.loads(json.dumps(pool.state())))
    assert torch.equal(again.join(logs, there), joined)
    assert subsets(("a", "b", "c"))[-1] == ("a", "b", "c")
    even = Pool.even(KINDS, (-0.7, -0.7)).join(logs, there)
    assert torch.allclose(even[0], logs[0].sum(0).log_softmax(-1))


def test_shares_add_up_to_what_the_answer_gains() -> None:
    kinds = ("text", "image", "sound")
    pool = Pool.even(kinds, (-0.7, -0.7))
    logs = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    there = torch.ones(5, 3, dtype=torch.bool)
    there[1, 2] = False
    added = shapley(pool, logs, there)
    gained = pool.join(logs, there).max(-1).values - torch.tensor(pool.prior).log_softmax(-1)[0]
    assert torch.allclose(added.sum(1), gained, atol=1e-5)
    assert added[1, 2] == 0
    same = shapley(pool, logs[:, :1].expand(-1, 3, -1), torch.ones(5, 3, dtype=torch.bool))
    assert torch.allclose(same, same[:, :1].expand(-1, 3), atol=1e-5)


def test_shares_stay_readable_where_one_input_takes_what_another_adds() -> None:
    assert shares_of({"text": -0.49, "image": 0.51}) == pytest.approx({"text": -0.49, "image": 0.51})
    assert shares_of({"text": 0.0, "image": 0.0}) == {"text": 0.0, "image": 0.0}
    for text, said in ((-0.4, True), (-0.6, False)):
        report = SimpleNamespace(shares=shares_of({"text": text, "image": 0.5}))
        assert ("by Shapley values" in alone_words(report)) is said  # type: ignore[arg-type]


@pytest.mark.parametrize("shifted", [True, False])
def test_classes_have_biases_where_rows_to_come_are_likelier_with_them(shifted: bool) -> None:
    torch.manual_seed(0)
    labels, count = ("a", "b", "c"), 900
    frequent = torch.tensor([0.7, 0.2, 0.1] if shifted else [1 / 3] * 3)
    truth = torch.multinomial(frequent, count, replacement=True)
    logits = torch.nn.functional.one_hot(truth, 3) + torch.randn(2, count, 3)  # of classes equally frequent
    logs, there = logits.log_softmax(-1).movedim(0, 1), torch.ones(count, 2, dtype=torch.bool)
    task = Classify.learn([{"text": "x", "label": label} for label in labels])  # type: ignore[arg-type]
    half = count // 2
    rows: Any = [{"label": labels[place]} for place in truth[:half].tolist()]
    pool = fitted(Pool.even(KINDS, (0.0,) * 3), task, _Said(rows, logs[:half], there[:half]))
    assert (KINDS in pool.biases) == shifted
    again = Pool.restore(json.loads(json.dumps(pool.state())))
    assert again == pool
    without = Pool(pool.kinds, pool.weights, pool.prior)
    assert Pool.restore({name: value for name, value in pool.state().items() if name != "biases"}) == without
    right = [
        float((one.join(logs[half:], there[half:]).argmax(-1) == truth[half:]).float().mean())
        for one in (pool, without)
    ]
    assert right[0] > right[1] + 0.01 if shifted else right[0] == right[1]
