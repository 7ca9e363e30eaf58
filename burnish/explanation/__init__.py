"""Why a model says what it says of a text: `burnish.explain(engine, text)`."""

from __future__ import annotations

from typing import Any

from burnish.engine import Engine
from burnish.explained import Explanation
from burnish.explanation.attribute import explained


def explain(
    engine: Engine,
    text: Any,
    *,
    target: str | None = None,
    against: str | None = None,
    at: tuple[int, int] | None = None,
    method: str | None = None,
) -> Explanation:
    """Give every word of a text, or part of another input, a score: what it adds to the model's answer.

    Args:
        text: what the engine predicts for: a text; for `pair` [text, text]; for `tag` a text or a list of words.
        target: the label to explain, for `tag` an entity type or `O`; the one that the model gives when None.
        against: a label to hold it against: why the one and not the other.
        at: for `tag`, the place (start, end) of the words to explain, in code points; when None the entity that the
            model is surest of, or without any the word that comes nearest to being one.
        method: occlusion (on the engine as it is), gradients (integrated gradients on the network in torch), or rollout
            (attention, which knows no target; for comparison). Chosen by what was measured when None.

    Returns:
        Scores by word, what the text was held against, and how far the scores are from adding up.

    Raises:
        InputError: for a text without words, an unknown label or method, and a place without a word.
    """
    row = engine.row(text)
    return explained(engine, row, target=target, against=against, at=at, method=method).explanation


def explain_row(engine: Engine, given: Any, target: str | None = None) -> Explanation:
    """Explain one input of an engine that is open, for the service: by default no second network is loaded for it."""
    return explain(engine, given, target=target)
