"""What speaks for each label over many rows, and how far that can be trusted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from burnish.data.rows import Rows
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.explained import Overview, WordWeight
from burnish.explanation.attribute import NoSuchWay, explained, scores_by
from burnish.explanation.faithful import faithfulness, mean_of, randomised, shuffled_twin
from burnish.explanation.training import spread

_ROWS = 500  # explained, at equal distances where there are more
_MEASURED = 50  # of these


def overview(
    engine: Engine, rows: Rows, method: str | None = None, count: int = 15, say: Callable[[str], None] = print
) -> Overview:
    """Explain what the model says of the rows, and add up the scores by label and word, or by the name of a part; parts
    without names have nothing in common, and give the measure of how far explanations can be trusted alone. Rows that
    the model gives no label are left out.

    A word's weight is its mean score times the square root of how often it came, so that neither the odd word of one
    row nor the comma of all of them comes first. Words that came once are left out where there are others.

    Raises:
        InputError: when no row has a word, or the method does not go with what the model reads.
    """
    sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chosen = spread(rows, _ROWS)
    measured = {chosen[i] for i in spread(chosen, _MEASURED)}
    other, quality, done = shuffled_twin(engine), [], 0
    for index in chosen:
        try:
            one = explained(engine, rows[index], method=method)
        except NoSuchWay:
            raise
        except InputError:  # a row without words, or whose file cannot be read
            continue
        if one.explanation.unsaid:
            continue
        done += 1
        for span in one.explanation.scores:
            sums[one.explanation.target][one.explanation.written(span).lower()].append(span.score)
        if names := one.explanation.names:
            for name, score in zip(names, one.weights.tolist(), strict=True):
                sums[one.explanation.target][name].append(score)
        if index in measured:
            scorer = scores_by(one.explanation.method)
            shuffled = randomised(engine, other, one.piece, one.target, one.weights, scorer)
            quality.append(faithfulness(engine, one.piece, one.target, one.weights, shuffled))
        if done % 100 == 0:
            say(f"{done:,} of {len(chosen):,} rows explained")
    if not quality:
        raise InputError(f"'{rows.source}' has no row with a word to explain that the model gives a label")
    labels = {label: _best(words, count) for label, words in sorted(sums.items())}
    return Overview(rows.source, done, one.explanation.method, labels, mean_of(quality), bool(one.explanation.names))


def _best(words: dict[str, list[float]], count: int) -> tuple[WordWeight, ...]:
    often = {word: scores for word, scores in words.items() if len(scores) > 1} or words
    order = sorted(often, key=lambda word: (-sum(often[word]) / len(often[word]) ** 0.5, word))
    return tuple(WordWeight(word, sum(often[word]) / len(often[word]), len(often[word])) for word in order[:count])
