"""Embed: a vector for each text, image or sound, near to those of what belongs to it."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import Batch, Features, Ragged
from burnish.data.mixed import Mixed
from burnish.data.reader import Reader
from burnish.data.readers import READERS, TEXT, shown
from burnish.data.rows import Row, Rows
from burnish.data.text import chunked, read_texts
from burnish.errors import InputError
from burnish.models import sentences
from burnish.models.net import EXTRAS_FILE
from burnish.models.pretrained import width
from burnish.tasks.base import LossOptions, Task
from burnish.tasks.counts import Counts
from burnish.tasks.ranking import Ints, RankCounts, Ranked, Scores, ranked
from burnish.tasks.retrieval import Bm25, Linear

Vectors = Sequence[NDArray[np.float32]]
KEY = "key"  # of a side: sides of one content have the same
_SCALE, _STEEPEST = 20.0, 100.0  # inverse of the temperature, at first and at most
_STRANGERS = 20  # pairs that do not belong together, for each that does
_LEARNT_FROM = 5000  # training rows that a linear baseline sees


@dataclass(frozen=True)
class EmbedPrediction:
    """The vector of one side.

    Attributes:
        embedding: of length 1.
        tokens: that were read of a text; 0 of other kinds of input.
    """

    embedding: list[float]
    tokens: int


@dataclass(frozen=True)
class MatchPrediction:
    """Whether two sides belong together.

    Attributes:
        similarity: cosine of their vectors.
        probability: that they are a pair, where as many pairs as strangers are asked about; None where no dev rows were
            there to learn it from.
    """

    similarity: float
    probability: float | None


@dataclass(frozen=True, init=False)  # orjson looks for fields in the class itself, and passes over what begins with _
class _Matched(MatchPrediction):
    """The same with what it comes from, which is no part of an answer."""

    def __init__(self, similarity: float, probability: float | None, vectors: Vectors, sides: Sequence[Row]) -> None:
        super().__init__(similarity, probability)
        self.__dict__.update(_vectors=vectors, _sides=sides)


class Scale(nn.Module):
    """The inverse of a temperature, learnt as its logarithm (Radford et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(_SCALE)))

    def forward(self) -> torch.Tensor:
        return self.log.exp().clamp(max=_STEEPEST)


class Embed(Task):
    """A row has two sides: two texts, or inputs of two kinds. Each is a piece; the logits of a piece are its vector.

    Attributes:
        width: numbers of a vector.
        curve: slope and offset of the probability of a match by similarity; empty where none was fitted.
        longest: tokens of a text that are read; known while the network learns.
        scale: learns with the network, and is not needed afterwards.
    """

    name = "embed"
    kind = "sequence"
    paired = True
    plain_head = False

    def __init__(self, width: int, curve: Sequence[float] = (), longest: int = 0) -> None:
        self.metric, self.labels, self.width, self.curve = "mrr", (), width, tuple(curve)
        self.longest = longest
        self.scale = Scale()

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        firsts, seconds = set[int](), set[int]()
        for row in rows:
            for found, side in zip((firsts, seconds), sides_of(row), strict=False):
                found.add(key(side))
        if not seconds:
            raise InputError(
                "embed learns from two sides of each row; name them with data.columns: text and text_b, or two of "
                "text, image and audio"
            )
        if min(len(firsts), len(seconds)) < 2:
            raise InputError("all training rows have the same content on one side, and there is nothing to tell apart")
        tune = tune or Tune()
        return cls(tune.scratch.hidden, longest=tune.max_tokens)

    def starting_from(self, place: str) -> Embed:
        return Embed(width(place), longest=self.longest)

    def state(self) -> dict[str, Any]:
        return {"width": self.width, "curve": self.curve}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(state["width"], state["curve"])

    def save(self, folder: Path) -> None:
        if (folder / EXTRAS_FILE).is_file():
            sentences.write(folder, self.longest)

    @property
    def outputs(self) -> int:
        return self.width

    def row(self, given: Any) -> Row:
        if isinstance(given, str):
            return {"text": given}
        if isinstance(given, Sequence) and len(given) == 2 and all(isinstance(text, str) for text in given):
            return {"text": given[0], "text_b": given[1]}
        raise InputError("embed takes a text, or two that may belong together as [text, text]")

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        """A piece for each side that a row has, and the keys of sides where no row lacks one."""
        reader = tokenizer if isinstance(tokenizer, Reader) else None
        parts: list[Ragged] = []
        held: list[Row] = []
        counts, keys = array("q"), array("q")
        for chunk in chunked(rows, 1000):
            each = [sides_of(row) for row in chunk]
            sides = [side for own in each for side in own]
            counts.extend(map(len, each))
            keys.extend(map(key, sides))
            if reader:
                held += sides
            else:
                texts = [side[TEXT] or "" for side in sides]
                parts.append(read_texts(tokenizer, texts, None, max_tokens)["input_ids"])
        features = reader.features(held) if reader else Features({"input_ids": Ragged.join(parts)})
        if counts and min(counts) == 2:
            features.targets[KEY] = np.asarray(keys)
        return replace(features, row=np.repeat(np.arange(len(counts)), counts).astype(np.int64))

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        """Symmetric InfoNCE (van den Oord et al. 2018) of the sides of n rows, one row's after another's.

        Two rows that share the content of a side are no negatives of each other.
        """
        first, second = F.normalize(logits.float(), dim=-1).view(-1, 2, logits.shape[-1]).unbind(1)
        likeness = first @ second.T * self.scale()
        same = torch.zeros_like(likeness, dtype=torch.bool)
        for own in batch[KEY].view(-1, 2).unbind(1):
            same |= own[:, None] == own[None, :]
        same.fill_diagonal_(False)
        likeness = likeness.masked_fill(same, -torch.inf)
        truth = torch.arange(len(first), device=logits.device)
        return (F.cross_entropy(likeness, truth) + F.cross_entropy(likeness.T, truth)) / 2

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        vectors = F.normalize(logits.float(), dim=-1).cpu().numpy()
        mask = batch.get("attention_mask")
        tokens = [0] * len(vectors) if mask is None else mask.sum(1).tolist()
        return list(zip(vectors, tokens, strict=True))

    def choose(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return logits.new_zeros(len(logits), 0, dtype=torch.long), logits.new_zeros(len(logits), 0)

    def assemble(self, answers: Sequence[Any], row: Row) -> EmbedPrediction | MatchPrediction:
        if len(answers) == 1:
            ((vector, tokens),) = answers
            return EmbedPrediction(vector.tolist(), int(tokens))
        vectors = [vector for vector, _ in answers]
        similarity = float(vectors[0] @ vectors[1])
        return _Matched(similarity, self._probability(similarity), vectors, sides_of(row))

    def _probability(self, similarity: float) -> float | None:
        if not self.curve:
            return None
        slope, offset = self.curve
        return 1 / (1 + math.exp(-min(max(slope * similarity + offset, -700), 700)))

    def judged(self, predictions: Iterable[Any]) -> Iterator[Any]:
        """Ranks in place of matches: each side is looked for among those of all rows. All vectors are held for it."""
        found = list(predictions)
        if not found or isinstance(found[0], Ranked):
            return iter(found)
        if not isinstance(found[0], _Matched):
            raise InputError("these rows have one side, and embed is measured by finding the other; name both columns")
        first, second = _sides(found)
        keys, told = _about([one._sides for one in found])
        return iter(ranked(keys, told, (_cosines(first, second), _cosines(second, first))))

    def reference(self, row: Row) -> None:
        return None  # the other side of the same row

    def labels_of(self, row: Row) -> Iterable[str]:
        return ()

    def tally(self, prediction: Ranked, reference: None) -> Sequence[float]:
        return 1 / prediction.forward, 1 / prediction.back, 2.0

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return (sums[..., 0] + sums[..., 1]) / np.maximum(sums[..., 2], 1)

    def counts(self) -> Counts:
        return RankCounts()

    def fit_thresholds(self, predictions: Iterable[Any], references: Iterable[None]) -> None:
        """Fit the probability of a match by logistic regression on pairs of dev rows, against strangers among them."""
        from sklearn.linear_model import LogisticRegression

        found = list(predictions)
        first, second = _sides(found)
        keys, _ = _about([one._sides for one in found])
        draw = np.random.default_rng(0)
        row = np.repeat(np.arange(len(found)), _STRANGERS)
        other = draw.integers(0, len(found), len(row))
        apart = (keys[0][row] != keys[0][other]) & (keys[1][row] != keys[1][other])
        strange = (first[row[apart]] * second[other[apart]]).sum(1)
        if not len(strange):
            return
        near = (first * second).sum(1)
        model = LogisticRegression(class_weight="balanced").fit(
            np.concatenate([near, strange])[:, None], np.repeat([1, 0], [len(near), len(strange)])
        )
        self.curve = (float(model.coef_[0, 0]), float(model.intercept_[0]))

    def baseline(self, train: Rows, rows: Iterable[Row], reader: Any) -> tuple[str, Iterator[Any]] | None:
        """BM25 between two texts; between two kinds a ridge regression from plain numbers of one to the other's."""
        sides = [sides_of(row) for row in rows]
        keys, told = _about(sides)
        if not isinstance(reader, Mixed):
            first, second = ([own[side][TEXT] or "" for own in sides] for side in (0, 1))
            return "BM25", iter(ranked(keys, told, (_words(first, second), _words(second, first))))
        readers = [one if isinstance(one, Reader) else None for one in reader.by_kind.values()]
        chosen = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LEARNT_FROM)).astype(int))
        foretold, held = Linear([sides_of(row) for row in train.select(chosen)], readers).unit(sides)
        what = readers[1].about_numbers if readers[1] else "words"
        scores = _cosines(foretold, held), _cosines(held, foretold)
        return f"ridge regression to {what}", iter(ranked(keys, told, scores))

    def explain_row(self, prediction: Ranked, row: Row) -> tuple[str, str, str, float]:
        # In place of a probability: the mean of one over the rank, both ways.
        near = (1 / prediction.forward + 1 / prediction.back) / 2
        return prediction.sides[0], prediction.sides[1], prediction.best[0], near


def _sides(found: Sequence[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors of the first and of the second sides, (n, width) each."""
    return np.stack([one._vectors[0] for one in found]), np.stack([one._vectors[1] for one in found])


def _about(sides: Sequence[Sequence[Row]]) -> tuple[tuple[Ints, Ints], list[tuple[str, str]]]:
    """Keys of both sides of rows, (n,) each, and what a report shows of them."""
    first, second = (np.array([key(own[side]) for own in sides], dtype=np.int64) for side in (0, 1))
    return (first, second), [(shown(own[0]), shown(own[1])) for own in sides]


def _cosines(asked: NDArray[np.float32], held: NDArray[np.float32]) -> Scores:
    return lambda places: lambda rows: asked[rows] @ held[places].T


def _words(asked: Sequence[str], held: Sequence[str]) -> Scores:
    def scores(places: Ints) -> Any:
        index = Bm25([held[place] for place in places])
        return lambda rows: index.scores([asked[row] for row in rows])

    return scores


def sides_of(row: Row) -> list[Row]:
    """The sides of a row that are there, each a row of its own, a text before what is beside it."""
    if "text_b" in row:
        return [{TEXT: row[TEXT]}, {TEXT: row["text_b"]}]
    kinds = [kind for kind in (TEXT, *READERS) if row.get(kind) is not None]
    if len(kinds) < 2:
        return [row]
    return [{kind: row[kind], f"{kind}_digest": row.get(f"{kind}_digest")} for kind in kinds]


def key(side: Row) -> int:
    """64 bits of the content of a side: of a text without the white space around it, of a file its checksum."""
    kind = next((kind for kind in (TEXT, *READERS) if side.get(kind) is not None), TEXT)
    held = side.get(f"{kind}_digest") or side.get("digest") or side.get(kind)
    text = held.strip() if isinstance(held, str) else repr(held or "")
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
