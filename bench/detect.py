"""Blood cells found in the images of bccd_detection: mean average precision of a small detector that starts from random
weights, beside the sliding window that stands in every report.

The job is recipes/detect-bccd.yaml: it learns from rows of train.txt, chooses its best epoch on a tenth of them that it
does not learn from, and measures once on val.txt. --model takes a finished folder in place of training one.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import measure

RECIPE = "recipes/detect-bccd.yaml"
QUICK = ("tune.epochs=1", "data.limit=24")
LISTS = "bccd_detection/ImageSets/Main"


def tuned(data: Path, out: Path, options: list[str]) -> float:
    """Run the recipe; return its wall seconds."""
    lists = (data / LISTS).resolve()
    given = [f"data.train={lists / 'train.txt'}", f"data.test={lists / 'val.txt'}", f"out={out}", *options]
    return measure.run([measure.BURNISH, "tune", RECIPE, *(part for one in given for part in ("--set", one))]).seconds


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", required=True, help="folder that holds bccd_detection")
    parser.add_argument("--model", help="a folder that the recipe has made")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = Path(args.model or Path(name, "model")).resolve()
        wall = None if args.model else tuned(Path(args.data), model, [*(QUICK if args.quick else ()), *args.set])
        manifest: dict[str, Any] = json.loads((model / "burnish.json").read_text(encoding="utf-8"))
    ((name, before),) = manifest["before"].items()
    found = {"detector": manifest["metrics"], name: before}
    measure.table(["model", *manifest["metrics"]], [[who, *of.values()] for who, of in found.items()])
    ratios = {"map_50": manifest["metrics"]["map_50"], "map_50_window": before["map_50"]}
    times = {"train_seconds": manifest["training"]["seconds"], "wall_seconds": wall}
    measure.finish(args, ratios, {"metrics": found, "rows": manifest["data"]["rows"], **times})


if __name__ == "__main__":
    main()
