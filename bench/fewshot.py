"""Few examples a class: burnish's `tune.method: few-shot` against SetFit on the same rows and the same encoder.

For each seed some rows of each class are drawn to train on and others to measure on; every learner gets both as files
and runs in a process of its own, in turns. SetFit runs as its documentation has it, and once more with so few pairs
that it takes about burnish's time; it lives in the peers' environment (make bench-env). Times are those of the
processor, which other work on the machine does not lengthen. With --json FILE finished runs are kept there, and the
same command goes on where the file ends.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from math import ceil
from pathlib import Path
from statistics import mean, median
from typing import Any

import measure

PEERS = ["linear", "frozen", "burnish", "setfit", "setfit_short"]
NEEDS = {"linear": "sklearn", "frozen": "sentence_transformers", "burnish": "burnish"}
RECIPE = measure.ROOT / "recipes" / "few-shot.yaml"
Runs = dict[str, dict[str, dict[str, Any]]]  # learner -> seed -> figures


def interpreter(module: str) -> str:
    """The first Python that has a module: this one, the project's, the peers'."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
    for python in (sys.executable, *(str(measure.ROOT / d / "bin" / "python") for d in (".venv", ".bench-env"))):
        # -P: the folder `burnish` beside bench/ is not an installed burnish
        if Path(python).exists() and subprocess.run([python, "-P", "-c", look], cwd=measure.ROOT).returncode == 0:
            return python
    raise SystemExit(
        f"no Python here has '{module}': run make bench-env (make demo for burnish), or leave it out: --peers"
    )


def draw(source: str, folder: Path, shots: int, rows: int | None, seed: int) -> tuple[str, str]:
    """Write `shots` rows of each class to one file and `rows` of the others (all when None) to a second."""
    with open(source, encoding="utf-8", newline="") as file:
        found = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    random.Random(seed).shuffle(found)
    parts: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    seen: dict[str, int] = {}
    for text, label in found:
        seen[label] = seen.get(label, 0) + 1
        parts[seen[label] > shots].append((text, label))
    paths = []
    for name, part in (("train", parts[0]), ("test", parts[1][:rows])):
        paths.append(str(folder / f"{name}.csv"))
        with open(paths[-1], "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "category"), *part])
    return paths[0], paths[1]


def key(name: str, args: argparse.Namespace, settings: dict[str, Any]) -> str:
    files = [args.data, *([RECIPE, *measure.SOURCES] if name in ("burnish", "setfit_short") else [])]
    return measure.key(*files, shots=args.shots, rows=args.rows, model=args.model, **settings)


def short(runs: Runs, args: argparse.Namespace) -> int:
    """SetFit's num_iterations that take no less than burnish's time, by the seeds that both ran."""
    keys = {"burnish": key("burnish", args, {}), "setfit": key("setfit", args, {"iterations": args.iterations})}
    of = {name: {s: run for s, run in runs.get(name, {}).items() if run["of"] == keys[name]} for name in keys}
    shares = [own / full for own, full in paired(of, "burnish", "setfit", "train_seconds")]
    if not shares:
        raise SystemExit("setfit_short is sized by a run of burnish and one of setfit; add both to --peers")
    return max(1, ceil(args.iterations * median(shares)))


def paired(runs: Runs, one: str, other: str, value: str) -> list[tuple[float, float]]:
    """A value of two learners on the seeds that both have."""
    first, second = runs.get(one, {}), runs.get(other, {})
    return [(first[seed][value], second[seed][value]) for seed in first if seed in second]


def ratios(runs: Runs) -> dict[str, float]:
    """Gains in points of accuracy (means over the seeds) and ratios of time (medians; below 1 burnish is faster)."""
    found: dict[str, float] = {}
    for name in ("setfit", "setfit_short", "frozen", "linear"):
        pairs = paired(runs, "burnish", name, "accuracy")
        if pairs:
            found[f"accuracy_points_over_{name}"] = 100 * mean(own - other for own, other in pairs)
            found[f"seeds_won_over_{name}"] = mean(float(own > other) for own, other in pairs)
            times = paired(runs, "burnish", name, "train_seconds")
            found[f"time_vs_{name}"] = median(own / other for own, other in times)
            memory = paired(runs, "burnish", name, "peak_mb")
            found[f"memory_vs_{name}"] = median(own / other for own, other in memory)
    return found


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", default=str(measure.DATA / "intents.csv"), help="CSV with the columns text, category")
    parser.add_argument("--shots", type=int, help="examples a class; 4 with --quick, else 8")
    parser.add_argument("--seeds", type=int, nargs="+", help="0 with --quick, else 0 to 9")
    parser.add_argument("--rows", type=int, help="rows to measure on; 200 with --quick, else 2,000")
    parser.add_argument("--iterations", type=int, help="SetFit's num_iterations; 3 with --quick, else 20")
    parser.add_argument("--model", help="encoder folder; the bundled minilm when unset")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    args = parser.parse_args()
    args.shots = args.shots or (4 if args.quick else 8)
    args.rows = args.rows or (200 if args.quick else 2000)
    args.iterations = args.iterations or (3 if args.quick else 20)
    args.model = args.model or measure.bundled()
    pythons = {name: interpreter(NEEDS.get(name, "setfit")) for name in args.peers}

    runs: Runs = measure.kept(args.json, "runs", {})
    asked: Runs = {}
    for seed in args.seeds if args.seeds is not None else [0] if args.quick else range(10):
        print(f"seed {seed}: {args.shots} rows a class", flush=True)
        with tempfile.TemporaryDirectory() as name:
            train, test = draw(args.data, Path(name), args.shots, args.rows, seed)
            for peer in (p for p in PEERS if p in args.peers):
                done = runs.setdefault(peer, {})
                settings: dict[str, Any] = {}
                if peer == "setfit":
                    settings["iterations"] = args.iterations
                elif peer == "setfit_short":  # what it is sized by moves a little with each seed
                    known = {"iterations": done.get(str(seed), {}).get("iterations")}
                    same = done.get(str(seed), {}).get("of") == key(peer, args, known)
                    settings = known if same else {"iterations": short(runs, args)}
                of = key(peer, args, settings)
                if done.get(str(seed), {}).get("of") != of:
                    given = {"train": train, "test": test, "model": args.model, "seed": seed, "out": f"{name}/{peer}"}
                    child = measure.run([pythons[peer], "bench/fewshot_peers.py", peer, json.dumps(given | settings)])
                    figures = {**child.result, "wall_seconds": child.seconds, "peak_mb": child.peak_mb}
                    print("  " + peer.ljust(14) + "  ".join(f"{k} {v:,.3f}" for k, v in figures.items()), flush=True)
                    done[str(seed)] = {**figures, **settings, "of": of}
                    measure.keep(args.json, {"runs": runs})
                asked.setdefault(peer, {})[str(seed)] = done[str(seed)]

    columns = ["accuracy", "train_seconds", "wall_seconds", "peak_mb"]
    lines = [
        [peer, len(asked[peer]), *(mean(run[column] for run in asked[peer].values()) for column in columns)]
        for peer in PEERS
        if peer in asked
    ]
    measure.table(["mean", "seeds", *columns], lines)
    measure.finish(args, ratios(asked), {"runs": runs, "shots": args.shots, "rows": args.rows})


if __name__ == "__main__":
    main()
