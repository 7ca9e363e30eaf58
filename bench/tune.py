"""Training speed, memory and F1 of burnish against the reference recipe's loop and transformers' Trainer.

Same sentences, same encoder, same epochs; one process a run, in turns (A B C A B C ...), medians.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import conll
import measure

TRAINERS = ["trainer", *(f"trainer_{p}_grouped_{b}" for p in ("bf16", "fp32") for b in (16, 32))]
PEERS = ["reference", *TRAINERS, "burnish", "burnish_full"]


def run_peer(name: str, settings: dict[str, Any]) -> dict[str, float]:
    """One training in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        child = measure.run([sys.executable, "bench/peers.py", name, json.dumps({**settings, "out": f"{out}/model"})])
    result: dict[str, float] = {**child.result, "wall_seconds": child.seconds, "peak_mb": child.peak_mb}
    print("  " + name.ljust(26) + "  ".join(f"{key} {value:,.3f}" for key, value in result.items()), flush=True)
    return result


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--train", default=str(measure.DATA / "ner.train.conll"))
    parser.add_argument("--dev", default=str(measure.DATA / "ner.dev.conll"))
    parser.add_argument("--model", default=None, help="encoder folder; the bundled minilm when unset")
    parser.add_argument("--rows", type=int, help="training sentences; 320 with --quick, else all")
    parser.add_argument("--dev-rows", type=int, help="dev sentences; 100 with --quick, else all")
    parser.add_argument("--repeats", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--epochs", type=int, default=1, help="of the runs whose speed counts")
    parser.add_argument(
        "--f1-epochs", type=int, help="of one more run for F1; 0 (with --quick) takes that of the others"
    )
    parser.add_argument(
        "--trainer-rate", type=float, default=5e-5, help="learning rate of the Trainer; 5e-5 as shipped"
    )
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    repeats = args.repeats or (1 if args.quick else 3)
    f1_epochs = args.f1_epochs if args.f1_epochs is not None else (0 if args.quick else 3)

    runs: dict[str, list[dict[str, float]]] = {name: [] for name in args.peers}
    with tempfile.TemporaryDirectory() as folder:
        train, dev = Path(folder) / "train.conll", Path(folder) / "dev.conll"
        rows = conll.sample(args.train, train, args.rows or (320 if args.quick else None), args.seed)
        if rows * args.epochs < 320:
            parser.error("at least 320 sentences: the first three steps of each peer do not count")
        conll.sample(args.dev, dev, args.dev_rows or (100 if args.quick else None), args.seed)
        settings = {
            "train": str(train),
            "dev": str(dev),
            "model": args.model or measure.bundled(),
            "seed": args.seed,
            "trainer_rate": args.trainer_rate,
        }
        for turn in range(repeats):
            print(f"turn {turn + 1} of {repeats}: {rows} sentences, {args.epochs} epoch(s)", flush=True)
            for name in args.peers:
                runs[name].append(run_peer(name, {**settings, "epochs": args.epochs}))
        middle = {name: {key: median(run[key] for run in some) for key in some[0]} for name, some in runs.items()}
        if f1_epochs:
            print(f"F1 after {f1_epochs} epochs", flush=True)
            for name in args.peers:
                middle[name]["f1"] = run_peer(name, {**settings, "epochs": f1_epochs})["f1"]

    columns = ["rows_per_second", "train_seconds", "wall_seconds", "peak_mb", "f1"]
    measure.table(["median", *columns], [[name, *(m[c] for c in columns)] for name, m in middle.items()])
    measure.finish(args, compare(middle), {"medians": middle, "runs": runs, "rows": rows})


def compare(middle: dict[str, dict[str, float]]) -> dict[str, float]:
    """Speed ratios above 1: burnish is faster; memory ratios below 1: it needs less; F1 gains in points."""
    if "burnish" not in middle:
        return {}
    own = middle["burnish"]
    ratios: dict[str, float] = {}
    others = {"reference_loop": middle.get("reference")}
    trainers = [middle[name] for name in TRAINERS if name in middle]
    others["best_trainer"] = max(trainers, key=lambda m: m["rows_per_second"], default=None)
    others["trainer_as_shipped"] = middle.get("trainer")
    for name, other in others.items():
        if other:
            ratios[f"vs_{name}"] = own["rows_per_second"] / other["rows_per_second"]
            ratios[f"wall_vs_{name}"] = other["wall_seconds"] / own["wall_seconds"]
            ratios[f"memory_vs_{name}"] = own["peak_mb"] / other["peak_mb"]
            ratios[f"f1_points_over_{name}"] = 100 * (own["f1"] - other["f1"])
    if trainers and (full := middle.get("burnish_full")):
        fastest = max(trainer["rows_per_second"] for trainer in trainers)
        ratios["full_vs_best_trainer"] = full["rows_per_second"] / fastest
    if trainers:
        ratios["f1_points_over_any_trainer"] = 100 * (own["f1"] - max(m["f1"] for m in trainers))
        ratios["memory_vs_leanest_trainer"] = own["peak_mb"] / min(m["peak_mb"] for m in trainers)
    return ratios


if __name__ == "__main__":
    main()
