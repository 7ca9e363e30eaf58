"""A compressed model of files against the tuned one: through the network alone, and from files to answers.

Both forms in one process, with the same batches and as many threads, in turns; the ratios are medians over the turns.
Reading a file costs the same in both, so that it is what a faster network leaves.

  python bench/forms.py --model runs/cifar --data datasets/cifar10_subset/train
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import measure


def child(given: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Rows a second of each turn, by the way and by the form."""
    from burnish.engine import Engine, predictions

    engines = {name: Engine.open(given["model"], name) for name in ("torch", given["variant"])}
    rows = [engines["torch"].row(file) for file in given["files"]]
    features = {name: engine.encode(rows).kept() for name, engine in engines.items()}
    ways: dict[str, Callable[[str, Engine], object]] = {
        "network": lambda name, engine: list(predictions(engine.runtime, engine.task, features[name], rows, pad_id=0)),
        "from files": lambda _, engine: engine.predict_rows(rows),
    }
    found: dict[str, dict[str, list[float]]] = {way: {name: [] for name in engines} for way in ways}
    for _ in range(given["turns"] + 1):  # the first is a warm-up
        for way, call in ways.items():
            for name, engine in engines.items():
                started = time.perf_counter()
                call(name, engine)
                found[way][name].append(len(rows) / (time.perf_counter() - started))
    return {way: {name: speeds[1:] for name, speeds in by.items()} for way, by in found.items()}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", help="model folder for images or sounds")
    parser.add_argument("--variant", default="throughput", help="form beside the tuned one")
    parser.add_argument("--data", type=Path, help="folder of files, with or without folders in it")
    parser.add_argument("--rows", type=int, help="files; 200 with --quick, else 2,000")
    parser.add_argument("--turns", type=int, help="2 with --quick, else 7")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    if not args.model or not args.data:
        parser.error("--model and --data are missing")
    files = sorted(str(file.resolve()) for file in args.data.rglob("*") if file.is_file())
    random.Random(0).shuffle(files)
    files = files[: args.rows or (200 if args.quick else 2000)]
    turns = args.turns or (2 if args.quick else 7)
    given = {"model": str(Path(args.model).resolve()), "variant": args.variant, "files": files, "turns": turns}
    found = measure.ask(__file__, given)
    forms = ["torch", args.variant]
    measure.table(
        ["rows a second", *forms],
        [[way, *(median(found[way][name]) for name in forms)] for way in found],
    )
    ratios = {
        f"{way.replace(' ', '_')}_speedup": median(
            fast / slow for slow, fast in zip(by["torch"], by[args.variant], strict=True)
        )
        for way, by in found.items()
    }
    measure.finish(args, ratios, {"files": len(files), "speeds": found})


if __name__ == "__main__":
    main()
