"""One engine that finds personal data, in a process of its own: `guard_peers.py NAME FILE`, FILE as guard.py writes it.

The last line of the output is JSON: spans of each text, and the seconds that it took to find them, without opening.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Spans = list[tuple[int, int, str]]
Finder = Callable[[list[str]], list[Spans]]


def burnish(given: dict[str, Any]) -> Finder:
    """The patterns, and a tagger where there is one."""
    from burnish.guards import Guard

    types = json.dumps(given["types"])
    model = f", model: {json.dumps(given['tagger'])}" if given.get("tagger") else ""
    policy = Path(given["folder"]) / "policy.yaml"
    policy.write_text(f"checks:\n  - {{check: personal, types: {types}, action: redact{model}}}\n", encoding="utf-8")
    guard = Guard.load(policy)

    def find(texts: list[str]) -> list[Spans]:
        found = guard.check_many(texts)
        return [[(f.start, f.end, f.kind) for f in v.findings if f.check == "personal"] for v in found]

    return find


def presidio(given: dict[str, Any]) -> Finder:
    """Presidio's recognizers of forms on a blank spaCy pipeline; of two that overlap the surer."""
    from burnish.guards.presidio import tagger

    tag = tagger()

    def find(texts: list[str]) -> list[Spans]:
        answers: list[Spans] = []
        for found in tag(texts):
            kept: list[Any] = []
            for one in sorted(found, key=lambda f: (-f.score, f.start - f.end)):
                if one.score >= given["threshold"] and all(one.end <= k.start or k.end <= one.start for k in kept):
                    kept.append(one)
            answers.append([(k.start, k.end, k.kind) for k in kept])
        return answers

    return find


def spacy_tagger(given: dict[str, Any]) -> Finder:
    """A spaCy tagger trained on the same rows, in small batches that grow; kept for later calls."""
    import spacy
    from spacy.training import Example
    from spacy.util import compounding, minibatch

    place = Path(given["folder"]) / "spacy"
    if not place.exists():
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        nlp.add_pipe("ner")
        examples = []
        for row in given["train"]:
            doc = nlp.make_doc(row["text"])
            spans = [doc.char_span(a, b, label=k, alignment_mode="expand") for a, b, k in row["spans"]]
            examples.append(
                Example.from_dict(doc, {"entities": [(s.start_char, s.end_char, s.label_) for s in _apart(spans)]})
            )
        optimizer = nlp.initialize(lambda: examples)
        for _ in range(given["epochs"]):
            random.Random(0).shuffle(examples)
            for batch in minibatch(examples, size=compounding(4.0, 32.0, 1.001)):
                nlp.update(batch, sgd=optimizer, drop=0.1)
        nlp.to_disk(place)
    nlp = spacy.load(place)
    return lambda texts: [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(texts)]


def _apart(spans: list[Any]) -> list[Any]:
    from spacy.util import filter_spans

    return list(filter_spans([span for span in spans if span is not None]))


def pair(given: dict[str, Any]) -> Finder:
    """Presidio and spaCy together: Presidio's spans, and those of the tagger that overlap none."""
    forms, names = presidio(given), spacy_tagger(given)

    def find(texts: list[str]) -> list[Spans]:
        answers = []
        for first, second in zip(forms(texts), names(texts), strict=True):
            answers.append(first + [s for s in second if all(s[1] <= f[0] or f[1] <= s[0] for f in first)])
        return answers

    return find


ENGINES: dict[str, Callable[[dict[str, Any]], Finder]] = {
    "patterns": lambda given: burnish(given | {"tagger": None}),
    "burnish": burnish,
    "presidio": presidio,
    "spacy": spacy_tagger,
    "presidio+spacy": pair,
}


def main() -> None:
    given = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    find = ENGINES[sys.argv[1]](given)
    texts = given["test"]
    find(texts[:8])
    seconds = []
    for _ in range(given["rounds"]):
        started = time.perf_counter()
        found = find(texts)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"spans": found, "seconds": min(seconds)}))


if __name__ == "__main__":
    main()
