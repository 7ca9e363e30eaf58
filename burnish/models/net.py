"""The network: a plain transformers model, and what plain transformers cannot express beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from burnish.data.shape import SHAPES
from burnish.models.bert import Bert
from burnish.models.layers import Dropout
from burnish.models.pooling import Pooling, declare
from burnish.models.pretrained import Kind, places_in
from burnish.models.small import Small
from burnish.models.sound import ONE_PITCH, Levelled
from burnish.models.summary import summary_for
from burnish.models.table import Coded
from burnish.models.vision import CLIPS, Frames, Scaled

READ = "read"  # of a batch: what the encoder gives, in place of what it would read
TOP = ("projector", "classifier")  # of transformers' models: what is new with a head, from below
Front = Scaled | Levelled | Coded
EXTRAS_FILE = "burnish.safetensors"  # not model*.safetensors: plain transformers must not read it


class Net(nn.Module):
    """A transformers model with optional word-shape input and mean pooling.

    Attributes:
        model: a `Bert`, one of burnish's `Small` networks, or transformers' `AutoModelForTokenClassification`,
            `...SequenceClassification`, `...ImageClassification`, `...VideoClassification`, `...AudioClassification` or
            `AutoModelForCTC`.
        reads: text, image, video, audio or table; a model of all but the first has its own way of pooling, and `scaled`
            prepares what it is given.
        extras: modules that plain transformers does not know, the task's own among them, saved in a file of their own.
        pooling: `cls` is the model's own way; `mean` averages the last layer, `first` takes its first token, and both
            bring their own linear head.
    """

    def __init__(
        self,
        model: Any,
        kind: Kind,
        outputs: int,
        pooling: Pooling = "cls",
        word_shape: bool = False,
        modules: Mapping[str, nn.Module] | None = None,
        scaled: Front | None = None,
    ) -> None:
        super().__init__()
        self.model, self.kind, self.scaled = model, kind, scaled
        if isinstance(scaled, Levelled) and getattr(model.config, ONE_PITCH, False):
            scaled.ask_at_one_pitch()
        self.reads = "text" if scaled is None else scaled.kind
        self.pooling: Pooling = pooling if scaled is None else "cls"
        if scaled is not None:
            self.extras = nn.ModuleDict()
            if kind == "sequence" and (summary := summary_for(scaled, outputs)):
                self.extras["summary"] = summary
            return
        hidden = model.config.hidden_size
        self.extras = nn.ModuleDict()
        if word_shape:
            shape = nn.Embedding(SHAPES, hidden, padding_idx=0)
            nn.init.normal_(shape.weight, std=0.005)
            with torch.no_grad():
                shape.weight[0].zero_()
            self.extras["shape"] = shape
        if kind == "sequence" and pooling != "cls":
            self.extras["dropout"] = Dropout(getattr(model.config, "hidden_dropout_prob", 0.1))
            self.extras["head"] = nn.Linear(hidden, outputs)
        self.extras.update(modules or {})

    @property
    def own(self) -> bool:
        """Whether plain transformers has no such network, or none that is asked in this way."""
        return isinstance(self.model, Small) or (
            self.reads == Frames.kind and self.model.config.model_type not in CLIPS
        )

    @property
    def hidden(self) -> int:
        """Width of the last states; where the stages of a network have several, of the widest."""
        config = self.model.config
        return int(getattr(config, "hidden_size", None) or max(config.hidden_sizes))

    @property
    def places(self) -> int | None:
        """Tokens of the longest text that it has learnt positions for; None where it takes any number."""
        return places_in(self) if self.reads == "text" else None

    @property
    def word_shape(self) -> bool:
        return "shape" in self.extras

    def train(self, mode: bool = True) -> Net:
        """As usual; but norms over a batch that do not learn keep to what they have seen."""
        super().train(mode)
        for module in self.modules() if mode and self.scaled is not None else ():
            if isinstance(module, _BatchNorm) and not module.weight.requires_grad:
                module.eval()
        return self

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of a batch: (n, tokens, outputs), (n, outputs), or as `Scaled` has those of boxes."""
        logits: torch.Tensor
        if READ in batch:
            return self._of_read(batch[READ])
        if self.scaled is not None:
            logits = self.scaled.ask(self.model, batch)
            if "summary" in self.extras and not self.training:  # it is fitted at the end
                logits = logits + self.extras["summary"](self.scaled, batch)
        elif "head" in self.extras:
            logits = self.extras["head"](self.extras["dropout"](self.vectors(batch)))
        else:
            inputs = self._inputs(batch)
            if self.kind == "token" and isinstance(self.model, Bert):
                inputs["words"] = batch["words"]
            logits = self.model(**inputs).logits
        if "bigrams" in self.extras:
            logits = logits + self.extras["bigrams"](batch["input_ids"], batch["attention_mask"])
        return logits

    def at(self, batch: dict[str, torch.Tensor], kept: torch.Tensor) -> torch.Tensor:
        """Logits of a batch without empty places: (k, outputs) of the `kept` tokens, counted along the rows
        (row * tokens + token), or (n, outputs) of a model of whole texts, which takes no `kept`."""
        if self.kind == "sequence":
            return self.forward(batch)
        if isinstance(self.model, Bert):
            return self.model.at(kept, **self._inputs(batch))
        logits: torch.Tensor = self.model(**self._inputs(batch)).logits
        return logits.flatten(0, 1).index_select(0, kept)

    def steps(self, inputs: Mapping[str, Any]) -> torch.Tensor:
        """In how many steps a network that reads no texts answers each of the inputs of a batch, (n,)."""
        assert isinstance(self.scaled, Levelled)
        return self.scaled.steps(self.model, inputs)

    def vectors(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Text vectors (n, hidden): the mean of the last states over the tokens, or that of the first."""
        return self._vectors(self._states(batch), batch)

    def ends(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Text vectors, and last states of the first tokens, (n, 2, hidden): what the two heads of a text read."""
        states = self._states(batch)
        return torch.stack([self._vectors(states, batch), states[:, 0]], 1)

    def _vectors(self, states: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.pooling == "first":
            return states[:, 0]
        mask = batch["attention_mask"].unsqueeze(-1).to(states)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)

    @property
    def linear(self) -> nn.Linear | None:
        """The head, where it is one linear layer on `read`."""
        if self.kind == "boxes" or (self.scaled is not None and self.kind == "token"):
            return None
        if self.scaled is not None:  # a fresh encoder gives its head nothing to be fitted to
            head = None if getattr(self.model, "untrained", False) else getattr(self.model, "classifier", None)
            return head if isinstance(head, nn.Linear) else None
        head = getattr(self.model, "classifier", None) if self.kind == "token" else None
        if "head" in self.extras:
            head = self.extras["head"]
        elif any(name.startswith("model.") and ".classifier." not in name for name in self.head_parameters()):
            return None  # more stands between encoder and classifier, as in ModernBERT
        return head if isinstance(head, nn.Linear) else None

    def read(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the head reads, before dropout: vectors (n, hidden), or states (n, tokens, hidden)."""
        if READ in batch:
            return self._projected(batch[READ])
        if self.scaled is not None:
            return self._given_to_head(batch)
        return self.vectors(batch) if self.kind == "sequence" else self._states(batch)

    def encoded(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the encoder gives to all that is new with a head, (n, ...), before dropout; of sounds their mean."""
        if self.scaled is None:
            return self.read(batch)
        top = {name: getattr(self.model, name) for name in TOP if hasattr(self.model, name)}
        try:
            for name in top:
                setattr(self.model, name, nn.Identity())
            return self.scaled.ask(self.model, batch)
        finally:
            for name, module in top.items():
                setattr(self.model, name, module)

    def _of_read(self, read: torch.Tensor) -> torch.Tensor:
        """Logits of what the encoder gives, with the dropout before the head."""
        if self.scaled is None:
            logits: torch.Tensor = self.extras["head"](self.extras["dropout"](read))
            return logits
        before, read = getattr(self.model, "dropout", None), self._projected(read)
        logits = self.model.classifier(before(read) if isinstance(before, nn.Module) else read)
        return logits

    def _projected(self, encoded: torch.Tensor) -> torch.Tensor:
        """What the head reads of what the encoder gives: the same, or behind a layer that is new as well."""
        layer = getattr(self.model, TOP[0], None) if self.reads == "audio" else None
        return encoded if layer is None else layer(encoded)

    def _given_to_head(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What reaches the model's own head: each architecture pools in its own way."""
        seen: list[torch.Tensor] = []
        handle = self.model.classifier.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        try:
            self.forward(batch)
        finally:
            handle.remove()
        read, rows = torch.cat(seen), len(next(iter(batch.values())))  # a model may be asked for each row by itself
        return read if len(read) == rows else read.view(rows, -1, *read.shape[1:]).mean(1)  # or for each frame of it

    def first_states(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last states of the first tokens (n, hidden)."""
        return self._states(batch)[:, 0]

    def _states(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last states (n, tokens, hidden)."""
        states: torch.Tensor = self.model.base_model(**self._inputs(batch)).last_hidden_state
        return states

    def _inputs(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        inputs: dict[str, torch.Tensor] = {
            name: batch[name] for name in ("attention_mask", "token_type_ids") if name in batch
        }
        if "vectors" in batch:
            inputs["inputs_embeds"] = batch["vectors"]
        elif self.word_shape:
            inputs["inputs_embeds"] = self.embed(batch)
        else:
            inputs["input_ids"] = batch["input_ids"]
        return inputs

    def embed(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors of the tokens (n, tokens, hidden), before places are added; a batch may bring others as `vectors`."""
        words: torch.Tensor = self.model.get_input_embeddings()(batch["input_ids"])
        return words + self.extras["shape"](batch["shapes"]) if self.word_shape else words

    @property
    def words(self) -> torch.Tensor | None:
        """The matrix of word vectors, where there is one."""
        return None if self.scaled is not None else self.model.get_input_embeddings().weight

    def head_parameters(self) -> set[str]:
        """Names of parameters that start untrained: the head and the extra inputs."""
        prefix = self.model.base_model_prefix
        base = f"{prefix if hasattr(self.model, prefix) else 'encoder'}."  # Whisper's classifier has half of its model
        names = {n for n, _ in self.named_parameters()}
        inner = {n for n in names if n.startswith("model.") and not n.removeprefix("model.").startswith(base)}
        return inner | {n for n in names if n.startswith("extras.")}

    def save(self, folder: Path) -> None:
        """Write the model in transformers' form and the extras beside it."""
        self.model.save_pretrained(folder)
        extras = {name: value.contiguous() for name, value in self.extras.state_dict().items()}
        if extras:
            save_file(extras, folder / EXTRAS_FILE)
        if self.pooling == "first":
            declare(folder, self.pooling, self.hidden)
