"""One pass over a file: what the checks need of each row, in a few bytes instead of the row."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from burnish.data.boxes import BAD_BOXES
from burnish.data.columns import BAD_SPANS
from burnish.data.near import PERMUTATIONS, normal, signatures
from burnish.data.readers import TEXT, kind_of
from burnish.data.rows import Rows
from burnish.data.table import Table

Columns = dict[str, list[Any]]
_BETWEEN = "\0"  # the two texts of a pair; not white space, which normal() would collapse


@dataclass
class Survey:
    """What is known of one file of n rows.

    Attributes:
        texts: hash of each normalised text, 0 where the text is missing; shape (n,).
        answers: hash of each label as a whole (all classes, the number, the tag sequence), 0 where missing.
        signatures: MinHash signatures of the texts, shape (n, 64).
        labels: rows of each class; for `tag`, mentions of each entity type; empty for `score` and `transcribe`.
        example: index of one row of each label.
        values: lowest and highest number, for `score`.
        tokens: length of each row in tokens, special ones included; zeros without a tokenizer.
        unknown: characters of each row inside tokens that the tokenizer does not know.
        faults: why files that rows name cannot be read, by row.
        bad_boxes: which boxes were cut or left out, and why, by row.
        scripts: those characters by script, as `Han`, `Cyrillic`, `symbols`.
        characters: all characters that are not white space.
        bad_spans: spans of each row that do not match its text.
    """

    name: str
    rows: Rows
    task: str
    texts: NDArray[np.uint64]
    answers: NDArray[np.uint64]
    signatures: NDArray[np.uint16]
    tokens: NDArray[np.int32]
    unknown: NDArray[np.int32]
    bad_spans: NDArray[np.int32]
    labels: Counter[str] = field(default_factory=Counter)
    example: dict[str, int] = field(default_factory=dict)
    values: tuple[float, float] = (math.inf, -math.inf)
    scripts: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    bad_boxes: dict[int, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What the rows hold: text, or another kind of input."""
        return kind_of(self.rows.columns)

    @property
    def noun(self) -> str:
        """What messages call one of these."""
        return "set of values" if self.kind == Table.kind else self.kind

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: list[int]) -> list[str]:
        """Return the texts of a few rows, both texts of a pair in one."""
        return [text or "" for text in _texts(self.rows.table[indices])]


def survey(name: str, rows: Rows, task: str, tokenizer: Any | None) -> Survey:
    """Read all rows once. The tokenizer is one of transformers, backed by `tokenizers`; others are left out."""
    n = len(rows)
    found = Survey(
        name,
        rows,
        task,
        texts=np.zeros(n, dtype=np.uint64),
        answers=np.zeros(n, dtype=np.uint64),
        signatures=np.empty((n, PERMUTATIONS), dtype=np.uint16),
        tokens=np.zeros(n, dtype=np.int32),
        unknown=np.zeros(n, dtype=np.int32),
        bad_spans=np.zeros(n, dtype=np.int32),
    )
    encoder = _encoder(tokenizer)
    unknown_id = getattr(tokenizer, "unk_token_id", None)
    unknown: Counter[str] = Counter()
    start = 0
    for batch in rows.batches():
        texts = _texts(batch)
        part = slice(start, start + len(texts))
        found.texts[part] = [_hash(normal(text)) if text else 0 for text in texts]
        if found.kind == TEXT:
            found.signatures[part] = signatures([text or "" for text in texts])
        else:
            found.faults |= {start + place: fault for place, fault in enumerate(batch["fault"]) if fault}
        found.characters += sum(len("".join(text.replace(_BETWEEN, " ").split())) for text in texts if text)
        if BAD_SPANS in batch:
            found.bad_spans[part] = [count or 0 for count in batch[BAD_SPANS]]
        if BAD_BOXES in batch:
            found.bad_boxes |= {start + place: told for place, told in enumerate(batch[BAD_BOXES]) if told}
        _read_labels(found, batch, start)
        if encoder is not None:
            _encode(found, encoder, unknown_id, batch, start, unknown)
        start += len(texts)
    for character, count in unknown.items():
        found.scripts[script(character)] += count
    return found


def script(character: str) -> str:
    """Name the script of a character the way people do."""
    if unicodedata.category(character)[0] not in "LM":
        return "symbols and digits"
    first = unicodedata.name(character, "other").split(" ")[0].split("-")[0]
    return {"CJK": "Chinese (Han)"}.get(first, first.capitalize())


def _read_labels(found: Survey, batch: Columns, start: int) -> None:
    """Note hash, names and first row of the labels of a batch."""
    if found.task == "embed":  # which has none
        return
    if found.task == "tag":
        answers = [_tags(words, tags) for words, tags in zip(batch["words"], batch["tags"], strict=True)]
    elif found.task == "detect":
        answers = [_boxes(boxes) for boxes in batch["boxes"]]
    elif found.task == "score":
        answers = [_number(value) for value in batch["label"]]
    else:
        answers = [_classes(value) for value in batch["label"]]
    for index, answer in enumerate(answers, start):
        if answer is None:
            continue
        found.answers[index] = _hash("\x1f".join(answer))
        if found.task == "score":
            found.values = min(found.values[0], float(answer[0])), max(found.values[1], float(answer[0]))
            continue
        names = answer
        if found.task == "tag":
            names = [tag[2:] for tag in answer if tag.startswith("B-")]
        elif found.task == "detect":
            names = [box["label"] for box in batch["boxes"][index - start] or ()]
        elif found.task == "transcribe":  # what is said is no class
            names = []
        for name in names:
            found.labels[name] += 1
            found.example.setdefault(name, index)


def _texts(batch: Columns) -> list[str | None]:
    """The text each row is compared by, or the checksum of its file; None where it, or one of the two, is missing."""
    if "digest" in batch:
        return list(batch["digest"])
    first, second = batch["text"], batch.get("text_b")
    if second is None:
        return [text if text and text.strip() else None for text in first]
    return [
        f"{a} {_BETWEEN} {b}" if a and a.strip() and b and b.strip() else None
        for a, b in zip(first, second, strict=True)
    ]


def _tags(words: list[str] | None, tags: list[str] | None) -> list[str] | None:
    if not tags or not words or len(tags) != len(words) or not all(tags):
        return None
    return tags


def _number(value: float | None) -> list[str] | None:
    return None if value is None or not math.isfinite(value) else [repr(float(value))]


def _boxes(boxes: list[dict[str, Any]] | None) -> list[str]:
    """What tells the boxes of an image from others; none are an answer too."""
    return [str(list(box.values())) for box in boxes or ()]


def _classes(value: Any) -> list[str] | None:
    """Classes of a row; with several allowed, an empty list is an answer too."""
    if isinstance(value, list):
        return sorted({str(name) for name in value})
    return None if value is None or not str(value).strip() else [str(value)]


def _hash(text: str) -> int:
    """64 bits of a text that are never 0, the same in every process."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def _encoder(tokenizer: Any | None) -> Tokenizer | None:
    """Return a copy that neither cuts nor pads, so that the caller's keeps its settings."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    encoder = Tokenizer.from_str(backend.to_str())
    encoder.no_truncation()
    encoder.no_padding()
    return encoder


def _encode(
    found: Survey, encoder: Tokenizer, unknown_id: int | None, batch: Columns, start: int, characters: Counter[str]
) -> None:
    """Count the tokens of each row of a batch, and the characters inside unknown ones."""
    tag, second = found.task == "tag", batch.get("text_b")
    pieces: list[list[str]]
    if tag:
        pieces = [[word or "" for word in words or ()] for words in batch["words"]]
        encodings = encoder.encode_batch(pieces, is_pretokenized=True)
    elif second is None:
        pieces = [[text or ""] for text in batch["text"]]
        encodings = encoder.encode_batch([text for (text,) in pieces])
    elif found.task == "embed":  # reads each by itself
        for texts in (batch["text"], second):
            _encode(found, encoder, unknown_id, {"text": texts}, start, characters)
        return
    else:
        pieces = [[a or "", b or ""] for a, b in zip(batch["text"], second, strict=True)]
        encodings = encoder.encode_batch([(a, b) for a, b in pieces])
    for index, (encoding, source) in enumerate(zip(encodings, pieces, strict=True), start):
        ids = encoding.ids
        found.tokens[index] = max(len(ids), found.tokens[index])
        if unknown_id is None or unknown_id not in ids:
            continue
        origins = encoding.word_ids if tag else encoding.sequence_ids
        for token, origin, (begin, end) in zip(ids, origins, encoding.offsets, strict=True):
            if token == unknown_id and origin is not None:
                found.unknown[index] += end - begin
                characters.update(source[origin][begin:end])
