"""Embeddings in the form that OpenAI's API has them, for programs that speak it."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from burnish.serving.errors import Problem

TASK = "embed"
_FORMS = ("float", "base64")


@dataclass(frozen=True)
class Wanted:
    """What a request asks for.

    Attributes:
        texts: as they came; `intake.listed` and `intake.fitting` look at them.
        form: `float`, or `base64` of the numbers as 32 bits each, the lowest byte first.
        dimensions: how many numbers a vector is to have; None for what it has.
    """

    model: str | None
    texts: Any
    form: str
    dimensions: int | None


def wanted(given: Any) -> Wanted:
    """Read the body of a request.

    Raises:
        Problem: 422 naming what is no text, or no known form.
    """
    if not isinstance(given, dict):
        raise Problem(422, 'the body has to be an object: {"model": NAME, "input": [TEXT, ...]}')
    model, form = given.get("model"), given.get("encoding_format") or "float"
    texts, dimensions = given.get("input"), given.get("dimensions")
    if not isinstance(model, str | None):
        raise Problem(422, "'model' has to be a text")
    if form not in _FORMS:
        raise Problem(422, f"'encoding_format' has to be one of {', '.join(_FORMS)}")
    if isinstance(dimensions, bool) or not isinstance(dimensions, int | None):
        raise Problem(422, "'dimensions' has to be a number")
    if not (isinstance(texts, str) or (isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts))):
        raise Problem(422, "'input' has to be a text or a list of texts; tokens are not taken")
    return Wanted(model, texts, form, dimensions)


def must_embed(about: Mapping[str, Any], name: str) -> None:
    """Refuse a model that gives no vectors.

    Raises:
        Problem: 422.
    """
    if about and about["task"] != TASK:
        raise Problem(422, f"'{name}' is for {about['task']} and gives no embeddings; ask for it with /v1/predict")


def answer(parts: Sequence[bytes], asked: Wanted, name: str) -> bytes:
    """The body of an answer, from the predictions of a model.

    Raises:
        Problem: for the first input that has none, or vectors of another width than was asked for.
    """
    data, tokens = [], 0
    for place, part in enumerate(parts):
        found = orjson.loads(part[1:])
        if part[:1] == b"-":
            raise Problem(found["status"], f"input[{place}]: {found['detail']}")
        vector = found["embedding"]
        if asked.dimensions not in (None, len(vector)):
            raise Problem(422, f"'dimensions': this model gives {len(vector)} numbers, and no other count")
        tokens += found["tokens"]
        told: Any = vector if asked.form == "float" else _packed(vector)
        data.append({"object": "embedding", "index": place, "embedding": told})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": name, "usage": usage})


def _packed(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
