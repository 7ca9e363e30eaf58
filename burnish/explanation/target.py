"""What is explained of a prediction: a label, its rival, and the value that the words are held to account for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from burnish.data.reader import Reader
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.errors import InputError, nearest
from burnish.explanation.piece import Cut, Piece, pieces
from burnish.tasks.classify import Classify
from burnish.tasks.score import Score
from burnish.tasks.tag import Entity, Tag, TagPrediction


@dataclass(frozen=True)
class Target:
    """A value of the network's logits (n, places, outputs); a text as a whole has one place.

    Attributes:
        label, against: as in `Explanation`.
        outputs: for each place the output of the label; `rivals` that of `against`.
        apart: whether each output decides by itself (several labels a text).
        warmth: temperature that the probabilities of classes are given at.
        scale, shift: bring the output of `score` into the units of the labels.
        at: the words that are tagged, (start, end).
        unsaid: as in `Explanation`.
    """

    label: str
    against: str | None
    outputs: tuple[int, ...]
    rivals: tuple[int, ...] | None = None
    apart: bool = False
    warmth: float = 1.0
    scale: float | None = None
    shift: float = 0.0
    at: tuple[int, int] | None = None
    unsaid: bool = False

    def value(self, logits: torch.Tensor) -> torch.Tensor:
        """The explained value (n,): log-odds of the label, or a difference of logits at the temperature of the
        probabilities, or the number; over several places their mean."""
        logits = logits / self.warmth
        own = _picked(logits, self.outputs)
        if self.scale is not None:
            return (own * self.scale + self.shift).mean(-1)
        if self.rivals is not None:
            return (own - _picked(logits, self.rivals)).mean(-1)
        if self.apart:
            return own.mean(-1)
        index = torch.tensor(self.outputs, device=logits.device).view(1, -1, 1).expand(len(logits), -1, 1)
        others = logits.scatter(-1, index, -torch.inf).logsumexp(-1)
        return (own - others).mean(-1)

    def chance(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of the label (n,), or the number in the spread of the labels."""
        if self.scale is not None:
            return _picked(logits, self.outputs).mean(-1)
        logits = logits / self.warmth
        chances = logits.sigmoid() if self.apart else logits.softmax(-1)
        return _picked(chances, self.outputs).mean(-1)


def _picked(values: torch.Tensor, outputs: tuple[int, ...]) -> torch.Tensor:
    index = torch.tensor(outputs, device=values.device).view(1, -1, 1).expand(len(values), -1, 1)
    return values.gather(-1, index).squeeze(-1)


def aim(
    engine: Engine, row: Row, prediction: Any, target: str | None, against: str | None, at: tuple[int, int] | None
) -> tuple[Target, Cut]:
    """What to explain of a prediction, and the piece of the row in which it is decided.

    Args:
        target: a label; what the model says when None.
        at: for `tag`, code points of the words; the entity that the model is surest of when None.

    Raises:
        InputError: for a label the model does not have, a place without a word, and a text without words.
    """
    task = engine.task
    found: Sequence[Cut]
    if isinstance(engine.tokenizer, Reader):
        found = [engine.tokenizer.parts(row)]
    else:
        found = windows = pieces(row, engine.tokenizer, engine.max_tokens)
    if isinstance(task, Tag):
        return _of_words(task, row, windows, prediction, target, against, at)
    if at is not None:
        raise InputError(f"a place in the text can be asked about in tag, not in {task.name}")
    if isinstance(task, Score):
        if target not in (None, "score") or against is not None:
            raise InputError("score gives a number and has no labels to ask for")
        return Target("score", None, (0,), scale=task.spread, shift=task.mean), found[0]
    if not isinstance(task, Classify):
        raise InputError(f"{task.name} cannot be explained yet")
    said = max(prediction.labels or prediction.probabilities, key=prediction.probabilities.__getitem__)
    label = said if target is None else _known(target, task.labels, "--target")
    rival = None if against is None else _known(against, task.labels, "--against")
    _must_differ(label, rival)
    ids = {name: index for index, name in enumerate(task.labels)}
    rivals = None if rival is None else (ids[rival],)
    unsaid = target is None and not prediction.labels
    aimed = Target(label, rival, (ids[label],), rivals, task.multi_label, task.temperature, unsaid=unsaid)
    return aimed, found[0]


def _of_words(
    task: Tag,
    row: Row,
    found: list[Piece],
    prediction: TagPrediction,
    target: str | None,
    against: str | None,
    at: tuple[int, int] | None,
) -> tuple[Target, Piece]:
    types = tuple(dict.fromkeys("O" if name == "O" else name[2:] for name in task.labels))
    label = None if target is None else _known(target, types, "--target")
    rival = None if against is None else _known(against, types, "--against")
    words, said = _place(row, prediction, label, at)
    label = label or said
    _must_differ(label, rival)
    window = next((piece for piece in found if words[0] in piece.inputs["words"]), None)
    if window is None:
        raise InputError("the model reads nothing of that word: its characters have no token")
    words = [word for word in words if word in window.inputs["words"]]
    ids = {name: index for index, name in enumerate(task.labels)}

    def outputs(kind: str) -> tuple[int, ...]:
        names = [kind] * len(words) if kind == "O" else [f"{'I' if i else 'B'}-{kind}" for i in range(len(words))]
        return tuple(ids[name] for name in names)

    last = words[-1]
    place = row["starts"][words[0]], row["starts"][last] + len(row["words"][last])
    rivals = None if rival is None else outputs(rival)
    return Target(label, rival, outputs(label), rivals, at=place), window.looking_at(words)


def _place(row: Row, prediction: TagPrediction, label: str | None, at: tuple[int, int] | None) -> tuple[list[int], str]:
    """The words to explain, and what the model says of them."""
    starts, words = row["starts"], row["words"]
    if at is None:
        entities = [e for e in prediction.entities if label in (None, e.label)] or list(prediction.entities)
        surest: Entity | None = max(entities, key=lambda entity: entity.score, default=None)
        if surest is None:  # then the word that comes nearest to being one
            word = min(range(len(words)), key=lambda index: prediction.scores[index])
            return [word], "O"
        at = surest.start, surest.end
    inside = [i for i, start in enumerate(starts) if start < at[1] and start + len(words[i]) > at[0]]
    if not inside:
        raise InputError(f"--at: there is no word at characters {at[0]} to {at[1]} of the text")
    tag = prediction.tags[inside[0]]
    return inside, "O" if tag == "O" else tag[2:]


def _known(label: str, labels: tuple[str, ...], option: str) -> str:
    if label not in labels:
        raise InputError(f"{option}: the model does not know the label '{label}'; {nearest(label, labels)}")
    return label


def _must_differ(label: str, rival: str | None) -> None:
    if label == rival:
        raise InputError(f"--against: '{rival}' is the label that is explained; name another one")
