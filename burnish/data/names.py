"""Which column plays which part: as configured, or guessed from the usual names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from burnish.errors import InputError, nearest

# Tiers: a name of an earlier tier wins; two names of one tier are ambiguous.
_TIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "text": (
        ("text", "full_text", "文本"),
        ("sentence", "review", "content", "tweet", "utterance", "comment", "内容", "评论"),
        ("headline", "message", "query", "question", "title", "body", "description", "document", "prompt", "input"),
    ),
    "label": (
        ("label", "labels", "标签"),
        ("category", "class", "sentiment", "intent", "target", "类别"),
        ("topic", "polarity", "stance", "emotion", "rating", "tag", "tags", "type"),
    ),
    "score": (
        ("score", "label"),
        ("similarity", "similarity_score", "rating", "stars", "grade", "target", "value"),
    ),
    "transcript": (
        ("transcript", "transcription", "transcripts", "转写"),
        ("label", "sentence", "text", "normalized_text", "文本"),
    ),
    "words": (("words", "tokens"), ("token", "word")),
    "tags": (("tags", "ner_tags"), ("ner", "labels", "label")),
    "spans": (("entities", "spans"), ("labels", "label", "annotations", "ner")),
}
_PAIRS = (
    ("text", "text_b"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("sentence_a", "sentence_b"),
    ("question1", "question2"),
    ("query1", "query2"),
    ("premise", "hypothesis"),
    ("question", "answer"),
    ("question", "sentence"),
    ("query", "passage"),
    ("query", "document"),
    ("query", "title"),
)


def tiers(part: str) -> tuple[tuple[str, ...], ...]:
    """The usual names of a part in lower case, best ones first."""
    return _TIERS[part]


def stated(columns: Sequence[str], part: str, name: str, source: str) -> str:
    """Return the configured name if the file has it.

    Raises:
        InputError: with the nearest name the file has.
    """
    if name in columns:
        return name
    raise InputError(
        f"data.columns.{part}: '{source}' has no column '{name}'; {nearest(name, columns)}{_headless(columns)}"
    )


def guess(columns: Sequence[str], part: str, source: str, key: str | None = None) -> str | None:
    """Return the column whose name fits a part best; None when no name does.

    Raises:
        InputError: when two columns fit equally well.
    """
    lowered = {name.lower().strip(): name for name in columns}
    for tier in _TIERS[part]:
        fitting = [lowered[name] for name in tier if name in lowered]
        if len(fitting) > 1:
            key = key or part
            raise InputError(
                f"'{source}': {' and '.join(map(repr, fitting))} could each be the {key}; "
                f"choose with data.columns.{key}: {fitting[0]}"
            )
        if fitting:
            return fitting[0]
    return None


def guess_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """Return the two columns of the first usual pair of names that the file has."""
    lowered = {name.lower().strip(): name for name in columns}
    return next(((lowered[a], lowered[b]) for a, b in _PAIRS if a in lowered and b in lowered), None)


def missing(columns: Sequence[str], part: str, source: str) -> InputError:
    """The error for a part that no column plays."""
    usual = [name for tier in _TIERS.get(part.removesuffix("_b"), ()) for name in tier]
    close = [name for name in columns if get_close_matches(name.lower(), usual, n=1, cutoff=0.75)]
    guess = f"did you mean '{close[0]}'? " if close and not part.endswith("_b") else ""
    return InputError(
        f"'{source}' has no column that is clearly the {part} (columns: {_listed(columns)}); "
        f"{guess}name it with data.columns.{part}{_headless(columns)}"
    )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(name if len(name) <= 40 else name[:40] + "..." for name in columns[:30])


def _headless(columns: Sequence[str]) -> str:
    """A hint for tables whose first row was taken for names and does not look like it."""
    if any(len(name) > 40 for name in columns):
        return "; if the file has no header row, give columns by number, for example data.columns.text: '1'"
    return ""
