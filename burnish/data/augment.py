"""Changed copies of training rows whose labels stay right.

Random deletion and swap: Wei and Zou, "EDA" (2019); mention replacement: Dai and Adel, "An Analysis of Simple Data
Augmentation for Named Entity Recognition" (2020).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from burnish.config import Augment
from burnish.data.rows import Row, Rows
from burnish.data.words import kind, split_words

_MENTIONS = 5000  # kept of one entity type, so that memory does not grow with the rows


@dataclass(frozen=True)
class Word:
    """A word, its tag and the characters between it and the next word."""

    word: str
    tag: str = "O"
    gap: str = ""


Sentence = tuple[Word, ...]
Mentions = dict[str, list[Sentence]]
Change = Callable[[Sentence, random.Random], Sentence]


def augment(rows: Rows | Sequence[Row], task: str, config: Augment, seed: int) -> Iterator[Row]:
    """Yield the extra rows; each share of `config` is the chance of a row to give one such copy.

    Words are those of `split_words`, so that a Han character counts as one. For `tag`, words of entities are only
    touched by mention replacement and casing, and `words`, `tags`, `starts` and `text` are made anew. For two texts
    one of them is changed. A change that has no effect (casing of Chinese) or would empty a row gives no copy. The
    same seed and rows give the same copies. With `config.mention` the rows are read twice.
    """
    generator = random.Random(seed)
    changes: list[tuple[float, Change]] = [(config.casing, _casing), (config.delete, _delete), (config.swap, _swap)]
    if task == "tag" and config.mention:
        mentions = _collect(rows)
        changes.insert(0, (config.mention, lambda sentence, generator: _mention(sentence, generator, mentions)))
    for row in rows:
        for share, change in changes:
            if generator.random() < share and (copy := _changed(row, task, change, generator)) is not None:
                yield copy


def _changed(row: Row, task: str, change: Change, generator: random.Random) -> Row | None:
    if task == "tag":
        sentence = _tagged(row)
        changed = change(sentence, generator)
        if changed == sentence:
            return None
        text, starts = _written(changed)
        return row | {
            "words": [word.word for word in changed],
            "tags": [word.tag for word in changed],
            "starts": starts,
            "text": text,
        }
    column = generator.choice([name for name in ("text", "text_b") if row.get(name)] or ["text"])
    sentence = _split(row.get(column) or "")
    changed = change(sentence, generator)
    return None if changed == sentence else row | {column: _written(changed)[0]}


def _mention(sentence: Sentence, generator: random.Random, mentions: Mentions) -> Sentence:
    """Put another mention of the same type in the place of one; its case follows the old one."""
    spans = _spans(sentence)
    if not spans:
        return sentence
    begin, end = generator.choice(spans)
    old = sentence[begin:end]
    new = generator.choice(mentions[old[0].tag[2:]])
    letters = "".join(word.word for word in old)
    if letters.isupper() and len(letters) > 1:
        new = tuple(replace(word, word=word.word.upper()) for word in new)
    elif letters.islower():
        new = tuple(replace(word, word=word.word.lower()) for word in new)
    if [word.word for word in new] == [word.word for word in old]:
        return sentence
    changed = sentence[:begin] + new[:-1] + (replace(new[-1], gap=old[-1].gap),) + sentence[end:]
    return _apart(_apart(changed, begin - 1), begin + len(new) - 1)


def _casing(sentence: Sentence, generator: random.Random) -> Sentence:
    """Write all words, or about half of them, in lower case, in upper case or with a capital."""
    style: Callable[[str], str] = generator.choice((str.lower, str.upper, str.capitalize))
    chance = generator.choice((0.5, 1.0))
    return tuple(replace(word, word=style(word.word)) if generator.random() < chance else word for word in sentence)


def _delete(sentence: Sentence, generator: random.Random) -> Sentence:
    """Drop one word outside entities, unless it is the only word."""
    free = [i for i, word in enumerate(sentence) if _is_free(word)]
    if not free or sum(_is_written(word) for word in sentence) < 2:
        return sentence
    dropped = generator.choice(free)
    before, after = sentence[:dropped], sentence[dropped + 1 :]
    if before:  # the wider gap stays, so that no two words grow together
        gap = max(before[-1].gap, sentence[dropped].gap, key=len)
        before = (*before[:-1], replace(before[-1], gap=gap))
    return _apart(before + after, dropped - 1)


def _swap(sentence: Sentence, generator: random.Random) -> Sentence:
    """Swap two different neighbours outside entities; the gaps stay where they are."""
    pairs = enumerate(pairwise(sentence))
    free = [i for i, (a, b) in pairs if _is_free(a) and _is_free(b) and a.word != b.word]
    if not free:
        return sentence
    i = generator.choice(free)
    a, b = sentence[i : i + 2]
    swapped = (*sentence[:i], replace(a, word=b.word), replace(b, word=a.word), *sentence[i + 2 :])
    return _apart(_apart(_apart(swapped, i - 1), i), i + 1)


def _apart(sentence: Sentence, index: int) -> Sentence:
    """Put a space after a word that would grow together with the next, as Latin ones between Han characters would."""
    if not 0 <= index < len(sentence) - 1:
        return sentence
    word, after = sentence[index : index + 2]
    if word.gap or not (word.word and after.word):
        return sentence
    if kind(after.word[0]) != "letter" or kind(word.word[-1]) not in ("letter", "mark"):
        return sentence
    return (*sentence[:index], replace(word, gap=" "), *sentence[index + 1 :])


def _is_written(word: Word) -> bool:
    """Whether it is more than a sign."""
    return any(character.isalnum() for character in word.word)


def _is_free(word: Word) -> bool:
    return word.tag == "O" and _is_written(word)


def _collect(rows: Rows | Sequence[Row]) -> Mentions:
    """The first different mentions of each type."""
    mentions: dict[str, dict[tuple[str, ...], Sentence]] = {}
    for row in rows:
        sentence = _tagged(row)
        for begin, end in _spans(sentence):
            mention = sentence[begin:end]
            known = mentions.setdefault(mention[0].tag[2:], {})
            if len(known) < _MENTIONS:
                known.setdefault(tuple(word.word for word in mention), mention)
    return {kind: list(known.values()) for kind, known in mentions.items()}


def _spans(sentence: Sentence) -> list[tuple[int, int]]:
    """First word and word after the last of each entity."""
    spans: list[tuple[int, int]] = []
    for i, word in enumerate(sentence):
        if word.tag.startswith("B-"):
            spans.append((i, i + 1))
        elif word.tag.startswith("I-") and spans and spans[-1][1] == i:
            spans[-1] = spans[-1][0], i + 1
    return spans


def _tagged(row: Row) -> Sentence:
    """Words of a tagged row with their tags; none where these do not fit together."""
    words, tags, starts, text = (row.get(name) for name in ("words", "tags", "starts", "text"))
    if not words or not tags or not starts or not len(words) == len(tags) == len(starts):
        return ()
    return _with_gaps(words, starts, text or "", tags)


def _split(text: str) -> Sentence:
    words, starts = split_words(text)
    return _with_gaps(words, starts, text, ["O"] * len(words))


def _with_gaps(words: Sequence[str], starts: Sequence[int], text: str, tags: Sequence[str]) -> Sentence:
    ends = [start + len(word) for word, start in zip(words, starts, strict=True)]
    gaps = [text[end:start] for end, start in zip(ends, starts[1:], strict=False)] + [""]
    return tuple(map(Word, words, tags, gaps))  # no words: the lone gap falls away


def _written(sentence: Sentence) -> tuple[str, list[int]]:
    """The text of the words with their gaps, and where each word starts."""
    starts: list[int] = []
    length = 0
    for word in sentence:
        starts.append(length)
        length += len(word.word) + len(word.gap)
    text = "".join(word.word + word.gap for word in sentence)
    return text[: starts[-1] + len(sentence[-1].word)] if sentence else "", starts
