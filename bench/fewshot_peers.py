"""One few-shot learner in a process of its own: python bench/fewshot_peers.py NAME '{"train": ..., ...}'.

Both files are CSV with the columns `text` and `category`. The last line printed is JSON: accuracy on the rows of `test`
and the seconds of processor time from reading the rows to a model that can predict. For burnish these seconds hold the
whole of `burnish.tune`: data check, baseline, report and saving, too.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def read(path: str) -> tuple[list[str], list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


def result(args: dict[str, Any], begin: float, predict: Callable[[list[str]], Sequence[str]]) -> dict[str, float]:
    seconds = time.process_time() - begin
    texts, labels = read(args["test"])
    right = sum(str(guess) == label for guess, label in zip(predict(texts), labels, strict=True))
    return {"accuracy": right / len(labels), "train_seconds": seconds}


def run_setfit(args: dict[str, Any]) -> dict[str, float]:
    """SetFit as its documentation has it: one epoch of batches of 16, `num_iterations` pairs of both kinds a row."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    begin = time.process_time()
    texts, labels = read(args["train"])
    model = SetFitModel.from_pretrained(args["model"], labels=sorted(set(labels)))
    settings = TrainingArguments(
        output_dir=args["out"],
        batch_size=16,
        num_epochs=1,
        num_iterations=args["iterations"],
        seed=args["seed"],
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        show_progress_bar=False,
    )
    rows = Dataset.from_dict({"text": texts, "label": labels})
    Trainer(model=model, args=settings, train_dataset=rows).train()
    return result(args, begin, lambda asked: [str(label) for label in model.predict(asked)])


def run_frozen(args: dict[str, Any]) -> dict[str, float]:
    """Vectors of the encoder as it is, and logistic regression."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    begin = time.process_time()
    texts, labels = read(args["train"])
    encoder = SentenceTransformer(args["model"], device="cpu")
    head = LogisticRegression(C=10, max_iter=1000).fit(encoder.encode(texts, show_progress_bar=False), labels)
    return result(args, begin, lambda asked: list(head.predict(encoder.encode(asked, show_progress_bar=False))))


def run_linear(args: dict[str, Any]) -> dict[str, float]:
    """TF-IDF of words, word pairs and parts of words, and a linear SVM."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    begin = time.process_time()
    texts, labels = read(args["train"])
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    parts = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4))
    model = make_pipeline(make_union(words, parts), LinearSVC(random_state=0)).fit(texts, labels)
    return result(args, begin, lambda asked: list(model.predict(asked)))


def run_burnish(args: dict[str, Any]) -> dict[str, float]:
    """This project, through its Python API, with the settings of `recipes/few-shot.yaml`."""
    import burnish
    from burnish import config

    begin = time.process_time()
    recipe = Path(__file__).resolve().parent.parent / "recipes" / "few-shot.yaml"
    given = {"data.train": args["train"], "model": args["model"], "out": args["out"], "seed": args["seed"]}
    fixed = {"data.split.dev": 0, "data.split.test": 0, "report.bootstrap": 0}
    overrides = tuple(f"{key}={value}" for key, value in {**given, **fixed, **args.get("set", {})}.items())
    burnish.tune(config.load(recipe, overrides))
    engine = burnish.Engine.open(args["out"])
    return result(args, begin, lambda asked: [prediction.label for prediction in engine.predict(asked)])


PEERS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "linear": run_linear,
    "frozen": run_frozen,
    "setfit": run_setfit,
    "setfit_short": run_setfit,
    "burnish": run_burnish,
}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](json.loads(sys.argv[2]))))
