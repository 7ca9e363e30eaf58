"""A WordPiece vocabulary from counted words, the same for the same words (the trainer of `tokenizers` draws lots)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LONGEST = 16  # characters of a piece
_ROUNDS = 12
_EAST = "\u2e80"  # scripts below have words of several characters


def vocabulary(words: Counter[str], size: int) -> list[str]:
    """Special tokens, the characters, and the pieces that say most, the most frequent first: at most `size`.

    Pieces are found from the top down, as in the learner of TensorFlow Text: the longest first, each that comes often
    enough is kept and no longer counts for the shorter ones it begins with. How often that is, is searched for.
    """
    room = size - len(SPECIAL)
    alphabet = _alphabet(words, room)
    known = set(alphabet)
    counts = _pieces(words)
    low, high = 2, max(2, *counts.values()) if counts else 2
    best: list[str] = []
    for _ in range(_ROUNDS):
        least = (low + high) // 2
        found = [piece for piece in _kept(counts, least) if piece not in known]
        if len(alphabet) + len(found) <= room:
            best, high = found, least
        else:
            low = least + 1
        if low >= high:
            break
    return [*SPECIAL, *alphabet, *best]


def _alphabet(words: Counter[str], room: int) -> list[str]:
    """Characters that come twice or more, the most frequent first, as a beginning and as a continuation.

    A Chinese character is a word by itself, so that it continues one only where it was seen to.
    """
    counts: Counter[str] = Counter()
    continuing: set[str] = set()
    for word, count in words.items():
        continuing.update(word[1:])
        for character in word:
            counts[character] += count
    found = []
    for character, count in _ordered(counts.items()):
        if count > 1:
            found.append(character)
            found += [f"##{character}"] * (character in continuing or character < _EAST)
    return found[:room]


def _pieces(words: Counter[str]) -> Counter[str]:
    """How often each piece of two characters or more comes."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word) - 1):
            mark = "##" if start else ""
            for end in range(start + 2, min(len(word), start + _LONGEST) + 1):
                counts[mark + word[start:end]] += count
    return Counter({piece: count for piece, count in counts.items() if count > 1})


def _kept(counts: Counter[str], least: int) -> list[str]:
    left = dict(counts)
    kept: dict[str, int] = {}
    for piece in sorted(counts, key=lambda piece: (-_length(piece), piece)):
        if (count := left[piece]) < least:
            continue
        kept[piece] = count
        shortest = 4 if piece.startswith("##") else 2
        for end in range(shortest, len(piece)):
            if piece[:end] in left:
                left[piece[:end]] -= count
    return [piece for piece, _ in _ordered(kept.items())]


def _length(piece: str) -> int:
    return len(piece) - 2 if piece.startswith("##") and len(piece) > 2 else len(piece)


def _ordered(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda item: (-item[1], item[0]))
