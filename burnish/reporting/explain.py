"""Explanations as one HTML page in English and Chinese, and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from burnish.explained import Counterfactual, Example, Examples, Explanation, Faithfulness, Overview, Span
from burnish.reporting import wording
from burnish.reporting.bars import bars
from burnish.reporting.explain_words import WORDS
from burnish.reporting.heat import heat, lines
from burnish.reporting.html import environment

_SHADES = 5


@dataclass(frozen=True)
class Stretch:
    """A stretch of text with one shade: -5 (against) to 5 (for), 0 for what has no score."""

    text: str
    shade: int
    title: str
    marked: bool = False


def explain_html(
    explanation: Explanation,
    faithfulness: Faithfulness | None = None,
    counterfactual: Counterfactual | None = None,
    examples: Examples | None = None,
) -> str:
    """Return the page as text to be written in UTF-8; whatever comes from data is escaped."""
    texts = [stretches(explanation, second) for second in (False, True)[: 1 + (explanation.second is not None)]]
    texts = [] if explanation.grid else texts
    shown = bars if explanation.names else heat
    return _rendered(
        "explain.html.j2",
        explanation.text,
        explanation=explanation,
        texts=texts,
        heat=shown(explanation) if explanation.grid else "",
        faithfulness=faithfulness,
        counterfactual=counterfactual,
        examples=examples,
        strongest=explanation.words(12),
    )


def overview_html(overview: Overview) -> str:
    """Return the page of many rows; whatever comes from data is escaped."""
    words = "".join(weight.word for weights in overview.labels.values() for weight in weights)
    return _rendered("overview.html.j2", words, overview=overview, faithfulness=overview.faithfulness)


def stretches(explanation: Explanation, second: bool = False) -> list[Stretch]:
    """The text in pieces: words with their shade, and what stands between them."""
    text = (explanation.second or "") if second else explanation.text
    spans = [span for span in explanation.scores if span.second == second]
    largest = max((abs(span.score) for span in explanation.scores), default=0.0)
    found: list[Stretch] = []
    place = 0
    for span in sorted(spans, key=lambda one: one.start):
        if span.start > place:
            found.append(Stretch(text[place : span.start], 0, ""))
        written = text[max(place, span.start) : span.end]
        marked = not second and explanation.at is not None and explanation.at[0] <= span.start < explanation.at[1]
        found.append(Stretch(written, _shade(span, largest), wording.signed(span.score), marked))
        place = max(place, span.end)
    if place < len(text):
        found.append(Stretch(text[place:], 0, ""))
    return found


def _shade(span: Span, largest: float) -> int:
    if not largest or not math.isfinite(span.score):
        return 0
    return round(_SHADES * span.score / largest)


def print_explanation(
    console: Console,
    explanation: Explanation,
    faithfulness: Faithfulness | None = None,
    counterfactual: Counterfactual | None = None,
    examples: Examples | None = None,
) -> None:
    """Print the text in colours, the weightiest words, and what is known about the scores."""
    said = f"{explanation.target}" + (f" and not {explanation.against}" if explanation.against else "")
    said = f"no label is given; the most probable is {said}" if explanation.unsaid else said
    head = f"{said}  ({wording.number(explanation.probability)})"
    console.print(Text(wording.visible(head), "bold"))
    for line in lines(explanation):
        console.print(line)
    for second in (False, True)[: 1 + (explanation.second is not None)]:
        line = Text()
        for part in stretches(explanation, second):
            style = "" if not part.shade else f"{'bold ' if abs(part.shade) > 2 else ''}{_colour(part.shade)}"
            line.append(wording.visible(part.text), style + (" underline" if part.marked else ""))
        console.print(line)
    joint = "; " if explanation.grid else ", "
    words = joint.join(f"{word} {wording.signed(score)}" for word, score in explanation.words(8))
    console.print(Text(wording.visible(words)))
    console.print(Text(wording.visible(about(explanation)), "dim"))
    if faithfulness is not None:
        console.print(Text(faithful_words(faithfulness)))
    if counterfactual is not None:
        console.print(Text(wording.visible(edit_words(counterfactual))))
    for title, rows in example_lists(examples):
        console.print(Text(title, "bold"))
        for one in rows:
            console.print(Text(wording.visible(f"  {one.where}  [{one.label}]  {one.text[:120]}")))


def print_overview(overview: Overview, console: Console) -> None:
    """Print the words of each label."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for label, weights in overview.labels.items():
        words = ", ".join(f"{weight.word} {wording.signed(weight.score)}" for weight in weights)
        table.add_row(Text(wording.visible(label), "bold"), Text(wording.visible(words)))
    console.print(table)
    console.print(Text(faithful_words(overview.faithfulness)))


def about(explanation: Explanation) -> str:
    """How the scores were found and how far they add up, in a sentence or two."""
    said = WORDS[explanation.method][0]
    if explanation.form == "twin":
        said += " of the tuned network that this variant was made from"
    if math.isfinite(explanation.delta):
        said += (
            f"; from {wording.number(explanation.baseline.value)} to {wording.number(explanation.value)}, "
            f"of which {wording.signed(explanation.delta)} is in no score"
        )
    if explanation.unread:
        said += f"; {explanation.unread:,} characters lie beyond what the model reads here"
    return said + "."


def faithful_words(faithfulness: Faithfulness) -> str:
    """The figures of faithfulness in a line."""
    f = faithfulness
    what, unit = ("number", " spreads of the labels") if f.spreads else ("probability", "")
    return (
        f"without the best words the {what} falls by {wording.number(f.comprehensiveness)}{unit} "
        f"(random words {wording.number(f.random)}), with them alone by {wording.number(f.sufficiency)}; "
        f"deletion {wording.number(f.deletion)}; rank correlation under shuffled weights {wording.signed(f.randomised)}"
    )


def edit_words(counterfactual: Counterfactual) -> str:
    """What turns the decision, or that nothing was found."""
    c = counterfactual
    if not c.found:
        return f"no change of a few words turns {c.before} ({c.tried:,} texts tried)"
    edits = ", ".join(f"'{edit.old}' to '{edit.new}'" if edit.new else f"without '{edit.old}'" for edit in c.edits)
    return f"{c.before} becomes {c.after}: {edits}"


def example_lists(examples: Examples | None) -> list[tuple[str, tuple[Example, ...]]]:
    """The lists of training rows that have any, with their titles."""
    if examples is None:
        return []
    named = {"nearest": examples.nearest, "for": examples.supporting, "against": examples.opposing}
    return [(f"training rows, {title}", rows) for title, rows in named.items() if rows]


def _colour(shade: int) -> str:
    return "blue" if shade > 0 else "dark_orange"


def _rendered(template: str, sample: str, **values: object) -> str:
    page = environment().get_template(template)
    return wording.visible(page.render(t=_both, chinese=_is_chinese(sample), **values))


def _both(key: str) -> Markup:
    """A phrase in both languages, of which the page shows one."""
    english, chinese = WORDS[key]
    return Markup('<span class="en">{}</span><span class="zh" lang="zh">{}</span>').format(english, chinese)


def _is_chinese(text: str) -> bool:
    return _share("\u4e00" <= character <= "\u9fff" for character in text) > 0.2


def _share(found: Iterable[bool]) -> float:
    marks = list(found)
    return sum(marks) / max(1, len(marks))
