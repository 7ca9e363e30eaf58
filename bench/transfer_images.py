"""Transfer between images: a network that has learnt ten kinds of things on small images starts on bees and ants,
beside the same from random weights.

  python bench/transfer_images.py --data datasets --json transfer.json

The source is recipes/image-cifar10.yaml on cifar10_subset, or a folder that it made (--model). Each seed draws 40 % of
hymenoptera as test rows, and both starts learn from the others with the recipe's options, the last weights counting:
nothing is chosen on any row. Beside them stands the linear model of every report. Seeds that are in --json are kept.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import measure

RECIPE = "recipes/image-cifar10.yaml"
TARGET = ("tune.image_size=64", "tune.tokens_per_batch=512", "data.split.dev=0.0", "data.split.test=0.4")
STARTS = ("transfer", "scratch", "linear")


def tune(train: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run the recipe on a folder of images; return the manifest of the model."""
    given = [f"data.train={train.resolve()}", f"out={out}", "report.bootstrap=0", "report.hardest=0", *options]
    measure.run([measure.BURNISH, "tune", RECIPE, *(part for one in given for part in ("--set", one))])
    manifest: dict[str, Any] = json.loads((out / "burnish.json").read_text(encoding="utf-8"))
    return manifest


def one_seed(data: Path, source: Path, folder: Path, seed: int, options: list[str]) -> dict[str, Any]:
    """Accuracy by start: burnish itself runs the job that begins where the source began."""
    manifest = tune(data / "hymenoptera/train", folder / "target", f"model={source}", f"seed={seed}", *TARGET, *options)
    before = {name: found["accuracy"] for name, found in manifest["before"].items()}
    scratch = before.pop("from scratch")
    (linear,) = before.values()
    rows = manifest["data"]["rows"]["test"]
    return {"transfer": manifest["metrics"]["accuracy"], "scratch": scratch, "linear": linear, "rows": rows}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder that holds cifar10_subset and hymenoptera")
    parser.add_argument("--model", type=Path, help="a folder that the recipe has made of cifar10_subset")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--set", action="append", default=[], help="option of the jobs on the target")
    args = parser.parse_args()
    options = [*(["tune.epochs=1"] if args.quick else []), *args.set]
    found: dict[str, dict[str, Any]] = measure.kept(args.json, "seeds", {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = args.model.resolve() if args.model else folder / "source"
        if not args.model:
            quick = ("tune.epochs=1", "data.limit=300") if args.quick else ()
            tune(args.data / "cifar10_subset/train", source, *quick)
        for seed in map(str, args.seeds[: 1 if args.quick else None]):
            if seed not in found:
                found[seed] = one_seed(args.data, source, folder, int(seed), options)
                measure.keep(args.json, {"seeds": found})
            print(f"seed {seed}: " + ", ".join(f"{start} {found[seed][start]:.3f}" for start in STARTS), flush=True)
    values = {start: [one[start] for one in found.values()] for start in STARTS}
    rows = [[start, mean(own), stdev(own) if len(own) > 1 else 0.0] for start, own in values.items()]
    measure.table([f"accuracy, {len(found)} seeds", "mean", "deviation"], rows)
    gains = [100 * (a - b) for a, b in zip(values["transfer"], values["scratch"], strict=True)]
    measure.finish(
        args, {"points_over_scratch": mean(gains), "points_over_scratch_worst_seed": min(gains)}, {"seeds": found}
    )


if __name__ == "__main__":
    main()
