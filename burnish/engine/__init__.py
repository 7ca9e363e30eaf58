"""Predictions without HTTP: `Engine.open(folder).predict(inputs)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from burnish.artifact import Artifact
from burnish.data.rows import Row
from burnish.device import choose_device
from burnish.engine.run import portions, predictions, unlabelled
from burnish.engine.runtime import Eager, Runtime
from burnish.errors import InputError
from burnish.models.net import Net, open_net
from burnish.tasks import Task, task_named


class Engine:
    """A loaded model with its task and tokenizer."""

    def __init__(self, net: Net, task: Task, tokenizer: Any, max_tokens: int) -> None:
        self.net, self.task, self.tokenizer, self.max_tokens = net, task, tokenizer, max_tokens
        self.runtime: Runtime = Eager(net.to(device := choose_device()).eval(), device)

    @classmethod
    def open(cls, folder: str | Path, variant: str | None = None) -> Self:
        """Open a model folder.

        Raises:
            InputError: when the folder is no artifact, was changed since it was written, or has no such variant.
        """
        artifact = Artifact.open(folder)
        if variant is not None:
            raise InputError(f"'{folder}' has no variant '{variant}'; valid: none (the tuned model itself)")
        task = task_named(artifact.task).restore(artifact.state)
        net = open_net(
            str(artifact.folder), task.kind, task.outputs, artifact.pooling, artifact.word_shape, task.modules()
        )
        return cls(net, task, artifact.tokenizer(), artifact.max_tokens)

    def predict(self, inputs: Iterable[Any] | str) -> list[Any]:
        """Predict for each input, in order; a single text counts as one input.

        Args:
            inputs: texts; for `tag` texts or lists of words; for `pair` [text, text].

        Returns:
            One prediction of the task's class for each input.
        """
        given = [inputs] if isinstance(inputs, str) else inputs
        return self.predict_rows([self.task.row(one) for one in given])

    def predict_rows(self, rows: Iterable[Row]) -> list[Any]:
        """Predict for canonical rows; labels they carry are not looked at."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[Row]) -> Iterator[Any]:
        """Predict for canonical rows one after another, holding some thousand at a time."""
        pad_id = self.tokenizer.pad_token_id or 0
        for portion in portions(rows):
            features = self.task.encode(unlabelled(portion), self.tokenizer, self.max_tokens)
            yield from predictions(self.runtime, self.task, features, portion, pad_id=pad_id)
