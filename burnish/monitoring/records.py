"""What the store keeps: a row of a request, and a correction by a person."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

from burnish.data.cells import whole
from burnish.data.spans import entities
from burnish.data.words import join_words
from burnish.errors import InputError
from burnish.monitoring.redact import Move, moved, redact

_LOOKED_AT = 2000  # characters of a text whose script is counted
_JSON = ("labels", "input", "label", "prediction", "comment")  # fields stored as JSON text

T = TypeVar("T", "Request", "Feedback")


@dataclass(frozen=True)
class Request:
    """One answered input; a request with several inputs gives as many, under one id.

    Attributes:
        id: of the request.
        time: Unix seconds.
        status: HTTP status of the answer.
        latency_ms: of the whole request, in milliseconds.
        length: characters of the text; two texts, or words, are put together first.
        latin, han, other: share of the letters that are of these scripts; all 0 without letters.
        labels: classes given; for `tag` the type of every entity, in order.
        confidence: probability of the best class; for `tag` that of the least certain word; None for `score`.
        value: answer of `score`.
        input: a text, two texts or words; None unless the store was asked to keep it.
    """

    id: str
    time: float
    model: str
    version: str
    variant: str
    task: str
    status: int
    latency_ms: float
    length: int
    latin: float
    han: float
    other: float
    labels: tuple[str, ...] = ()
    confidence: float | None = None
    value: float | None = None
    input: Any = None

    @classmethod
    def of(
        cls,
        *,
        id: str,
        model: str,
        version: str,
        variant: str,
        task: str,
        input: Any,
        prediction: Mapping[str, Any] | None,
        latency_ms: float,
        status: int = 200,
    ) -> Request:
        """Measure an input and the prediction, as `serve` answers it, for it; None where there is none."""
        parts = _texts(input)
        text = join_words(parts)[0]
        labels, confidence, value = _said(prediction or {})
        return cls(
            id, time.time(), model, version, variant, task, status, latency_ms,
            len(text), *scripts(text), labels, confidence, value, input if isinstance(input, str) else parts,
        )  # fmt: skip


@dataclass(frozen=True)
class Feedback:
    """What a person says an answer should have been.

    Attributes:
        input: a text; two texts for `pair` and where `score` takes two; a text or words for `tag`.
        label: classify and pair a class or a list of classes; score a number; tag a list of entities with start, end
            (exclusive; in characters of the text, or of the words put together) and label.
        prediction: what the model had answered.
        time: Unix seconds.
    """

    model: str
    version: str
    task: str
    input: Any
    label: Any
    prediction: Any = None
    request_id: str | None = None
    comment: str | None = None
    time: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def scripts(text: str) -> tuple[float, float, float]:
    """Share of the letters that are Latin, Han and neither, in the first 2,000 characters; all 0 without letters."""
    found = {"latin": 0, "han": 0, "other": 0, "": 0}
    for character, times in Counter(text[:_LOOKED_AT]).items():
        found[_script(character)] += times
    del found[""]
    total = sum(found.values()) or 1
    return found["latin"] / total, found["han"] / total, found["other"] / total


@lru_cache(maxsize=1 << 14)
def _script(character: str) -> Literal["latin", "han", "other", ""]:
    """Script of a letter; empty for other characters."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "")
    return "latin" if "LATIN" in name else "han" if name.startswith(("CJK", "IDEOGRAPHIC")) else "other"


def _texts(given: Any) -> list[str]:
    """Texts of an input, which need not be a valid one."""
    return [part for part in (given if isinstance(given, list | tuple) else [given]) if isinstance(part, str)]


def _said(prediction: Mapping[str, Any]) -> tuple[tuple[str, ...], float | None, float | None]:
    """Labels, confidence and value of a prediction."""
    if "entities" in prediction:
        return tuple(e["label"] for e in prediction["entities"]), min(prediction.get("scores", ()), default=None), None
    if "probabilities" in prediction:
        return tuple(prediction.get("labels", ())), max(prediction["probabilities"].values(), default=None), None
    return (), None, prediction.get("value")


def text_of(record: Request | Feedback) -> str:
    """The text of a record; words, or two texts, put together."""
    return join_words(_texts(record.input))[0]


def checked(record: Feedback) -> Feedback:
    """Return the feedback with its entities as objects with start, end and label.

    Raises:
        InputError: when input or label do not go with the task.
    """
    given, label = record.input, record.label
    words = isinstance(given, list) and all(isinstance(word, str) for word in given)
    two = words and len(given) == 2
    fits = {"classify": False, "pair": two, "score": two, "tag": words}
    if record.task not in fits:
        raise InputError(f"there is no feedback on the task '{record.task}'")
    if not (fits[record.task] or (isinstance(given, str) and record.task != "pair")):
        forms = {
            "classify": "a text",
            "pair": "two texts",
            "score": "a text or two",
            "tag": "a text or a list of words",
        }
        raise InputError(f"input: the task {record.task} takes {forms[record.task]}")
    if record.task == "tag":
        found = entities(text_of(record), label)
        if not isinstance(label, list | dict) or not all(e.fits for e in found):
            raise InputError("label: give a list of entities with start, end (exclusive) and label, inside of the text")
        return replace(record, label=[{"start": e.start, "end": e.end, "label": e.label} for e in found])
    if record.task == "score":
        # Not `math.isfinite`: an integer may be too large for it.
        if isinstance(label, bool) or not isinstance(label, int | float) or not abs(label) <= sys.float_info.max:
            raise InputError("label: the task score takes a number")
    elif not (isinstance(label, str) or (isinstance(label, list) and all(isinstance(one, str) for one in label))):
        raise InputError(f"label: the task {record.task} takes a class or a list of classes")
    return record


def without_personal(record: T) -> T:
    """Redact the input and what goes with it; words become the text they make, with entities where they are now."""
    if record.task == "tag":
        text = text_of(record)
        clean, moves = redact(text)
        changed = replace(record, input=clean)
    else:
        parts = [redact(text)[0] for text in _texts(record.input)]
        changed = replace(record, input=parts[0] if isinstance(record.input, str) else parts)
    if isinstance(changed, Request):
        return changed
    label, said = changed.label, changed.prediction if isinstance(changed.prediction, dict) else {}
    kept = {name: said[name] for name in ("label", "labels", "probabilities", "value") if name in said}
    if changed.task == "tag":
        label, kept = _moved(text, label, moves), {"entities": _moved(text, said.get("entities"), moves)}
    comment = changed.comment and redact(changed.comment)[0]
    return replace(changed, label=label, prediction=kept if said else None, comment=comment)


def _moved(text: str, value: Any, moves: Sequence[Move]) -> list[dict[str, Any]]:
    """The entities of `text` in `value` that fit, where they are in the redacted text."""
    fitting = (e for e in entities(text, value) if e.fits)
    places = ((*moved(e.start, e.end, moves), e.label) for e in fitting)
    return [{"start": start, "end": end, "label": label} for start, end, label in places]


def to_row(record: Request | Feedback) -> tuple[Any, ...]:
    """The values of a record as a database keeps them."""
    return tuple(cell(name, value) for name, value in vars(record).items())


def from_row(kind: type[T], row: Sequence[Any]) -> T:
    """Undo `to_row`."""
    values = {f.name: value for f, value in zip(fields(kind), row, strict=True)}
    values |= {name: json.loads(values[name]) for name in _JSON if values.get(name) is not None}
    if "labels" in values:
        values["labels"] = tuple(values["labels"])
    return kind(**values)


def plain(text: str) -> str:
    """A text that every database takes: without halves of surrogate pairs and zero characters."""
    return whole(text).replace("\0", "\ufffd")


def cell(name: str, value: Any) -> Any:
    """The value of one field as a database keeps it."""
    if name in _JSON and value is not None:
        return whole(json.dumps(value, ensure_ascii=False))
    return plain(value) if isinstance(value, str) else value
