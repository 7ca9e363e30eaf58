"""What privacy costs and what it brings: accuracy, epsilon and membership inference of a classifier, with and without.

One fifth of the rows, stratified, is held out from every model, and nothing is chosen on it. Each model is tuned with
the defaults of its way, in a process of its own. The attacks are those of `burnish audit`: by the loss alone, and by
the loss held against linear shadow models, on as many training rows as held-out ones. The noise comes from no seed, so
that two private runs with one seed differ; seeds choose the first weights and the attacked rows. Runs are kept in
--json FILE as they end, and those that stand there are not repeated.

banking77, which is not in this repository:
  python bench/private.py --data train.csv --label category --seeds 0 1 2 --json private.json
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import folds
import measure

BASELINE = "TF-IDF + linear SVM"
PRIVATE = "private head"
ATTACKS = ("by loss", "by shadow models")


def ways(epsilon: float) -> dict[str, dict[str, Any]]:
    """Options of each way to tune."""
    return {PRIVATE: {"privacy": {"epsilon": epsilon}}, "head": {"freeze": "head"}, "whole encoder": {}}


def tune(folder: Path, way: str, options: dict[str, Any], label: str, seed: int, attacked: int) -> dict[str, Any]:
    """Tune and attack one model."""
    job = {
        "task": "classify",
        "seed": seed,
        "out": str(folder / way.replace(" ", "-") / str(seed)),
        "data": {
            "train": str(folder / "train.csv"),
            "test": str(folder / "test.csv"),
            "columns": {"text": "text", "label": label},
            "split": {"dev": 0.0},
        },
        "tune": options,
        "report": {"bootstrap": 0, "hardest": 0},
    }
    file = folder / "job.yaml"
    file.write_text(json.dumps(job), encoding="utf-8")
    spent = measure.run([measure.BURNISH, "tune", str(file)])
    manifest = json.loads((Path(job["out"]) / "burnish.json").read_text(encoding="utf-8"))
    attacks = measure.run([sys.executable, __file__, "--attack", job["out"], "--attacked", str(attacked)])
    found = {
        "accuracy": manifest["metrics"]["accuracy"],
        "privacy": manifest["privacy"],
        "baseline": next((m["accuracy"] for m in manifest["before"].values()), None),
        "attacks": attacks.result,
        "seconds": spent.seconds,
    }
    told = "  ".join(f"{name}: AUC {one['auc']:.3f}, TPR {one['tpr']:.3f}" for name, one in found["attacks"].items())
    print(f"{way}, seed {seed}: accuracy {found['accuracy']:.4f}  {told}  ({spent.seconds:.0f} s)", flush=True)
    return found


def attack(model: str, count: int) -> dict[str, Any]:
    """The two attacks on a model, on `count` training rows and as many held-out ones, or as many as there are."""
    from dataclasses import asdict

    import numpy as np

    from burnish.audits import membership
    from burnish.data.load import load, usable
    from burnish.engine import Engine
    from burnish.training.origin import job_of

    engine = Engine.open(model)
    job = job_of(engine.artifact)
    sides = [list(usable(load(job)[name], job.task)) for name in ("train", "test")]
    half = min(count, *map(len, sides))
    rows = [row for side in sides for row in random.Random(job.seed).sample(side, half)]
    loss = membership.losses(engine, rows)
    labels = np.array([engine.task.target(row["label"]) for row in rows])
    scores = {ATTACKS[0]: -loss}
    scores[ATTACKS[1]] = membership.calibrated(loss, [row["text"] for row in rows], labels, job.seed)
    return {name: asdict(membership.attack(one[:half], one[half:], job.seed)) for name, one in scores.items()}


def prepare(data: str, label: str, folder: Path, limit: int | None) -> None:
    """Write train.csv and test.csv."""
    (header, *train), test = folds.split(data, label, 5)[0]
    drawn = [header, *random.Random(0).sample(train, limit or len(train))]
    for name, rows in (("train.csv", drawn), ("test.csv", test)):
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)


def main() -> None:
    parser = measure.options(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", default=str(measure.DATA / "intents.csv"))
    parser.add_argument("--label", default="category", help="column of the label")
    parser.add_argument("--epsilon", type=float, default=8.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--attacked", type=int, default=1000, help="training rows attacked, and as many held-out ones")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.attack:
        print(json.dumps(attack(args.attack, args.attacked)))
        return

    key = measure.key(
        args.data, __file__, label=args.label, epsilon=args.epsilon, attacked=args.attacked, quick=args.quick
    )
    runs: dict[str, Any] = {n: run for n, run in measure.kept(args.json, "runs", {}).items() if run["key"] == key}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(args.data, args.label, folder, 60 if args.quick else None)
        for seed in args.seeds[:1] if args.quick else args.seeds:
            for way, options in ways(args.epsilon).items():
                if f"{way} {seed}" in runs:
                    continue
                short = {"epochs": 1} | options if args.quick else options
                runs[f"{way} {seed}"] = tune(folder, way, short, args.label, seed, args.attacked) | {"key": key}
                measure.keep(args.json, {"runs": runs})

    by_way = {way: [run for n, run in runs.items() if n.rsplit(" ", 1)[0] == way] for way in ways(args.epsilon)}
    baseline = mean(run["baseline"] for run in by_way["head"])
    accuracy = {way: mean(run["accuracy"] for run in own) for way, own in by_way.items()}
    lines: list[list[object]] = [[BASELINE, baseline, *[""] * 5]]
    for way, own in by_way.items():
        spent = [run["privacy"]["epsilon"] for run in own if run["privacy"]]
        figures = [mean(run["attacks"][one][name] for run in own) for one in ATTACKS for name in ("auc", "tpr")]
        lines.append([way, accuracy[way], max(spent) if spent else "none", *figures])
    heads = [f"{name} {one}" for one in ATTACKS for name in ("AUC", "TPR")]
    measure.table([f"mean of {len(by_way[PRIVATE])} seeds", "accuracy", "epsilon", *heads], lines)
    ratios = {
        "private_points_over_baseline": 100 * (accuracy[PRIVATE] - baseline),
        "private_points_over_head": 100 * (accuracy[PRIVATE] - accuracy["head"]),
        "private_points_over_whole_encoder": 100 * (accuracy[PRIVATE] - accuracy["whole encoder"]),
    }
    measure.finish(args, ratios, {"runs": runs})


if __name__ == "__main__":
    main()
