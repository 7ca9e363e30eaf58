"""Material expands the same way each time, keeps dev apart from train, and lets through what it should."""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from burnish.guards.material import public
from burnish.guards.material.expand import Sheet, parted, sheet, texts
from burnish.guards.material.sets import BUSINESS, HARD, SETS, Wanted, rows_of
from burnish.guards.material.tagged import swapped, tagged

FILES = ("business", "requests", "attacks", "assistant", "harm", "personal", "chinese")
OFFLINE = ("injection", "harm", "personal", "injection-zh")


@pytest.mark.parametrize("model", OFFLINE)
def test_expansion_is_the_same_each_time(model: str) -> None:
    assert rows_of(model, share=0.1) == rows_of(model, share=0.1)


@pytest.mark.parametrize("model", OFFLINE)
def test_dev_shares_no_text_with_train(model: str) -> None:
    rows = rows_of(model, share=0.3)
    texts_of = {part: [row.text.lower() for row in found] for part, found in rows.items()}
    assert not set(texts_of["train"]) & set(texts_of["dev"])
    assert all(len(found) == len(set(found)) for found in texts_of.values())


@pytest.mark.parametrize("model", ["injection", "harm"])
def test_classes_are_as_balanced_as_told(model: str) -> None:
    rows = rows_of(model)["train"]
    counts = Counter(row.label for row in rows if row.kind != BUSINESS)
    assert min(counts.values()) >= 790
    assert max(counts.values()) <= 3 * min(counts.values())
    assert {row.label for row in rows if row.kind in (HARD, BUSINESS)} == {
        "benign" if model == "injection" else "neither"
    }


def test_every_slot_has_its_list_and_every_template_of_dev_is_new() -> None:
    names = re.compile(r"\{([A-Za-z_]+)(?::[a-z0-9]+)?\}")
    for file in FILES:
        given = sheet("business", "requests", "attacks", "assistant", file)
        values = [value for parts in given.lists.values() for part in parts.values() for value in part]
        templates = [one for groups in given.classes.values() for group in groups.values() for one in group]
        assert not {name for text in values + templates for name in names.findall(text)} - set(given.lists)
        for group in (group for groups in given.classes.values() for group in groups.values()):
            parts = parted(group, 4)
            assert parts["train"]
            assert parts["dev"]
            assert not set(parts["train"]) & set(parts["dev"])


def test_nothing_of_the_grammar_is_left_in_a_text() -> None:
    for model in OFFLINE:
        for row in rows_of(model, share=0.2)["train"]:
            assert not re.search(r"\{[A-Za-z_]+(:[a-z0-9]+)?\}|\([^()]*\|[^()]*\)", row.text), row.text


def test_a_template_that_is_used_up_drops_out() -> None:
    given = Sheet({}, {"a": {"one": ["x", "(p|q)", "r", "s"]}})
    found = list(texts(given, "a", "train", 50))
    assert {group for group, _ in found} == {"one"}
    assert 3 <= len({text.lower() for _, text in found}) <= 4


def test_spans_of_personal_data_lie_on_their_values() -> None:
    given = sheet("business", "personal")
    rows = list(tagged(given, "train", 400))
    labels = {span["label"] for row in rows for span in row["spans"]}
    assert {"PERSON", "STREET_ADDRESS", "GPE", "ORGANIZATION", "US_SSN", "IBAN_CODE"} <= labels
    assert not labels & {"STREET", "HOUSE", "TOWN"}
    for row in rows:
        for span in row["spans"]:
            value = row["text"][span["start"] : span["end"]]
            assert value == value.strip()
            assert value
    mails = [row["text"][s["start"] : s["end"]] for row in rows for s in row["spans"] if s["label"] == "EMAIL_ADDRESS"]
    assert all(re.fullmatch(r"\S+@\S+\.\S+", mail) for mail in mails)


def test_swapped_rows_keep_what_is_around_the_spans() -> None:
    spans = [{"start": 5, "end": 8, "label": "PERSON"}, {"start": 12, "end": 16, "label": "GPE"}]
    row = {"text": "Call Ann in Rome.", "spans": spans}
    found = list(swapped([row] * 20, sheet("business", "personal"), random.Random(1)))
    assert len({one["text"] for one in found}) > 5
    for one in found:
        first, second = one["spans"]
        assert one["text"][: first["start"]] == "Call "
        assert one["text"][first["end"] : second["start"]] == " in "
        assert one["text"][second["end"] :] == "."


def test_public_sets_fall_into_parts_that_share_nothing(tmp_path: Path) -> None:
    _public(tmp_path)
    for read in (public.davidson, public.jigsaw):
        parts = [{row[0] for row in read(tmp_path, split)} for split in ("train", "dev", "test")]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts))
    templates = [{row["text"].split()[0] for row in public.presidio(tmp_path, s)} for s in ("train", "dev", "test")]
    assert sum(map(len, templates)) == len(set.union(*templates)) == 10
    business = public.business(tmp_path, "train")["banking77_en"]
    assert business
    rows = rows_of("harm", tmp_path, share=0.05, held_out=True)
    known = {row.text for row in rows["train"]}
    test = {row[0] for row in public.davidson(tmp_path, "test")}
    assert known & {row[0] for row in public.davidson(tmp_path, "train")}
    assert not (known | {row.text for row in rows["dev"]}) & test
    everything = rows_of("harm", tmp_path)
    assert test <= {row.text for row in everything["train"]}
    assert not test & {row.text for row in everything["dev"]}


def test_a_folder_without_public_sets_gives_the_material_alone(tmp_path: Path) -> None:
    assert rows_of("injection", tmp_path, 0.05) == rows_of("injection", None, 0.05)
    assert SETS["harm-zh"](Wanted("train", tmp_path, ("train", "test"), 1.0)) == []


def _public(folder: Path) -> None:
    for name, file in (
        ("davidson_hate_en", "labeled_data.csv"),
        ("jigsaw_toxic_test_en", "test.csv"),
        ("banking77_en", "train.csv"),
    ):
        (folder / name).mkdir()
        with (folder / name / file).open("w", encoding="utf-8", newline="") as out:
            write = csv.writer(out)
            if name.startswith("davidson"):
                write.writerow(["", "class", "tweet"])
                write.writerows([i, i % 3, f"tweet number {i}, said he"] for i in range(60))
            elif name.startswith("banking"):
                write.writerow(["text", "category"])
                write.writerows([f"where is card {i}", "card"] for i in range(60))
            else:
                write.writerows([f"comment number {i}", i % 2] for i in range(60))
    (folder / "presidio_synth_pii_en").mkdir()
    spans = [{"start_position": 3, "end_position": 6, "entity_type": "PERSON"}]
    rows = [{"full_text": f"t{i % 10} Ann{i}", "template_id": i % 10, "spans": spans} for i in range(40)]
    path = folder / "presidio_synth_pii_en" / "synth_dataset_v2.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
