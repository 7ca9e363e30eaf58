"""Several kinds of input together against each alone, over seeds: products by title and photograph.

  python bench/fusion.py --data datasets/fashion_products_image_text/styles.csv

Each seed draws its own test and dev rows, tunes a model a kind and joins them, by `recipes/fusion-fashion.yaml` with
the options given by --set. On the same test rows stand accuracy of each alone, as the joined model answers and, without
the biases of classes that it may have, as its own model does; of both, of both with the photograph withheld, of TF-IDF
with logistic regression on the titles, and of the most frequent class.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import measure

RECIPE = measure.ROOT / "recipes" / "fusion-fashion.yaml"


def child(given: dict[str, Any]) -> dict[str, float]:
    from collections import Counter

    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from burnish import job as flow
    from burnish.config import load
    from burnish.data.load import load as rows_of

    job = load(RECIPE, tuple(given["set"]))
    parts = rows_of(job)
    train, test = ([(row["text"], row["label"]) for row in parts[name] if row["label"]] for name in ("train", "test"))
    truth = [label for _, label in test]
    linear = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=4, max_iter=300)
    )
    linear.fit(*map(list, zip(*train, strict=True)))
    usual = Counter(label for _, label in train).most_common(1)[0][0]
    tuned = flow.tune(job)
    from burnish.engine import Engine

    rows = [{**row, "image": None} for row in parts["test"] if row["label"]]
    said = Engine.open(tuned.artifact.folder).predict_rows(rows)
    apart = {kind: Engine.open(tuned.artifact.folder / kind, "torch") for kind in ("text", "image")}
    alone = {
        kind: engine.predict_rows([row for row in parts["test"] if row["label"]]) for kind, engine in apart.items()
    }
    return {
        "rows": len(test),
        "most frequent class": mean(label == usual for label in truth),
        "TF-IDF + logistic regression": float(linear.score([text for text, _ in test], truth)),
        **{
            f"{kind}, without biases": mean(one.label == label for one, label in zip(given, truth, strict=True))
            for kind, given in alone.items()
        },
        **{name: one.metrics["accuracy"] for name, one in tuned.report.before.items()},
        "together": tuned.report.after.metrics["accuracy"],
        "photograph withheld": mean(one.label == label for one, label in zip(said, truth, strict=True)),
    }


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", help="table of products, beside a folder of their photographs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--set", nargs="*", default=[], help="options of the job, as for burnish tune")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    if not args.data:
        parser.error("--data is missing")
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds[: 1 if args.quick else None]:
            options = [f"data.train={args.data}", f"out={folder}/{seed}", f"seed={seed}", *args.set]
            options += ["data.limit=6000", "tune.epochs=1", "parts.image.tune.epochs=2"] if args.quick else []
            found[seed] = measure.ask(__file__, {"set": options})
            print(
                f"  seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in found[seed].items()), flush=True
            )
    names = [name for name in next(iter(found.values())) if name != "rows"]
    middle = {name: mean(one[name] for one in found.values()) for name in names}
    measure.table(
        ["accuracy on test", "mean", *(f"seed {seed}" for seed in found)],
        [[name, middle[name], *(one[name] for one in found.values())] for name in names],
    )
    best = max(middle["text alone"], middle["image alone"])
    plain = max(middle["text, without biases"], middle["image, without biases"])
    ratios = {
        "points_over_best_alone": 100 * (middle["together"] - best),
        "points_over_best_without_biases": 100 * (middle["together"] - plain),
        "points_lost_without_photograph": 100 * (middle["text alone"] - middle["photograph withheld"]),
    }
    measure.finish(args, ratios, {str(seed): one for seed, one in found.items()})


if __name__ == "__main__":
    main()
