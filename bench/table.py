"""Tables of numbers and categories: burnish's network against boosted trees and a linear model, over seeds.

  python bench/table.py --data datasets/movielens100k

Sets are those that come with scikit-learn, and with --data the ratings of MovieLens from who rates, what and when. A
row is a test row by a checksum of its cells, one in five; of scikit-learn's sets none of these was looked at when the
network and its defaults were chosen. Each seed draws its own dev rows, on which the epochs are chosen, and its own
weights; the others learn from the same training rows.
"""

from __future__ import annotations

import csv
import json
import tempfile
import zlib
from pathlib import Path
from statistics import mean
from typing import Any

import measure

MODULES = {"breast_cancer": "classify", "wine": "classify", "digits": "classify", "diabetes": "score"}
METRICS = {"classify": "accuracy", "score": "rmse"}
Content = tuple[str, dict[str, list[str]], list[str], list[list[Any]]]  # task, columns of a job, names, rows


def of_sklearn(name: str) -> Content:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    names = [str(one) for one in found.feature_names]
    classes = getattr(found, "target_names", None) if MODULES[name] == "classify" else None
    labels = [str(classes[one]) if classes is not None else float(one) for one in found.target]
    rows = [[*map(float, row), label] for row, label in zip(found.data, labels, strict=True)]
    return MODULES[name], {"number": names}, [*names, "label"], rows


def of_movielens(folder: Path) -> Content:
    """A rating by age, sex and work of who rates, year and genres of the film, and time."""

    def lines(name: str, mark: str) -> list[list[str]]:
        return [line.split(mark) for line in (folder / name).read_text(encoding="latin-1").splitlines() if line]

    genres = [genre for genre, *_ in lines("u.genre", "|")]
    users = {user: about[:3] for user, *about in lines("u.user", "|")}
    films = {film: [about[1][-4:], *about[-len(genres) :]] for film, *about in lines("u.item", "|")}
    rows = [
        [user, film, *users[user], *films[film], when, rating]
        for user, film, rating, when in lines("u.data.clean", "\t")
        if user in users and film in films
    ]
    names = ["user", "film", "age", "sex", "work", "year", *genres, "when", "label"]
    columns = {"number": ["age", "year", *genres, "when"], "category": ["user", "film", "sex", "work"]}
    return "score", columns, names, rows


def child(given: dict[str, Any]) -> dict[str, Any]:
    from burnish import job as flow
    from burnish.config import parse

    task, columns, names, rows = (
        of_movielens(Path(given["data"])) if given["name"] == "movielens" else of_sklearn(given["name"])
    )
    folder, metric = Path(given["folder"]), METRICS[task]
    chosen = [zlib.crc32(",".join(map(str, row)).encode()) % 5 == 0 for row in rows]
    for part in ("train", "test"):
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(row for row, test in zip(rows, chosen, strict=True) if test == (part == "test"))
    by = "random" if task == "score" else "stratify"
    data = {
        "train": str(folder / "train.csv"),
        "test": str(folder / "test.csv"),
        "columns": columns | {"label": "label"},
    }
    document = {"task": task, "data": data | {"split": {"dev": 0.15, "by": by}}, "report": {"bootstrap": 0}}
    job = parse(document | {"out": str(folder / "model"), "seed": given["seed"]})
    report = flow.tune(job).report
    found = {name: one.metrics[metric] for name, one in report.before.items()}
    return {
        "metric": metric,
        "rows": report.rows,
        "figures": {"burnish": report.after.metrics[metric], **found, "linear model": _linear(job, metric)},
        "seconds": report.seconds,
    }


def _linear(job: Any, metric: str) -> float:
    """A linear model of the numbers and of each category."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from burnish.data.load import load

    parts = load(job)
    numbers, categories = ([*getattr(job.data.columns, part)] for part in ("number", "category"))
    given = {name: [(json.loads(row["table"]), row["label"]) for row in parts[name]] for name in ("train", "test")}

    def cells(name: str) -> Any:
        import pandas

        return pandas.DataFrame([row for row, _ in given[name]], columns=[*numbers, *categories])

    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((scaled, numbers), (OneHotEncoder(handle_unknown="ignore"), categories))
    model = make_pipeline(columns, Ridge(1.0) if metric == "rmse" else LogisticRegression(max_iter=2000))
    truth = [label for _, label in given["test"]]
    said = model.fit(cells("train"), [label for _, label in given["train"]]).predict(cells("test"))
    if metric == "rmse":
        return float(np.sqrt(np.mean((said - np.array(truth)) ** 2)))
    return mean(one == label for one, label in zip(said, truth, strict=True))


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", type=Path, help="folder of MovieLens 100k")
    parser.add_argument("--sets", nargs="+", help="all, but movielens without --data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    names = args.sets or [*MODULES, *(["movielens"] if args.data else [])]
    lines, ratios, detail = [], {}, {}
    for name in names:
        found = []
        for seed in args.seeds[: 1 if args.quick or name == "movielens" else None]:
            with tempfile.TemporaryDirectory() as folder:
                found.append(
                    measure.ask(__file__, {"name": name, "data": str(args.data), "seed": seed, "folder": folder})
                )
        metric, kinds = found[0]["metric"], list(found[0]["figures"])
        middle = {kind: mean(one["figures"][kind] for one in found) for kind in kinds}
        lines.append([name, metric, len(found), *middle.values(), mean(one["seconds"] for one in found)])
        print("  " + ", ".join(map(str, lines[-1])), flush=True)
        best = (min if metric == "rmse" else max)(value for kind, value in middle.items() if kind != "burnish")
        ours = middle["burnish"]
        ratios[f"{name}_against_best"] = best / ours if metric == "rmse" else ours / best
        detail[name] = found
    measure.table(["set", "metric", "seeds", *kinds, "seconds"], lines)
    measure.finish(args, ratios, detail)


if __name__ == "__main__":
    main()
