"""The material was written for this project: it holds no row of a public set, nor a long passage of one.

The sets are not here. To look, name a folder with a folder of each set, of CSV, TSV, JSON and JSON lines:

    BURNISH_PUBLIC_DATA=/data pytest tests/guards/test_material_apart.py
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from burnish.data.near import normal
from burnish.data.words import kind, split_words
from burnish.guards import material
from burnish.guards.material.sets import SETS, rows_of

PASSAGE = 8  # words in a row that two texts share by no chance, and characters of them; of Chinese, characters
LONG = 24
LEAST = 4  # words of a row, below which it is a greeting or the like
HAN = "\u2e80"
SHARE = 0.3  # of the rows that the material makes


def strings(given: Any) -> Iterator[str]:
    """Every text in what JSON or YAML holds."""
    if isinstance(given, str):
        yield given
    elif isinstance(given, dict | list):
        for one in given.values() if isinstance(given, dict) else given:
            yield from strings(one)


def public(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text of every file, with the name of the file."""
    csv.field_size_limit(sys.maxsize)
    for path in sorted(folder.rglob("*")):
        place = str(path.relative_to(folder))
        if path.suffix in (".csv", ".tsv"):
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                for cells in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","):
                    yield from ((place, cell) for cell in cells)
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text(encoding="utf-8", errors="replace")
            for part in [text] if path.suffix == ".json" else text.splitlines():
                yield from ((place, one) for one in strings(json.loads(part)))


def ours() -> set[str]:
    """Every text of the sheets, and what they expand to."""
    sheets = Path(material.__file__).parent.glob("*.yaml")
    found = {text for path in sheets for text in strings(yaml.safe_load(path.read_text(encoding="utf-8")))}
    return found | {row.text for model in SETS for rows in rows_of(model, share=SHARE).values() for row in rows}


def words_of(text: str) -> tuple[str, ...]:
    """Words in small letters, without signs."""
    return tuple(word for word in split_words(normal(text))[0] if kind(word[0]) != "sign")


def passages_of(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(len(words) - PASSAGE + 1):
        passage = words[start : start + PASSAGE]
        if passage[0] >= HAN or sum(map(len, passage)) >= LONG:
            yield passage


def shared(texts: Iterable[str], folder: Path) -> dict[str, str]:
    """Texts that are a row of a set or have a passage in common with one -> the file and what they share."""
    rows: dict[str, str] = {}
    passages: dict[tuple[str, ...], list[str]] = {}
    for text in texts:
        words = words_of(text)
        if len(words) >= LEAST:
            rows[normal(text)] = text
        for passage in passages_of(words):
            passages.setdefault(passage, []).append(text)
    found: dict[str, str] = {}
    for place, text in public(folder):
        plain = normal(text)
        if plain in rows:
            found[rows[plain]] = f"{place}: the row"
        for passage in passages_of(words_of(text)):
            for own in passages.get(passage, ()):
                found.setdefault(own, f"{place}: {' '.join(passage)}")
    return found


def test_a_row_and_a_passage_are_found(tmp_path: Path) -> None:
    given = ["Where is my new card?", "one two three four five six seven eight nine", "谢谢，我要退款一百元整"]
    header = "text,label\n"
    (tmp_path / "a.csv").write_text(header + "where  is my NEW card?,x\nwhere is my old card,y\n", encoding="utf-8")
    assert shared(given, tmp_path) == {given[0]: "a.csv: the row"}
    (tmp_path / "b.jsonl").write_text('{"a": ["0 two three four five six seven eight nine 0"]}\n', encoding="utf-8")
    (tmp_path / "c.json").write_text('[{"t": "你好，我要退款一百元整吧"}]', encoding="utf-8")
    assert set(shared(given, tmp_path)) == set(given)


@pytest.mark.skipif(
    "BURNISH_PUBLIC_DATA" not in os.environ, reason="BURNISH_PUBLIC_DATA names no folder of public sets"
)
def test_the_material_holds_no_row_of_a_public_set() -> None:
    found = shared(ours(), Path(os.environ["BURNISH_PUBLIC_DATA"]))
    assert not found, "\n".join(f"{text!r} ({where})" for text, where in sorted(found.items())[:50])
