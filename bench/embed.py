"""Embeddings against words in common and against the model as it was, over seeds.

  python bench/embed.py --faq datasets/ecommerce_faq_en --banking datasets/banking77_en \\
      --fashion datasets/fashion_products_image_text

`faq`: question -> answer, 30 % of the pairs for test. `banking`: request -> name of its intent, 10 rows of each intent
for training and 10 for test. `fashion`: title -> photograph, of 1,500 products with 375 for test. Each seed draws its
own rows; epochs are chosen on dev rows, a fifth of those for training. Each figure is over the candidates of the test
rows alone: all distinct other sides.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import measure

METRICS = ("mrr", "forward_recall@1", "forward_recall@10", "back_recall@1", "back_recall@10")
EACH = 10  # rows of an intent for training, and as many for test
PRODUCTS = 1500


def faq(given: Path, chance: random.Random) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    (path,) = given.glob("*.json")
    rows = json.loads(path.read_text(encoding="utf-8"))["questions"]
    pairs = [{"text": row["question"], "other": row["answer"]} for row in rows]
    chance.shuffle(pairs)
    cut = round(0.3 * len(pairs))
    return pairs[cut:], pairs[:cut]


def banking(given: Path, chance: random.Random) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    with (given / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chance.shuffle(rows)
    by: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        pair = {"text": row["text"], "other": row["category"].replace("_", " ")}
        by.setdefault(row["category"], []).append(pair)
    train = [row for own in by.values() for row in own[:EACH]]
    return train, [row for own in by.values() for row in own[EACH : 2 * EACH]]


def fashion(given: Path, chance: random.Random) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    with (given / "styles.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["productDisplayName"], given / "images" / f"{row['id']}.jpg") for row in csv.DictReader(file)]
    there = [{"text": text, "other": str(path)} for text, path in rows if text and path.is_file()]
    chance.shuffle(there)
    return there[PRODUCTS // 4 : PRODUCTS], there[: PRODUCTS // 4]


SETS = {"faq": faq, "banking": banking, "fashion": fashion}


def child(given: dict[str, Any]) -> dict[str, Any]:
    from burnish import job as flow
    from burnish.config import load

    folder, place = Path(given["folder"]), Path(given["data"]).resolve()
    parts = SETS[given["name"]](place, random.Random(given["seed"]))
    kind = "image" if given["name"] == "fashion" else "text_b"
    for name, rows in zip(("train", "test"), parts, strict=True):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", kind])
            writer.writerows([row["text"], _copied(folder, row["other"], kind)] for row in rows)
    document: dict[str, Any] = {
        "task": "embed",
        "data": {
            "train": str(folder / "train.csv"),
            "test": str(folder / "test.csv"),
            "columns": {"text": "text", kind: kind},
            "split": {"dev": 0.2, "by": "random"},
        },
        "report": {"bootstrap": 0, "hardest": 0},
        **given["options"],
    }
    path = folder / "job.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    job = load(path, (f"out={folder / 'model'}", f"seed={given['seed']}", *given["set"]))
    report = flow.tune(job).report
    found = {name: one.metrics for name, one in (report.before | {"burnish": report.after}).items()}
    return {"rows": report.rows, "figures": found, "seconds": report.seconds, "note": report.after.note}


def _copied(folder: Path, other: str, kind: str) -> str:
    """The other side; a photograph beside the rows, as nothing outside of their folder is read."""
    if kind != "image":
        return other
    target = folder / "images" / Path(other).name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(Path(other).read_bytes())
    return f"images/{target.name}"


OPTIONS: dict[str, dict[str, Any]] = {
    "faq": {"tune": {"epochs": 4}},
    "banking": {"tune": {"epochs": 2, "max_tokens": 64}},
    "fashion": {
        "tune": {"epochs": 20, "max_tokens": 48, "tokens_per_step": 1200},
        "parts": {
            "text": {"tune": {"freeze": "head", "max_tokens": 48}},
            "image": {
                "tune": {
                    "image_size": 48,
                    "learning_rate": 3e-3,
                    "head_learning_rate": 3e-3,
                    "layer_decay": 1.0,
                    "weight_decay": 0.05,
                    "scratch": {"layers": 4, "hidden": 192},
                },
            },
        },
    },
}


def main() -> None:
    parser = measure.options(__doc__)
    for name in SETS:
        parser.add_argument(f"--{name}", help="folder of the set")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="options of the jobs, as for burnish tune")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    lines, ratios, detail = [], {}, {}
    for name in (name for name in SETS if getattr(args, name)):
        found = []
        for seed in args.seeds[: 1 if args.quick else None]:
            with tempfile.TemporaryDirectory() as folder:
                given = {"name": name, "data": getattr(args, name), "seed": seed, "folder": folder, "set": args.set}
                found.append(measure.ask(__file__, given | {"options": OPTIONS[name]}))
            told = {key: round(value["mrr"], 3) for key, value in found[-1]["figures"].items()}
            print(f"  {name}, seed {seed}: mrr {told}, {found[-1]['seconds']:.0f} s", flush=True)
        middle = {
            key: {metric: mean(one["figures"][key][metric] for one in found) for metric in METRICS}
            for key in found[0]["figures"]
        }
        lines += [[name, key, len(found), *values.values()] for key, values in middle.items()]
        best = max(values["mrr"] for key, values in middle.items() if key != "burnish")
        ratios[f"{name}_mrr_over_best_before"] = middle["burnish"]["mrr"] - best
        detail[name] = found
    measure.table(["set", "by", "seeds", *METRICS], lines)
    measure.finish(args, ratios, detail)


if __name__ == "__main__":
    main()
