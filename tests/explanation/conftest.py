"""Tiny models tuned once for all of these tests, and a linear one whose scores are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from burnish.engine import Engine
from burnish.engine.runtime import Eager
from burnish.job import tune
from tests import tiny


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tuned model of each task, and one with a linear model of pairs beside it."""
    found = {}
    for name in ("classify", "pair", "score", "tag", "bigrams"):
        task, options = ("classify", {"bigrams": True}) if name == "bigrams" else (name, {})
        job = tiny.job(tmp_path_factory.mktemp(name), task, epochs=4, **options)
        tune(job)
        found[name] = Path(job.out)
    return found


@pytest.fixture(scope="session")
def engines(folders: dict[str, Path]) -> dict[str, Engine]:
    return {name: Engine.open(folder) for name, folder in folders.items()}


class Linear(nn.Module):
    """A network that sums a number for each token of the vocabulary, and one for each place that is empty."""

    kind, pooling, extras = "sequence", "mean", nn.ModuleDict()

    def __init__(self, vocabulary: int, outputs: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.vectors = nn.Embedding.from_pretrained(torch.randn(vocabulary, 4, generator=generator))
        self.weight = nn.Parameter(torch.randn(4, outputs, generator=generator))

    def embed(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        found: torch.Tensor = self.vectors(batch["input_ids"])
        return found

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        vectors = batch["vectors"] if "vectors" in batch else self.embed(batch)
        return (vectors * batch["attention_mask"].unsqueeze(-1)).sum(1) @ self.weight


@pytest.fixture
def linear(engines: dict[str, Engine]) -> Engine:
    """An engine on that network, with two classes."""
    given = engines["classify"]
    net: Any = Linear(len(given.tokenizer), given.task.outputs)
    return Engine(Eager(net, torch.device("cpu")), given.task, given.tokenizer, given.max_tokens)
