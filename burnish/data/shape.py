"""Word shape: how a word is written, for models whose tokenizer folds case away."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

SHAPES = 512  # rows of the embedding; 0 is "no word here" (padding, [CLS], [SEP])

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"(.)\1+")


def shape_of(word: str) -> str:
    """Return the written shape: `U.N.` -> `X.X.`, `McDonald` -> `XxXxx`, `1996-08` -> `dd-dd` (runs cut to two)."""
    word = _LETTER.sub(lambda found: "X" if found.group().isupper() else "x", word)
    word = _DIGIT.sub("d", word)
    return _RUN.sub(r"\1\1", word)


@lru_cache(maxsize=1 << 16)  # most words of a text come again, and each costs three searches
def shape_id(word: str) -> int:
    """Return the shape's row in an embedding of `SHAPES` rows, by a hash that is the same on every machine."""
    return 1 + zlib.crc32(shape_of(word).encode("utf-8", "surrogatepass")) % (SHAPES - 1)
