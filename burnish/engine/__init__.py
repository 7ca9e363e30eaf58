"""Predictions without HTTP: `Engine.open(folder).predict(inputs)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from burnish.artifact import Artifact
from burnish.data.features import Features
from burnish.data.mixed import Mixed
from burnish.data.reader import Reader
from burnish.data.readers import TEXT
from burnish.data.rows import Row
from burnish.device import cpu_flags
from burnish.engine import witness
from burnish.engine.run import portions, predictions, unlabelled
from burnish.engine.runtime import Eager, Runtime
from burnish.engine.together import Beside, Part, Together
from burnish.errors import InputError
from burnish.models.fusion import Pool
from burnish.models.net import Net
from burnish.models.opening import load_modules, open_net
from burnish.tasks import Task, task_named
from burnish.variant import TUNED, Variant, best

TORCH, ONNX, OPENVINO = "torch", "onnx", "openvino"


class Engine:
    """A model that runs somewhere, with its task and tokenizer. Several threads may predict with it at once."""

    artifact: Artifact | None = None  # where it was opened from

    def __init__(self, runtime: Runtime, task: Task, tokenizer: Any, max_tokens: int) -> None:
        self.runtime, self.task, self.tokenizer, self.max_tokens = runtime, task, tokenizer, max_tokens

    @classmethod
    def open(cls, folder: str | Path, variant: str | None = None) -> Self:
        """Open a model folder.

        Args:
            variant: one of `variants/`, or `torch` for the tuned model itself; when None, the fastest variant that a
                search has chosen on such a processor, or else the tuned model.

        Raises:
            InputError: when the folder is no artifact, was changed since it was written, or has no such variant.
            MissingExtra: when the variant's runtime is not installed.
        """
        artifact = Artifact.open(folder)
        name = variant or best(artifact)
        return cls.of(artifact, None if name in (None, TUNED) else Variant.open(artifact, str(name)))

    @classmethod
    def of(cls, artifact: Artifact, variant: Variant | None = None, weights: Path | None = None) -> Self:
        """Open a form of a model, by default the tuned one.

        Args:
            weights: where the modules lie that decoding needs, when not in the model's own folder.
        """
        task = task_named(artifact.task).restore(artifact.state)
        if artifact.kinds:
            engines = {kind: cls.open(artifact.folder / kind) for kind in artifact.kinds}
            pool = None if task.paired else Pool.restore(artifact.manifest["pool"])
            engine = cls.joined(engines, task, pool)
            engine.artifact = artifact
            return engine
        if variant is None:
            runtime: Runtime = Eager(net_of(artifact, task).eval())
        else:
            runtime = start(variant, artifact, task)
            if variant.manifest["environment"].get("cpu_flags") != " ".join(cpu_flags()):
                witness.check(runtime, variant.folder, variant.manifest["precision"])
            load_modules(weights or artifact.folder, task.modules())  # what decoding needs of them
        engine = cls(runtime, task, artifact.tokenizer(), artifact.max_tokens)
        engine.artifact = artifact
        return engine

    @classmethod
    def joined(cls, engines: Mapping[str, Engine], task: Task, pool: Pool | None) -> Self:
        """One engine of several, by kind of input; `task` has the classes of all of them.

        Args:
            pool: how they answer together; None where each gives the vectors of its own kind.
        """
        longest = engines[TEXT].max_tokens if TEXT in engines else 0
        reader = Mixed({kind: one.tokenizer for kind, one in engines.items()}, longest)
        if pool is None:
            beside = Beside({kind: one.runtime for kind, one in engines.items()}, task.outputs)
            return cls(beside, task, reader, longest)
        known = {label: place for place, label in enumerate(task.labels)}
        parts = {kind: Part(one.runtime, [known[label] for label in one.task.labels]) for kind, one in engines.items()}
        return cls(Together(parts, pool, len(task.labels)), task, reader, longest)

    @property
    def net(self) -> Net:
        """The network, where it runs in torch.

        Raises:
            AttributeError: for a variant in another runtime.
        """
        if not isinstance(self.runtime, Eager):
            raise AttributeError(f"a model in {type(self.runtime).__name__} has no network to look into")
        return self.runtime.net

    @cached_property
    def twin(self) -> Net:
        """The network to look into: its own, or the tuned one that a variant was made from, loaded when first asked.

        Raises:
            InputError: when the variant was not opened from a model folder, or that has changed since.
        """
        if isinstance(self.runtime, Eager):
            return self.runtime.net
        if self.artifact is None:
            raise InputError("this variant was not opened from a model folder, so that its tuned network is not known")
        self.artifact.verify()
        return net_of(self.artifact, self.task).eval()

    def predict(self, inputs: Iterable[Any] | str) -> list[Any]:
        """Predict for each input, in order; a single text counts as one input.

        Args:
            inputs: texts; for `tag` texts or lists of words; for `pair` [text, text]; for `embed` a text, or two that
                may belong together; for a model of images paths, the bytes of files, Pillow images, arrays (height,
                width, 3) of bytes, or mappings {"image": one of these}; for a model of several kinds mappings of kind
                to value, in which kinds may be missing.

        Returns:
            One prediction of the task's class for each input.
        """
        reader = self.tokenizer if isinstance(self.tokenizer, Reader) else None
        alone = reader.is_one(inputs) if reader else isinstance(inputs, str)
        return self.predict_rows([self.row(one) for one in ([inputs] if alone else inputs)])

    def row(self, given: Any) -> Row:
        """Turn one input, as `predict` takes it, into a row.

        Raises:
            InputError: when it has another form than the model takes.
        """
        return self.tokenizer.row(given) if isinstance(self.tokenizer, Reader) else self.task.row(given)

    def predict_rows(self, rows: Iterable[Row]) -> list[Any]:
        """Predict for canonical rows; labels they carry are not looked at."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[Row]) -> Iterator[Any]:
        """Predict for canonical rows one after another, holding some thousand at a time."""
        for portion in portions(rows):
            yield from predictions(self.runtime, self.task, self.encode(portion), portion, pad_id=self.pad_id)

    def encode(self, rows: Iterable[Row]) -> Features:
        """Model inputs of canonical rows, without their labels."""
        return self.task.encode(unlabelled(rows), self.tokenizer, self.max_tokens)

    @property
    def pad_id(self) -> int:
        return self.tokenizer.pad_token_id or 0


def net_of(artifact: Artifact, task: Task, folder: Path | None = None) -> Net:
    """Load the tuned network of a model folder, or one of its kind from another folder."""
    kept = artifact.pooling, artifact.word_shape, task.modules()
    return open_net(str(folder or artifact.folder), task.kind, task.outputs, *kept, inputs=str(artifact.folder))


def start(variant: Variant, artifact: Artifact, task: Task) -> Runtime:
    """Load a variant into the runtime it was made for.

    Raises:
        InputError: when this burnish knows no such runtime.
    """
    from burnish.engine import onnx, openvino

    runtime, precision = variant.manifest["runtime"], variant.manifest["precision"]
    if runtime == TORCH:
        net = net_of(artifact, task, variant.folder).eval()
        return Eager(net, precision="bf16" if precision == "bf16" else "fp32")
    if runtime == ONNX:
        return onnx.Onnx(variant.folder / onnx.GRAPH, longest=artifact.max_tokens)
    if runtime == OPENVINO:
        return openvino.OpenVino(variant.folder / openvino.GRAPH, precision, longest=artifact.max_tokens)
    raise InputError(f"'{variant.folder}' is for the runtime '{runtime}', which this burnish does not know")
