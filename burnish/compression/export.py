"""A tuned model in another runtime, with the same weights: written only where it says the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from burnish import variant
from burnish.artifact import Artifact
from burnish.compression import forms
from burnish.compression.forms import Form
from burnish.compression.parity import compare, require_exact
from burnish.data.features import Features, Ragged, collate
from burnish.data.load import readable
from burnish.data.reader import Reader
from burnish.data.rows import Rows
from burnish.data.shape import SHAPES
from burnish.engine import net_of, start, witness
from burnish.engine.flat import most_tokens
from burnish.engine.run import unlabelled
from burnish.engine.runtime import Eager
from burnish.errors import InputError
from burnish.models.net import Net
from burnish.tasks import Task, task_named
from burnish.variant import Variant

Target = Literal["onnx", "openvino"]
TARGETS: tuple[Target, ...] = get_args(Target)
_UNABLE = (RuntimeError, ValueError, TypeError, AttributeError, AssertionError, torch._dynamo.exc.UserError)


def export(
    folder: str | Path, to: Target, rows: Rows | None = None, say: Callable[[str], None] = lambda line: None
) -> Variant:
    """Write the variant `to` of a model folder, in fp32.

    Args:
        rows: those on which it has to agree with the tuned model; made-up ones when None.

    Raises:
        GateFailed: when it does not agree; nothing is then written.
        InputError: when the folder is no model, or the disk does not take the variant.
        MissingExtra: when the runtime is not installed.
    """
    artifact = Artifact.open(folder)
    artifact.must_go_with("export")
    task = task_named(artifact.task).restore(artifact.state)
    net, tokenizer = net_of(artifact, task), artifact.tokenizer()
    pad_id = tokenizer.pad_token_id or 0
    example = example_of(task, net, tokenizer, artifact.max_tokens)
    if rows is not None:
        rows = readable(rows)
    features = example if rows is None else task.encode(unlabelled(rows), tokenizer, artifact.max_tokens)
    where: Callable[[int], str] = "made-up row {}".format if rows is None else rows.where

    def write(fresh: Path) -> dict[str, Any]:
        say(f"exporting to {to}")
        form = Form(to, "f32")
        try:
            forms.write(net, form, fresh, collate(example, np.arange(8), pad_id), artifact.max_tokens)
        except _UNABLE as error:
            first = str(error).strip().split("\n")[0][:200]
            kind = type(net.model).__name__
            raise InputError(
                f"'{folder}' ({kind}) cannot be exported to {to}: {first}; it runs in torch alone"
            ) from error
        say(f"comparing on {len(features):,} rows")
        other = start(Variant(fresh, form.manifest), artifact, task)
        found = compare(task, features, Eager(net), other, pad_id)
        witness.write(other, collate(example, np.arange(8), pad_id), fresh)
        require_exact(found, f"the export to {to}", where)
        parity = {**asdict(found), "rows_of": "random inputs" if rows is None else "data"}
        return {**form.manifest, "parity": parity}

    return variant.save(artifact, to, write)


def example_of(task: Task, net: Net, tokenizer: Any, max_tokens: int) -> Features:
    """Made-up inputs of 64 rows: what every model can be tried on, and nobody's data."""
    if isinstance(tokenizer, Reader):
        return tokenizer.made_up(64, np.random.default_rng(0))
    return made_up(task, net, max_tokens)


def made_up(task: Task, net: Net, max_tokens: int, rows: int = 64, seed: int = 0) -> Features:
    """Inputs of random tokens, each a word, for a model of texts."""
    draw = np.random.default_rng(seed)
    config = net.model.config
    longest = max(3, min(48, most_tokens(net, max_tokens)))
    lengths = draw.integers(3, longest + 1, rows)
    ids = [draw.integers(0, int(config.vocab_size), length).tolist() for length in lengths]
    ragged = {"input_ids": Ragged.build(ids)}
    if task.kind == "token":
        ragged["words"] = Ragged.build([[-1, *range(length - 2), -1] for length in lengths])
        ragged["shapes"] = Ragged.build([[0, *draw.integers(1, SHAPES, length - 2).tolist(), 0] for length in lengths])
    elif task.name in ("pair", "score") and getattr(config, "type_vocab_size", 0) > 1:
        ragged["token_type_ids"] = Ragged.build([[int(2 * i >= length) for i in range(length)] for length in lengths])
    return Features(ragged, row=np.arange(rows))
