"""Gain and cost of each training option, against the same recipe without it, on words and on texts.

One process a run, in turns over the seeds. The score is that of the last weights, on rows that nothing was chosen on.
Runs are kept in --json FILE as they end, and those that stand there are not repeated. Precision is given and not
measured, and every step of a base run goes back to the bottom, so that no two runs differ by more than their option.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import measure

METRIC = {"tag": "f1", "classify": "accuracy"}
BASE: dict[str, dict[str, Any]] = {
    "tag": {"epochs": 4, "learning_rate": 5e-4, "backward": "full"},
    "classify": {"epochs": 6, "learning_rate": 2e-4, "backward": "full"},
}
BOTH, TAG, TEXT = ("tag", "classify"), ("tag",), ("classify",)
# Those first that say most; a run that is cut short goes on where it stood.
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "backward random": (BOTH, {"backward": "random"}),
    "lora": (BOTH, {"lora": {}, "learning_rate": 2e-3}),
    "crf": (TAG, {"crf": True}),
    "average 0.98": (BOTH, {"average": 0.98}),
    "r_drop 1": (BOTH, {"r_drop": 1.0}),
    "label_smoothing 0.1": (BOTH, {"label_smoothing": 0.1}),
    "layer_decay 1": (BOTH, {"layer_decay": 1.0}),
    "freeze none": (BOTH, {"freeze": "none"}),
    "bigrams": (TEXT, {"bigrams": True}),
    "pooling cls": (TEXT, {"pooling": "cls"}),
    "word_shape off": (TAG, {"word_shape": False}),
    "context 32": (TAG, {"context": 32}),
    "freeze top:3": (BOTH, {"freeze": "top:3"}),
    "dropout 0": (BOTH, {"dropout": 0.0}),
    "schedule cosine": (BOTH, {"schedule": "cosine"}),
    "focal 2": (BOTH, {"focal": 2.0}),
    "attention_dropout 0.1": (BOTH, {"attention_dropout": 0.1}),
    "class_weights balanced": (TEXT, {"class_weights": "balanced"}),
    "augment.mention 0.2": (TAG, {"augment": {"mention": 0.2}}),
    "augment.casing 0.2": (BOTH, {"augment": {"casing": 0.2}}),
    "augment.delete 0.2": (BOTH, {"augment": {"delete": 0.2}}),
    "augment.swap 0.2": (BOTH, {"augment": {"swap": 0.2}}),
    "optimizer sgd": (BOTH, {"optimizer": "sgd", "learning_rate": 1e-2, "head_learning_rate": 1e-1}),
}
QUICK = ["crf", "average 0.98", "pooling cls"]


def sentences(source: str, target: Path, rows: int | None) -> None:
    """Write whole documents of a CoNLL file, drawn with a fixed seed, until `rows` sentences are there."""
    documents: list[list[str]] = [[]]
    for block in Path(source).read_text(encoding="utf-8").replace("\r", "").split("\n\n"):
        if block.startswith("-DOCSTART-"):
            documents.append([])
        if block.strip():
            documents[-1].append(block.strip("\n"))
    random.Random(0).shuffle(documents)
    kept: list[str] = []
    count = 0
    for document in documents:
        if rows is None or count < rows:
            kept += document
            count += sum(not block.startswith("-DOCSTART-") for block in document)
    target.write_text("\n\n".join(kept) + "\n", encoding="utf-8")


def texts(source: str, train: Path, test: Path, rows: int | None, test_rows: int | None) -> None:
    """Draw rows to train on and others to measure on from one table, with a fixed seed."""
    with open(source, encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    random.Random(0).shuffle(lines)
    test_rows = test_rows or len(lines) // 5
    for target, part in ((test, lines[:test_rows]), (train, lines[test_rows:][:rows])):
        with target.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *part])


def run(folder: Path, task: str, seed: int, tune: dict[str, Any]) -> dict[str, Any]:
    """Tune once in a process of its own; score on the test rows in points, seconds of training alone."""
    ending = "conll" if task == "tag" else "csv"
    job = {
        "task": task,
        "data": {
            "train": str(folder / f"train.{ending}"),
            "test": str(folder / f"test.{ending}"),
            "split": {"dev": 0.0},
        },
        "out": str(folder / "model"),
        "seed": seed,
        "tune": {**BASE[task], **tune},
        "report": {"bootstrap": 0, "hardest": 0},
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    measure.run([measure.BURNISH, "tune", str(folder / "job.yaml")])
    manifest = json.loads((folder / "model" / "burnish.json").read_text(encoding="utf-8"))
    return {"points": 100 * manifest["metrics"][METRIC[task]], "seconds": manifest["training"]["seconds"]}


def against_base(runs: list[dict[str, Any]], task: str, option: str) -> dict[str, float] | None:
    """Gain in points and cost as a ratio, seed by seed against the base; None before there is a pair."""
    mine = {r["seed"]: r for r in runs if (r["task"], r["option"]) == (task, option)}
    base = {r["seed"]: r for r in runs if (r["task"], r["option"]) == (task, "base")}
    seeds = sorted(mine.keys() & base.keys())
    if not seeds:
        return None
    gains = [mine[s]["points"] - base[s]["points"] for s in seeds]
    spread = stdev(gains) if len(gains) > 1 else float("nan")
    cost = median(mine[s]["seconds"] / base[s]["seconds"] for s in seeds)
    score = mean(mine[s]["points"] for s in seeds)
    return {"seeds": len(seeds), "score": score, "gain": mean(gains), "spread": spread, "cost": cost}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--tag-train", default=str(measure.DATA / "ner.train.conll"))
    parser.add_argument("--tag-test", default=str(measure.DATA / "ner.dev.conll"), help="rows nothing is chosen on")
    parser.add_argument("--texts", default=str(measure.DATA / "intents.csv"), help="CSV with a text and its class")
    parser.add_argument("--rows", type=int, help="to train on; 150 with --quick, else 3000 or all")
    parser.add_argument("--tag-test-rows", type=int, help="sentences to measure on; all")
    parser.add_argument("--texts-test-rows", type=int, help="texts to measure on; a fifth")
    parser.add_argument("--tasks", nargs="+", default=list(BOTH), choices=BOTH)
    parser.add_argument("--options", nargs="+", default=None, choices=["base", *OPTIONS], metavar="OPTION")
    parser.add_argument("--seeds", nargs="+", type=int, help="0 with --quick, else 0 1 2")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's; 1 with --quick")
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    args = parser.parse_args()
    seeds = args.seeds or ([0] if args.quick else [0, 1, 2])
    chosen = args.options or (QUICK if args.quick else list(OPTIONS))
    rows = args.rows or (150 if args.quick else 3000)
    epochs = args.epochs or (1 if args.quick else None)
    always = {"precision": args.precision} | ({"epochs": epochs} if epochs else {})

    about = {"rows": rows, "tests": (args.tag_test_rows, args.texts_test_rows), "base": BASE, "always": always}

    def key(option: str) -> str:
        files = (args.tag_train, args.tag_test, args.texts, *measure.SOURCES)
        return measure.key(*files, option=OPTIONS.get(option), **about)

    of = {option: key(option) for option in ["base", *OPTIONS]}
    kept: list[dict[str, Any]] = measure.kept(args.json, "runs", [])
    runs = [run for run in kept if run.get("of") == of.get(run["option"], "")]
    with tempfile.TemporaryDirectory() as name:
        folders = {task: Path(name) / task for task in args.tasks}
        for task, folder in folders.items():
            folder.mkdir()
            if task == "tag":
                sentences(args.tag_train, folder / "train.conll", rows)
                sentences(args.tag_test, folder / "test.conll", args.tag_test_rows)
            else:
                texts(args.texts, folder / "train.csv", folder / "test.csv", rows, args.texts_test_rows)
        done = {(r["task"], r["option"], r["seed"]) for r in runs}
        for seed in seeds:
            for option in dict.fromkeys(["base", *chosen]):
                tasks, tune = OPTIONS.get(option, (BOTH, {}))
                for task in [t for t in args.tasks if t in tasks and (t, option, seed) not in done]:
                    found = run(folders[task], task, seed, {**always, **tune})
                    runs.append({"task": task, "option": option, "seed": seed, "of": of[option], **found})
                    kept.append(runs[-1])
                    print(f"  {task} {option} seed {seed}: {found['points']:.2f}, {found['seconds']:.1f} s", flush=True)
                    measure.keep(args.json, {"runs": kept})
    lines: list[list[object]] = []
    ratios: dict[str, float] = {}
    for option in ["base", *OPTIONS]:
        for task in BOTH:
            if gained := against_base(runs, task, option):
                lines.append([f"{task}: {option}", *gained.values()])
                if option != "base":
                    ratios |= {f"{task} {option} points": gained["gain"], f"{task} {option} cost": gained["cost"]}
    measure.table(["option", "seeds", "score", "gain in points", "spread", "cost"], lines)
    measure.finish(args, ratios, {"runs": kept})


if __name__ == "__main__":
    main()
