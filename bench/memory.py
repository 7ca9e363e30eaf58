"""Peak memory of `burnish check` and `burnish tune` on few and on many rows of text: it must not grow with the rows."""

from __future__ import annotations

import csv
import json
import random
import tempfile
from pathlib import Path

import measure

MODEL = {"layers": 1, "hidden": 32, "heads": 2, "vocabulary": 1000}


def write_rows(path: Path, rows: int) -> None:
    """Write rows of different text, put together from the words of the demo intents."""
    with open(measure.DATA / "intents.csv", encoding="utf-8", newline="") as file:
        known = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    choose = random.Random(0)
    words = sorted({word for text, _ in known for word in text.split()})
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "category"])
        for _ in range(rows):
            text, category = choose.choice(known)
            writer.writerow([f"{text} {' '.join(choose.choices(words, k=8))}", category])


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--few", type=int, help="rows; 2,000 with --quick, else 10,000")
    parser.add_argument("--many", type=int, help="rows; 10,000 with --quick, else 200,000")
    args = parser.parse_args()
    sizes = {
        "few": args.few or (2_000 if args.quick else 10_000),
        "many": args.many or (10_000 if args.quick else 200_000),
    }

    peaks: dict[str, dict[str, float]] = {"check": {}, "tune": {}}
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size, rows in sizes.items():
            write_rows(folder / f"{size}.csv", rows)
            job = folder / f"{size}.yaml"
            job.write_text(
                json.dumps(
                    {
                        "task": "classify",
                        "data": {
                            "train": str(folder / f"{size}.csv"),
                            "columns": {"text": "text", "label": "category"},
                        },
                        "model": "scratch",
                        "out": str(folder / size),
                        "tune": {"epochs": 1, "max_tokens": 32, "scratch": MODEL},
                        "report": {"bootstrap": 20},
                    }
                ),
                encoding="utf-8",
            )
            for verb in peaks:
                child = measure.run([measure.BURNISH, verb, str(job)])
                peaks[verb][size] = child.peak_mb
                lines.append([f"{verb} {rows:,} rows", child.peak_mb, child.seconds])
                print(f"{verb} {rows:,} rows: {child.peak_mb:,.0f} MB, {child.seconds:.1f} s", flush=True)

    measure.table(["run", "peak MB", "seconds"], lines)
    ratios = {f"{verb}_extra_mb": peak["many"] - peak["few"] for verb, peak in peaks.items()}
    ratios |= {f"{verb}_ratio": peak["many"] / peak["few"] for verb, peak in peaks.items()}
    measure.finish(args, ratios, {"peaks_mb": peaks, "rows": sizes})


if __name__ == "__main__":
    main()
