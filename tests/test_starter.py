"""`burnish init`: what a file is for is guessed from its values and names, and `check` accepts the job."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

from burnish import job as flow
from burnish.config import parse
from burnish.errors import InputError
from burnish.starter import guess
from tests import tiny

RECIPES = Path(__file__).parent.parent / "recipes"
TOPICS = ["sport", "money", "law"]


def sentence(i: int) -> str:
    return f"this is number {i} of the sentences, and a long one"


def table(*columns: str, rows: int = 60, header: str = "") -> str:
    """CSV of columns given as Python expressions of `i`."""
    lines = [
        ",".join(str(eval(column, {"i": i, "s": sentence, "T": TOPICS})) for column in columns) for i in range(rows)
    ]
    return "\n".join([header, *lines] if header else lines) + "\n"


S = "'\"' + s(i) + '\"'"
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "named.csv": (table(S, "i % 2", header="review,sentiment"), "classify", {"text": "review", "label": "sentiment"}),
    "topic.csv": (
        table("i", "T[i % 3]", "i % 2", S, header=",topic,label,TEXT"),
        "classify",
        {"text": "TEXT", "label": "label"},
    ),
    "sorted.csv": (
        table(S, "'class' + str(i // 50)", rows=5000, header="text,category"),
        "classify",
        {"label": "category"},
    ),
    "in turns.csv": (table(S, "i % 2", rows=20_000, header="text,label"), "classify", {"label": "label"}),
    "places.csv": (
        table(S, "'\"' + T[i % 3] + ', France\"'", "i % 2", header="text,location,label"),
        "classify",
        {"text": "text", "label": "label"},
    ),
    "flags.csv": (
        table(S, "i % 2", "i % 3 // 2", "i % 5 // 4", header="text,is_reply,is_retweet,label"),
        "classify",
        {"text": "text", "label": "label"},
    ),
    "asked.csv": (
        table(S, "T[i % 3]", header="What did you like most about our product and why?,sentiment"),
        "classify",
        {"label": "sentiment"},
    ),
    "spans without a name.jsonl": (
        "\n".join(
            json.dumps({"raw_input": sentence(i), "entities": [{"start": 0, "end": 4, "label": "A"}]})
            for i in range(60)
        ),
        "tag",
        {"text": "raw_input", "spans": "entities"},
    ),
    "headless.csv": (table(S, "T[i % 3]"), "classify", {"text": "1", "label": "2"}),
    "headless.tsv": (table("i % 2", "s(i)").replace(", and", " and").replace(",", "\t"), "classify", {"text": "2"}),
    "at.txt": (table("s(i) + '@' + T[i % 3]"), "classify", {"text": "1", "label": "2"}),
    "stars.csv": (table(S, "i % 5", header="text,stars"), "score", {"text": "text", "label": "stars"}),
    "graded.csv": (table(S, "i / 7", header="text,mark"), "score", {"text": "text", "label": "mark"}),
    "same.csv": (
        table(S, "'\"' + s(i + 1) + '\"'", "i % 2", header="question1,question2,is_duplicate"),
        "pair",
        {"text": "question1", "text_b": "question2", "label": "is_duplicate"},
    ),
    "like.csv": (
        table(S, "'\"' + s(i + 1) + '\"'", "i / 9", header="sentence1,sentence2,score"),
        "score",
        {"text": "sentence1", "text_b": "sentence2", "label": "score"},
    ),
    "bars.csv": (table(S, "T[i % 3] + '|' + T[i % 2]", header="text,tags"), "classify", {"label": "tags"}),
    "wide.csv": (
        table("i", S, "i % 2", "i % 3 // 2", "i % 5 // 4", header="id,comment_text,toxic,obscene,threat"),
        "classify",
        {"text": "comment_text", "label": "toxic,obscene,threat"},
    ),
    "list.jsonl": (
        "\n".join(json.dumps({"text": sentence(i), "labels": TOPICS[: i % 3]}) for i in range(60)),
        "classify",
        {"text": "text", "label": "labels"},
    ),
    "array.json": (
        json.dumps([{"sentence": sentence(i), "keywords": f"k{i},w{i}", "label": i % 3} for i in range(60)]),
        "classify",
        {"text": "sentence", "label": "label"},
    ),
    "words.jsonl": (
        "\n".join(json.dumps({"id": i, "tokens": ["Ann", "ran"], "ner_tags": ["B-PER", "O"]}) for i in range(60)),
        "tag",
        {"words": "tokens", "tags": "ner_tags"},
    ),
    "spans.json": (
        json.dumps([{"full_text": "Ann ran", "spans": [{"entity_type": "PER", "start": 0, "end": 3}]}] * 60, indent=1),
        "tag",
        {"text": "full_text", "spans": "spans"},
    ),
    "cluener.json": (
        "\n".join(
            json.dumps({"text": "叶老桂来了", "label": {"name": {"叶老桂": [[0, 2]]}}}, ensure_ascii=False, indent=2)
            for _ in range(60)
        ),
        "tag",
        {"text": "text", "spans": "label"},
    ),
    "english.conll": (tiny.CONLL, "tag", {}),
    "weibo.train": ("\n\n".join("科0\tB-ORG.NAM\n技1\tI-ORG.NAM\n好0\tO" for _ in range(60)) + "\n", "tag", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_guess(tmp_path: Path, name: str) -> None:
    content, task, columns = CASES[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    started = guess(str(path))
    document = yaml.safe_load(started.text)
    assert document["task"] == started.task == task, started.reasons
    assert columns.items() <= document["data"].get("columns", {}).items(), document
    assert document["data"].get("multi_label", False) == (name in ("bars.csv", "wide.csv", "list.jsonl"))
    document["model"] = str(tiny.encoder(tmp_path))
    found = {finding.name: finding for finding in flow.check(parse(document))}
    assert all(finding.verdict != "fail" for finding in found.values()), found


def test_classes_of_a_sorted_file_are_all_seen(tmp_path: Path) -> None:
    path = tmp_path / "sorted.csv"
    path.write_text(CASES["sorted.csv"][0], encoding="utf-8")
    assert any("'category' has 100 values" in reason for reason in guess(str(path)).reasons)


def test_parquet_of_words(tmp_path: Path) -> None:
    rows = {"tokens": [["我", "在", "京"]] * 30, "ner_tags": [["O", "O", "B-LOC"]] * 30}
    datasets.Dataset.from_dict(rows).to_parquet(str(tmp_path / "a.parquet"))
    started = guess(str(tmp_path / "a.parquet"))
    assert started.task == "tag"
    assert yaml.safe_load(started.text)["model"] == "scratch"


@pytest.mark.parametrize(
    ("recipe", "file"),
    [
        ("demo", "ner.train.conll"),
        ("graded", "graded.csv"),
        ("intents", "intents.csv"),
        ("pairs", "pairs.csv"),
        ("reviews-zh", "reviews.zh.csv"),
        ("sentiment", "sentiment.tsv"),
        ("topics", "tags.csv"),
    ],
)
def test_the_recipes_rows_are_guessed_as_the_recipes_say(recipe: str, file: str) -> None:
    known = yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text(encoding="utf-8"))
    document = yaml.safe_load(guess(str(RECIPES / "data" / file)).text)
    assert (document["task"], document["model"]) == (known["task"], known["model"])
    assert document["data"].get("columns") == known["data"].get("columns")
    assert document["data"].get("multi_label") == known["data"].get("multi_label")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", table(S, "'x'", header="text,label"), "'label' has a single value"),
        ("a.csv", table("i", S, header="id,description"), "no column that looks like a label"),
        ("a.csv", table(S, "'topic %d' % i", header="dialogue,topic"), "no column that looks like a label"),
        ("a.csv", table("'2026-01-%02d' % (i % 28 + 1)", S), "no column that looks like a label"),
        ("a.csv", table("i", "i % 2", header="id,label"), "no column that looks like"),
        ("a.json", json.dumps({"train": [[sentence(i), "x"] for i in range(99)]}), "an object a row"),
        ("a.conll", "a\nb\n\nc\n", "no tags"),
    ],
)
def test_what_cannot_be_guessed_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        guess(str(tmp_path / name))
    assert "_line" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_name_that_says_nothing_gives_way_to_the_folders(tmp_path: Path) -> None:
    (tmp_path / "hotels").mkdir()
    rows = [f'"{sentence(i)}",{"ab"[i % 2]}' for i in range(40)]
    random.Random(0).shuffle(rows)
    (tmp_path / "hotels" / "train.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    assert yaml.safe_load(guess(str(tmp_path / "hotels" / "train.csv")).text)["out"] == "runs/hotels"


def test_a_folder_gives_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("set.v1", "set.v2"):
        (tmp_path / name).mkdir()
        datasets.Dataset.from_dict({"text": [sentence(i) for i in range(40)], "label": ["a", "b"] * 20}).to_parquet(
            str(tmp_path / name / "rows.parquet")
        )
        assert yaml.safe_load(guess(str(tmp_path / name)).text)["out"] == f"runs/{name}"
    monkeypatch.chdir(tmp_path / "set.v1")
    assert yaml.safe_load(guess(".").text)["out"] == "runs/set.v1"
