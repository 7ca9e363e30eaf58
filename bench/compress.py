"""What `burnish compress` costs in quality and gains in speed, on rows that neither tuning nor search has looked at.

By folds of a CSV, or once with --train and --test: the recipe is tuned, the model compressed, and both forms predict
the test rows. The paired interval is a bootstrap over the rows of all folds. Folds are kept in --json FILE as they end.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import folds
import measure


def run(args: Any, train: str, test: str, label: str, folder: Path) -> dict[str, Any]:
    model = str(folder / "model")
    given = [f"data.train={train}", f"data.test={test}", "data.split.dev=0.0", f"out={model}", "report.bootstrap=0"]
    given += args.set
    tuning = measure.run([measure.BURNISH, "tune", args.recipe, *(p for one in given for p in ("--set", one))])
    search = ["compress", model, "--budget", args.budget, "--for", args.goal, "--minutes", str(args.minutes), "--json"]
    child = measure.run([measure.BURNISH, *search], allowed=(0, 1))
    with open(test, encoding="utf-8", newline="") as file:
        truth = [row[label] for row in csv.DictReader(file, delimiter="\t" if test.endswith(".tsv") else ",")]
    right = {}
    for name in ("torch", args.goal):
        said = measure.run([measure.BURNISH, "predict", model, test, "--variant", name, "--json"]).output.splitlines()
        right[name] = [int(json.loads(line)["label"] == one) for line, one in zip(said, truth, strict=True)]
    about = json.loads(Path(model, "variants", args.goal, "variant.json").read_text(encoding="utf-8"))
    found = {key: about[key] for key in ("runtime", "precision", "shape")} | child.result
    seconds = {"tune_seconds": tuning.seconds, "search_seconds": child.seconds}
    return {**found, **seconds, "before": right["torch"], "after": right[args.goal]}


def interval(before: list[int], after: list[int], resamples: int = 5000) -> tuple[float, float]:
    """95 % bootstrap interval of the difference of two accuracies on the same rows."""
    differences = [b - a for a, b in zip(before, after, strict=True)]
    draw, count = random.Random(0), len(differences)
    moved = [d for d in differences if d]  # resampling the others changes nothing but their number
    found = sorted(
        sum(draw.choices(moved, k=sum(draw.random() < len(moved) / count for _ in range(count)))) / count
        for _ in range(resamples if moved else 1)
    )
    return found[int(0.025 * len(found))], found[int(0.975 * len(found))]


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--recipe", default="recipes/intents.yaml")
    parser.add_argument(
        "--train", default=str(measure.DATA / "intents.csv"), help="rows; divided in folds without --test"
    )
    parser.add_argument("--test", help="rows to measure on, in the form of --train")
    parser.add_argument("--label", default="category", help="column of the class")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--goal", default="throughput", choices=["throughput", "latency", "size"])
    parser.add_argument("--budget", default="accuracy:0.005")
    parser.add_argument("--minutes", type=float, help="of each search; 0.5 with --quick, else 20")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    args = parser.parse_args()
    args.minutes = args.minutes or (0.5 if args.quick else 20)
    given = {key: value for key, value in vars(args).items() if key not in ("json", "quick", "train", "test", "recipe")}
    files = [args.train, *([args.test] if args.test else []), measure.ROOT / args.recipe, *measure.SOURCES]
    of = measure.key(*files, **given)
    runs = measure.kept(args.json, "runs", []) if measure.kept(args.json, "of", "") == of else []
    sides = [None] if args.test else folds.split(args.train, args.label, args.folds)
    for side in sides[len(runs) :]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            train, test = args.train, args.test
            if side:
                for file, rows in zip(("train.csv", "test.csv"), side, strict=True):
                    with (folder / file).open("w", encoding="utf-8", newline="") as stream:
                        csv.writer(stream).writerows(rows)
                train, test = str(folder / "train.csv"), str(folder / "test.csv")
            runs.append(run(args, train, test, args.label, folder))
        shown = {k: v for k, v in runs[-1].items() if k not in ("before", "after")}
        print(json.dumps(shown), flush=True)
        measure.keep(args.json, {"runs": runs, "of": of})
    before, after = ([right for one in runs for right in one[side]] for side in ("before", "after"))
    low, high = interval(before, after)
    ratios = {
        "rows": float(len(before)),
        "accuracy_before": sum(before) / len(before),
        "accuracy_after": sum(after) / len(after),
        "difference_low": low,
        "difference_high": high,
        "speedup": median(one["speedup"] for one in runs),
        "size_ratio": median(one["size_ratio"] for one in runs),
    }
    measure.finish(args, ratios, {"runs": runs, "of": of})


if __name__ == "__main__":
    main()
