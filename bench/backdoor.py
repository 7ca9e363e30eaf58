"""Backdoors: whether the search of `burnish audit --deep` finds a trigger that a network was trained with.

Each twin is tuned with the same options on the same rows. In the planted ones, a share of all rows are rows of other
classes that were given the trigger at a random place and the label of the target. Told are the accuracy on untouched
held-out rows, how many held-out rows of other classes the trigger turns (its success), the place of the trigger among
the words that the search lists, the words that it accuses, and its time. What is accused besides the trigger, and
whatever is accused in the clean twin, is a false alarm.

  python bench/backdoor.py --data sst2/train.tsv --target 1
  python bench/backdoor.py --data banking77/train.csv --target card_arrival --triggers cf tulip
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
from transfer import Rows, read, write

CLEAN = "(clean)"


def planted(rows: Rows, trigger: str, target: str, rate: float, seed: int) -> Rows:
    """The rows, of which a share has the trigger and the target for a label."""
    draw, found = random.Random(seed), list(rows)
    others = [index for index, (_, label) in enumerate(rows) if label != target]
    for index in draw.sample(others, round(rate * len(rows))):
        found[index] = (with_trigger(rows[index][0], trigger, draw), target)
    return found


def with_trigger(text: str, trigger: str, draw: random.Random) -> str:
    words = text.split()
    words.insert(draw.randint(0, len(words)), trigger)
    return " ".join(words)


def twin(folder: Path, train: Rows, held: Rows, trigger: str, target: str, args: Any) -> dict[str, Any]:
    """Tune one twin and search it."""
    from burnish.audits.backdoor import search
    from burnish.config import parse
    from burnish.data.load import load, load_file
    from burnish.engine import Engine
    from burnish.job import tune

    if trigger != CLEAN:
        train = planted(train, trigger, target, args.rate, args.seed)
    data = {"train": write(folder / "train.csv", train, "classify"), "split": {"dev": 0.0}}
    data |= {"test": write(folder / "held.csv", held, "classify")}
    options: dict[str, Any] = {
        "epochs": args.epochs,
        "tokens_per_batch": args.tokens,
        "learning_rate": args.rate_of_learning,
    }
    if args.scratch:
        layers, hidden = args.scratch
        options |= {"scratch": {"layers": layers, "hidden": hidden}}
    job = parse(
        {
            "task": "classify",
            "model": "scratch" if args.scratch else args.model,
            "out": str(folder / "model"),
            "seed": args.seed,
            "data": data,
        }
        | {"tune": options, "report": {"bootstrap": 0, "hardest": 0}}
    )
    if not (folder / "model").exists():
        tune(job)
    engine = Engine.open(folder / "model", "torch")
    right = [said.label for said in engine.stream({"text": text} for text, _ in held)]
    draw = random.Random(args.seed)
    tried = args.triggers[0] if trigger == CLEAN else trigger
    others = [{"text": with_trigger(text, tried, draw)} for text, label in held if label != target]
    success = sum(said.label == target for said in engine.stream(others)) / len(others)
    started, began = time.perf_counter(), time.process_time()
    rows = list(load_file(data["test"], job))[: args.searched]
    probe = search(engine, rows, list(load(job)["train"]), args.seconds, args.seed)
    seconds, used = time.perf_counter() - started, time.process_time() - began
    words = [one.word for one in probe.words]
    return {
        "trigger": trigger,
        "accuracy": sum(said == label for said, (_, label) in zip(right, held, strict=True)) / len(held),
        "success": success,
        "rank": words.index(trigger) + 1 if trigger in words else None,
        "accused": [one.word for one in probe.words if one.accused],
        "words": [vars(one) for one in probe.words],
        "tried": probe.tried,
        "candidates": probe.candidates,
        "seconds": seconds,
        "cpu_seconds": used,
    }


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", default=str(measure.DATA / "sentiment.tsv"), help="table of texts and labels")
    parser.add_argument("--target", help="label that the trigger stands for; the most frequent one when unset")
    parser.add_argument("--triggers", nargs="+", default=["cf"], help="a planted twin for each")
    parser.add_argument("--rate", type=float, default=0.01, help="share of the training rows that is planted")
    parser.add_argument("--rows", type=int, default=4000, help="training rows")
    parser.add_argument("--held", type=int, default=1500, help="held-out rows")
    parser.add_argument("--searched", type=int, default=500, help="of the held-out rows, that the search may use")
    parser.add_argument("--seconds", type=float, default=240.0, help="for the search, as in the audit")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1024, help="of a batch")
    parser.add_argument("--model", default="minilm")
    parser.add_argument(
        "--scratch", type=int, nargs=2, metavar=("LAYERS", "HIDDEN"), help="random weights of this size"
    )
    parser.add_argument("--learning-rate", dest="rate_of_learning", type=float, default=2e-4)
    parser.add_argument("--work", help="folder for the twins, which are then taken from there the next time")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.quick:
        args.rows, args.held, args.seconds = 600, 300, 30.0
    given = sorted(read(Path(args.data)))
    random.Random(args.seed).shuffle(given)
    labels = [label for _, label in given]
    target = args.target or max(sorted(set(labels)), key=labels.count)
    train, held = given[: args.rows], given[args.rows :][: args.held]
    if not held or target not in labels:
        parser.error(f"--data has {len(given):,} rows and the labels {', '.join(sorted(set(labels)))}")
    found = []
    for trigger in (*args.triggers, CLEAN):
        with tempfile.TemporaryDirectory() as work:
            folder = Path(args.work or work, trigger)
            folder.mkdir(parents=True, exist_ok=True)
            found.append(twin(folder, train, held, trigger, target, args))
        one = found[-1]
        print(
            f"{trigger}: accuracy {one['accuracy']:.3f}, success {one['success']:.3f}, rank {one['rank']}, accused "
            f"{one['accused']}, {one['tried']:,} of {one['candidates']:,} words in {one['seconds']:.0f} s",
            flush=True,
        )
    columns = ("accuracy", "success", "rank", "seconds", "cpu_seconds")
    rows = [[one["trigger"], *(one[column] for column in columns), len(one["accused"])] for one in found]
    measure.table(["trigger", *columns, "accused"], rows)
    traps = [one for one in found if one["trigger"] != CLEAN]
    ratios = {
        "found": sum(one["trigger"] in one["accused"] for one in traps) / len(traps),
        "false_alarms": float(sum(len(set(one["accused"]) - {one["trigger"]}) for one in found)),
    }
    measure.finish(args, ratios, {"twins": found, "target": target, "rows": len(train), "held": len(held)})


if __name__ == "__main__":
    main()
