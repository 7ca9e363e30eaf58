"""A small network for numbers and categories, the columns of a table.

A number is spread over spans between values of training, each 0 below the span, 1 above it and rising in between
(piecewise linear encoding, Gorishniy et al. 2022), and turned into a vector by a layer of its column; a category has a
vector. All vectors side by side go through residual blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from burnish.models.small import Small

MODEL_TYPE = "burnish_table"
_SPREAD = 12**0.5  # makes ranks from 0 to 1 vary by one
_SMALL = 0.1  # of a vector of a category: one of few rows must not be told from others by where it began
_DEFAULTS: dict[str, Any] = {"vector_size": 16, "members": 16, "hidden_dropout_prob": 0.1}


def fresh_config(layers: int, hidden: int, spans: list[int], sizes: list[int]) -> dict[str, Any]:
    """The `config.json` of a network of so many blocks.

    Args:
        spans: of each number.
        sizes: ids of the categories of each column.
    """
    shape = {"num_hidden_layers": layers, "hidden_size": hidden}
    return {"model_type": MODEL_TYPE, **shape, "spans": spans, "sizes": sizes}


class Coded(nn.Module):
    """What a network for tables is given: floats (n, columns), as they are."""

    kind = "table"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Coded:
        return cls()

    def ask(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of a model for a batch, (n, outputs)."""
        logits: torch.Tensor = model(batch["table"]).logits
        return logits


class _Vectors(nn.Module):
    """Cells to vectors, (n, columns, size)."""

    steps: torch.Tensor
    scale: torch.Tensor
    starts: torch.Tensor

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        size, sizes = config.vector_size, torch.tensor(config.sizes, dtype=torch.long)
        spans = torch.tensor(config.spans, dtype=torch.float32)
        most = max([1, *config.spans])
        self.line = nn.Parameter(torch.randn(len(spans), size))  # a number as a whole
        self.bends = nn.Parameter(torch.zeros(len(spans), most, size))  # and what each of its spans adds
        self.bias = nn.Parameter(torch.zeros(len(spans), size))
        self.missing = nn.Parameter(torch.zeros(len(spans), size))
        self.categories = nn.Embedding(int(sizes.sum()), size)
        nn.init.normal_(self.categories.weight, std=_SMALL)
        self.register_buffer("steps", torch.arange(most, dtype=torch.float32), persistent=False)
        self.register_buffer("scale", _SPREAD / spans.clamp(min=1), persistent=False)
        self.register_buffer("starts", sizes.cumsum(0) - sizes, persistent=False)

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        at, ids = table[:, : len(self.scale)], table[:, len(self.scale) :]
        spread = (at.unsqueeze(-1) - self.steps).clamp(0, 1) * self.scale.view(-1, 1)
        whole = (spread.sum(-1, keepdim=True) - _SPREAD / 2) * self.line
        vectors = whole + torch.einsum("ncs,csv->ncv", spread, self.bends) + self.bias
        vectors = torch.where((at < 0).unsqueeze(-1), self.missing, vectors)
        return torch.cat([vectors, self.categories(ids.long() + self.starts)], 1)


class _Block(nn.Module):
    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden)
        )

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.layers(states)
        return states + added


class _Encoder(nn.Module):
    """Several networks that share all weights but a factor for each input and each output (BatchEnsemble, Wen et al.
    2020, as in TabM, Gorishniy et al. 2025). In training rows go through one after another, each through another one;
    asked, they answer together.

    At first the factors of numbers are 1 or -1; those of categories are all 1, as members would not agree on what a
    category of few rows means.
    """

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        hidden, columns = config.hidden_size, len(config.spans) + len(config.sizes)
        wide, self.members = columns * config.vector_size, config.members
        self.embeddings = _Vectors(config)
        self.before = nn.Parameter(torch.ones(config.members, wide))
        numbers = len(config.spans) * config.vector_size
        with torch.no_grad():
            self.before[:, :numbers] = torch.randint(2, (config.members, numbers)) * 2.0 - 1.0
        self.first = nn.Sequential(nn.Linear(wide, hidden), nn.Dropout(config.hidden_dropout_prob))
        self.layers = nn.ModuleList(_Block(hidden, config.hidden_dropout_prob) for _ in range(config.num_hidden_layers))
        self.last = nn.Sequential(nn.LayerNorm(hidden), nn.ReLU())
        self.after = nn.Parameter(torch.ones(config.members, hidden))

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """Vectors of rows, (n, hidden)."""
        states = self.embeddings(table).flatten(1)
        if self.training:
            first = torch.randint(self.members, (1,))  # of the generator that a checkpoint keeps
            member = ((first + torch.arange(len(states))) % self.members).to(states.device)
            return self._through(states * self.before[member]) * self.after[member]
        found = self._through(states.unsqueeze(1) * self.before) * self.after
        return found.mean(1)

    def _through(self, states: torch.Tensor) -> torch.Tensor:
        states = self.first(states)
        for layer in self.layers:
            states = layer(states)
        found: torch.Tensor = self.last(states)
        return found


class Tabular(Small):
    """The network with its head."""

    base_model_prefix = "table"
    main_input_name = "table"

    def __init__(self, config: Mapping[str, Any], outputs: int) -> None:
        config = {**_DEFAULTS, **config}
        super().__init__(config, config["hidden_size"], outputs)
        self.table = _Encoder(self.config)

    def forward(self, table: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.classifier(self.dropout(self.table(table))))
