"""Few examples a class: burnish's `method: few-shot` against SetFit, same rows, same encoder, one seed after another.

SetFit runs in the peers' environment (`make bench-env`). Accuracy is measured on rows that neither has seen.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

import measure

BENCH_ENV = measure.ROOT / ".bench-env" / "bin" / "python"
Row = tuple[str, str]


def draw(rows: list[Row], shots: int, held_out: int, seed: int) -> tuple[list[Row], list[Row]]:
    """`shots` rows of each class to train on, and `held_out` of the rest."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    taken: dict[str, int] = defaultdict(int)
    train: list[Row] = []
    rest: list[Row] = []
    for row in shuffled:
        taken[row[1]] += 1
        (train if taken[row[1]] <= shots else rest).append(row)
    if not rest:
        raise SystemExit(f"no row is left to measure on with {shots} a class; pass a larger --data or --test")
    return train, rest[:held_out]


def read(path: str) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def write(path: Path, rows: list[Row]) -> str:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "category"), *rows])
    return str(path)


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", default=str(measure.DATA / "intents.csv"), help="CSV with text,category")
    parser.add_argument("--shots", type=int, default=8, help="examples a class")
    parser.add_argument("--seeds", type=int, help="2 with --quick, else 10")
    parser.add_argument("--held-out", type=int, help="rows to measure on; 200 with --quick, else 2,000")
    parser.add_argument("--iterations", type=int, help="SetFit's num_iterations; 1 with --quick, else 20 (its paper's)")
    parser.add_argument("--model", help="encoder folder; the bundled minilm when unset")
    parser.add_argument("--setfit-python", default=str(BENCH_ENV), help="interpreter that has SetFit")
    args = parser.parse_args()
    pythons = {"burnish-few": sys.executable, "setfit": args.setfit_python}
    if not Path(args.setfit_python).exists():
        raise SystemExit("SetFit's environment is missing; make it with: make bench-env")
    rows = read(args.data)
    iterations = args.iterations or (1 if args.quick else 20)
    held_out = args.held_out or (200 if args.quick else 2000)

    runs: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for seed in range(args.seeds or (2 if args.quick else 10)):
        train, test = draw(rows, args.shots, held_out, seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            settings = {
                "train": write(folder / "train.csv", train),
                "dev": write(folder / "test.csv", test),
                "model": args.model or measure.bundled(),
                "seed": seed,
                "iterations": iterations,
            }
            for peer, python in pythons.items():
                command = [python, "bench/peers.py", peer, json.dumps({**settings, "out": str(folder / peer)})]
                child = measure.run(command)
                runs[peer].append({**child.result, "wall_seconds": child.seconds, "peak_mb": child.peak_mb})
                shown = "  ".join(f"{key} {value:,.3f}" for key, value in runs[peer][-1].items())
                print(f"seed {seed}  {peer.ljust(12)} {shown}", flush=True)

    own, other = runs["burnish-few"], runs["setfit"]
    columns = ["accuracy", "train_seconds", "wall_seconds", "peak_mb"]
    measure.table(["mean", *columns], [[n, *(mean(r[c] for r in some) for c in columns)] for n, some in runs.items()])
    pairs = list(zip(own, other, strict=True))
    points = [100 * (a["accuracy"] - b["accuracy"]) for a, b in pairs]
    ratios = {
        "points_over_setfit": mean(points),
        "least_points_over_setfit": min(points),
        "time_vs_setfit": median(a["train_seconds"] / b["train_seconds"] for a, b in pairs),
        "wall_vs_setfit": median(a["wall_seconds"] / b["wall_seconds"] for a, b in pairs),
        "memory_vs_setfit": median(a["peak_mb"] / b["peak_mb"] for a, b in pairs),
    }
    measure.finish(args, ratios, {"runs": runs, "shots": args.shots, "iterations": iterations})


if __name__ == "__main__":
    main()
