"""A tiny encoder and tiny data, built on the spot."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from burnish import job as flow
from burnish.config import Job, parse
from burnish.training.events import Event, Saved
from burnish.training.sinks import Sinks

WORDS = ("anna", "ben", "lives", "works", "in", "at", "paris", "rome", "acme", "corp", "the", "good", "bad")
WORDS += ("film", "was", "very", "today", ".", ",", "not")

CONLL = "\n\n".join(
    "\n".join(f"{word} {tag}" for word, tag in sentence)
    for sentence in [
        [("Anna", "B-PER"), ("lives", "O"), ("in", "O"), ("Paris", "B-LOC"), (".", "O")],
        [("Ben", "B-PER"), ("works", "O"), ("at", "O"), ("Acme", "B-ORG"), ("Corp", "I-ORG"), (".", "O")],
        [("The", "O"), ("film", "O"), ("was", "O"), ("good", "O")],
        [("Rome", "B-LOC"), ("was", "O"), ("very", "O"), ("good", "O"), ("today", "O")],
    ]
    * 6
)


def rows_of(task: str) -> str:
    good, bad = ["the film was very good", "good film today"], ["the film was bad", "very bad film , not good"]
    if task == "classify":
        return "text,label\n" + "".join(
            f'"{t} {i}",{k}\n' for i in range(12) for k, s in (("pos", good), ("neg", bad)) for t in s
        )
    if task == "pair":
        lines = [
            f'"{a} {i}","{b}",{"same" if (a in good) == (b in good) else "different"}\n'
            for i in range(6)
            for a in good + bad
            for b in (good[0], bad[0])
        ]
        return "text_a,text_b,label\n" + "".join(lines)
    if task == "embed":
        cities = ("paris", "rome", "acme", "corp")
        return "text,text_b\n" + "".join(
            f"{who} lives in {city} {i},the film of {city} {i} was good for {who}\n"
            for i in range(6)
            for who, city in product(("anna", "ben"), cities)
        )
    return "text,score\n" + "".join(
        f'"{t} {i}",{v}\n' for i in range(12) for v, s in ((4.5, good), (1.5, bad)) for t in s
    )


def encoder(folder: Path) -> Path:
    """Save a BERT of three layers, always the same, with a lower-casing tokenizer as a pretrained model."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    place = folder / "encoder"
    if not place.exists():
        place.mkdir(parents=True)
        characters = [
            *"abcdefghijklmnopqrstuvwxyz0123456789",
            *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
        ]
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *characters]
        (place / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
        tokenizer = BertTokenizerFast(vocab=str(place / "vocab.txt"), do_lower_case=True)
        tokenizer.save_pretrained(place)
        config = BertConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=64,
        )  # fmt: skip
        torch.manual_seed(0)
        BertModel(config).save_pretrained(place)
    return place


def job(folder: Path, task: str, **tune: Any) -> Job:
    data = folder / ("train.conll" if task == "tag" else "train.csv")
    if not data.exists():
        data.write_text(CONLL if task == "tag" else rows_of(task), encoding="utf-8")
    settings = {
        "epochs": 2,
        "learning_rate": 1e-3,
        "tokens_per_batch": 64,
        "max_tokens": 32,
        "precision": "fp32",
        "backward": "random",
        **tune,
    }
    return parse(
        {
            "task": task,
            "model": str(encoder(folder)),
            "out": str(folder / "out"),
            "data": {
                "train": str(data),
                "split": {"dev": 0.25, "by": "random" if task in ("score", "embed") else "stratify"},
            },
            "tune": settings,
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )


class _Killed(BaseException):
    pass


def tune_with_kills(job: Job, monkeypatch: pytest.MonkeyPatch, every: int, times: int = 1) -> flow.Tuned:
    """Tune, cut off after each `every`-th checkpoint and started again, `times` times at the least, until the end."""
    seen, hand = 0, Sinks.__call__

    def kill(self: Sinks, event: Event) -> None:
        nonlocal seen
        hand(self, event)
        seen += isinstance(event, Saved)
        if isinstance(event, Saved) and seen % every == 0:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Sinks, "__call__", kill)
        for _ in range(100):
            try:
                done = flow.tune(job)
                break
            except _Killed:
                continue
    assert seen // every >= times
    return done
