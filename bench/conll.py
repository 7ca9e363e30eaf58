"""Sentences of a CoNLL file for the peers: plain lists, first column the word, last column the tag."""

from __future__ import annotations

import random
import re
from pathlib import Path

Sentence = tuple[list[str], list[str]]


def read(path: str | Path) -> list[Sentence]:
    sentences: list[Sentence] = []
    for block in re.split(r"\n\s*\n", Path(path).read_text(encoding="utf-8")):
        lines = [line.split() for line in block.split("\n") if line.strip()]
        if lines and lines[0][0] != "-DOCSTART-":
            sentences.append(([line[0] for line in lines], [line[-1] for line in lines]))
    return sentences


def sample(source: str, target: Path, rows: int | None, seed: int) -> int:
    """Write `rows` sentences of `source` (all when None), so that every peer reads the same file; return how many."""
    sentences = read(source)
    if rows is not None and rows < len(sentences):
        sentences = random.Random(seed).sample(sentences, rows)
    blocks = ["\n".join(f"{w} - - {t}" for w, t in zip(*sentence, strict=True)) for sentence in sentences]
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return len(sentences)
