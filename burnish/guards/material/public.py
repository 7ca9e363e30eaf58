"""Public sets that the guard's models learn from beside the material, where a folder holds them.

A row belongs to train, dev or test by its text alone (by its template in the set of personal data), so that what is
measured on test was never learnt from nor chosen on, whoever asks.
"""

from __future__ import annotations

import calendar
import csv
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from burnish.data import conll

_LEAST = 5  # words of a sentence; shorter ones are captions
_TYPES = {"PER": "PERSON", "ORG": "ORGANIZATION", "LOC": "GPE"}  # of CoNLL to presidio-research's
_CLOSING = re.compile(r"[.,;:!?)%]|'[a-z]*|n't")
_DAYS = {*calendar.day_name, *calendar.month_name[1:]}

Split = Literal["train", "dev", "test"]
Labelled = tuple[str, str]
Sets = Mapping[str, tuple[str, Callable[[Path], Iterator[str]]]]


def split_of(text: str) -> Split:
    """60 % train, 20 % dev, 20 % test."""
    place = zlib.crc32(text.encode()) % 5
    return "train" if place < 3 else "dev" if place == 3 else "test"


def business(folder: Path, split: Split) -> dict[str, list[str]]:
    """Harmless texts by set: questions to a bank, to an assistant and to a shop, news, and conversations."""
    return _harmless(_BUSINESS, folder, split)


def chinese(folder: Path, split: Split) -> dict[str, list[str]]:
    """The same in Chinese: reviews of meals and of hotels, and headlines."""
    return _harmless(_CHINESE, folder, split)


def _harmless(sets: Sets, folder: Path, split: Split) -> dict[str, list[str]]:
    found = {}
    for name, (file, read) in sets.items():
        if (folder / name / file).is_file():
            texts = dict.fromkeys(text.strip() for text in read(folder / name / file))
            found[name] = _shuffled([text for text in texts if text and split_of(text) == split], name)
    return found


def davidson(folder: Path, split: Split) -> list[Labelled]:
    """Tweets: hate, offensive or neither."""
    path = folder / "davidson_hate_en" / "labeled_data.csv"
    names = ("hate", "offensive", "neither")
    rows = ((row["tweet"], names[int(row["class"])]) for row in _table(path)) if path.is_file() else ()
    return _shuffled([row for row in rows if split_of(row[0]) == split], "davidson")


def jigsaw(folder: Path, split: Split) -> list[Labelled]:
    """Comments: offensive or neither. The set says toxic or not; what of it is hate is not known."""
    path = folder / "jigsaw_toxic_test_en" / "test.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row[0], "offensive" if row[1] == "1" else "neither") for row in csv.reader(file) if len(row) == 2]
    return _shuffled([row for row in rows if split_of(row[0]) == split], "jigsaw")


def cold(folder: Path, split: Split) -> list[Labelled]:
    """Chinese comments: offensive or neither; train and dev are parts of its train file, test is its dev file."""
    path = folder / "cold_zh" / ("dev.csv" if split == "test" else "train.csv")
    rows = ((row["TEXT"], "offensive" if row["label"] == "1" else "neither") for row in _table(path))
    return _shuffled([row for row in rows if split == "test" or _cold_split(row[0]) == split], "cold")


def presidio(folder: Path, split: Split) -> list[dict[str, Any]]:
    """Rows with `text` and `spans`; all rows of a template are on one side."""
    path = folder / "presidio_synth_pii_en" / "synth_dataset_v2.json"
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    templates = sorted({row["template_id"] for row in rows})
    random.Random(0).shuffle(templates)
    first, second = int(0.6 * len(templates)), int(0.8 * len(templates))
    chosen = set({"train": templates[:first], "dev": templates[first:second], "test": templates[second:]}[split])
    return [
        {
            "text": row["full_text"],
            "spans": [
                {"start": span["start_position"], "end": span["end_position"], "label": span["entity_type"]}
                for span in row["spans"]
            ],
        }
        for row in rows
        if row["template_id"] in chosen
    ]


def news(folder: Path) -> list[dict[str, Any]]:
    """The same of newswire to learn from, CoNLL-2003: sentences whose personal data is all marked as names.

    Those with digits are left out, as dates and numbers are not marked there, and those with names of other kinds.
    """
    path = folder / "conll2003_en" / "iob2" / "eng.train"
    if not path.is_file():
        return []
    sentences = conll.read(path, "utf-8", None, None).rows
    rows = [_joined(row["words"], row["tags"]) for row in sentences if _all_known(row["words"], row["tags"])]
    return _shuffled(rows, "news")


def _all_known(words: Sequence[str], tags: Sequence[str]) -> bool:
    marked = all(tag == "O" or tag[2:] in _TYPES for tag in tags)
    return marked and len(words) >= _LEAST and not any(map(str.isdigit, "".join(words)))


def _joined(words: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
    """A sentence as one writes it, with its spans; days and months are dates."""
    text, spans = "", list[dict[str, Any]]()
    for word, tag in zip(words, tags, strict=True):
        text += "" if not text or text.endswith("(") or _CLOSING.fullmatch(word) else " "
        kind = "DATE_TIME" if tag == "O" and word in _DAYS else _TYPES.get(tag[2:])
        if kind and tag[0] == "I":
            spans[-1]["end"] = len(text) + len(word)
        elif kind:
            spans.append({"start": len(text), "end": len(text) + len(word), "label": kind})
        text += word
    return {"text": text, "spans": spans}


def _cold_split(text: str) -> Split:
    return "dev" if zlib.crc32(text.encode()) % 10 == 0 else "train"


def _shuffled(rows: list[Any], seed: str) -> list[Any]:
    random.Random(seed).shuffle(rows)
    return rows


def _table(path: Path) -> Iterator[Mapping[str, str]]:
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


def _banking(path: Path) -> Iterator[str]:
    return (row["text"] for row in _table(path))


def _clinc(path: Path) -> Iterator[str]:
    return (text for text, _ in json.loads(path.read_text(encoding="utf-8"))["train"])


def _agnews(path: Path) -> Iterator[str]:
    return (line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines())


def _faq(path: Path) -> Iterator[str]:
    for one in json.loads(path.read_text(encoding="utf-8"))["questions"]:
        yield from (one["question"], one["answer"])


def _dialogues(path: Path) -> Iterator[str]:
    return (json.loads(line)["dialogue"] for line in path.read_text(encoding="utf-8").splitlines())


def _reviews(path: Path) -> Iterator[str]:
    return (row["review"] for row in _table(path))


def _headlines(path: Path) -> Iterator[str]:
    return (json.loads(line)["sentence"] for line in path.read_text(encoding="utf-8").splitlines())


_CHINESE: Sets = {
    "waimai_10k_zh": ("waimai_10k.csv", _reviews),
    "chnsenticorp_htl_zh": ("ChnSentiCorp_htl_all.csv", _reviews),
    "tnews_fewclue_zh": ("train_few_all.json", _headlines),
}
_BUSINESS: Sets = {
    "banking77_en": ("train.csv", _banking),
    "clinc150_en": ("data_full.json", _clinc),
    "agnews_en": ("dev.tsv", _agnews),
    "ecommerce_faq_en": ("Ecommerce_FAQ_Chatbot_dataset.json", _faq),
    "dialogsum_en": ("dialogsum.dev.jsonl", _dialogues),
}
