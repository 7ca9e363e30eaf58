"""`burnish batch` against the engine alone: rows a second in turns, and peak memory on few and on many rows.

Both get the same rows and the same form of the model, in one process, one after the other; engine_share is the median
over the turns of how fast batch is, with reading and writing, as a share of the engine on rows that are in memory.
Opening the model is in neither time. Memory is measured on a small network, in processes of their own: it must not grow
with the rows.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure

FORMATS = ("csv", "tsv", "jsonl", "parquet")


def write_rows(path: Path, texts: list[str], rows: int) -> None:
    """Write rows of known texts in CSV, each with something of its own."""
    choose = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f"{choose.choice(texts)} {number}"] for number in range(rows))


def tuned(work: Path) -> str:
    recipe, model = str(measure.ROOT / "recipes" / "demo.yaml"), str(work / "model")
    measure.run([measure.BURNISH, "tune", recipe, "--set", f"out={model}", "--set", "tune.epochs=1"])
    return model


def small(work: Path) -> str:
    """A network that takes little time and memory itself."""
    job, model = work / "small.yaml", str(work / "small")
    data = {"train": str(measure.DATA / "intents.csv"), "columns": {"text": "text", "label": "category"}}
    tune = {"epochs": 1, "max_tokens": 32, "scratch": {"layers": 1, "hidden": 32, "heads": 2, "vocabulary": 1000}}
    made = {
        "task": "classify",
        "data": data,
        "model": "scratch",
        "out": model,
        "tune": tune,
        "report": {"bootstrap": 20},
    }
    job.write_text(json.dumps(made), encoding="utf-8")
    measure.run([measure.BURNISH, "tune", str(job)])
    return model


def in_turns(given: dict[str, Any]) -> dict[str, list[float]]:
    """Rows a second of each turn; runs in a child, as it imports torch."""
    from burnish.batch import batch
    from burnish.engine import Engine

    engine = Engine.open(given["model"], given["variant"])
    with open(given["source"], encoding="utf-8", newline="") as file:
        rows = [engine.task.row(cells["text"]) for cells in csv.DictReader(file)]
    found: dict[str, list[float]] = {"engine": [], "batch": []}
    for _ in range(given["turns"]):
        start = time.perf_counter()
        engine.predict_rows(rows)
        found["engine"].append(len(rows) / (time.perf_counter() - start))
        report = batch(given["model"], given["source"], given["out"], given["variant"], force=True)
        found["batch"].append(report.rows_per_second)
    return found


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", help="a model folder for texts; the demo, tuned on the spot, when unset")
    parser.add_argument("--variant", default="torch", help="form of the model")
    parser.add_argument("--to", choices=FORMATS, default="jsonl", help="format of the output")
    parser.add_argument("--rows", type=int, help="rows of a turn; 500 with --quick, else 20,000")
    parser.add_argument("--turns", type=int, help="2 with --quick, else 5")
    parser.add_argument("--few", type=int, help="rows; 10,000 with --quick, else 20,000")
    parser.add_argument("--many", type=int, help="rows; 40,000 with --quick, else 1,000,000; 0 leaves memory out")
    args = parser.parse_args()
    rows = args.rows or (500 if args.quick else 20_000)
    many = (40_000 if args.quick else 1_000_000) if args.many is None else args.many
    sizes = {"few": args.few or (10_000 if args.quick else 20_000), "many": many} if many else {}

    with open(measure.DATA / "intents.csv", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def files(kind: str, count: int) -> tuple[str, str]:
            source, out = folder / f"{kind}.csv", folder / f"{kind}.out.{args.to}"
            write_rows(source, texts, count)
            return str(source), str(out)

        model = str(Path(args.model).resolve()) if args.model else tuned(folder)
        source, out = files("turns", rows)
        given = {"model": model, "variant": args.variant, "source": source, "out": out}
        given |= {"turns": args.turns or (2 if args.quick else 5)}
        path = {"PYTHONPATH": str(measure.ROOT)}
        speeds = measure.run([sys.executable, "bench/batch.py", "child", json.dumps(given)], path).result
        shares = [ours / engine for ours, engine in zip(speeds["batch"], speeds["engine"], strict=True)]
        measure.table(["turn", "engine rows/s", "batch rows/s", "share"], [
            [n, *turn] for n, turn in enumerate(zip(speeds["engine"], speeds["batch"], shares, strict=True), 1)
        ])  # fmt: skip
        ratios = {"engine_share": median(shares)}
        model = small(folder) if sizes else ""
        peaks = {
            size: measure.run([measure.BURNISH, "batch", model, *files(size, count), "--variant", "torch"]).peak_mb
            for size, count in sizes.items()
        }
        if peaks:
            ratios |= {"peak_mb": peaks["many"], "extra_mb": peaks["many"] - peaks["few"]}
    measure.finish(args, ratios, {"speeds": speeds, "peaks_mb": peaks, "rows": sizes | {"turn": rows}})


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        given = json.loads(sys.argv[2])
        print(json.dumps(in_turns(given)))
    else:
        main()
