from __future__ import annotations

from pathlib import Path

import pytest

from burnish.config import Job, load, parse, schema
from burnish.errors import ConfigError

GOOD = "task: classify\ndata:\n  train: a.csv\ntune:\n  epochs: 2\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_mistakes_at_once_with_lines_and_nearest_names(tmp_path: Path) -> None:
    path = write(tmp_path, "task: tagg\ndata:\n  trian: a.csv\ntune:\n  epocs: 2\n  augment:\n    mentoin: 0.1\n")
    with pytest.raises(ConfigError) as error:
        load(path)
    text = str(error.value)
    assert "5 mistakes" in text
    assert f"{path}:3: unknown key 'data.trian'; did you mean 'train'?" in text
    assert f"{path}:5: unknown key 'tune.epocs'; did you mean 'epochs'?" in text
    assert f"{path}:7: unknown key 'tune.augment.mentoin'; did you mean 'mention'?" in text
    assert f"{path}:1: task" in text
    assert "data.train: Field required" in text


def test_overrides_reach_nested_keys_and_read_numbers(tmp_path: Path) -> None:
    job = load(write(tmp_path, GOOD), ("tune.epochs=5", "tune.learning_rate=5e-5", "data.columns.text=body", "out=x/y"))
    assert (job.tune.epochs, job.tune.learning_rate, job.data.columns.text, job.out) == (5, 5e-5, "body", "x/y")


def test_an_override_names_a_key_with_a_dot_in_it(tmp_path: Path) -> None:
    job = load(write(tmp_path, GOOD), ("audit.gates.calibration.ece=0.1", "gates.accuracy=0.8"))
    assert (job.audit.gates, job.gates) == ({"calibration.ece": 0.1}, {"accuracy": 0.8})


def test_a_mistake_of_an_override_is_not_laid_to_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("2", "0"))
    with pytest.raises(ConfigError, match=rf"{path}:5: tune\.epochs.*\n  --set: unknown key 'tune\.epoch'"):
        load(path, ("tune.epoch=2",))
    with pytest.raises(ConfigError, match=r"--set: tune\.epochs: .*\(given: -1\)"):
        load(path, ("tune.epochs=-1",))


@pytest.mark.parametrize("override", ["tune.epochs", "=3", "task.inner=3"])
def test_bad_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError):
        load(write(tmp_path, GOOD), (override,))


@pytest.mark.parametrize("text", ["", "- a\n", "task: [", "just words"])
def test_no_job_in_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"job\.yaml"):
        load(write(tmp_path, text))


def test_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="burnish init"):
        load(tmp_path / "none.yaml")


BOTH = {"task": "embed", "data": {"train": "a.csv", "columns": {"text": "title", "image": "photo"}}}


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"task": "tag", "data": {"train": "a", "multi_label": True}}, "data.multi_label goes with"),
        ({"task": "tag", "data": {"train": "a"}, "tune": {"freeze": "top:x"}}, "'top:x' is none of"),
        ({"task": "tag", "data": {"train": "a"}, "tune": {"epochs": 0}}, "tune.epochs: .*greater than"),
        ({**BOTH, "parts": {"text": {"tune": {"freeze": "nonsense"}}}}, r"parts\.text\.tune\.freeze: 'nonsense' is"),
        ({**BOTH, "parts": {"imgae": {}}}, r"parts\.imgae: .* nothing of that kind; did you mean 'image'\?"),
        ({"task": "tag", "data": {"train": "a"}, "seed": 2**64}, "seed: .*less than or equal"),
        ({**BOTH, "parts": {"text": {"tune": {"crf": True}}}}, r"parts\.text\.tune\.crf .* go with task: tag"),
        ({**BOTH, "parts": {"text": {"tune": {"privacy": {"epsilon": 8}}}}}, "no tune.privacy"),
    ],
)
def test_what_does_not_fit_together(document: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        parse(document)


def test_a_clash_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("task: tag\ndata: {train: a}\ntune:\n  epochs: 1\n  freeze: tops\n")
    with pytest.raises(ConfigError, match=r"job\.yaml:5: tune\.freeze: 'tops' is none of"):
        load(tmp_path / "job.yaml")


def test_metrics_are_those_of_the_task_and_have_their_line(tmp_path: Path) -> None:
    text = f"{GOOD}  metric: acuracy\ngates:\n  macro_f: 0.8\ncompress:\n  metric: f1\n"
    with pytest.raises(ConfigError, match="3 mistakes") as error:
        load(write(tmp_path, text))
    said = str(error.value)
    assert "job.yaml:6: tune.metric: 'acuracy' is no metric of classify; did you mean 'accuracy'?" in said
    assert "job.yaml:8: gates.macro_f: 'macro_f' is no metric of classify; did you mean 'macro_f1'?" in said
    assert "job.yaml:10: compress.metric: 'f1' is no metric of classify" in said
    boxes = {"task": "detect", "data": {"train": "a"}, "gates": {"map_50 cat": 0.5, "map": 0.3}}
    assert parse(boxes).gates == boxes["gates"]
    parse({"task": "classify", "data": {"train": "a", "multi_label": True}, "gates": {"f1": 0.5}})


def test_all_clashes_are_told_at_once() -> None:
    document = {"task": "score", "data": {"train": "a.csv"}, "tune": {"crf": True, "r_drop": 1.0, "freeze": "tops"}}
    with pytest.raises(ConfigError, match=r"^3 mistakes.*:\n  job: tune.crf.*\n.*'tops'.*\n  job: tune.r_drop"):
        parse(document)


def test_out_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert parse({"task": "tag", "data": {"train": "a"}, "out": "~/models/x"}).out == "/home/ann/models/x"


@pytest.mark.parametrize("written", ["2026-01-31", "no", "7"])
def test_a_word_that_yaml_reads_as_something_else_is_to_be_quoted(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match=r"job\.yaml:5: out: .*string.*\(given: .*\); write it in quotes"):
        load(
            write(
                tmp_path,
                GOOD.replace("tune:", f"out: {written}\ntune:").replace("  train: a.csv\n", "  train: a.csv\n\n"),
            )
        )
    with pytest.raises(ConfigError) as error:
        load(write(tmp_path, f"{GOOD}  freeze: [1]\n"))
    assert "quotes" not in str(error.value)


def test_round_trip_and_schema() -> None:
    job = parse({"task": "tag", "data": {"train": "a.conll"}})
    assert Job.model_validate(job.model_dump(mode="json")) == job
    assert {"task", "data", "tune"} <= set(schema()["properties"])
    for name in ("number", "category"):
        asked = schema()["$defs"]["Columns"]["properties"][name]
        assert [one["type"] for one in asked["anyOf"]] == ["string", "array"]
        assert asked["description"]


def test_a_date_that_there_is_none_of(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load(write(tmp_path, GOOD + "out: 2024-02-30\n"))
    assert load(write(tmp_path, GOOD), ("data.columns.time=2024-02-30",)).data.columns.time == "2024-02-30"


def test_a_wrong_key_of_a_part_names_the_nearest(tmp_path: Path) -> None:
    parts = "parts:\n  text:\n    tune:\n      epochz: 1\n    modle: x\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD + parts))
    assert "unknown key 'parts.text.tune.epochz'; did you mean 'epochs'?" in str(caught.value)
    assert "unknown key 'parts.text.modle'; did you mean 'model'?" in str(caught.value)
