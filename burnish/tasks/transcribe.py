"""Write down what is said: characters by CTC (Graves et al. 2006), in the order in which they are heard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from burnish.config import Tune
from burnish.data.features import IGNORED, Batch, Features
from burnish.data.reader import Reader
from burnish.data.readers import shown
from burnish.data.rows import Row
from burnish.data.transcripts import TRANSCRIPT, by_character, normal
from burnish.errors import InputError
from burnish.models.speech import BLANK, Vocabulary, inside
from burnish.tasks.base import LossOptions, Task
from burnish.tasks.counts import Counts, TranscriptCounts, edits

_BLANK, _UNKNOWN, _SPACE = "<pad>", "<unk>", "|"  # as transformers' tokenizer has them
_LOOKED_AT = 2000  # transcripts that tell whether words can be counted


@dataclass(frozen=True)
class TranscriptPrediction:
    """What is said in a sound.

    Attributes:
        text: in the form of `burnish.data.transcripts.normal`.
        probability: mean of the probabilities of its characters, each where it is surest; of an empty text the mean of
            those that nothing is written.
    """

    text: str
    probability: float


class Transcribe(Task):
    """Labels are the characters of the transcripts of training, in their normal form.

    Attributes:
        vocabulary: the token of each output.
        keeps_head: the vocabulary came with a model, and so does the head.
        characters: rates count characters and not words, as words are written without spaces between them.
    """

    name = "transcribe"
    kind = "token"
    stepwise = True

    def __init__(self, vocabulary: Vocabulary, characters: bool, keeps_head: bool = False) -> None:
        self.vocabulary, self.characters, self.keeps_head = vocabulary, characters, keeps_head
        self.metric = "character_accuracy" if characters else "word_accuracy"
        self.labels = tuple(token if len(token) > 1 else token.lower() for token in vocabulary.tokens)
        self._written = {
            number: " " if token == vocabulary.space else normal(token) or token
            for number, token in enumerate(vocabulary.tokens)
            if len(token) == 1 and number != vocabulary.blank
        }
        self._ids = {written: number for number, written in reversed(self._written.items())}

    @classmethod
    def learn(cls, rows: Iterable[Row], multi_label: bool = False, tune: Tune | None = None) -> Self:
        found: set[str] = set()
        few: list[str] = []
        for row in rows:
            text = normal(row["label"] or "")
            found.update(text)
            if len(few) < _LOOKED_AT:
                few.append(text)
        if not found - {" "}:
            raise InputError("the training rows say nothing; name the column of transcripts with data.columns.label")
        if _SPACE in found:
            raise InputError(f"a transcript holds the character {_SPACE}, which stands for a space in vocabularies")
        tokens = (_BLANK, _UNKNOWN, _SPACE, *sorted(found - {" "}))
        return cls(Vocabulary(tokens, BLANK, _SPACE), by_character(few))

    def starting_from(self, place: str) -> Transcribe:
        own = Vocabulary.of(place)
        if own is None:
            return self
        kept = Transcribe(own, self.characters, keeps_head=True)
        needed = self._ids.keys() - ({" "} if self.characters else set())
        return kept if needed <= kept._ids.keys() else self

    def state(self) -> dict[str, Any]:
        own = self.vocabulary
        return {"tokens": own.tokens, "blank": own.blank, "space": own.space, "characters": self.characters}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        return cls(Vocabulary(tuple(state["tokens"]), state["blank"], state["space"]), state["characters"])

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder)

    def row(self, given: Any) -> Row:
        raise InputError(f"transcribe takes a sound, not {type(given).__name__}")

    def encode(self, rows: Iterable[Row], tokenizer: Any, max_tokens: int) -> Features:
        if not isinstance(tokenizer, Reader):
            raise InputError("transcribe hears sounds; name their column with data.columns.audio")
        given = list(rows)
        features = tokenizer.features(given)
        if given and "label" in given[0]:
            written = [self._written_as(row) for row in given]
            target = np.full((len(given), max(1, *map(len, written))), IGNORED, dtype=np.int32)
            for place, numbers in enumerate(written):
                target[place, : len(numbers)] = numbers
            features.targets[TRANSCRIPT] = target
        return features

    def _written_as(self, row: Row) -> list[int]:
        """Outputs that write the label of a row; characters that training never saw are left out."""
        return [self._ids[character] for character in self.reference(row) if character in self._ids]

    def steps_needed(self, row: Row) -> int:
        numbers = self._written_as(row)
        return len(numbers) + sum(a == b for a, b in pairwise(numbers))

    def loss(self, logits: torch.Tensor, batch: Batch, options: LossOptions) -> torch.Tensor:
        target = batch[TRANSCRIPT]
        # Rows that are too short for what they say were left out before; what variation makes too short for once gives
        # no gradient.
        return F.ctc_loss(
            logits.float().log_softmax(-1).transpose(0, 1),
            target.clamp(min=0).long(),
            inside(logits).sum(1),
            (target != IGNORED).sum(1),
            blank=self.vocabulary.blank,
            zero_infinity=True,
        )

    def loss_to(self, logits: torch.Tensor, batch: Batch, warmth: float) -> torch.Tensor:
        soft = batch["soft"]
        kept = inside(soft)
        return F.cross_entropy(logits[kept].float() / warmth, (soft[kept].float() / warmth).softmax(-1)) * warmth**2

    def decode(self, logits: torch.Tensor, batch: Batch) -> list[Any]:
        """For each sound: its best path as text, repeats drawn together, and the probability of that."""
        chances, path = logits.float().softmax(-1).max(-1)
        kept = inside(logits)
        rows = zip(*(part.cpu().numpy() for part in (kept, path, chances)), strict=True)
        return [self._spelled(numbers[own], sure[own]) for own, numbers, sure in rows]

    def _spelled(self, path: NDArray[np.int64], chances: NDArray[np.float32]) -> tuple[str, float]:
        begins = np.flatnonzero(np.diff(path, prepend=-1))
        if not len(begins):
            return "", 1.0
        best = np.maximum.reduceat(chances, begins)
        writing = np.array([int(number) in self._written for number in path[begins]])
        text = "".join(self._written[int(number)] for number in path[begins][writing])
        sure = best[writing] if writing.any() else chances
        return " ".join(text.split()), float(sure.mean())

    def assemble(self, answers: Sequence[Any], row: Row) -> TranscriptPrediction:
        ((text, chance),) = answers
        return TranscriptPrediction(text, chance)

    def reference(self, row: Row) -> str:
        return normal(row["label"] or "")

    def labels_of(self, row: Row) -> Iterable[str]:
        return self.reference(row)  # characters

    def unknown(self, row: Row) -> set[str]:
        return set(self.reference(row)) - self._ids.keys()

    def tally(self, prediction: TranscriptPrediction, reference: str) -> Sequence[float]:
        words, characters = edits(prediction.text, reference)
        return characters if self.characters else words

    def score(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 - sums[..., 0] / np.maximum(sums[..., 1], 1)

    def counts(self) -> Counts:
        return TranscriptCounts(self.characters)

    def explain_row(self, prediction: TranscriptPrediction, row: Row) -> tuple[str, str, str, float]:
        # In place of a probability: how near the two are, in edits of characters.
        reference = self.reference(row)
        wrong, length = edits(prediction.text, reference)[1]
        return shown(row), reference, prediction.text, math.exp(-wrong / max(1, length))
