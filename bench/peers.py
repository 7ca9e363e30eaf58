"""One peer in a process of its own: python bench/peers.py NAME '{"train": ..., ...}' prints one line of JSON.

Word tagging (`bench/tune.py`): `reference` pads everything to 128 tokens in fp32; `trainer...` is transformers'
Trainer; `burnish` is this project.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conll

LENGTH = 128
WARMUP = 3  # steps that do not count
TRAINERS: dict[str, dict[str, Any]] = {
    "trainer": {"batch": 16},
    "trainer_bf16_grouped_16": {"batch": 16, "bf16": True, "train_sampling_strategy": "group_by_length"},
    "trainer_bf16_grouped_32": {"batch": 32, "bf16": True, "train_sampling_strategy": "group_by_length"},
    "trainer_fp32_grouped_16": {"batch": 16, "train_sampling_strategy": "group_by_length"},
    "trainer_fp32_grouped_32": {"batch": 32, "train_sampling_strategy": "group_by_length"},
}


def encode(tokenizer: Any, sentences: list[conll.Sentence], labels: list[str], padding: bool) -> list[dict[str, Any]]:
    """Token ids with the tag on the first piece of each word and -100 elsewhere."""
    rows = []
    for words, tags in sentences:
        encoded = tokenizer(
            words,
            is_split_into_words=True,
            truncation=True,
            max_length=LENGTH,
            padding="max_length" if padding else False,
        )
        before, ids = None, []
        for word in encoded.word_ids():
            ids.append(-100 if word is None or word == before else labels.index(tags[word]))
            before = word
        rows.append({"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "labels": ids})
    return rows


def load(args: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    from transformers import AutoModelForTokenClassification, AutoTokenizer, set_seed

    set_seed(args["seed"])
    labels = sorted({tag for _, tags in conll.read(args["train"]) for tag in tags})
    tokenizer = AutoTokenizer.from_pretrained(args["model"])
    model = AutoModelForTokenClassification.from_pretrained(
        args["model"],
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={n: i for i, n in enumerate(labels)},
    )
    return tokenizer, model, labels


def entity_f1(references: list[list[str]], predictions: list[list[str]]) -> float:
    """Micro F1 of whole entities, seqeval's strict mode."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    return float(f1_score(references, predictions, mode="strict", scheme=IOB2, zero_division=0))


def evaluate(tokenizer: Any, model: Any, labels: list[str], dev: str) -> float:
    """F1 of a plain transformers model; a word cut off by the length limit counts as O."""
    import torch

    model.eval()
    sentences = sorted(conll.read(dev), key=lambda sentence: len(sentence[0]))
    predictions: list[list[str]] = []
    for start in range(0, len(sentences), 32):
        part = [words for words, _ in sentences[start : start + 32]]
        batch = tokenizer(
            part, is_split_into_words=True, truncation=True, max_length=LENGTH, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            best = model(**batch).logits.argmax(-1).tolist()
        for row, words in enumerate(part):
            tags = ["O"] * len(words)
            for place, word in reversed(list(enumerate(batch.word_ids(row)))):
                if word is not None:
                    tags[word] = labels[best[row][place]]
            predictions.append(tags)
    return entity_f1([tags for _, tags in sentences], predictions)


def run_reference(args: dict[str, Any]) -> dict[str, float]:
    """The recipe of the field: all rows padded to 128 tokens, fp32, batch 16, AdamW at 2e-5, a plain loop."""
    import torch

    tokenizer, model, labels = load(args)
    rows = encode(tokenizer, conll.read(args["train"]), labels, padding=True)
    tensors = [torch.tensor([row[k] for row in rows]) for k in ("input_ids", "attention_mask")]
    padded = [row["labels"] + [-100] * (LENGTH - len(row["labels"])) for row in rows]
    dataset = torch.utils.data.TensorDataset(*tensors, torch.tensor(padded))
    loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    model.train()
    step, start, counted, begin = 0, 0.0, 0, time.perf_counter()
    for _ in range(args["epochs"]):
        for ids, mask, tags in loader:
            if step == WARMUP:
                start, counted = time.perf_counter(), 0
            optimizer.zero_grad()
            loss = model(input_ids=ids, attention_mask=mask, labels=tags).loss
            loss.backward()
            optimizer.step()
            loss.item()  # the recipe sums it up for its progress line
            step, counted = step + 1, counted + len(ids)
    end = time.perf_counter()
    f1 = evaluate(tokenizer, model, labels, args["dev"])
    return {"rows_per_second": counted / (end - start), "train_seconds": end - begin, "f1": f1}


def run_trainer(args: dict[str, Any], batch: int, **settings: Any) -> dict[str, float]:
    """transformers' Trainer, padded to the longest of each batch; saving, logging and reports off, in its favour."""
    from datasets import Dataset
    from transformers import DataCollatorForTokenClassification, Trainer, TrainerCallback, TrainingArguments

    tokenizer, model, labels = load(args)
    rows = encode(tokenizer, conll.read(args["train"]), labels, padding=False)
    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=args["out"],
            num_train_epochs=args["epochs"],
            per_device_train_batch_size=batch,
            learning_rate=args["trainer_rate"],
            seed=args["seed"],
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **settings,
        ),
        data_collator=DataCollatorForTokenClassification(tokenizer),
        train_dataset=Dataset.from_list(rows),
        callbacks=[Clock()],
    )
    trainer.train()
    end = time.perf_counter()
    counted = len(rows) * args["epochs"] - WARMUP * batch
    f1 = evaluate(tokenizer, trainer.model, labels, args["dev"])
    return {"rows_per_second": counted / (end - times[WARMUP]), "train_seconds": end - times[0], "f1": f1}


def run_burnish(args: dict[str, Any], backward: str = "random") -> dict[str, float]:
    """This project, through its Python API, learning from a random depth as `recipes/ner-conll2003.yaml` does, or
    always from the bottom; the rate is of training alone, without check, evaluation and report, and
    like that of the others without the first steps."""
    import burnish
    from burnish import config

    job = config.parse(
        {
            "task": "tag",
            "data": {"train": args["train"], "dev": args["dev"]},
            "model": args["model"],
            "out": args["out"],
            "seed": args["seed"],
            "tune": {"epochs": args["epochs"], "learning_rate": 5e-4, "backward": backward},
            "report": {"bootstrap": 0},
        }
    )
    burnish.tune(job)
    events = [
        json.loads(line) for line in (Path(args["out"]) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    steps = [event for event in events if event["event"] == "step"]
    warm, last = steps[WARMUP - 1], steps[-1]
    rate = (last["rows"] - warm["rows"]) / (last["seconds"] - warm["seconds"])
    sentences = conll.read(args["dev"])
    predictions = burnish.Engine.open(args["out"]).predict([words for words, _ in sentences])
    f1 = entity_f1([tags for _, tags in sentences], [list(p.tags) for p in predictions])
    return {"rows_per_second": rate, "train_seconds": last["seconds"], "f1": f1}


PEERS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "reference": run_reference,
    **{name: lambda args, s=settings: run_trainer(args, **s) for name, settings in TRAINERS.items()},  # type: ignore[misc]
    "burnish": run_burnish,
    "burnish_full": lambda args: run_burnish(args, backward="full"),
}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](json.loads(sys.argv[2]))))
