"""Accuracy of a classification recipe by stratified folds, beside TF-IDF with a linear SVM on the same rows.

Each fold is measured once, by the weights of the last step: nothing is chosen on it. One process a fold; folds are kept
in --json FILE as they end, and those that stand there are not repeated.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import measure

BASELINE, PLAIN = "TF-IDF + linear SVM", "plain transformers"


def split(path: str, label: str, folds: int) -> list[tuple[list[list[str]], list[list[str]]]]:
    """(train, test) of each fold, the header first; every class is spread evenly over the folds, by a fixed seed."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    column = header.index(label)
    random.Random(0).shuffle(rows)
    rows.sort(key=lambda row: row[column])  # stable: shuffled within each class
    parts = [rows[fold::folds] for fold in range(folds)]
    return [
        ([header, *(row for i, part in enumerate(parts) if i != fold for row in part)], [header, *parts[fold]])
        for fold in range(folds)
    ]


def run(recipe: str, train: list[list[str]], test: list[list[str]], options: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, rows in (("train.csv", train), ("test.csv", test)):
            with (folder / file).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(rows)
        given = [f"data.train={folder / 'train.csv'}", f"data.test={folder / 'test.csv'}", "data.split.dev=0.0"]
        given += [f"out={folder / 'model'}", "report.bootstrap=0", "report.hardest=0", *options]
        child = measure.run([measure.BURNISH, "tune", recipe, *(part for one in given for part in ("--set", one))])
        manifest: dict[str, Any] = json.loads((folder / "model" / "burnish.json").read_text(encoding="utf-8"))
    (baseline,) = manifest["before"].values()
    found = {"burnish": manifest["metrics"]["accuracy"], BASELINE: baseline["accuracy"]}
    if manifest.get("alone"):
        found[PLAIN] = manifest["alone"]["accuracy"]
    return found | {"train_seconds": manifest["training"]["seconds"], "wall_seconds": child.seconds}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--recipe", default="recipes/intents.yaml")
    parser.add_argument("--data", default=str(measure.DATA / "intents.csv"), help="CSV with the columns of the recipe")
    parser.add_argument("--label", default="category", help="column of the class")
    parser.add_argument("--folds", type=int, help="2 with --quick, else 5")
    parser.add_argument("--only", type=int, help="stop after so many of the folds")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    args = parser.parse_args()
    folds = args.folds or (2 if args.quick else 5)
    options = [*args.set, *(["tune.epochs=2"] if args.quick else [])]

    of = measure.key(
        args.data, measure.ROOT / args.recipe, *measure.SOURCES, folds=folds, label=args.label, options=options
    )
    runs: list[dict[str, float]] = (
        measure.kept(args.json, "runs", []) if measure.kept(args.json, "of", "") == of else []
    )
    for train, test in split(args.data, args.label, folds)[len(runs) : args.only or folds]:
        runs.append(run(args.recipe, train, test, options))
        print(f"fold {len(runs)} of {folds}: " + "  ".join(f"{k} {v:.4f}" for k, v in runs[-1].items()), flush=True)
        measure.keep(args.json, {"runs": runs, "of": of})
    shown = runs[: args.only or folds]
    names = sorted({name for one in shown for name in one})
    measure.table(["mean of the folds", "value"], [[name, mean(one[name] for one in shown)] for name in names])
    measure.finish(args, ratios(shown), {"runs": runs, "of": of})


def ratios(runs: list[dict[str, float]]) -> dict[str, float]:
    gains = [100 * (one["burnish"] - one[BASELINE]) for one in runs]
    return {"accuracy": mean(one["burnish"] for one in runs), "points_over_linear": mean(gains)}


if __name__ == "__main__":
    main()
