"""Tag words: named entities and other spans, in IOB2, never an illegal sequence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.config import Tune
from burnish.data.context import with_context
from burnish.data.features import IGNORED, Batch, Features, Ragged
from burnish.data.lexicon import Lexicon
from burnish.data.rows import Row
from burnish.data.shape import shape_id
from burnish.data.text import chunked, encode_words
from burnish.data.words import entities_of, join_words, split_words
from burnish.errors import InputError
from burnish.tasks.base import LossOptions, Task, cross_entropy
from burnish.tasks.counts import Counts, TagCounts, spans
from burnish.tasks.crf import Crf, best_paths, gather_words, marginals

_FORBIDDEN = -1e4


@dataclass(frozen=True)
class Entity:
    """A span of the text: characters `start` to `end` (exclusive), its type and its least certain word's chance."""

    start: int
    end: int
    label: str
    text: str
    score: float


@dataclass(frozen=True)
class TagPrediction:
    """Tags of a row: one a word, IOB2; the entities they spell; and the chance of each word's tag."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    entities: tuple[Entity, ...]
    scores: tuple[float, ...]


class Tag(Task):
    name = "tag"
    metric = "f1"
    kind = "token"

    def __init__(self, labels: Sequence[str], crf: bool = False, context: int = 0) -> None:
        self.labels = tuple(labels)
        self.crf = Crf(len(self.labels)) if crf else None
        self.context = context
        self._ids = {label: i for i, label in enumerate(self.labels)}
        inside = np.array([label.startswith("I-") for label in self.labels])
        types = np.array([label[2:] for label in self.labels])
        legal = ~inside[None, :] | (types[:, None] == types[None, :])
        self._moves = np.where(legal, 0.0, _FORBIDDEN).astype(np.float32)
        self._start = np.where(inside, _FORBIDDEN, 0.0).astype(np.float32)

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        tune = tune or Tune()
        types: set[str] = set()
        for row in rows:
            types.update(tag[2:] for tag in row["tags"] if tag != "O")
            if tune.context and row.get("document") is None:
                raise InputError(
                    "tune.context needs rows that know their document, which those of CoNLL files do; set it to 0"
                )
        if not types:
            raise InputError("no word of the training rows carries a tag other than O; check data.columns.tags")
        labels = ["O", *(f"{prefix}-{kind}" for kind in sorted(types) for prefix in "BI")]
        return cls(labels, tune.crf, tune.context)

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels, "crf": self.crf is not None, "context": self.context}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(state["labels"], state.get("crf", False), state.get("context", 0))

    def modules(self) -> dict[str, nn.Module]:
        return {"crf": self.crf} if self.crf else {}

    def plain(self) -> Tag:
        return Tag(self.labels)

    def row(self, given: Any) -> Row:
        if isinstance(given, str):
            words, starts = split_words(given)
            return {"words": words, "starts": starts, "text": given}
        if isinstance(given, Sequence) and all(isinstance(word, str) for word in given):
            words = list(given)
            text, starts = join_words(words)
            return {"words": words, "starts": starts, "text": text}
        raise InputError("tag takes a text or a list of words")

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        lexicon = Lexicon(tokenizer) if Lexicon.fits(tokenizer) and not self.context else None
        parts: list[dict[str, Ragged]] = []
        owners: list[NDArray[np.int64]] = []
        done = 0
        for chunk in chunked(with_context(rows, self.context), 1000):
            inputs = lexicon.encode([row["words"] for row in chunk], max_tokens) if lexicon else None
            owner = np.arange(len(chunk))
            if inputs is None:
                inputs, owner = _windows(chunk, tokenizer, max_tokens, self.context)
            if "tags" in chunk[0]:
                inputs["labels"] = self._labels(chunk, inputs["words"], owner)
            parts.append(inputs)
            owners.append(done + owner)
            done += len(chunk)
        names = list(parts[0]) if parts else ["input_ids", "words", "shapes"]
        ragged = {name: Ragged.join([part.pop(name) for part in parts]) for name in names}
        return Features(ragged, row=np.concatenate([np.zeros(0, np.int64), *owners]))

    def _labels(self, rows: Sequence[Row], words: Ragged, owner: NDArray[np.int64]) -> Ragged:
        """The label of each token that begins a word of a row, `IGNORED` for the others."""
        flat = [self._ids.get(tag, IGNORED) for row in rows for tag in row["tags"]]
        lengths = np.asarray([len(row["tags"]) for row in rows])
        starts = np.cumsum(lengths) - lengths
        row = np.repeat(owner, words.lengths)
        known = (words.values >= 0) & (words.values < lengths[row])
        labels = np.full(len(words.values), IGNORED, dtype=np.int32)
        labels[known] = np.asarray(flat, dtype=np.int32)[starts[row[known]] + words.values[known]]
        return Ragged(labels, words.offsets)

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        kept = batch["labels"] != IGNORED
        if not kept.any():  # the mean over no word is no number
            return logits.sum() * 0.0
        if self.crf:
            emissions, mask = gather_words(logits, kept)
            labels, _ = gather_words(batch["labels"], kept)
            return -self.crf.log_likelihood(emissions, labels, mask).sum() / kept.sum().clamp(min=1)
        return cross_entropy(logits[kept].float(), batch["labels"][kept], options)

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        """For each piece: indices of its words, label ids of the best legal path, and their probabilities."""
        if self.crf:
            return self._decode_together(logits.float(), batch["words"], self.crf)
        words = batch["words"].cpu().numpy()
        kept = words >= 0
        scores = _log_softmax(logits.float().cpu().numpy()[kept])
        owned = words[kept].tolist()
        counts = kept.sum(1)
        ends = counts.cumsum()
        starts = ends - counts
        best = scores.argmax(-1)
        legal = np.zeros(len(best), bool)
        legal[1:] = self._moves[best[:-1], best[1:]] == 0
        first = starts[counts > 0]
        legal[first] = self._start[best[first]] == 0
        for row in np.unique(np.searchsorted(ends, np.flatnonzero(~legal), side="right")):
            inside = slice(starts[row], ends[row])
            best[inside] = self.best_path(scores[inside])
        chances = np.exp(scores[np.arange(len(best)), best]).tolist()
        path = best.tolist()
        rows = zip(starts.tolist(), ends.tolist(), strict=True)
        return [(owned[start:end], path[start:end], chances[start:end]) for start, end in rows]

    def _decode_together(self, logits: torch.Tensor, words: torch.Tensor, crf: Crf) -> list[Any]:
        emissions, mask = gather_words(logits, words >= 0)
        owned, _ = gather_words(words, words >= 0)
        moves = crf.transitions.detach() + torch.from_numpy(self._moves).to(logits)
        start = crf.start.detach() + torch.from_numpy(self._start).to(logits)
        paths = best_paths(emissions, mask, moves, start)
        chances = marginals(emissions, mask, moves, start).gather(-1, paths.unsqueeze(-1)).squeeze(-1)
        rows = zip(*(part.cpu().numpy() for part in (mask, owned, paths, chances)), strict=True)
        return [tuple(part[kept].tolist() for part in parts) for kept, *parts in rows]

    def best_path(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Viterbi search over legal IOB2 sequences; `scores` (words, labels)."""
        best: NDArray[np.int64] = scores.argmax(-1)
        if not len(best):
            return best
        total = self._start + scores[0]
        back = np.zeros(scores.shape, dtype=np.int64)
        for position in range(1, len(scores)):
            moved = total[:, None] + self._moves
            back[position] = moved.argmax(0)
            total = moved.max(0) + scores[position]
        best[-1] = total.argmax()
        for position in range(len(scores) - 1, 0, -1):
            best[position - 1] = back[position, best[position]]
        return best

    def assemble(self, answers: Sequence[Any], row: Row) -> TagPrediction:
        words = tuple(row["words"])
        tags, chances = ["O"] * len(words), [1.0] * len(words)
        for owned, path, scores in answers:
            for word, label, score in zip(owned, path, scores, strict=True):
                if word < len(words):
                    tags[word], chances[word] = self.labels[label], score
        entities = []
        if tags.count("O") < len(tags):
            for i, tag in enumerate(tags):  # a window may begin inside what another one left outside
                if tag.startswith("I-") and (i == 0 or tags[i - 1][2:] != tag[2:]):
                    tags[i] = f"B-{tag[2:]}"
            text, starts = row["text"], row["starts"]
            for start, end, label in entities_of(tags, starts, words):
                inside = chances[bisect_left(starts, start) : bisect_left(starts, end)]
                entities.append(Entity(start, end, label, text[start:end], min(inside, default=1.0)))
        return TagPrediction(words, tuple(tags), tuple(entities), tuple(chances))

    def reference(self, row: Row) -> tuple[str, ...]:
        return tuple(row["tags"])

    def tally(self, prediction: TagPrediction, reference: tuple[str, ...]) -> Sequence[float]:
        guess, true = spans(prediction.tags), spans(reference)
        return len(guess & true), len(guess) + len(true)

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2 * sums[..., 0] / np.maximum(sums[..., 1], 1)

    def counts(self) -> Counts:
        return TagCounts(self.labels)

    def explain_row(self, prediction: TagPrediction, row: Row) -> tuple[str, str, str, float]:
        wrong = [
            (word, true, guess, chance)
            for word, true, guess, chance in zip(
                prediction.words, row["tags"], prediction.tags, prediction.scores, strict=True
            )
            if true != guess
        ]
        said = [f"{word}={guess}" for word, _, guess, _ in wrong]
        meant = [f"{word}={true}" for word, true, _, _ in wrong]
        surest = max((chance for *_, chance in wrong), default=0.0)
        return row["text"], ", ".join(meant) or "as predicted", ", ".join(said) or "as labelled", 1.0 - surest


def _windows(
    rows: Sequence[Row], tokenizer: Any, max_tokens: int, context: int
) -> tuple[dict[str, Ragged], NDArray[np.int64]]:
    """Inputs of rows that may have context or be too long, a window each, and the index of each window's row."""
    seen = [[*row.get("left", ()), *row["words"], *row.get("right", ())] for row in rows]
    skipped = [len(row.get("left", ())) for row in rows]
    own = [(first, first + len(row["words"])) for first, row in zip(skipped, rows, strict=True)]
    columns: dict[str, list[list[int]]] = {"input_ids": [], "words": [], "shapes": []}
    owners: list[int] = []
    for index, window in encode_words(tokenizer, seen, max_tokens, own, context):
        words = seen[index]
        owners.append(index)
        columns["input_ids"].append(window.input_ids)
        columns["words"].append(window.words)
        columns["shapes"].append([shape_id(words[part]) if 0 <= part < len(words) else 0 for part in window.parts])
    return {name: Ragged.build(values) for name, values in columns.items()}, np.asarray(owners, dtype=np.int64)


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """In numpy: torch wakes its threads for it, which on a short row takes longer than the network."""
    moved = logits - logits.max(-1, keepdims=True)
    found: NDArray[np.float32] = moved - np.log(np.exp(moved).sum(-1, keepdims=True))
    return found
