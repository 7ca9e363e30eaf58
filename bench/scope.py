"""Texts that belong to no class, on CLINC150: how a tuned model tells them, beside TF-IDF with logistic regression.

Training rows are the first --rows of each class of `train`. `val` is halved within each class: on the one half (with
`oos_train`) weights, temperature and score are chosen, on the other (with `oos_val`) all figures are taken.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import measure

Given = list[list[str]]


def split(path: Path, count: int) -> dict[str, Given]:
    """Rows of text and label: train, dev and test within the classes, and those outside to choose and to report on."""
    given = json.loads(path.read_text(encoding="utf-8"))

    def kept(rows: Given, which: Callable[[int], bool]) -> Given:
        seen: Counter[str] = Counter()
        found = []
        for text, label in rows:
            if which(seen[label]):
                found.append([text, label])
            seen[label] += 1
        return found

    return {
        "train": kept(given["train"], lambda i: i < count),
        "dev": kept(given["val"], lambda i: i % 2 == 0),
        "test": kept(given["val"], lambda i: i % 2 == 1),
        "outside_dev": given["oos_train"],
        "outside_test": given["oos_val"],
    }


def tuned(folder: Path, parts: dict[str, Given], options: Sequence[str]) -> float:
    """Tune with burnish, on files in `folder`; wall seconds."""
    for name in ("train", "dev"):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *parts[name]])
    job = {
        "task": "classify",
        "out": str(folder / "model"),
        "data": {name: str(folder / f"{name}.csv") for name in ("train", "dev")},
        "report": {"bootstrap": 0, "hardest": 0},
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    given = (part for one in options for part in ("--set", one))
    return measure.run([measure.BURNISH, "tune", str(folder / "job.yaml"), *given]).seconds


def child(model: str, place: str) -> dict[str, Any]:
    """All figures of a tuned model; every score that was to choose from on the rows for it, the chosen one on the
    others."""
    import numpy as np

    from burnish.audits.scope import detection
    from burnish.engine import Engine
    from burnish.tasks.certainty import believed, certainty, ece, nll, scaled
    from burnish.tasks.scope import energies, strange

    parts = json.loads(Path(place).read_text(encoding="utf-8"))
    engine = Engine.open(model, "torch")
    task: Any = engine.task
    said = {name: engine.predict([text for text, _ in rows]) for name, rows in parts.items() if name != "train"}
    logs, truth = believed(task, said["test"], [{"label": label} for _, label in parts["test"]])
    plain = scaled(logs, 1 / task.temperature)
    found: dict[str, Any] = {"accuracy": float((logs.argmax(1) == truth).mean()), "temperature": task.temperature}
    for name, values in (("before", plain), ("after", logs)):
        found |= {f"ece_{name}": ece(*certainty(values, truth)), f"nll_{name}": nll(values, truth)}
    scores = {"energy": {name: energies(task, one) for name, one in said.items()}}
    chances = {name: np.array([list(p.probabilities.values()) for p in one]) for name, one in said.items()}
    scores["1 - largest probability"] = {name: 1 - p.max(1) for name, p in chances.items()}
    scores["entropy"] = {name: -(p * np.log(np.maximum(p, 1e-300))).sum(1) for name, p in chances.items()}
    vectors = {name: _vectors(engine, [text for text, _ in rows]) for name, rows in parts.items()}
    ids = {label: index for index, label in enumerate(task.labels)}
    scores |= _by_distance(vectors, np.array([ids[label] for _, label in parts["train"]]))
    found["choosing"] = {name: detection(by["dev"], by["outside_dev"]) for name, by in scores.items()}
    found["test"] = {name: detection(by["test"], by["outside_test"]) for name, by in scores.items()}
    over = {name: strange(task, said[name]) >= 0.95 for name in ("test", "outside_test")}
    return found | {"alarms": float(over["test"].mean()), "found": float(over["outside_test"].mean())}


def _vectors(engine: Any, texts: Sequence[str]) -> Any:
    """What the last layer reads of each text, (n, hidden)."""
    import numpy as np
    import torch

    from burnish.data.features import by_length, collate

    features, net = engine.encode([engine.task.row(text) for text in texts]), engine.net.eval()
    found = np.zeros((len(texts), net.linear.in_features))
    with torch.inference_mode():
        for places in by_length(features.lengths, 4096):
            found[places] = net.read(collate(features, places, engine.pad_id)).numpy()
    return found


def _by_distance(vectors: dict[str, Any], labels: Any) -> dict[str, dict[str, Any]]:
    """Mahalanobis (Lee et al. 2018), relative Mahalanobis (Ren et al. 2021), nearest neighbours (Sun et al. 2022)."""
    import numpy as np

    train = vectors["train"]
    means = np.stack([train[labels == one].mean(0) for one in range(labels.max() + 1)])

    def inverse(apart: Any) -> Any:
        spread = apart.T @ apart / len(apart)
        return np.linalg.inv(spread + 1e-4 * np.trace(spread) / len(spread) * np.eye(len(spread)))

    within, among = inverse(train - means[labels]), inverse(train - train.mean(0))

    def far(rows: Any, centre: Any, by: Any) -> Any:
        return ((rows - centre) @ by * (rows - centre)).sum(1)

    def unit(rows: Any) -> Any:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    near = {name: np.min([far(rows, mean, within) for mean in means], 0) for name, rows in vectors.items()}
    return {
        "Mahalanobis": near,
        "relative Mahalanobis": {n: near[n] - far(rows, train.mean(0), among) for n, rows in vectors.items()},
        "10th neighbour": {n: -np.sort(unit(rows) @ unit(train).T, 1)[:, -10] for n, rows in vectors.items()},
    }


def linear(parts: dict[str, Given]) -> dict[str, float]:
    """TF-IDF of words and pairs of them, logistic regression, and the largest probability."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from burnish.audits.scope import detection

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10))
    model.fit(*zip(*parts["train"], strict=True))
    texts, labels = zip(*parts["test"], strict=True)
    inside, outside = (model.predict_proba(part) for part in (texts, [text for text, _ in parts["outside_test"]]))
    right = model.classes_[inside.argmax(1)] == np.array(labels)
    return {"accuracy": float(right.mean()), **detection(1 - inside.max(1), 1 - outside.max(1))}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        name, *given = sys.argv[2:]
        print(json.dumps(linear(json.loads(Path(given[0]).read_text())) if name == "linear" else child(*given)))
        return
    parser = measure.options(__doc__)
    parser.add_argument("--data", required=True, help="data_full.json of CLINC150")
    parser.add_argument("--rows", type=int, default=100, help="training rows of each class; 20 with --quick")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    parser.add_argument("--folder", help="where the model goes and stays; one that is there is not tuned again")
    args = parser.parse_args()
    parts = split(Path(args.data), 20 if args.quick else args.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(args.folder or name)
        folder.mkdir(parents=True, exist_ok=True)
        rows = folder / "rows.json"
        rows.write_text(json.dumps(parts), encoding="utf-8")
        if not (folder / "model" / "burnish.json").exists():
            print(f"tuned in {tuned(folder, parts, args.set):.0f} s", flush=True)
        ours, other = (
            measure.run([sys.executable, __file__, "--child", kind, *given, str(rows)]).result
            for kind, given in (("model", [str(folder / "model")]), ("linear", []))
        )
    names = ["auroc", "false_alarms_95", "missed_5"]
    for of in ("choosing", "test"):
        measure.table([of, *names], [[score, *(by[n] for n in names)] for score, by in ours[of].items()])
    plain = {key: value for key, value in ours.items() if not isinstance(value, dict)}
    measure.table(["burnish", "value"], list(plain.items()))
    measure.table(["TF-IDF + logistic regression", "value"], list(other.items()))
    measure.finish(
        args,
        {"auroc_over_linear": ours["test"]["energy"]["auroc"] - other["auroc"]},
        {"burnish": ours, "linear": other, "set": args.set},
    )


if __name__ == "__main__":
    main()
