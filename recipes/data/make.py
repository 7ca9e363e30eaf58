"""Write the demo data of this folder from the sentence parts in `parts/`: python recipes/data/make.py"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).parent
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([^{}]+)\}")
ENTITY = re.compile(r"⟦(\w+)\|(.*?)⟧")
SHARES = {  # part of a section `@name*` (names) or `@name+` (sentences) that a split sees
    "*": {"train": (0.0, 0.62), "dev": (0.52, 0.8), "test": (0.6, 1.0)},
    "+": {"train": (0.0, 0.8), "dev": (0.1, 0.9), "test": (0.2, 1.0)},
}
CLOSED_CLASSES = {
    ("DT", "I-NP"): "the a an no every this that",
    ("IN", "I-PP"): "of in on at from to by with for near under after since until as about between",
    ("CC", "O"): "and or but nor while",
    ("PRP", "I-NP"): "he she it we they i who nobody",
    ("VBD", "I-VP"): "said is was will may has have were are had be told would could",
}
CLOSED = {word: columns for columns, words in CLOSED_CLASSES.items() for word in words.split()}


class Grammar:
    """Sentences from templates: `[a|b]` picks one, `{name}` is a line of that section.

    A section in capitals is an entity and comes out as ⟦TYPE|words⟧; `{PER#1}` stays the same until `forget`, and
    `{PER#1~}` is its last word.
    """

    def __init__(self, name: str, seed: int, split: str | None = None) -> None:
        self.random = random.Random(f"{name}-{seed}-{split}")
        self.sections: dict[str, list[str]] = {}
        self.kept: dict[str, str] = {}
        shared: list[tuple[str, str]] = []
        lines: list[str] = []
        for line in (HERE / "parts" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("@"):
                lines = self.sections[line.strip("@*+")] = []
                if split and line[-1] in SHARES:
                    shared.append((line.strip("@*+"), line[-1]))
            elif not line.startswith("#"):
                lines.append(line)
        for section, mark in shared:
            whole = self.sections[section]
            random.Random(section).shuffle(whole)
            low, high = (round(share * len(whole)) for share in SHARES[mark][split or "train"])
            self.sections[section] = whole[low:high]

    def forget(self) -> None:
        self.kept.clear()

    def line(self, section: str) -> str:
        return self.say(self.random.choice(self.sections[section]))

    def say(self, template: str) -> str:
        while CHOICE.search(template):
            template = CHOICE.sub(lambda m: self.random.choice(m[1].split("|")), template)
        said = SLOT.sub(lambda m: self._slot(m[1]), template)
        return re.sub(r"\b([Aa]) (?=(?:⟦\w+\|)?[AEIOaeio])", r"\1n ", said)

    def _slot(self, slot: str) -> str:
        section, number, last = re.fullmatch(r"(\w+)(#\d)?(~?)", slot).groups("")  # type: ignore[union-attr]
        words = self.kept.get(section + number) or self.line(section)
        if number:
            self.kept[section + number] = words
        words = words.split()[-1] if last and section == "PER" else words
        kind = section.split("_")[0]
        return f"⟦{kind}|{words}⟧" if kind.isupper() else words


def unique(count: int, write: Callable[[], str], seen: set[str]) -> list[str]:
    """Return `count` different texts; gives up where the templates hold too few."""
    rows: list[str] = []
    for _ in range(count * 200):
        text = write()
        if len(rows) < count and text not in seen:
            seen.add(text)
            rows.append(text)
    if len(rows) < count:
        raise SystemExit(f"only {len(rows)} of {count} different rows; add templates. Last: {text}")
    return rows


def tokens(text: str) -> list[tuple[str, str]]:
    """Split a marked sentence into (token, IOB2 tag)."""
    found: list[tuple[str, str]] = []
    place = 0
    for match in [*ENTITY.finditer(text), None]:
        outside = text[place : match.start() if match else len(text)]
        outside = re.sub(r"(?<!\d)([,:()\";])|([,:()\";])(?!\d)|([?!]|'s\b|\.$)", r" \1\2\3 ", outside)
        if found and outside.startswith("-"):  # Norwegian-led
            glued, _, outside = outside.partition(" ")
            found[-1] = (found[-1][0] + glued, found[-1][1])
        found += [(token, "O") for token in outside.split()]
        if match:
            words = match[2].split()
            found += [(word, f"{'I' if i else 'B'}-{match[1]}") for i, word in enumerate(words)]
            place = match.end()
    return found


def column_line(token: str, tag: str) -> str:
    """Return `token POS chunk tag`; part of speech and chunk are a rough guess that nothing reads."""
    pos, chunk = CLOSED.get(token.lower(), ("NN", "I-NP"))
    if not any(c.isalnum() for c in token):
        pos, chunk = token if len(token) == 1 else ":", "O"
    elif token[0].isdigit():
        pos = "CD"
    elif tag != "O" or (token[0].isupper() and token.lower() not in CLOSED):
        pos = "NNP"
    elif pos == "NN" and token.endswith("ed"):
        pos, chunk = "VBD", "I-VP"
    return f"{token} {pos} {chunk} {tag}"


def write_ner(split: str, count: int, elsewhere: set[str]) -> None:
    """Write `count` sentences; none is, apart from its case, in `elsewhere`, and they are added to it."""
    grammar = Grammar("ner", 1, split)
    choose = grammar.random
    written = 0
    lines: list[str] = []
    own: set[str] = set()
    while written < count:
        grammar.forget()
        topic = choose.choice(grammar.sections["topics"])
        head = tokens(grammar.line(f"head_{topic}"))
        style = choose.random()
        if style < 0.6:
            head = [(token.upper(), tag) for token, tag in head]
        elif style < 0.8:
            head = [(token.lower(), tag) for token, tag in head]
        templates = grammar.sections[topic]
        body = choose.sample(templates, min(len(templates), choose.randint(3, 11)))
        texts = [grammar.line("byline"), grammar.line("dateline")][choose.randint(0, 2) :]
        texts += [grammar.say(t) for t in body] + [grammar.line("any")] * choose.randint(0, 1)
        sentences = [one for one in [head, *map(tokens, texts)] if plain(one) not in elsewhere][: count - written]
        if not sentences:
            continue
        own.update(map(plain, sentences))
        lines += ["-DOCSTART- -X- O O", ""]
        for sentence in sentences:
            lines += [column_line(*pair) for pair in sentence] + [""]
        written += len(sentences)
    elsewhere |= own
    (HERE / f"ner.{split}.conll").write_text("\n".join(lines), encoding="utf-8")


def plain(sentence: list[tuple[str, str]]) -> str:
    return " ".join(token for token, _ in sentence).casefold()


def write_table(name: str, header: list[str], rows: list[list[str]]) -> None:
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if name.endswith(".tsv") else ",", lineterminator="\n")
        writer.writerows([header, *rows])


def typo(text: str, choose: random.Random) -> str:
    """Swap two neighbouring letters, as a hurried hand does."""
    place = choose.randrange(len(text) - 1)
    pair = text[place : place + 2]
    return text[:place] + pair[::-1] + text[place + 2 :] if pair.isalpha() else text


def write_intents() -> None:
    grammar = Grammar("intents", 2)
    choose = grammar.random

    def message(intent: str) -> str:
        text = grammar.line(intent)
        if choose.random() < 0.25:
            text = grammar.line("opening") + text
        if choose.random() < 0.25:
            text += grammar.line("closing")
        if choose.random() < 0.12:
            text = text.lower()
        return typo(text, choose) if choose.random() < 0.12 else text

    seen: set[str] = set()
    names = list(grammar.sections)
    intents = names[: names.index("opening")]
    rows = {i: unique(40, lambda i=i: message(i), seen) for i in intents}  # type: ignore[misc]
    table = [[text, intent] for intent in intents for text in rows[intent]]
    choose.shuffle(table)
    write_table("intents.csv", ["text", "category"], table)
    pairs = []
    for intent in intents:  # half of the `different` ones come from an intent with a similar name, where there is one
        for first, second in choose.sample(list(combinations(rows[intent], 2)), 13):
            pairs.append([first, second, "same"])
        similar = [i for i in intents if i != intent and set(i.split("_")) & set(intent.split("_"))]
        for number in range(12):
            other = choose.choice(similar if similar and number % 2 else [i for i in intents if i != intent])
            pairs.append([choose.choice(rows[intent]), choose.choice(rows[other]), "different"])
    choose.shuffle(pairs)
    write_table("pairs.csv", ["text_a", "text_b", "label"], pairs)


def write_sentiment() -> None:
    grammar = Grammar("sentiment", 3)
    seen: set[str] = set()
    rows = [[t, "1"] for t in unique(300, lambda: grammar.line("pos"), seen)]
    rows += [[t, "0"] for t in unique(300, lambda: grammar.line("neg"), seen)]
    grammar.random.shuffle(rows)
    write_table("sentiment.tsv", ["sentence", "label"], rows)


def write_graded() -> None:
    grammar = Grammar("graded", 4)
    choose = grammar.random
    scores: dict[str, int] = {}
    while len(scores) < 400:
        harm, time = choose.randint(0, 3), choose.randint(0, 2)
        parts = [" ".join(grammar.line(f"harm{harm}").split()), grammar.line(f"time{time}").strip("~")]
        text = " ".join(filter(None, parts if choose.random() < 0.75 else parts[::-1]))
        scores.setdefault(grammar.line("greet") + text if choose.random() < 0.3 else text, harm + time)
    write_table("graded.csv", ["text", "score"], [[text, str(score)] for text, score in scores.items()])


def write_tags() -> None:
    grammar = Grammar("tags", 5)
    choose = grammar.random
    topics = list(grammar.sections)[: list(grammar.sections).index("join")]
    labels: dict[str, str] = {}
    while len(labels) < 400:
        chosen = choose.sample(topics, choose.choice([1, 1, 2, 2, 3]))
        text = grammar.line(chosen[0]).strip()
        for topic in chosen[1:]:
            text += grammar.line("join") + grammar.line(topic).strip()
        labels.setdefault(text[0].upper() + text[1:] + ".", "|".join(sorted(chosen)))
    write_table("tags.csv", ["text", "labels"], [list(row) for row in labels.items()])


def write_chinese() -> None:
    grammar = Grammar("zh", 6)
    seen: set[str] = set()
    rows = [["1", t] for t in unique(250, lambda: grammar.line("pos"), seen)]
    rows += [["0", t] for t in unique(250, lambda: grammar.line("neg"), seen)]
    grammar.random.shuffle(rows)
    write_table("reviews.zh.csv", ["label", "review"], rows)
    lines = []
    for marked in unique(300, lambda: grammar.line("sentence"), seen):
        text, entities, place = "", [], 0
        for match in ENTITY.finditer(marked):
            text += marked[place : match.start()]
            entities.append({"start": len(text), "end": len(text) + len(match[2]), "label": match[1]})
            text, place = text + match[2], match.end()
        lines.append(json.dumps({"text": text + marked[place:], "entities": entities}, ensure_ascii=False))
    (HERE / "ner.zh.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    written: set[str] = set()
    for split, count in {"train": 900, "dev": 200, "test": 200}.items():
        write_ner(split, count, written)
    write_intents()
    write_sentiment()
    write_graded()
    write_tags()
    write_chinese()
