"""Training rows as they are shown: their labels in words, and some of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from burnish.data.rows import Row, Rows


def label_of(row: Row) -> str:
    """The label of a row in words: a class, several, a number, or the types of its entities."""
    if "tags" in row:
        return ", ".join(dict.fromkeys(tag[2:] for tag in row["tags"] if tag != "O")) or "O"
    label = row["label"]
    return ", ".join(label) if isinstance(label, list) else f"{label:g}" if isinstance(label, float) else str(label)


def spread(rows: Sequence[Any] | Rows, count: int) -> list[int]:
    """Indices of at most `count` rows at equal distances."""
    return np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)).tolist() if len(rows) else []
