"""A head on an encoder at rest: epochs on vectors that were made once against epochs that ask the encoder every time.

  python bench/frozen.py --data datasets/banking77_en/train.csv --label category

The same job twice in alternating turns, each in a process of its own: same rows, batches, seed and steps, dropout off.
Reported are the seconds of all steps together, the making of the vectors being told apart, and the largest difference
between probabilities of the two models on 200 rows.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure


def child(given: dict[str, Any]) -> dict[str, float]:
    import torch

    from burnish import job as flow
    from burnish.config import parse
    from burnish.data.load import load_file
    from burnish.engine import Engine
    from burnish.training import fit

    making = [0.0]
    original = fit.vectors

    def vectors(*some: Any) -> Any:
        started = time.perf_counter()
        found = original(*some)
        making[0] += time.perf_counter() - started
        return found

    fit.vectors = vectors
    if not given["kept"]:
        fit.rests = lambda *_: False
    torch.set_num_threads(2)
    artifact = flow.tune(parse(given["job"])).artifact
    events = [json.loads(line) for line in (artifact.folder / "events.jsonl").read_text().splitlines()]
    steps = [event["seconds"] for event in events if event["event"] == "step"]
    texts = [row["text"] for row in load_file(given["job"]["data"]["train"], parse(given["job"]))][:200]
    said = [list(one.probabilities.values()) for one in Engine.open(artifact.folder).predict(texts)]
    return {"seconds": steps[-1], "making": making[0], "said": said}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", help="CSV of texts and labels")
    parser.add_argument("--label", default="label", help="its column of the labels")
    parser.add_argument("--rows", type=int, default=3000, help="rows that are read")
    parser.add_argument("--epochs", type=int, default=3, help="passes over them")
    parser.add_argument("--rounds", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    if not args.data:
        parser.error("--data is missing")
    times: dict[str, list[float]] = {"kept": [], "every": []}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(args.rounds or (1 if args.quick else 3)):
            for name in times:
                job = {
                    "task": "classify",
                    "out": f"{folder}/{name}{turn}",
                    "data": {
                        "train": args.data,
                        "columns": {"label": args.label},
                        "limit": 600 if args.quick else args.rows,
                        "split": {"dev": 0.0},
                    },
                    "tune": {"freeze": "head", "epochs": args.epochs, "dropout": 0.0, "precision": "fp32"},
                    "report": {"bootstrap": 0},
                }
                found[name] = measure.ask(__file__, {"job": job, "kept": name == "kept"})
                times[name].append(found[name]["seconds"])
                print(f"  {name:6} {times[name][-1]:8.2f} s, vectors {found[name]['making']:.2f} s", flush=True)
    pairs = zip(found["kept"]["said"], found["every"]["said"], strict=True)
    apart = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    ratios = {"epochs_vs_recomputed": median(b / a for a, b in zip(times["kept"], times["every"], strict=True))}
    measure.finish(args, ratios, {"seconds": times, "largest_difference": apart})
    print(f"largest difference of a probability, 200 rows: {apart:.2e}")


if __name__ == "__main__":
    main()
