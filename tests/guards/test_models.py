"""Checks by a model: no place in a long text is out of sight, hidden text is judged too, and each policy key works."""

from __future__ import annotations

import base64
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

from burnish import job as flow
from burnish.engine import Engine
from burnish.errors import ConfigError
from burnish.guards import Guard
from burnish.guards.classified import judge, of, read, windows
from burnish.tasks.classify import Classify
from burnish.tasks.scope import energies, usual
from tests.tiny import job

HARMLESS = "the film was very good today . "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy's folder with a classifier (`neg` when something is bad) and a tagger."""
    place = tmp_path_factory.mktemp("guard")
    drawn, words = random.Random(0), HARMLESS.split()
    rows = ["text,label"]
    for _ in range(120):
        text = (words * 3)[(start := drawn.randrange(7)) : start + drawn.randint(4, 14)]
        rows.append(f'"{" ".join(text)}",pos')
        at = drawn.randrange(len(text))
        text[at : at + 1] = ["bad"] * drawn.randint(1, 4)
        rows.append(f'"{" ".join(text)}",neg')
    (place / "classify").mkdir()
    (place / "classify" / "train.csv").write_text("\n".join(rows), encoding="utf-8")
    for task, name in (("classify", "harm"), ("tag", "pii")):
        (place / task).mkdir(exist_ok=True)
        made = job(
            place / task, task, epochs=12, learning_rate=3e-3, tokens_per_batch=256 if task == "classify" else 64
        )
        flow.tune(made)
        (place / "models").mkdir(exist_ok=True)
        Path(made.out).rename(place / "models" / name)
    return place


def guard(folder: Path, *checks: str) -> Guard:
    path = folder / "policy.yaml"
    path.write_text("checks:\n" + "".join(f"  - {{{check}}}\n" for check in checks), encoding="utf-8")
    return Guard.load(path)


HARM = "check: harm, model: models/harm, label: neg, action: block, window: 24"


def test_windows_cover_a_text_and_overlap(folder: Path) -> None:
    tokenizer = Engine.open(folder / "models" / "harm").tokenizer
    text = HARMLESS * 40
    places = windows(text, tokenizer, 24)
    assert places[0][0] == 0
    assert places[-1][1] == len(text)
    for (_, end), (start, _) in itertools.pairwise(places):
        assert start < end  # overlap
        assert not (text[start - 1] + text[start]).isalpha()  # between words
    assert all(len(tokenizer.backend_tokenizer.encode(text[a:b], add_special_tokens=False)) <= 24 for a, b in places)
    assert windows("short", tokenizer, 24) == [(0, 5)]
    assert windows("x" * 500, tokenizer, 24)[-1][1] == 500  # a word longer than a window


@pytest.mark.parametrize("place", [0, 1999, 3999])
def test_the_4000th_word_counts_as_much_as_the_first(folder: Path, place: int) -> None:
    words = (HARMLESS * 600).split()[:4000]
    found = guard(folder, HARM)
    assert found.check(" ".join(words)).action == "allow"
    words[place] = "bad bad bad"
    text = " ".join(words)
    verdict = found.check(text)
    hit = verdict.findings[0]
    assert (verdict.action, hit.check, hit.kind, hit.line) == ("block", "harm", "neg", 2)
    assert "bad" in text[hit.start : hit.end]
    assert hit.end - hit.start < 200


def test_checks_of_one_model_ask_it_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = HARM.replace("block", "flag") + ", threshold: 0.01"
    found = guard(folder, HARM, flag, HARM.replace("24", "32"))
    asked: list[int] = []
    predict = Engine.predict
    monkeypatch.setattr(Engine, "predict", lambda self, texts: asked.append(len(texts)) or predict(self, texts))
    verdicts = found.check_many(["the film was bad", "good film"])
    assert asked == [2, 2]  # windows of 24 and of 32 tokens
    assert {one.action for one in verdicts[0].findings} == {"block", "flag"}


def test_what_is_hidden_is_judged(folder: Path) -> None:
    found = guard(folder, HARM)
    bad = "the film was bad , very bad"
    for text in (
        bad,
        base64.b64encode(bad.encode()).decode(),
        bad.replace("a", "а"),
        "the film was b a d , very b a d",
    ):
        assert found.check(f"good film today {text} .").action == "block"
    harmless = base64.b64encode(HARMLESS.encode()).decode()
    assert found.check(harmless).action == "flag"  # as an evasion, and no more


def test_batches_say_the_same(folder: Path) -> None:
    found = guard(folder, HARM, "check: personal, model: models/pii, types: [person, place], action: redact")
    texts = ["the film was bad", "Anna lives in Paris .", HARMLESS * 20, ""]
    assert found.check_many(texts) == [found.check(text) for text in texts]


def test_names_come_from_a_tagger_and_join_the_forms(folder: Path) -> None:
    found = guard(
        folder, "check: personal, model: models/pii, types: [person, place, email], action: redact, threshold: 0.3"
    )
    assert found.check("Anna lives in Paris . anna@b.org").text == "<PERSON> lives in <PLACE> . <EMAIL>"


def test_topic(folder: Path) -> None:
    found = guard(folder, "check: topic, model: models/harm, allowed: [pos], action: human")
    assert found.check("the film was very good").action == "allow"
    assert found.check("the film was bad").action == "human"


def test_scope(folder: Path) -> None:
    place = folder / "models" / "harm" / "burnish.json"
    kept = place.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="does not keep what its own texts look like"):
        guard(folder, "check: scope, model: models/harm")  # its dev rows were too few
    manifest, engine = json.loads(kept), Engine.open(folder / "models" / "harm")
    texts = ["the film was very good", "the film was bad", "rome", "not", "anna lives", "corp bad", "good film today"]
    found = energies(Classify.restore(manifest["state"]), engine.predict(texts))
    *within, outside = np.argsort(found).tolist()
    manifest["state"]["usual"] = usual(found[within])
    place.write_text(json.dumps(manifest), encoding="utf-8")
    try:
        checks = guard(folder, "check: scope, model: models/harm, action: human, threshold: 1.0")
        lower = guard(folder, "check: scope, model: models/harm, action: block")
    finally:
        place.write_text(kept, encoding="utf-8")
    verdict = checks.check(texts[outside])
    assert (verdict.action, verdict.findings[0].check, verdict.findings[0].kind) == ("human", "scope", "out-of-scope")
    assert checks.check(texts[within[0]]).action == "allow"
    assert lower.check(texts[outside]).action == "block"  # the limit is 0.95
    assert lower.check(texts[within[0]]).action == "allow"


def test_threshold(folder: Path) -> None:
    engine = Engine.open(folder / "models" / "harm")
    (one,) = judge(read(engine, ["the film was bad"], 24), of(["neg"]))
    low, high = max(0.0, one.score - 0.01), min(1.0, one.score + 0.0005)
    assert guard(folder, f"{HARM}, threshold: {low}").check("the film was bad").action == "block"
    if high > one.score:
        assert guard(folder, f"{HARM}, threshold: {high}").check("the film was bad").action == "allow"


def test_a_language_without_a_check_is_told(folder: Path) -> None:
    found = guard(folder, f"{HARM}, language: en")
    hit = found.check("Привет, как дела").findings
    assert [(one.kind, one.action) for one in hit] == [("unknown-language", "flag")]
    assert found.check("the film was bad").action == "block"
    assert found.check("你好").findings[0].kind == "unknown-language"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("check: harm, model: models/harm, label: negg", "did you mean 'neg'"),
        ("check: harm, model: models/pii", "a model of the task tag, and this takes classify"),
        ("check: personal, model: models/harm", "and this takes tag"),
    ],
)
def test_models_that_do_not_fit(folder: Path, check: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        guard(folder, check)


def test_a_whole_path_may_lead_anywhere(folder: Path, tmp_path: Path) -> None:
    where = folder / "models" / "harm"
    assert (
        guard(tmp_path, f"check: harm, model: {where}, label: neg, action: block").check("very bad").action == "block"
    )
