"""Transfer: a few target rows tuned from a model that was first tuned on another task, against the base model itself.

Half of the target's texts, the same half in every run, are held out for the measurement; `--rows` are drawn from the
other half by each seed. Both starts get the same rows, options and seed. `--choose` measures on what is left of the
other half instead, so that options are never chosen on the rows that are reported.

Names in social media after names in the news, and PhraseBank after tweets of finance:
  python bench/transfer.py --source eng.train --target wnut17train.conll
  python bench/transfer.py --source sent_train.csv --target Sentences_50Agree.txt
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import sys
import tempfile
import zlib
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import conll
import measure

Rows = list[tuple[str, str]]
TEXTS, LABELS = ("text", "sentence"), ("label", "category", "score")
TABLES = (".csv", ".tsv", ".txt")
METRICS = {"classify": ("accuracy", "macro_f1"), "tag": ("f1", "token_macro_f1")}


def task_of(path: str | Path) -> str:
    return "classify" if Path(path).suffix in TABLES else "tag"


def read(path: Path) -> Rows:
    """Texts with their labels, each text once: a table with a header, lines of `sentence@label` in Latin-1, or a CoNLL
    file, whose labels are one tag a word."""
    found: dict[str, str] = {}
    if task_of(path) == "tag":
        for words, tags in conll.read(path):
            found.setdefault(" ".join(words), " ".join(tags))
        return list(found.items())
    if path.suffix == ".txt":
        for line in path.read_text("latin-1").splitlines():
            text, _, label = line.rpartition("@")
            found.setdefault(text.strip(), label)
        return list(found.items())
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","):
            text = next(row[name] for name in TEXTS if name in row)
            found.setdefault(text.strip(), next(row[name] for name in LABELS if name in row))
    return list(found.items())


def write(path: Path, rows: Rows, task: str) -> str:
    """The rows in a file that burnish reads; returns its path."""
    if task == "tag":
        path = path.with_suffix(".conll")
        pairs = ((text.split(" "), tags.split(" ")) for text, tags in rows)
        blocks = ("\n".join(f"{w}\t{t}" for w, t in zip(*pair, strict=True)) for pair in pairs)
        path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        return str(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def plain(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


def tune(
    folder: Path, name: str, task: str, model: str, data: dict[str, Any], seed: int, options: dict[str, Any]
) -> Path:
    """One job in a process of its own; returns the model folder."""
    out = folder / name
    job = {"task": task, "model": model, "seed": seed, "out": str(out), "data": data, "tune": options}
    job["report"] = {"bootstrap": 0, "hardest": 0}
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    measure.run([measure.BURNISH, "tune", str(folder / "job.yaml")])
    return out


def one_seed(folder: Path, source: Path, pool: Rows, held: Rows, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Metrics by start: burnish runs the base model's job by itself and keeps both in the manifest."""
    drawn = random.Random(seed).sample(pool, args.rows)
    rest = [row for row in pool if row not in set(drawn)] if args.choose else held
    task = task_of(args.target)
    data = {
        "train": write(folder / "train.csv", drawn, task),
        "test": write(folder / "test.csv", rest, task),
        "split": {"dev": 0.0},
    }
    options = {"epochs": args.epochs, "learning_rate": args.learning_rate}
    out = tune(folder, "target", task, str(source), data, seed, options)
    manifest = json.loads((out / "burnish.json").read_text(encoding="utf-8"))
    base = next((value for name, value in manifest["before"].items() if name.startswith("from ")), None)
    baseline = next((value for name, value in manifest["before"].items() if not name.startswith("from ")), None)
    if base is None or baseline is None:
        sys.exit("the base model was not run; the report in the model folder says why")
    result = {"baseline": baseline, "base": base, "transfer": manifest["metrics"]}
    metric = METRICS[task][0]
    shown = "  ".join(f"{name} {metrics[metric]:.4f}" for name, metrics in result.items())
    print(f"seed {seed}: {metric} on {len(rest):,} rows: {shown}", flush=True)
    return result


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--source", default=str(measure.DATA / "sentiment.tsv"), help="rows of the source task")
    parser.add_argument("--source-model", help="a model tuned on the source task before; else one is tuned")
    parser.add_argument("--target", default=str(measure.DATA / "graded.csv"), help="rows of the target task")
    parser.add_argument(
        "--rows", type=int, help="target rows to tune on; 60 with --quick, else 500, or half of what there is if less"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="0 with --quick, else 0 to 4")
    parser.add_argument("--source-epochs", type=int, default=2)
    parser.add_argument("--source-rate", type=float, default=2e-4, help="learning rate on the source")
    parser.add_argument("--epochs", type=int, default=5, help="on the target")
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="on the target, for both starts")
    parser.add_argument("--choose", action="store_true", help="measure on rows that the report does not use")
    args = parser.parse_args()
    seeds = args.seeds or ([0] if args.quick else [0, 1, 2, 3, 4])

    target = read(Path(args.target))
    sides: tuple[Rows, Rows] = ([], [])
    for row in sorted(target):
        sides[zlib.crc32(row[0].encode()) % 2].append(row)
    held, pool = sides
    args.rows = args.rows or min(60 if args.quick else 500, len(pool) // 2)
    if len(pool) <= args.rows:
        parser.error(f"--rows {args.rows}: half of the target has {len(pool)} rows")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Path(args.source_model) if args.source_model else folder / "source"
        if not args.source_model:
            known = {plain(text) for text, _ in target}
            rows = [row for row in read(Path(args.source)) if plain(row[0]) not in known][: 200 if args.quick else None]
            print(f"source: {len(rows):,} rows that the target does not hold; {args.source_epochs} epochs", flush=True)
            data = {"train": write(folder / "source.csv", rows, task_of(args.source))}
            options = {"epochs": args.source_epochs, "learning_rate": args.source_rate}
            tune(folder, "source", task_of(args.source), "minilm", data, 0, options)
        runs = [one_seed(folder, source, pool, held, seed, args) for seed in seeds]

    lines, ratios = [], {}
    for metric in METRICS[task_of(args.target)]:
        for start in ("baseline", "base", "transfer"):
            values = [run[start][metric] for run in runs]
            lines.append([f"{metric}, {start}", mean(values), stdev(values) if len(values) > 1 else 0.0])
        gains = [100 * (run["transfer"][metric] - run["base"][metric]) for run in runs]
        ratios[f"{metric}_points_over_base"] = mean(gains)
        ratios[f"{metric}_points_over_base_worst_seed"] = min(gains)
        ratios[f"{metric}_points_over_baseline"] = mean(
            100 * (run["transfer"][metric] - run["baseline"][metric]) for run in runs
        )
    measure.table([f"{len(runs)} seeds, {args.rows} rows", "mean", "deviation"], lines)
    measure.finish(args, ratios, {"runs": dict(zip(map(str, seeds), runs, strict=True)), "held_out": len(held)})


if __name__ == "__main__":
    main()
