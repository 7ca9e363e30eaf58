"""Every check of the data on rows made to set it off, and on clean ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from datasets import Dataset
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from burnish.config import Check, Data, Job, Tune
from burnish.data.check import check, stopping
from burnish.data.rows import Rows
from burnish.data.spelling import misspelt
from burnish.errors import ConfigError
from burnish.results import Finding

TOPICS = ("billing", "delivery", "returns")
THINGS = ["lamp", "chair", "kettle", "radio", "carpet", "mirror", "basket", "candle", "pillow", "bicycle"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    pieces = [chr(c) for c in range(33, 127)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "国", *pieces, *(f"##{piece}" for piece in pieces)]
    backend = Tokenizer(models.WordPiece({v: i for i, v in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    backend.enable_truncation(8)  # as shipped with some models; the check has to see past it
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")


def rows(source: str = "train.csv", **columns: list[Any]) -> Rows:
    return Rows(Dataset.from_dict(columns), source, "csv")


def job(task: str = "classify", **options: Any) -> Job:
    return Job.model_validate({"task": task, "data": Data(train="train.csv"), **options})


def clean() -> tuple[list[str], list[str]]:
    pairs = [(f"{t} question about {n} number {'abcdefghij'[i] * 4}", t) for t in TOPICS for i, n in enumerate(THINGS)]
    return [text for text, _ in pairs], [label for _, label in pairs]


def run(parts: dict[str, Rows], a_job: Job, tokenizer: Any = None) -> dict[str, Finding]:
    findings = check(parts, a_job, tokenizer)
    assert all(len(f.places) <= 5 for f in findings)
    return {f.name: f for f in findings}


def test_clean_rows_pass_every_check(tokenizer: PreTrainedTokenizerFast) -> None:
    texts, labels = clean()
    found = run({"train": rows(text=texts, label=labels)}, job(), tokenizer)
    assert {f.name for f in found.values() if f.verdict != "ok"} == set()
    assert {"missing_text", "leak_near", "rare_labels", "too_long", "unknown_characters"} <= set(found)


def test_missing_text_and_label() -> None:
    texts, labels = clean()
    found = run({"train": rows(text=[*texts, None, " ", "x y"], label=[*labels, "billing", "billing", None])}, job())
    assert (found["missing_text"].verdict, found["missing_text"].count) == ("warn", 2)
    assert found["missing_text"].places == ("train.csv:row 31", "train.csv:row 32")
    assert (found["missing_label"].verdict, found["missing_label"].count) == ("warn", 1)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"text": [], "label": []}, "missing_text"),
        ({"text": ["", None], "label": ["a", "b"]}, "missing_text"),
        ({"text": ["one", "two"], "label": [None, ""]}, "missing_label"),
        ({"text": ["one", None], "label": [None, "a"]}, "missing_label"),
        ({"text": ["one", "two"], "label": ["a", "a"]}, "one_label"),
    ],
)
def test_rows_that_cannot_be_trained_on_fail(columns: dict[str, list[Any]], name: str) -> None:
    findings = check({"train": rows(**columns)}, job(), None)
    assert name in {f.name for f in stopping(findings, ())}
    assert all(f.message for f in findings)


def test_duplicates_and_conflicts_ignore_case_width_and_space() -> None:
    texts, labels = clean()
    texts += ["Is it  HERE?", "is it here？", "IS IT HERE?", "is\tit here?"]
    labels += ["billing", "billing", "returns", "billing"]
    found = run({"train": rows(text=texts, label=labels)}, job())
    assert found["duplicates"].count == 3
    assert (found["conflicting_labels"].verdict, found["conflicting_labels"].count) == ("warn", 4)
    assert found["near_duplicates"].verdict == "ok"


def test_leaks_into_dev_and_test() -> None:
    texts, labels = clean()
    near = texts[3] + "?"
    dev = rows("dev.csv", text=[texts[0].upper(), near, "something new entirely"], label=["billing"] * 3)
    test = rows("test.csv", text=[texts[9]], label=["billing"])
    found = run({"test": test, "dev": dev, "train": rows(text=texts, label=labels)}, job())
    assert set(found["leak_exact"].places) == {"dev.csv:row 1", "test.csv:row 1"}
    assert found["leak_near"].places == ("dev.csv:row 2",)
    assert found["leak_exact"].verdict == found["leak_near"].verdict == "warn"


def test_near_duplicates_name_no_text() -> None:
    texts, labels = clean()
    found = run({"train": rows(text=[*texts, texts[0] + "!"], label=[*labels, "billing"])}, job())
    assert (found["near_duplicates"].verdict, found["near_duplicates"].count) == ("note", 1)
    assert not any(text in str(f) for text in texts for f in found.values())


def test_labels_rare_misspelt_unbalanced_unseen() -> None:
    texts = [f"text {i * 7919 % 1000} of {THINGS[i % 10]}" for i in range(1260)]
    labels = ["positive"] * 1200 + ["negative"] * 50 + ["postive"] * 2 + ["Negative "] * 8
    dev = rows("dev.csv", text=["a", "b"], label=["positive", "neutral"])
    found = run({"train": rows(text=texts, label=labels), "dev": dev}, job())
    assert found["rare_labels"].count == 2
    assert "'postive'" in found["rare_labels"].message
    assert found["label_typos"].count == 10
    assert "'Negative ' (8) for 'negative'" in found["label_typos"].message
    assert found["imbalance"].verdict == "warn"
    assert found["unseen_labels"].verdict == "warn"
    assert "'neutral'" in found["unseen_labels"].message
    assert found["unseen_labels"].places == ("dev.csv:row 2",)


def test_spelling_leaves_different_labels_alone() -> None:
    assert misspelt(Counter({"class 1": 500, "class 2": 3, "yes": 90, "yet": 2, "joy": 100, "anger": 4})) == {}
    assert misspelt(Counter({"refund": 100, "refnud": 2, "re_fund": 80})) == {"refnud": "refund", "re_fund": "refund"}


def test_a_column_of_free_text_as_label_is_called_out() -> None:
    texts, _ = clean()
    found = run({"train": rows(text=texts, label=[f"{t}!" for t in texts])}, job())
    assert "data.columns.label" in found["rare_labels"].advice


def test_multi_label_counts_each_class_and_allows_none() -> None:
    texts, labels = clean()
    several = [[label, "urgent"] if i % 3 else [] for i, label in enumerate(labels)]
    data = Data(train="train.csv", multi_label=True)
    found = run({"train": rows(text=texts, label=several)}, job(data=data))
    assert found["missing_label"].verdict == "ok"
    assert found["one_label"].message == "4 labels"


def test_score_needs_two_numbers_and_has_no_label_checks() -> None:
    texts, _ = clean()
    columns = {"text": texts, "text_b": texts[::-1], "label": [1.0] * 30}
    found = run({"train": rows(**columns)}, job("score"))
    assert found["one_label"].verdict == "fail"
    assert "rare_labels" not in found
    found = run({"train": rows(**columns | {"label": [float("nan"), *map(float, range(29))]})}, job("score"))
    assert found["missing_label"].count == 1
    assert found["one_label"].message == "numbers from 0 to 28"


def test_pair_compares_both_texts() -> None:
    columns = {"text": ["one", "one", "one", "one two"], "text_b": ["two six", "three", "two six", "six"]}
    found = run({"train": rows(**columns, label=["same", "other", "other", "same"])}, job("pair"))
    assert found["duplicates"].count == 1
    assert found["conflicting_labels"].count == 2


def tag_rows(count: int, **more: list[Any]) -> Rows:
    words = [["Anna", "saw", "Bonn", THINGS[i % 10], "x" * (i + 1)] for i in range(count)]
    tags = [["B-PER", "O", "B-LOC", "O", "O"]] * count
    starts = [[0, 5, 9, 14, 15 + len(w[3])] for w in words]
    return rows("a.conll", words=words, tags=tags, starts=starts, text=[" ".join(w) for w in words], **more)


def test_tag_counts_entities_and_reads_long_rows_in_windows(tokenizer: PreTrainedTokenizerFast) -> None:
    found = run({"train": tag_rows(12)}, job("tag", tune=Tune(max_tokens=24)), tokenizer)
    assert found["one_label"].message == "2 entity types"
    assert (found["too_long"].verdict, found["too_long"].advice) == ("note", "they are read in overlapping windows")
    assert found["unknown_characters"].verdict == "ok"
    assert "bad_spans" not in found


def test_tag_without_entities_fails_and_bad_spans_warn() -> None:
    plain = rows(words=[["a"], ["b"]], tags=[["O"], ["O"]], starts=[[0], [0]], text=["a", "b"])
    assert run({"train": plain}, job("tag"))["one_label"].verdict == "fail"
    found = run({"train": tag_rows(12, _bad_spans=[0, 2] + [0] * 10)}, job("tag"))
    assert (found["bad_spans"].verdict, found["bad_spans"].count) == ("warn", 1)
    assert found["bad_spans"].places == ("a.conll:row 2",)


def test_tokens_beyond_the_limit(tokenizer: PreTrainedTokenizerFast) -> None:
    texts, labels = clean()
    found = run({"train": rows(text=[*texts, "word " * 400], label=[*labels, "billing"])}, job(), tokenizer)
    assert (found["too_long"].verdict, found["too_long"].count) == ("warn", 1)
    assert "tune.max_tokens = 256" in found["too_long"].message
    assert tokenizer.backend_tokenizer.truncation is not None  # the caller's tokenizer keeps its settings


@pytest.mark.parametrize("task", ["classify", "pair", "tag"])
def test_chinese_on_an_english_tokenizer_is_called_out(tokenizer: PreTrainedTokenizerFast, task: str) -> None:
    texts = ["国产手机ok很好用", "这个 bad 房间太小了"]
    columns: dict[str, list[Any]] = {"text": texts, "label": ["a", "b"]}
    if task == "pair":
        columns["text_b"] = texts
    if task == "tag":
        words = [[c for c in text if c != " "] for text in texts]
        columns = {"text": ["".join(w) for w in words], "words": words, "tags": [["O"] * len(w) for w in words]}
        columns["starts"] = [list(range(len(w))) for w in words]
    finding = run({"train": rows(**columns)}, job(task), tokenizer)["unknown_characters"]
    assert finding.verdict == "warn"
    # 13 of 19: 国, ok and bad are known
    assert finding.message.startswith("68 % of the characters are Chinese (Han) that the tokenizer does not know")
    assert finding.advice == "choose a Chinese or multilingual model, or model: scratch"


def test_a_few_symbols_are_a_smaller_matter(tokenizer: PreTrainedTokenizerFast) -> None:
    texts, labels = clean()
    finding = run({"train": rows(text=[*texts, "fine ☃ ☃"], label=[*labels, "billing"])}, job(), tokenizer)
    assert finding["unknown_characters"].verdict == "note"
    assert "symbols" in finding["unknown_characters"].message


def test_fail_on_turns_a_warning_into_a_stop() -> None:
    texts, labels = clean()
    findings = check({"train": rows(text=[*texts, None], label=[*labels, "billing"])}, job(check=Check()), None)
    assert stopping(findings, ()) == ()
    assert [f.name for f in stopping(findings, ("missing_text", "too_long"))] == ["missing_text"]
    with pytest.raises(ConfigError, match="missing_text"):
        stopping(findings, ("mising_text",))
