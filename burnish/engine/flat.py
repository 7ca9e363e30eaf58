"""A network as one graph of plain arrays, the form in which ONNX Runtime and OpenVINO run it.

The graph of a token model gives the logits of the places where words begin and of no others, so that its last layer
computes no more than these. Where rows hold no text, the graph reads them as they are kept: any number of rows, of one
shape or, where inputs grow with what they hold, of lengths in steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from burnish.data.features import Batch
from burnish.models.net import Net

Arrays = dict[str, NDArray[Any]]
_WIDTH, _FEW = 16, 512  # tokens that a row is rounded up to, and tokens of a batch that is worth it
_KEPT = 32  # places of words are rounded up to
_STEP, _MOST = 32, 1 << 20  # lengths of inputs that grow come in such steps, and are no longer


class Flat(nn.Module):
    """Takes tensors by position, in the order of `names`: int32 where there are tokens, else as rows are kept."""

    def __init__(self, net: Net, names: tuple[str, ...]) -> None:
        super().__init__()
        self.net, self.names = net.eval(), names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        batch = dict(zip(self.names, inputs, strict=True))
        return self.net.at(batch, batch.get("kept", inputs[0]))


def names_of(net: Net, batch: Batch) -> tuple[str, ...]:
    """What the graph of a network reads, in order; `batch` is an example without targets."""
    if not has_tokens(batch):
        return tuple(sorted(batch))
    optional = ["token_type_ids"] * ("token_type_ids" in batch) + ["shapes"] * net.word_shape
    return ("input_ids", "attention_mask", *optional, *["kept"] * ("words" in batch))


def has_tokens(batch: Batch) -> bool:
    """Whether a batch is of texts."""
    return "input_ids" in batch


def growing(net: Net) -> frozenset[str]:
    """Inputs of a network, of those that are no tokens, whose second axis is as long as the longest of a batch."""
    return getattr(net.scaled, "growing", frozenset())


def arrays(batch: Batch, names: Iterable[str], longest: int = 0, growing: Container[str] = ()) -> Arrays:
    """The named inputs of the graph for a batch: (n, tokens) each, and `kept` (k,), the places where words begin.

    Their sizes are rounded up, as a runtime compiles anew for each it meets: the places by some that nobody looks at,
    and the tokens of a few rows by padding, where it does not make them longer than `longest`. One row alone has one
    of few sizes: 16, 24, 32, 48, 64 and so on, with as many places. What is no text has one shape, and stays as it is;
    what is `growing` is brought to a length that is a multiple of 32, and one row alone to one of few.
    """
    if not has_tokens(batch):
        return {name: _longer(batch[name].numpy()) if name in growing else batch[name].numpy() for name in names}
    n, tokens = batch["input_ids"].shape
    width = min(_rounded(n, tokens), max(tokens, longest))
    more = width - tokens
    step = width if n == 1 else _KEPT
    found: Arrays = {}
    for name in names:
        if name == "kept":
            kept = np.flatnonzero(_padded(batch["words"].numpy(), more, -1) >= 0)
            found[name] = np.zeros(max(1, -(-len(kept) // step)) * step, np.int32)
            found[name][: len(kept)] = kept
        elif name in batch:
            found[name] = _padded(batch[name].numpy(), more, 0)
        else:  # one text where there may be two
            found[name] = np.zeros((n, tokens + more), np.int32)
    return found


def _rounded(n: int, tokens: int) -> int:
    if n > 1:
        return tokens + -tokens % _WIDTH if n * tokens <= _FEW else tokens
    power = max(_WIDTH, 1 << (tokens - 1).bit_length())
    return power * 3 // 4 if tokens <= power * 3 // 4 and power > _WIDTH else power


def _longer(values: NDArray[Any]) -> NDArray[Any]:
    """With zeros behind, which a network that has been told its lengths does not look at."""
    n, length = values.shape[:2]
    wanted = length + -length % _STEP
    if n == 1:
        power = max(2 * _STEP, 1 << (length - 1).bit_length())
        wanted = power * 3 // 4 if length <= power * 3 // 4 and power > 2 * _STEP else power
    return np.pad(values, ((0, 0), (0, wanted - length), *[(0, 0)] * (values.ndim - 2)))


def _padded(values: NDArray[Any], more: int, value: int) -> NDArray[np.int32]:
    n, tokens = values.shape
    found = np.full((n, tokens + more), value, np.int32)
    found[:, :tokens] = values
    return found


def spread(logits: NDArray[Any], batch: Batch) -> torch.Tensor:
    """Logits as the network itself gives them: (n, tokens, outputs), 0 where no word begins, or (n, outputs)."""
    if "words" not in batch:
        return torch.from_numpy(logits.copy())
    words = batch["words"].numpy()
    kept = np.flatnonzero(words >= 0)
    full = np.zeros((words.size, logits.shape[-1]), logits.dtype)
    full[kept] = logits[: len(kept)]
    return torch.from_numpy(full.reshape(*words.shape, -1))


def most_tokens(net: Net, max_tokens: int) -> int:
    """Tokens of the longest row that the network takes."""
    places = int(getattr(net.model.config, "max_position_embeddings", 0))
    return min(places, max_tokens) if places > 0 else max_tokens


def export(net: Net, batch: Batch, max_tokens: int) -> tuple[torch.export.ExportedProgram, tuple[str, ...]]:
    """Trace the network for any number of rows, and of tokens where there are any; returns the program and the names of
    its inputs.

    Args:
        batch: an example of at least two rows and, in a token model, two words.
    """
    names = names_of(net, batch)
    example = arrays(batch, names, growing=growing(net))
    rows = torch.export.Dim("rows", min=1)
    steps = _STEP * torch.export.Dim("steps", min=1, max=_MOST // _STEP)
    shapes: tuple[dict[int, Any], ...] = tuple({0: rows, 1: steps} if n in growing(net) else {0: rows} for n in names)
    if has_tokens(batch):
        tokens = torch.export.Dim("tokens", min=2, max=most_tokens(net, max_tokens))
        kept = torch.export.Dim("kept", min=1)
        shapes = tuple({0: kept} if name == "kept" else {0: rows, 1: tokens} for name in names)
    inputs = tuple(torch.from_numpy(example[name].copy()) for name in names)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
        program = torch.export.export(Flat(net, names), inputs, dynamic_shapes=(shapes,))
    return program, names
