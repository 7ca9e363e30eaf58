"""BERT (Devlin et al. 2019) with a head, spelled out: starts without transformers, and trains faster.

Parameters carry the names that transformers gives them, so that a saved folder is read by plain transformers, and any
BERT folder is read here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
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
_GRAIN = 128  # states are filled up to a multiple of it: in bf16 oneDNN compiles for every number of rows it meets
_NEVER = 65504.0  # a score lower by this weighs nothing, in every type that holds it
_KEPT = 64  # the same for the places of which the last layer gives the states


def fits(config: dict[str, Any]) -> bool:
    """Whether a model with this `config.json` is one that this file spells out."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") in _ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


class _Linear(nn.Linear):
    """Starts empty: weights are loaded, or drawn by `Bert.start`, and not drawn before only to be replaced."""

    def reset_parameters(self) -> None:
        pass


class _Embedding(nn.Embedding):
    """Starts empty, as `_Linear` does."""

    def reset_parameters(self) -> None:
        pass


class SharedEmbedding(_Embedding):
    """Vectors some of which stand for several words.

    Attributes:
        rows: for each word of the vocabulary the index of its vector.
    """

    rows: torch.Tensor

    def __init__(self, vocabulary: int, vectors: int, hidden: int) -> None:
        super().__init__(vectors, hidden)
        self.register_buffer("rows", torch.zeros(vocabulary, dtype=torch.int32))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(self.rows.index_select(0, input.reshape(-1)).view(input.shape))


class _Part(nn.Module):
    """A named group of modules, as the names of transformers' parameters ask for."""

    def __init__(self, /, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class Layer(nn.Module):
    """Self-attention and feed-forward, each with dropout, residual and layer norm behind it.

    The heads have `attention_head_size` dimensions where the config says so, as after some of them were taken out.
    """

    attention: Any
    intermediate: Any
    output: Any

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        hidden, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        mixed = self.heads * (getattr(config, "attention_head_size", None) or hidden // self.heads)
        self.act = _ACTIVATIONS[config.hidden_act]
        names = ("query", "key", "value")
        self.attention = _Part(
            self=_Part(**{name: _Linear(hidden, mixed) for name in names}),
            output=_Part(dense=_Linear(mixed, hidden), LayerNorm=nn.LayerNorm(hidden, eps)),
        )
        self.intermediate = _Part(dense=_Linear(hidden, inner))
        self.output = _Part(dense=_Linear(inner, hidden), LayerNorm=nn.LayerNorm(hidden, eps))
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.weight_dropout = Dropout(config.attention_probs_dropout_prob)

    def forward(
        self,
        states: torch.Tensor,
        shape: tuple[int, int],
        bias: torch.Tensor | None,
        kept: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """States after this layer, (m, hidden) as before it, or those of the `kept` places alone.

        Args:
            shape: (n, tokens); the first n * tokens states are their places, any further ones are filling.
        """
        n, tokens = shape
        own = self.attention.self
        query, key, value = own.query(states), own.key(states), own.value(states)
        mixed = attend(query, key, value, (n, tokens, self.heads), bias, self.weight_dropout)
        if kept is not None:
            mixed, states = mixed.index_select(0, kept), states.index_select(0, kept)
        out = self.attention.output
        states = _lowered(out.LayerNorm(self.dropout(out.dense(mixed)) + states))
        inner = self.act(self.intermediate.dense(states))
        return _lowered(self.output.LayerNorm(self.dropout(self.output.dense(inner)) + states))


def _lowered(states: torch.Tensor) -> torch.Tensor:
    """Keep states in the type in which autocast multiplies: they are normed at every turn, so that no error grows."""
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
        vectors = getattr(config, "shared_vectors", None)
        self.embeddings = _Part(
            word_embeddings=_Embedding(config.vocab_size, hidden)
            if vectors is None
            else SharedEmbedding(config.vocab_size, vectors, hidden),
            position_embeddings=_Embedding(config.max_position_embeddings, hidden),
            token_type_embeddings=_Embedding(config.type_vocab_size, hidden),
            LayerNorm=nn.LayerNorm(hidden, config.layer_norm_eps),
        )
        self.encoder = _Part(layer=nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers)))
        self.dropout = Dropout(config.hidden_dropout_prob)
        if pooler:
            self.pooler = _Part(dense=_Linear(hidden, hidden))

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        kept: torch.Tensor | None = None,
    ) -> SimpleNamespace:
        """States of all tokens, or of the `kept` places alone: the last layer then leaves out the others."""
        parts = self.embeddings
        words = parts.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        types = parts.token_type_embeddings
        kinds = types.weight[0] if token_type_ids is None else types(token_type_ids)
        n, tokens, hidden = words.shape
        states = (words + parts.position_embeddings.weight[:tokens] + kinds).view(n * tokens, hidden)
        if self.training or torch.is_autocast_enabled(states.device.type):
            states = F.pad(states, (0, 0, 0, -len(states) % _GRAIN))
        states = self.dropout(_lowered(parts.LayerNorm(states)))
        bias = None
        if attention_mask is not None and (torch.compiler.is_exporting() or not bool(attention_mask.all())):
            bias = (attention_mask[:, None, None, :].to(states.dtype) - 1) * _NEVER
        *lower, top = self.encoder.layer
        for layer in lower:
            states = layer(states, (n, tokens), bias)
        states = top(states, (n, tokens), bias, kept)
        if kept is None:
            states = states[: n * tokens].view(n, tokens, hidden)
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
        self.bert = Encoder(self.config, pooler=kind == "sequence")
        self.dropout = Dropout(self.config.hidden_dropout_prob)
        self.classifier = _Linear(self.config.hidden_size, outputs)

    def start(self, names: Iterable[str] | None = None) -> None:
        """Give random weights to the named parameters, or to all."""
        parameters = dict(self.named_parameters())
        for name in parameters if names is None else names:
            if "LayerNorm" in name:
                nn.init.constant_(parameters[name], float(name.endswith("weight")))
            elif name.endswith("bias"):
                nn.init.zeros_(parameters[name])
            else:
                nn.init.normal_(parameters[name], std=self.config.initializer_range)

    @property
    def base_model(self) -> Encoder:
        return self.bert

    def get_input_embeddings(self) -> nn.Embedding:
        words: nn.Embedding = self.bert.embeddings.word_embeddings
        return words

    def forward(self, words: torch.Tensor | None = None, **inputs: torch.Tensor) -> SimpleNamespace:
        """Logits (n, tokens, outputs) or (n, outputs).

        Args:
            words: for a token head, 0 or more where a token begins a word; the logits of other tokens are then 0.
        """
        n, tokens = inputs["attention_mask"].shape
        if self.kind == "token" and words is None:
            return SimpleNamespace(logits=self.classifier(self.dropout(self.bert(**inputs).last_hidden_state)))
        if self.kind == "sequence":
            kept = torch.arange(0, n * tokens, tokens, device=inputs["attention_mask"].device)
            return SimpleNamespace(logits=self.at(kept, **inputs))
        kept = (words.reshape(-1) >= 0).nonzero()[:, 0]  # type: ignore[union-attr]
        logits = self.at(F.pad(kept, (0, -len(kept) % _KEPT)), **inputs)[: len(kept)]
        logits = logits.new_zeros(n * tokens, logits.shape[-1]).index_copy(0, kept, logits).view(n, tokens, -1)
        return SimpleNamespace(logits=logits)

    def at(self, kept: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Logits (k, outputs) of the `kept` places alone, counted along the rows: place = row * tokens + token."""
        states = self.bert(**inputs, kept=kept).last_hidden_state
        return self.head(states) if self.kind == "sequence" else self.classifier(self.dropout(states))

    def head(self, states: torch.Tensor) -> torch.Tensor:
        """Logits (n, outputs) of a sequence head on the first tokens' states (n, hidden)."""
        logits: torch.Tensor = self.classifier(self.dropout(torch.tanh(self.bert.pooler.dense(states))))
        return logits

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
                read = load_file(file).items()
                found |= {_current(name): t.float() if t.is_floating_point() else t for name, t in read}
        wanted = self.state_dict()
        if fresh_head:
            found = {name: tensor for name, tensor in found.items() if not name.startswith("classifier.")}
        kept = {name: tensor for name, tensor in found.items() if name in wanted}
        self.load_state_dict(kept, strict=False, assign=True)
        missing = wanted.keys() - kept.keys()
        self.start(sorted(missing))
        return {name for name in missing if not (fresh_head and name.startswith("classifier."))}


def _current(name: str) -> str:
    """A parameter's name with the prefix of task models and without names of old versions."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name.startswith(("bert.", "classifier.")) else f"bert.{name}"
