"""A WordPiece vocabulary from counted words, the same for the same words (the trainer of `tokenizers` draws lots)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LONGEST = 16  # characters of a piece
_LONGEST_WORD = 100  # a tokenizer takes none of more characters apart
_EAST = "\u2e80"  # scripts below have words of several characters


def vocabulary(words: Counter[str], size: int) -> list[str]:
    """Special tokens, the characters, and the pieces that say most, the most frequent first: at most `size`.

    Pieces are found from the top down, as in the learner of TensorFlow Text: the longest first, each that comes often
    enough is kept and no longer counts for the shorter ones it begins with. How often that is, is searched for.
    """
    room = size - len(SPECIAL)
    alphabet = _alphabet(words, room)
    left = room - len(alphabet)
    counts = _pieces(words)
    order = sorted(counts, key=lambda piece: (-_length(piece), piece))
    low, high = 2, max(counts.values(), default=2)
    while low < high:
        least = (low + high) // 2
        if len(_kept(counts, order, least)) <= left:
            high = least
        else:
            low = least + 1
    found = _kept(counts, order, max(2, low - 1))  # a few too many, unless there are no more
    return list(dict.fromkeys([*SPECIAL, *alphabet, *found[:left]]))


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


def _pieces(words: Counter[str]) -> dict[str, int]:
    """How often each piece of two characters or more comes, of those that come twice or more."""
    found: dict[str, int] = {}
    for length in range(2, _LONGEST + 1):  # a longer one can only repeat where its beginning does
        counts: Counter[str] = Counter()
        for word, count in words.items():
            if len(word) > _LONGEST_WORD:
                continue
            for start in range(len(word) - length + 1):
                piece = ("##" if start else "") + word[start : start + length]
                if length == 2 or piece[:-1] in found:
                    counts[piece] += count
        repeated = {piece: count for piece, count in counts.items() if count > 1}
        if not repeated:
            break
        found |= repeated
    return found


def _kept(counts: dict[str, int], order: list[str], least: int) -> list[str]:
    left = dict(counts)
    kept: dict[str, int] = {}
    for piece in order:
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
