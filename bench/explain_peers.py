"""The ways to explain that bench/explain.py compares, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from burnish.engine import Engine
from burnish.explanation.attribute import scores_by
from burnish.explanation.faithful import faithfulness
from burnish.explanation.piece import Piece
from burnish.explanation.target import Target, aim
from burnish.explanation.training import spread
from burnish.predicting import job_for

Way = Callable[[Engine, Piece, Target], Any]
_STEPS, _BATCH, _TOKENS = 50, 16, 64


def captum(engine: Engine, piece: Piece, target: Target) -> Any:
    """LayerIntegratedGradients on the word embeddings, from padding, special tokens kept."""
    from captum.attr import LayerIntegratedGradients

    net = engine.twin

    def logits(ids: torch.Tensor) -> torch.Tensor:
        return net({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    ids = torch.from_numpy(piece.inputs["input_ids"].astype(np.int64))[None]
    empty = torch.where(torch.from_numpy(piece.owner)[None] >= 0, engine.pad_id, ids)
    way = LayerIntegratedGradients(logits, net.model.get_input_embeddings())
    given = way.attribute(ids, empty, target=target.outputs[0], n_steps=_STEPS, internal_batch_size=_BATCH)
    tokens = given.sum(-1)[0].detach().numpy()
    scores = np.zeros(len(piece.words))
    np.add.at(scores, piece.owner[piece.owner >= 0], tokens[piece.owner >= 0])
    return scores


def at_random(engine: Engine, piece: Piece, target: Target) -> Any:
    return np.random.default_rng(len(piece.words)).random(len(piece.words))


WAYS: dict[str, Way] = {
    "random": at_random,
    "captum": captum,
    "gradients": scores_by("gradients"),
    "rollout": scores_by("rollout"),
    "occlusion": scores_by("occlusion"),
}


def aimed(engine: Engine, texts: list[str]) -> Iterator[tuple[Piece, Target]]:
    for text in texts:
        row = engine.task.row(text)
        target, piece = aim(engine, row, engine.predict_rows([row])[0], None, None, None)
        yield piece, target


def main() -> None:
    from burnish.data.load import load_file

    given = json.loads(sys.argv[1])
    torch.set_num_threads(2)
    engine = Engine.open(given["model"], given["variant"])
    rows = load_file(given["data"], job_for(given["model"], given["data"]), labelled=False)
    texts = [text for text in (rows[i]["text"] or "" for i in spread(rows, given["rows"])) if text.strip()]
    found: dict[str, dict[str, list[float]]] = {
        way: {"comprehensiveness": [], "sufficiency": [], "ms": []} for way in given["ways"]
    }
    for piece, target in aimed(engine, texts):
        for way, kept in found.items():
            one = faithfulness(engine, piece, target, WAYS[way](engine, piece, target))
            at_random = way == "random"  # five orders, which the measure has taken by itself
            kept["comprehensiveness"].append(one.random if at_random else one.comprehensiveness)
            kept["sufficiency"].append(one.sufficiency)
    words = " ".join(texts).split()
    long = next(
        text
        for text in (" ".join(words[:count]) for count in range(_TOKENS, 0, -1))
        if len(engine.encode([{"text": text}]).ragged["input_ids"][0]) <= _TOKENS
    )
    ((piece, target),) = aimed(engine, [long])
    for _ in range(given["repeats"] + 1):
        for way, kept in found.items():
            begin = time.perf_counter()
            WAYS[way](engine, piece, target)
            kept["ms"].append(1000 * (time.perf_counter() - begin))
    print(
        json.dumps(
            {
                way: {name: (median(v[1:]) if name == "ms" else mean(v)) for name, v in kept.items()}
                for way, kept in found.items()
            }
        )
    )


if __name__ == "__main__":
    main()
