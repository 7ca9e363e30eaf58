"""What a training starts from: tokenizer, network and loss, as the job wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from burnish.artifact import Artifact
from burnish.config import Job, Tune
from burnish.data.mixed import Mixed
from burnish.data.readers import TEXT, kind_of, one_of, reader_of, ready
from burnish.data.rows import Row, Rows
from burnish.data.several import kinds_of, only, part
from burnish.errors import InputError
from burnish.models import load as models
from burnish.models import lora
from burnish.models.freeze import freeze
from burnish.models.net import EXTRAS_FILE, Net
from burnish.models.opening import start_net
from burnish.models.pooling import Pooling, declared
from burnish.models.pretrained import places_of
from burnish.models.towers import Towers, start_projection
from burnish.tasks import Task, task_named
from burnish.tasks.base import LossOptions

# Options of tune, and the kinds of input they are for.
_OF_KINDS = {"image_size": ("image", "video"), "frames": ("video",)}


def tokenizer_for(job: Job, train: Rows) -> Any:
    """The tokenizer of the job's model, or one built from the training rows where the model starts from scratch.

    For rows of another kind than text it is their `Reader`.

    Raises:
        InputError: when the model reads something else than the rows hold, or an option of the job is for texts alone.
    """
    if kinds := sides_of(job):
        apart = {kind: tokenizer_for(part(job, kind), only(train, kind)) for kind in kinds}
        return Mixed(apart, job.tune.max_tokens)
    source, kind = models.resolve(job.model), kind_of(train.columns)
    _must_be_asked(job, kind)
    if kind != TEXT:
        _must_suit(job, kind)
        models.must_read(source, kind)
        return reader_of(kind, job.task).start(source.place, job.tune, train)
    if source.kind != "scratch":
        return models.load_tokenizer(source, of_words=task_named(job.task).kind == "token")
    return models.scratch_tokenizer(_texts(train), job.tune.scratch, job.tune.max_tokens)


def sides_of(job: Job) -> tuple[str, ...]:
    """Kinds of input of a task whose rows have a side of each; none where a row is read by one network."""
    return kinds_of(job.data.columns) if task_named(job.task).paired else ()


def _must_suit(job: Job, kind: str) -> None:
    """Refuse options that are for texts alone."""
    tune = job.tune
    asked = {
        "tune.method: few-shot": tune.method == "few-shot",
        "tune.lora": tune.lora is not None,
        "tune.privacy": tune.privacy is not None,
        "tune.bigrams": tune.bigrams,
        "tune.word_shape": bool(tune.word_shape),
        "tune.pooling: mean": tune.pooling == "mean",
        "tune.augment": any(tune.augment.model_dump().values()),
        "compress": job.compress is not None and "compress" not in ready(job.task, kind),
    }
    if wrong := [name for name, on in asked.items() if on]:
        raise InputError(
            f"{', '.join(wrong)}: for texts alone so far, and the rows hold {one_of(kind)} each; leave out"
        )


def _must_be_asked(job: Job, kind: str) -> None:
    """What only other kinds of input have must not be asked of this one."""
    for name, kinds in _OF_KINDS.items():
        if getattr(job.tune, name) is not None and kind not in kinds:
            raise InputError(f"tune.{name} is for {kinds[0]}s, and the rows hold {one_of(kind)} each; leave it out")


def _texts(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield from (row[name] for name in ("text", "text_b") if row.get(name))


def task_for(job: Job, train: Rows) -> Task:
    """The job's task with the label space of the training rows, or that of its model where it covers these."""
    if kinds := sides_of(job):
        job = part(job, kinds[0])  # its network says how wide vectors are
    task, place = task_named(job.task).learn(train, job.data.multi_label, job.tune), models.resolve(job.model).place
    return task.starting_from(place) if place else task


def net_for(job: Job, task: Task, tokenizer: Any, pooling: Pooling | None = None) -> Net:
    """The job's model with a new head for the task, or its own if the task keeps that, frozen as far as the job says,
    with LoRA where it asks for it.

    Args:
        pooling: of the states of texts; as the job, and where it leaves it open the model, says when None.

    Raises:
        InputError: when the model reads something else than the rows hold, fewer tokens than `tune.max_tokens` or
            other ones than its tokenizer gives, or has no mean vectors where they are asked for.
    """
    if isinstance(tokenizer, Mixed):
        apart = {kind: net_for(part(job, kind), task, one) for kind, one in tokenizer.by_kind.items()}
        return Towers(apart, task.outputs)
    source, tune = models.resolve(job.model), job.tune
    scratch = source.kind == "scratch"
    config = models.scratch_config(tokenizer, tune.scratch, tune.max_tokens, task.kind) if scratch else None
    folds_case = getattr(tokenizer, "do_lower_case", False) is True
    shape = tune.word_shape if tune.word_shape is not None else task.kind == "token" and folds_case
    pooling = pooling or (pooling_of(job, source) if task.kind == "sequence" else "cls")
    net = start_net(
        source.place,
        task.kind,
        task.labels,
        dropout=tune.dropout,
        attention_dropout=tune.attention_dropout,
        pooling=pooling,
        word_shape=shape and task.kind == "token",
        modules=task.modules(),
        config=config,
        preprocess=getattr(tokenizer, "document", None),
        fresh_head=not task.keeps_head,
        outputs=task.outputs,
    )
    if task.paired:
        start_projection(net)
        _carry_projection(net, source)
    if net.reads != getattr(tokenizer, "kind", TEXT):
        raise InputError(f"model '{job.model}' reads {one_of(net.reads)}, and the rows hold something else")
    models.must_know_words(source, net.words, tokenizer)
    _must_give_means(net, job)
    must_have_places(net, job)
    _carry_word_shape(net, source)
    freeze(net, "none" if scratch and tune.freeze == "embeddings" else tune.freeze)
    if tune.lora:
        lora.add(net, tune.lora.rank, tune.lora.alpha)
    return net


def pooling_of(job: Job, source: models.Source) -> Pooling:
    """How states become the vector of a text, as the job, and where it leaves it open the model, says."""
    if job.tune.pooling != "auto":
        return job.tune.pooling
    return declared(source.place) if source.place else "mean"


def _must_give_means(net: Net, job: Job) -> None:
    """Refuse mean vectors of a model whose decoder waits to be given a text of its own, as that of T5."""
    config = net.model.config
    if net.pooling != "cls" and getattr(config, "is_encoder_decoder", False) and "t5" in config.model_type:
        raise InputError(
            f"model '{job.model}' ({config.model_type}) has an encoder and a decoder, and gives no mean vectors of "
            "texts; take a model that is an encoder alone, or set tune.pooling: cls where the task is not embed"
        )


def within_places(job: Job) -> Job:
    """The job, with as many tokens as its model of texts has learnt places for where it names no number of its own.

    Raises:
        InputError: when there is no such model.
    """
    source = models.resolve((part(job, TEXT) if TEXT in sides_of(job) else job).model)
    if source.kind == "scratch" or job.tune.max_tokens != Tune.model_fields["max_tokens"].default:
        return job
    places = places_of(source.place, job.tune.max_tokens)
    if places >= job.tune.max_tokens:
        return job
    return job.model_copy(update={"tune": job.tune.model_copy(update={"max_tokens": places})})


def must_have_places(net: Net, job: Job) -> None:
    """Refuse a number of tokens that a model of texts has not learnt places for.

    Raises:
        InputError: naming both numbers.
    """
    if net.places is not None and job.tune.max_tokens > net.places:
        raise InputError(
            f"tune.max_tokens is {job.tune.max_tokens:,}, and the model '{job.model}' has positions for "
            f"{net.places:,} tokens; set tune.max_tokens to {net.places} or less"
        )


def _carry_word_shape(net: Net, source: models.Source) -> None:
    """Take over the trained word-shape embedding of an artifact where both networks have one.

    The encoder itself comes with the folder, and heads always start anew.

    Raises:
        InputError: when the embedding has another size, as one of another version of burnish may have.
    """
    if source.kind != "artifact" or not net.word_shape or not Artifact.open(source.place, verify=False).word_shape:
        return
    with safe_open(Path(source.place) / EXTRAS_FILE, framework="pt") as file:
        trained = file.get_tensor("shape.weight")
    weight = net.get_parameter("extras.shape.weight")
    if trained.shape != weight.shape:
        raise InputError(
            f"the word-shape input of '{source.place}' has the size {tuple(trained.shape)}, this burnish uses "
            f"{tuple(weight.shape)}; tune that model again, or set tune.word_shape: false"
        )
    with torch.no_grad():
        weight.copy_(trained)


def _carry_projection(net: Net, source: models.Source) -> None:
    """Take over the projection of an artifact whose text vectors the network goes on from."""
    if source.kind != "artifact" or "head" not in net.extras:
        return
    if Artifact.open(source.place, verify=False).task != "embed":
        return
    with safe_open(Path(source.place) / EXTRAS_FILE, framework="pt") as file:
        found = {name: file.get_tensor(f"head.{name}") for name in ("weight", "bias")}
    head = net.extras["head"]
    if all(head.get_parameter(name).shape == value.shape for name, value in found.items()):
        head.load_state_dict(found)


def loss_for(job: Job, task: Task, train: Rows) -> LossOptions:
    """The job's variant of the loss, with the weights of the classes counted in the training rows."""
    weights = None
    if job.tune.class_weights == "balanced" and task.kind == "sequence" and len(task.labels) > 1:
        counts = dict.fromkeys(task.labels, 0)
        for row in train:
            for label in task.labels_of(row):
                counts[label] = counts.get(label, 0) + 1
        total = sum(counts.values())
        weights = torch.tensor([total / (len(counts) * max(counts[label], 1)) for label in task.labels])
    return LossOptions(weights, job.tune.label_smoothing, job.tune.focal)
