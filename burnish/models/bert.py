"""BERT (Devlin et al. 2019) with a head, spelled out: starts without transformers, and trains faster.

Parameters carry the names that transformers gives them, so that a saved folder is read by plain transformers, and any
BERT folder is read here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from burnish.models.layers import Dropout, attend

_DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
}
_ARCHITECTURES = {"token": "BertForTokenClassification", "sequence": "BertForSequenceClassification"}
WEIGHTS = "model.safetensors"


def fits(config: dict[str, Any]) -> bool:
    """Whether a model with this `config.json` is one that this file spells out."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") in _ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


class _Part(nn.Module):
    """A named group of modules, as the names of transformers' parameters ask for."""

    def __init__(self, /, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class Layer(nn.Module):
    """Self-attention and feed-forward, each with dropout, residual and layer norm behind it."""

    attention: Any
    intermediate: Any
    output: Any

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        hidden, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.act = _ACTIVATIONS[config.hidden_act]
        names = ("query", "key", "value")
        self.attention = _Part(
            self=_Part(**{name: nn.Linear(hidden, hidden) for name in names}),
            output=_Part(dense=nn.Linear(hidden, hidden), LayerNorm=nn.LayerNorm(hidden, eps)),
        )
        self.intermediate = _Part(dense=nn.Linear(hidden, inner))
        self.output = _Part(dense=nn.Linear(inner, hidden), LayerNorm=nn.LayerNorm(hidden, eps))
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.weight_dropout = Dropout(config.attention_probs_dropout_prob)

    def forward(self, states: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        n, tokens, hidden = states.shape
        inputs, own = _lowered(states), self.attention.self
        parts = (own.query(inputs), own.key(inputs), own.value(inputs))
        query, key, value = (part.view(n, tokens, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = attend(query, key, value, bias, self.weight_dropout).transpose(1, 2).reshape(n, tokens, hidden)
        out = self.attention.output
        states = out.LayerNorm(self.dropout(out.dense(mixed)) + states)
        inner = self.act(self.intermediate.dense(_lowered(states)))
        normed: torch.Tensor = self.output.LayerNorm(self.dropout(self.output.dense(inner)) + states)
        return normed


def _lowered(states: torch.Tensor) -> torch.Tensor:
    """Cast once to the type in which autocast multiplies, rather than once for each product."""
    kind = states.device.type
    return states.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else states


class Encoder(nn.Module):
    """Word ids, or their vectors, to the states of the last layer (n, tokens, hidden)."""

    embeddings: Any
    encoder: Any
    pooler: Any

    def __init__(self, config: SimpleNamespace, pooler: bool) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.embeddings = _Part(
            word_embeddings=nn.Embedding(config.vocab_size, hidden, padding_idx=config.pad_token_id),
            position_embeddings=nn.Embedding(config.max_position_embeddings, hidden),
            token_type_embeddings=nn.Embedding(config.type_vocab_size, hidden),
            LayerNorm=nn.LayerNorm(hidden, config.layer_norm_eps),
        )
        self.encoder = _Part(layer=nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers)))
        self.dropout = Dropout(config.hidden_dropout_prob)
        if pooler:
            self.pooler = _Part(dense=nn.Linear(hidden, hidden))

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> SimpleNamespace:
        parts = self.embeddings
        words = parts.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        types = parts.token_type_embeddings
        kinds = types.weight[0] if token_type_ids is None else types(token_type_ids)
        states = parts.LayerNorm(words + parts.position_embeddings.weight[: words.shape[1]] + kinds)
        states = self.dropout(states)
        bias = None
        if attention_mask is not None and not bool(attention_mask.all()):
            zeros = torch.zeros_like(attention_mask[:, None, None, :], dtype=_lowered(states[:0]).dtype)
            bias = zeros.masked_fill(attention_mask[:, None, None, :] == 0, torch.finfo(zeros.dtype).min)
        for layer in self.encoder.layer:
            states = layer(states, bias)
        return SimpleNamespace(last_hidden_state=states)


class Bert(nn.Module):
    """The encoder with a token or a sequence head, in the outward form of a transformers model.

    Attributes:
        config: fields of `config.json`, attribute by attribute.
    """

    base_model_prefix = "bert"

    def __init__(self, config: dict[str, Any], kind: Literal["token", "sequence"], outputs: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(**{**_DEFAULTS, **config})
        self.kind = kind
        with torch.device("meta"):  # memory is taken once, by `load` or by `start`
            self.bert = Encoder(self.config, pooler=kind == "sequence")
            self.dropout = Dropout(self.config.hidden_dropout_prob)
            self.classifier = nn.Linear(self.config.hidden_size, outputs)

    def start(self) -> None:
        """Give random weights to every module that has none yet."""
        for module in self.modules():
            if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
                module.to_empty(device="cpu", recurse=False)
                if isinstance(module, nn.LayerNorm):
                    module.reset_parameters()
                elif isinstance(module, nn.Linear | nn.Embedding):
                    nn.init.normal_(module.weight, std=self.config.initializer_range)
                if isinstance(module, nn.Linear):
                    nn.init.zeros_(module.bias)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    with torch.no_grad():
                        module.weight[module.padding_idx].zero_()

    @property
    def base_model(self) -> Encoder:
        return self.bert

    def get_input_embeddings(self) -> nn.Embedding:
        words: nn.Embedding = self.bert.embeddings.word_embeddings
        return words

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        states = self.bert(**inputs).last_hidden_state
        if self.kind == "sequence":
            states = torch.tanh(self.bert.pooler.dense(states[:, 0]))
        return SimpleNamespace(logits=self.classifier(self.dropout(states)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and the weights in transformers' form."""
        config = {**vars(self.config), "architectures": [_ARCHITECTURES[self.kind]], "dtype": "float32"}
        text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
        Path(folder, "config.json").write_text(text + "\n", encoding="utf-8")
        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(tensors, Path(folder, WEIGHTS), {"format": "pt"})

    def load(self, folder: str | Path, fresh_head: bool) -> set[str]:
        """Take the weights of a folder, all but the head's when that shall be new; return the names not found."""
        found: dict[str, torch.Tensor] = {}
        for file in sorted(Path(folder).glob("*.safetensors")):
            if file.name.startswith("model"):
                found |= {_current(name): tensor.float() for name, tensor in load_file(file).items()}
        wanted = self.state_dict()
        if fresh_head:
            found = {name: tensor for name, tensor in found.items() if not name.startswith("classifier.")}
        kept = {name: tensor for name, tensor in found.items() if name in wanted}
        self.load_state_dict(kept, strict=False, assign=True)
        self.start()
        return {name for name in wanted if name not in kept and not (fresh_head and name.startswith("classifier."))}


def _current(name: str) -> str:
    """A parameter's name with the prefix of task models and without names of old versions."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name.startswith(("bert.", "classifier.")) else f"bert.{name}"
