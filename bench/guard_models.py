"""The models of a guard on rows that neither taught nor chose: `burnish guard init` first, with the same folder.

  burnish guard init runs/guard --data datasets --hold-out
  python bench/guard_models.py runs/guard datasets

Test rows are those that `guards/material/public.py` sets apart: a fifth of the texts of a set, a fifth of the templates
of the personal data, and the dev file of cold_zh. Beside each model stands TF-IDF with a linear SVM (words and
characters of English, characters of Chinese), fitted to the training rows of the same set. False positives on harmless
business text are at the thresholds of the policy. giskard_prompt_injections is an outside check: no row of it was
learnt from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import measure
import yaml

from burnish.guards.material import public
from burnish.guards.threshold import spans_point

Labelled = Sequence[tuple[str, str]]


def macro_f1(truth: Sequence[bool], said: Sequence[bool]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, average="macro"))


def tfidf(train: Labelled, test: Labelled, chinese: bool = False) -> list[bool]:
    """What a linear SVM says of the test rows: whether they are of another class than `neither`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    characters = TfidfVectorizer(
        analyzer="char" if chinese else "char_wb", ngram_range=(1, 3) if chinese else (2, 4), sublinear_tf=True
    )
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(characters if chinese else make_union(words, characters), LinearSVC())
    model.fit([text for text, _ in train], [label != "neither" for _, label in train])
    return [bool(one) for one in model.predict([text for text, _ in test])]


def chances(engine: Any, texts: Sequence[str], labels: Sequence[str]) -> list[float]:
    """The probability of these classes together, in the window of each text where it is highest."""
    from burnish.guards.classified import judge, of, read
    from burnish.guards.policy import WINDOW

    return [one.score for one in judge(read(engine, texts, WINDOW), of(labels))]


def harm(engine: Any, known: Labelled, test: Labelled, chinese: bool = False) -> dict[str, float]:
    truth = [label != "neither" for _, label in test]
    labels = [label for label in engine.task.labels if label != "neither"]
    said = [chance >= 0.5 for chance in chances(engine, [text for text, _ in test], labels)]
    return {
        "rows": len(test),
        "macro_f1": macro_f1(truth, said),
        "tfidf_svm_macro_f1": macro_f1(truth, tfidf(known, test, chinese)),
    }


def personal(engine: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found = spans_point(
        (
            [(one.start, one.end, one.label) for one in said.entities],
            [(span["start"], span["end"], span["label"]) for span in row["spans"]],
        )
        for said, row in zip(engine.predict([row["text"] for row in rows]), rows, strict=True)
    )
    return asdict(found)


def attacks(data: Path) -> dict[str, list[str]]:
    path = data / "giskard_prompt_injections" / "prompt_injections.csv"
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["group"], []).append(row["prompt"])
    return found


def blocked(engine: Any, texts: Sequence[str], checks: Sequence[dict[str, Any]]) -> float:
    """Share of texts that any of the checks finds."""
    over = [[chance >= check["threshold"] for chance in chances(engine, texts, check["label"])] for check in checks]
    return sum(map(any, zip(*over, strict=True))) / max(1, len(texts))


def learnt(guard: Path, name: str) -> set[str]:
    """Texts that the model was trained on."""
    with (guard / "rows" / f"{name}.train.jsonl").open(encoding="utf-8") as file:
        return {json.loads(line)["text"] for line in file}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("guard", type=Path, help="folder that guard init has written")
    parser.add_argument("data", type=Path, help="folder of public sets")
    args = parser.parse_args()
    from burnish.engine import Engine

    most = 300 if args.quick else None
    checks = yaml.safe_load((args.guard / "policy.yaml").read_text(encoding="utf-8"))["checks"]
    models = {Path(check["model"]).name for check in checks if "model" in check}
    engines = {name: Engine.open(args.guard / "models" / name) for name in models}
    business = {name: texts[:most] for name, texts in public.business(args.data, "test").items()}
    found: dict[str, Any] = {}
    tests = {
        "harm": [text for read in (public.davidson, public.jigsaw) for text, _ in read(args.data, "test")],
        "harm-zh": [text for text, _ in public.cold(args.data, "test")],
        "personal": [row["text"] for row in public.presidio(args.data, "test")],
    }
    for name in models & tests.keys():
        if known := learnt(args.guard, name).intersection(tests[name]):
            parser.error(f"{name} has learnt {len(known):,} of the test rows; make it with `guard init --hold-out`")

    def told(name: str, value: Any) -> None:
        found[name] = value
        print(f"{name}: {value}", flush=True)
        measure.keep(args.json, found)

    for name, engine in engines.items():
        own = [check for check in checks if check.get("model") == f"models/{name}" and "label" in check]
        for texts, of in ((texts, of) for of, texts in business.items() if own and name != "harm-zh"):
            for action in dict.fromkeys(check["action"] for check in own):
                acting = [check for check in own if check["action"] == action]
                told(f"{name} {action} false positives {of} ({len(texts)})", blocked(engine, texts, acting))
        if name in ("injection", "harmful"):
            for group, texts in attacks(args.data).items():
                told(f"{name} recall giskard {group} ({len(texts)})", blocked(engine, texts, own))
        if name == "harm":
            for of, read in (("davidson", public.davidson), ("jigsaw", public.jigsaw)):
                told(f"harm {of}", harm(engine, read(args.data, "train"), read(args.data, "test")[:most]))
        if name == "harm-zh":
            known = public.cold(args.data, "train")
            told("harm-zh cold", harm(engine, known, public.cold(args.data, "test")[:most], chinese=True))
        if name == "personal":
            told("personal presidio", personal(engine, public.presidio(args.data, "test")[:most]))


if __name__ == "__main__":
    main()
