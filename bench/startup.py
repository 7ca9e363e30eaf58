"""Wall time of `burnish --help` and of `burnish predict` on one line, each from a new process, files in the cache."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median

import measure

LIMITS = {"help": 0.5, "predict": 3.0}


def small_model(folder: Path) -> str:
    """Tune a model of the bundled size on a few demo rows; its quality does not matter here."""
    job = {
        "task": "classify",
        "data": {"train": str(measure.DATA / "sentiment.tsv"), "limit": 60},
        "model": "minilm",
        "out": str(folder / "model"),
        "tune": {"epochs": 1},
        "report": {"bootstrap": 20},
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    measure.run([measure.BURNISH, "tune", str(folder / "job.yaml")])
    return str(folder / "model")


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", help="a tuned model; without it one is trained on a few rows first")
    parser.add_argument("--repeats", type=int, help="3 with --quick, else 9")
    args = parser.parse_args()
    repeats = args.repeats or (3 if args.quick else 9)

    with tempfile.TemporaryDirectory() as folder:
        model = args.model or small_model(Path(folder))
        commands = {
            "help": [measure.BURNISH, "--help"],
            "predict": [measure.BURNISH, "predict", model, "A warm and funny film."],
        }
        for command in commands.values():
            measure.run(command)  # fills the file cache
        runs: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                runs[name].append(measure.run(command).seconds)

    middle = {name: median(seconds) for name, seconds in runs.items()}
    measure.table(["median of " + str(repeats), "seconds", "limit"], [[n, s, LIMITS[n]] for n, s in middle.items()])
    measure.finish(args, {f"{n}_vs_limit": s / LIMITS[n] for n, s in middle.items()}, {"seconds": middle, "runs": runs})


if __name__ == "__main__":
    main()
