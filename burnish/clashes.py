"""Options of a job that do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from burnish.errors import nearest
from burnish.metrics import is_metric, metrics_of

if TYPE_CHECKING:
    from burnish.config import Job, Tune


def clashes(job: Job) -> Iterator[str]:
    """What does not go together, a line each."""
    data, tune, freeze = job.data, job.tune, job.tune.freeze
    for where, one in _tunes(job).items():
        yield from _not_of_task(job, where, one)
        yield from _not_of_loss(job, where, one)
    yield from _parts_of_nothing(job)
    yield from _not_measured(job)
    if data.multi_label and job.task != "classify":
        yield "data.multi_label goes with task: classify"
    if tune.crf and (tune.label_smoothing or tune.focal):
        yield "tune.crf has a loss of its own; leave out tune.label_smoothing and tune.focal"
    if tune.context and ((not data.dev and data.split.dev) or (not data.test and data.split.test)):
        yield (
            "tune.context shows the neighbours of a sentence, and splitting rows off would take them away: give "
            "data.dev and data.test, or data.split: {dev: 0, test: 0}"
        )
    if tune.context and any(tune.augment.model_dump().values()):
        yield "tune.context shows the neighbours of a sentence, and augmented ones have none"
    if tune.r_drop and (job.task == "score" or data.multi_label):
        yield "tune.r_drop goes with one class a row or word, so not with score or multi_label"
    if job.task == "detect" and (tune.label_smoothing or tune.focal or tune.r_drop or tune.class_weights != "none"):
        yield "task: detect has a loss of its own; leave out label_smoothing, focal, r_drop and class_weights"
    if job.task == "detect" and tune.method != "full":
        yield "task: detect goes with tune.method: full"
    if tune.lora and freeze in ("head", "top:0"):
        yield f"tune.lora adapts the layers that tune.freeze lets learn, and {freeze!r} leaves none"
    if tune.labels and tune.method != "adopt":
        yield "tune.labels goes with tune.method: adopt; else the classes are those of the rows"
    if tune.method == "adopt" and (tune.crf or tune.context or tune.bigrams or tune.lora or tune.word_shape):
        yield "tune.method: adopt adds nothing to a model; leave out crf, context, bigrams, lora and word_shape"
    if tune.method == "adopt" and tune.pooling == "mean":
        yield "tune.method: adopt keeps the model's own head; leave out tune.pooling"
    if job.task == "transcribe":
        yield from _not_written(job)
    if job.task == "embed":
        yield from _not_embedded(job)
    else:
        yield from _of_several_kinds(job)
    if tune.privacy:
        yield from _not_private(job)
    if tune.method == "few-shot":
        if job.task != "classify" or data.multi_label:
            yield "tune.method: few-shot goes with task: classify and one class a row"
        if job.model == "scratch":
            yield "tune.method: few-shot needs a pretrained model, not model: scratch"
        if freeze in ("head", "top:0") or tune.pooling == "cls":
            yield "tune.method: few-shot trains the encoder on text vectors: no freeze: head or top:0, no pooling: cls"
        if tune.r_drop or tune.tokens_per_step or tune.bigrams:
            yield "tune.method: few-shot has a way of its own; leave out r_drop, tokens_per_step and bigrams"


def _tunes(job: Job) -> dict[str, Tune]:
    """The options of the job and those that a part has in their place, by name."""
    return {"tune": job.tune, **{f"parts.{kind}.tune": part.tune for kind, part in job.parts.items() if part.tune}}


def _not_of_task(job: Job, where: str, tune: Tune) -> Iterator[str]:
    """What the task has no place for, and what is no value, a line each."""
    freeze = tune.freeze
    if (tune.crf or tune.context) and job.task != "tag":
        yield f"{where}.crf and {where}.context go with task: tag"
    if tune.bigrams and (job.task not in ("classify", "pair") or job.data.multi_label):
        yield f"{where}.bigrams goes with one class a text: task classify or pair, and no multi_label"
    if freeze not in ("none", "embeddings", "head") and not (freeze.startswith("top:") and freeze[4:].isdigit()):
        yield f"{where}.freeze: {freeze!r} is none of none, embeddings, head, top:K"


def _kinds(job: Job) -> list[str]:
    """Kinds of input that the job names columns for."""
    return [kind for kind in ("text", "image", "audio", "video", "table") if getattr(job.data.columns, kind)]


def _parts_of_nothing(job: Job) -> Iterator[str]:
    """Parts of kinds of input that no column is named for, a line each."""
    if len(kinds := _kinds(job)) > 1:
        for name in (name for name in job.parts if name not in kinds):
            yield f"parts.{name}: data.columns names nothing of that kind; {nearest(name, kinds)}"


def _not_measured(job: Job) -> Iterator[str]:
    """Names that are no metrics of the task, a line each."""
    named = [(f"{where}.metric", one.metric) for where, one in _tunes(job).items()]
    named += [("compress.metric", job.compress.metric)] if job.compress else []
    multi_label = job.data.multi_label and job.task == "classify"
    for where, name in (*named, *((f"gates.{name}", name) for name in job.gates)):
        if name is not None and not is_metric(name, job.task, multi_label):
            told = nearest(name, metrics_of(job.task, multi_label))
            yield f"{where}: '{name}' is no metric of {job.task}; {told}"


def _not_of_loss(job: Job, where: str, tune: Tune) -> Iterator[str]:
    """Options that change the cross entropy of one class, where the loss is another one, a line each."""
    balanced = tune.class_weights != "none"
    if job.task == "score" and (balanced or tune.label_smoothing or tune.focal):
        yield f"score has a loss of its own; leave out {where}.class_weights, label_smoothing and focal"
    if job.data.multi_label and (balanced or tune.label_smoothing or tune.focal):
        yield (
            "data.multi_label asks for each class by itself; leave out "
            f"{where}.class_weights, label_smoothing and focal"
        )
    if job.task == "tag" and balanced:
        yield f"{where}.class_weights goes with one class a row, so not with tag"


def _not_written(job: Job) -> Iterator[str]:
    """What the loss of `transcribe` has no place for, a line each."""
    tune = job.tune
    if tune.label_smoothing or tune.focal or tune.r_drop or tune.class_weights != "none":
        yield "transcribe has a loss of its own; leave out label_smoothing, focal, r_drop and class_weights"
    if tune.method == "adopt":
        yield "tune.method: adopt takes no model that writes; tune it: a head and a vocabulary that fit are kept"


def _not_embedded(job: Job) -> Iterator[str]:
    """What `embed` has no place for, a line each."""
    columns, kinds, tunes = job.data.columns, _kinds(job), _tunes(job).values()
    if columns.text_b and kinds != ["text"]:
        yield "task: embed takes two texts, text and text_b, or two kinds of input without text_b"
    elif {"table", "video"} & set(kinds) or len(kinds) > 2:
        yield "task: embed takes two columns of data.columns: text and text_b, or two of text, image and audio"
    if job.parts and len(kinds) < 2:
        yield "parts goes with data.columns of several kinds of input, such as text and image"
    if any(tune.label_smoothing or tune.focal or tune.r_drop or tune.class_weights != "none" for tune in tunes):
        yield "task: embed has a loss of its own; leave out label_smoothing, focal, r_drop and class_weights"
    if any(tune.method != "full" or tune.pooling == "cls" or tune.privacy for tune in tunes):
        yield "task: embed goes with tune.method: full, no tune.privacy, its head reads text vectors: no pooling: cls"
    if job.compress:
        yield "task: embed does not go with compress so far; once it is tuned, use: burnish export"


def _of_several_kinds(job: Job) -> Iterator[str]:
    """What does not go with columns of several kinds of input, a line each."""
    kinds, tunes = _kinds(job), _tunes(job).values()
    if len(kinds) < 2:
        if job.parts:
            yield "parts goes with data.columns of several kinds of input, such as text and image"
        return
    if job.task != "classify" or job.data.multi_label:
        yield "several kinds of input go with task: classify and one class a row"
    if any(tune.privacy or tune.method != "full" for tune in tunes):
        yield "several kinds of input go with tune.method: full and without tune.privacy"
    if job.compress:
        yield "compress takes the model of one kind; once they are tuned, use: burnish compress OUT/KIND"


def _not_private(job: Job) -> Iterator[str]:
    """What `tune.privacy` cannot answer for, a line each."""
    data, tune = job.data, job.tune
    if job.task not in ("classify", "pair"):
        yield "tune.privacy goes with task: classify or pair, whose rows give the names of the labels and nothing else"
    if not (data.dev or data.test or data.split.dev or data.split.test):
        yield "tune.privacy measures on no training row; give data.dev or data.test, or a share in data.split"
    if tune.method != "full" or job.model == "scratch":
        yield "tune.privacy goes with method: full and a pretrained model; everything else is made from the rows"
    if tune.freeze != "head" or tune.lora or tune.pooling == "cls":
        yield "tune.privacy trains the head on text vectors; leave out tune.freeze, tune.lora and tune.pooling"
    if tune.class_weights != "none" or tune.bigrams or any(tune.augment.model_dump().values()):
        yield "tune.privacy counts nothing in the rows; leave out tune.class_weights, tune.bigrams and tune.augment"
    if tune.patience or tune.tokens_per_step or tune.r_drop:
        yield "tune.privacy has steps of its own; leave out tune.patience, tune.tokens_per_step and tune.r_drop"
    if job.compress:
        yield "compress teaches and calibrates on the training rows, which tune.privacy keeps; use: burnish export"
