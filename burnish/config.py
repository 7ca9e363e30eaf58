"""The job file: every option, its default and its meaning, in one place."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator, model_validator

from burnish.clashes import clashes
from burnish.defaults import of_kinds, of_method
from burnish.errors import ConfigError
from burnish.mistakes import OVERRIDDEN, Lines, mistakes, override, read_yaml


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


_ONE_OR_SEVERAL = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Names = Annotated[tuple[str, ...], WithJsonSchema(_ONE_OR_SEVERAL)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Columns(_Section):
    """Which column plays which part; unset ones are guessed from their names."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # `text: 1` means the same as `text: '1'`

    text: str | None = Field(None, description="Text to read.")
    text_b: str | None = Field(None, description="Second text, for `pair` and `embed`.")
    image: str | None = Field(
        None,
        description="File of an image, from the folder of the data, for `classify` and `detect`; or how its name is "
        "made of other columns, as `images/{id}.jpg`.",
    )
    audio: str | None = Field(None, description="File of a sound, in the same way.")
    video: str | None = Field(None, description="File of a video, in the same way.")
    number: Names = Field((), description="Columns of a table that hold numbers, for `classify` and `score`.")
    category: Names = Field((), description="Columns of a table that hold one of some values each.")
    boxes: str | None = Field(
        None,
        description="Four columns with the edges of a box, for `detect`, in a table with a box a row: left, top, "
        "right, bottom; `xmin,ymin,xmax,ymax` when unset.",
    )
    label: str | None = Field(None, description="Class, classes or number to predict; for `transcribe` what is said.")
    words: str | None = Field(None, description="List of words, for `tag`.")
    tags: str | None = Field(None, description="List of tags, one a word; in a CoNLL file the column's number or name.")
    spans: str | None = Field(None, description="Entities with character offsets, for `tag`.")
    group: str | None = Field(None, description="Rows that share a value stay on one side of a split.")
    time: str | None = Field(None, description="Order of the rows, for a split by time.")

    @field_validator("number", "category", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str | int) else given

    @property
    def table(self) -> tuple[str, ...]:
        """The columns of a row of numbers and categories."""
        return (*self.number, *self.category)

    def without(self, kinds: Iterable[str]) -> Columns:
        """The same without the columns of some kinds of input."""
        named = [name for kind in kinds for name in (("number", "category") if kind == "table" else (kind,))]
        return self.model_copy(update={name: type(self).model_fields[name].default for name in named})


class Split(_Section):
    """How rows are set apart where no dev or test file is given."""

    by: Literal["stratify", "random", "group", "block", "time"] = Field(
        "stratify",
        description="`block` keeps neighbours together, by `data.columns.time` or in the order of the file.",
    )
    dev: Fraction = Field(0.1, description="Share of the training file, when there is no `data.dev`.")
    test: Fraction = Field(0.0, description="Share of the training file, when there is no `data.test`.")


class Data(_Section):
    """Where the rows are and how to read them."""

    train: str = Field(
        description="File, folder of Parquet files, folder of images, sounds or videos in a sub-folder a class, or hub "
        "name (`hub:owner/name`); for `detect` a folder, a list or a file of annotations."
    )
    dev: str | None = Field(None, description="Rows to choose on.")
    test: str | None = Field(None, description="Rows for the last measurement; never chosen on.")
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "conll", "spans"] = "auto"
    encoding: str = Field("auto", description="auto, or a Python codec name such as gb18030.")
    columns: Columns = Columns()
    split: Split = Split()
    multi_label: bool = Field(False, description="A row may carry several classes (`classify`).")
    incomplete: Literal["keep", "skip"] = Field(
        "keep",
        description="Rows of several kinds of input that lack some of them, a picture that cannot be read for one.",
    )
    separator: str = Field("|", description="Between classes in one cell, with `multi_label`.")
    limit: int | None = Field(None, ge=1, description="Read no more than this many rows of each file.")


class Check(_Section):
    """Which findings of the data check stop the job."""

    fail_on: tuple[str, ...] = Field(
        (), description="Names of checks whose warning stops the job; broken data always does."
    )
    near_duplicate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.85, description="Jaccard similarity of character shingles that counts as the same text."
    )


class Augment(_Section):
    """Changed copies of training rows; each value is a share of the rows, 0 is off."""

    mention: Fraction = Field(0.0, description="`tag`: put another mention of the same type in place.")
    casing: Fraction = Field(0.0, description="Change upper and lower case; no effect on Chinese.")
    delete: Fraction = Field(0.0, description="Drop a random word (character in Chinese) outside entities.")
    swap: Fraction = Field(0.0, description="Swap two neighbouring words (characters in Chinese) outside entities.")


class FromScratch(_Section):
    """Size of an encoder that starts from random weights (`model: scratch`)."""

    layers: int = Field(4, ge=1)
    hidden: int = Field(256, ge=16)
    heads: int = Field(4, ge=1)
    vocabulary: int = Field(8000, ge=100, description="Size of the tokenizer built from the training text.")


class Lora(_Section):
    """Low-rank updates that learn in place of the encoder's own weights."""

    rank: int = Field(8, ge=1, description="Inner width of an update.")
    alpha: Positive = Field(16.0, description="Updates count alpha / rank times.")


class Privacy(_Section):
    """Differentially private training: what the weights may tell of any one training row."""

    epsilon: Positive = Field(description="Bound on what one row can change; 8 is usual, 1 is strict.")
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        None, description="Chance that the bound does not hold; unset: 1 / (n ln n) for n training rows."
    )


class Tune(_Section):
    """How the model is trained."""

    method: Literal["full", "few-shot", "adopt"] = Field(
        "full",
        description="few-shot: for `classify` with about 4 to 64 examples a class; contrast, then a head. adopt: for a "
        "model tuned elsewhere, whose own head is kept; nothing is trained.",
    )
    labels: tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...] = Field(
        (), description="adopt: classes in the order of the head's outputs, where its `config.json` names others."
    )
    metric: str | None = Field(None, description="Metric to choose on; the task's own when unset.")
    epochs: int = Field(3, ge=1)
    learning_rate: Positive = 2e-4
    head_learning_rate: Positive = Field(1e-3, description="For the new head and the extra inputs.")
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.9, description="Learning rate factor a layer, going down."
    )
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    optimizer: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Fraction = Field(0.1, description="Share of the steps.")
    clip: Positive = Field(1.0, description="Largest norm of the gradient; under `privacy` of each row's.")
    tokens_per_batch: int = Field(1024, ge=16, description="Padded tokens in one forward pass.")
    tokens_per_step: int | None = Field(
        None, ge=16, description="Effective batch in tokens; passes are accumulated up to it."
    )
    max_tokens: int = Field(
        256, ge=8, description="Longest input, in tokens of the model; a token of sound is 40 milliseconds."
    )
    image_size: int | None = Field(
        None,
        ge=8,
        le=1024,
        description="Height and width in pixels that images are brought to, for `detect` the shorter one of them; "
        "unset: what the model wants, or else 32 to 96, as suits the training images, and 240 for `detect`.",
    )
    frames: int | None = Field(
        None, ge=1, le=256, description="Frames taken of a video; unset: what the model reads, or else 8."
    )
    vary: Literal["auto", "none", "shift", "mirror", "flip", "speed"] = Field(
        "auto",
        description="Images, videos and sounds in training: shift moves them a little and hides parts of them, and "
        "makes sounds noisy; mirror turns half of the images round as well; flip half of them upside down, too; speed "
        "changes speed and pitch of sounds as well; auto: mirror or speed; none leaves them alone.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto measures both for a moment.")
    freeze: str = Field("embeddings", description="none, embeddings, head (train the head alone) or top:K layers.")
    backward: Literal["auto", "random", "full"] = Field(
        "auto",
        description="random: each step learns from a layer drawn anew upwards; full: all of them always; auto: random "
        "in runs of 1,000 steps and more, but not from scratch.",
    )
    lora: Lora | None = Field(
        None, description="Train low-rank updates and add them to the weights in the end; `{}` for the defaults."
    )
    pooling: Literal["auto", "cls", "mean"] = Field(
        "auto", description="Text vector of `classify`, `pair` and `score`."
    )
    dropout: Fraction = 0.1
    attention_dropout: Fraction = 0.0
    word_shape: bool | None = Field(
        None, description="Extra input with the written shape of words; unset: on for `tag` on an uncased model."
    )
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Fraction = 0.0
    focal: Annotated[float, Field(ge=0.0)] = Field(0.0, description="Gamma of the focal loss; 0 is cross entropy.")
    crf: bool = Field(False, description="`tag`: learned transitions between tags, a linear-chain CRF.")
    bigrams: bool = Field(
        False, description="`classify`, `pair`: a linear model of token pairs adds its logits where dev gains by it."
    )
    context: int = Field(
        0, ge=0, description="`tag`: tokens of the same document shown on each side of a sentence; 0 is off."
    )
    average: Fraction = Field(0.0, description="Decay of a moving average of the weights, used in their place.")
    r_drop: Annotated[float, Field(ge=0.0)] = Field(
        0.0, description="Weight of R-Drop, which asks two dropout masks for one answer; 0 is off."
    )
    augment: Augment = Augment()
    evaluations: int = Field(1, ge=1, description="Measurements on dev in each epoch.")
    patience: int | None = Field(None, ge=1, description="Stop after this many measurements without gain.")
    privacy: Privacy | None = Field(
        None, description="`classify`, `pair`: the head learns by DP-SGD, on the vectors of an encoder at rest."
    )
    checkpoint_seconds: Annotated[float, Field(ge=0.0)] = Field(60.0, description="Time between checkpoints.")
    scratch: FromScratch = FromScratch()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_method(cls, given: Any) -> Any:
        return of_method(given) if isinstance(given, dict) else given


class Report(_Section):
    """What is measured for the report."""

    bootstrap: int = Field(1000, ge=0, description="Resamples for confidence intervals; 0 leaves them out.")
    hardest: int = Field(20, ge=0, description="Rows shown with the largest loss.")


Sink = Literal["tensorboard", "mlflow", "wandb"]


class Made(_Section):
    """What a search has found, to be made again without one."""

    form: str = Field(pattern="^(torch|onnx|openvino)-(f32|bf16|int8|w8)$", description="Runtime and precision.")
    layers: int | None = Field(None, ge=1, description="Layers that are left; all of the network when unset.")
    heads: int = Field(1, ge=1, description="Attention heads of each.")
    units: int = Field(1, ge=1, description="Feed-forward units of each.")
    epochs: int = Field(1, ge=1, description="Epochs in which the smaller network learns.")
    shared_words: bool = Field(False, description="Words that the rows do not use share the vectors of others.")


class Compress(_Section):
    """A search for a smaller or faster form of the model, which `burnish run` makes after tuning."""

    goal: Literal["throughput", "latency", "size", "energy"] = Field("throughput", description="What is to be better.")
    metric: str | None = Field(None, description="Metric that judges; that of `tune` when unset.")
    budget: Annotated[float, Field(ge=0.0)] = Field(0.01, description="How much of it may be lost.")
    minutes: Positive = Field(60.0, description="Time for the search, roughly.")
    made: Made | None = Field(None, description="What an earlier search has found; there is then no search.")


class Audit(_Section):
    """What `burnish audit` holds the model to."""

    gates: dict[str, float] = Field(
        default_factory=dict, description="Figure such as calibration.ece -> its limit, in place of the default."
    )


class Part(_Section):
    """How the model of one kind of input is made, where rows hold several kinds."""

    model: str | None = Field(None, description="As `model`; unset: that of the job for text, `scratch` for all else.")
    tune: Tune | None = Field(None, description="As `tune`, and in its place; that of the job when unset.")


class Job(_Section):
    """One job: data, model, and what is done with them."""

    task: Literal["classify", "pair", "score", "tag", "detect", "transcribe", "embed"]
    data: Data
    model: str = Field("minilm", description="Bundled name, folder, earlier artifact, hub id, or scratch.")
    out: str = Field("runs/model", description="Folder of the finished model.")
    seed: int = Field(0, ge=0, le=2**63 - 1)
    check: Check = Check()
    tune: Tune = Tune()
    parts: dict[str, Part] = Field(
        default_factory=dict,
        description="By kind of input, as text or image, where `data.columns` names columns of several: each kind has "
        "a model of its own, and they answer together.",
    )
    report: Report = Report()
    compress: Compress | None = Field(
        None, description="Search a smaller or faster form once the model is tuned; `{}` for the defaults."
    )
    audit: Audit = Audit()
    gates: dict[str, float] = Field(
        default_factory=dict,
        description="Metric -> least value on the last measurement; largest, for errors such as mae.",
    )
    track: tuple[Sink, ...] = Field((), description="Where events go beside events.jsonl.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kinds(cls, given: Any) -> Any:
        return of_kinds(given) if isinstance(given, dict) else given

    @field_validator("out")
    @classmethod
    def _from_home(cls, given: str) -> str:
        return os.path.expanduser(given)

    @model_validator(mode="after")
    def _fits_together(self) -> Job:
        if told := "\n".join(clashes(self)):
            raise ValueError(told)
        return self


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the job file."""
    return Job.model_json_schema()


def load(path: str | Path, overrides: tuple[str, ...] = ()) -> Job:
    """Read a job file and apply dotted overrides such as `tune.epochs=2`.

    Raises:
        ConfigError: listing every mistake with its path, its line and the nearest valid name.
    """
    way = "write one with: burnish init DATA"
    document, lines = read_yaml(Path(path), "job file", "job", way, "keys such as task, data and model")
    for one in overrides:
        lines[override(document, one, Job)] = OVERRIDDEN
    return parse(document, str(path), lines)


def parse(document: dict[str, Any], source: str = "job", lines: Lines | None = None) -> Job:
    """Validate a mapping as a job; raise one ConfigError that lists all mistakes."""
    try:
        return Job.model_validate(document)
    except ValidationError as error:
        found = [line for e in error.errors(include_url=False) for line in mistakes(e, source, lines or {}, Job)]
    raise ConfigError(f"{len(found)} mistake{'s' * (len(found) > 1)} in the job:\n  " + "\n  ".join(found))
