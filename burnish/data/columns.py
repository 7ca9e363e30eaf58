"""Canonical columns: whatever a source calls them, tasks see the same names and types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from burnish.config import Job
from burnish.data import files, names, store
from burnish.data.readers import OTHER_INPUTS, READERS, TEXT, TEXTLESS, kind_of, one_of
from burnish.data.rows import Row, Rows
from burnish.data.schemes import Scheme, stripped, to_iob2
from burnish.data.source import Source, label_of, reader_of_labels
from burnish.data.spans import entities, parse
from burnish.data.table import Table, cells
from burnish.data.words import disjoint, join_words, split_words, tag_words
from burnish.data.workers import each
from burnish.errors import InputError

Convert = Callable[[Row, int], Row]
BAD_SPANS = "_bad_spans"


@dataclass(frozen=True)
class _Plan:
    """Columns of the result and the function (row, index) -> their values."""

    fields: dict[str, Any]
    convert: Convert
    notes: tuple[str, ...] = ()
    key: tuple[str, ...] = ()  # what the values depend on beside rows and job
    decodes: bool = False  # whether most of the time goes into files


def canonical(rows: Rows, job: Job, *, labelled: bool = True) -> Rows:
    """Bring rows into the columns of the job's task.

    classify: text, label (text; list of text with `multi_label`). pair: text, text_b, label. score: text, label
    (float), and text_b if the source has one. tag: text, words, starts (of words in text), tags (IOB2) and _bad_spans
    (entities that had to be left out, of sources with offsets). Other kinds of input than text: a column with the name
    of the kind (path of a file that can be read, or cells of a table as JSON), digest (its SHA-256), fault (why there
    is none), label (for detect boxes). embed: text and text_b, or columns of two kinds, and no label. All: group and
    time if configured, document if the source has one. Texts and labels that are missing are None, for the check to
    find. Without `labelled`, as for prediction, a source need not have labels, and those of texts are not read.

    Raises:
        InputError: when a column is missing or ambiguous, or a value cannot be what its column says.
    """
    source = Source(rows, job, labelled)
    kind = _kind(source)
    plans = {TEXT: _texts, Table.kind: _cells}
    if job.task == "embed":
        plans[TEXT] = _sides
    plan = _tag(source) if job.task == "tag" else plans[kind](source) if kind in plans else _files(source, kind)
    kept = _kept(source)
    fields = plan.fields | {to: rows.table.features.arrow_schema.field(name).type for to, name in kept.items()}

    def make() -> store.Content:
        def convert(place: tuple[int, Row]) -> Row:
            index, row = place
            return plan.convert(row, index) | {to: row[name] for to, name in kept.items()}

        return store.Content(fields, (each if plan.decodes else map)(convert, enumerate(rows)))

    data = job.data
    part = (job.task, data.columns, data.multi_label, data.separator, labelled, *plan.key)
    stored = store.keep(store.fingerprint("canonical", rows.table._fingerprint, part), make)
    return replace(rows, table=stored.table, notes=rows.notes + plan.notes)


def _kept(source: Source) -> dict[str, str]:
    """Columns that go through as they are: canonical name -> name in the source."""
    kept = {name: name for name in ("document", store.LINE) if name in source.rows.columns}
    for part in ("group", "time"):
        if name := getattr(source.job.data.columns, part):
            kept[part] = names.stated(source.rows.columns, part, name, source.rows.source)
    return kept


def _kind(source: Source) -> str:
    """Which kind of input the rows have: text, unless they come from a folder of files or the job names another."""
    if source.rows.format == files.FOLDER:
        kind = kind_of(source.columns)
    else:
        kind = next((kind for kind in READERS if getattr(source.job.data.columns, kind)), TEXT)
    task = source.job.task
    if kind == TEXT and task in TEXTLESS:
        own = " or ".join(f"data.columns.{one}" for one in OTHER_INPUTS[task])
        raise InputError(f"task {task} reads no texts; name the column of its files with {own}")
    if kind != TEXT and kind not in OTHER_INPUTS.get(task, ()):
        fitting = ", ".join(name for name, kinds in OTHER_INPUTS.items() if kind in kinds)
        read = one_of(OTHER_INPUTS[task][0]) if task in TEXTLESS else "texts"
        raise InputError(f"task {task} reads {read}; {one_of(kind)} a row goes with {fitting}")
    return kind


def _files(source: Source, kind: str) -> _Plan:
    """Plan of rows that name a file each, relative to the folder of the data."""
    rows, folder = source.rows, source.rows.format == files.FOLDER
    if rows.source.startswith("hub:"):
        raise InputError(f"'{rows.source}': files named in rows of the hub are not read; copy them into a folder")
    made = "" if folder else files.template(getattr(source.job.data.columns, kind), source.columns, rows.source)
    name = kind if folder else made or str(source.pick(kind))
    bare = source.job.task == "embed"
    label = () if bare else (files.LABEL,) if folder else label_of(source, (name,))
    cell = (lambda row: files.filled(made, row)) if made else (lambda row: row[name])
    base = Path(rows.source).expanduser()
    base = base if folder else base.parent
    fault = READERS[kind].fault
    fields = {kind: store.TEXT, "digest": store.TEXT, "fault": store.TEXT}
    value, of = reader_of_labels(source, label)
    if label and source.labelled:
        fields["label"] = of

    def convert(row: Row, index: int) -> Row:
        path, digest, reason = files.found(base, cell(row), fault)
        out: Row = {kind: path, "digest": digest, "fault": reason or None}
        if "label" in fields:
            out["label"] = value(row, index)
        return out

    used = f"columns: {kind} = '{name}'" + (f", label = '{','.join(label)}'" if "label" in fields else "")
    return _Plan(fields, convert, (used,), (files.state(base, map(cell, rows)),), decodes=True)


def _cells(source: Source) -> _Plan:
    """Plan of rows of numbers and categories."""
    given, columns = source.job.data.columns, source.columns
    numbers, categories = (
        [names.stated(columns, part, name, source.rows.source) for name in getattr(given, part)]
        for part in ("number", "category")
    )
    label = label_of(source, (*numbers, *categories))
    fields = {Table.kind: store.TEXT, "digest": store.TEXT, "fault": store.TEXT}
    value, of = reader_of_labels(source, label)
    if label and source.labelled:
        fields["label"] = of

    def convert(row: Row, index: int) -> Row:
        text, fault = cells(row, numbers, categories)
        digest = hashlib.sha256(text.encode()).hexdigest() if text else None
        out: Row = {Table.kind: text, "digest": digest, "fault": fault or None}
        if "label" in fields:
            out["label"] = value(row, index)
        return out

    used = [f"{part} = '{','.join(held)}'" for part, held in (("number", numbers), ("category", categories)) if held]
    used += [f"label = '{','.join(label)}'"] if "label" in fields else []
    return _Plan(fields, convert, ("columns: " + ", ".join(used),))


def _texts(source: Source) -> _Plan:
    """Plan of classify, pair and score."""
    task = source.job.task
    pair = _pair(source) if task in ("pair", "score") else None
    if task == "pair" and pair is None:
        raise names.missing(source.columns, "text_b", source.rows.source)
    label = label_of(source, pair or ())
    text, text_b = pair or (_one_text(source, label), None)
    used = [f"{part} = '{name}'" for part, name in (("text", text), ("text_b", text_b)) if name]
    fields = {"text": store.TEXT} | ({"text_b": store.TEXT} if text_b else {})
    value, kind = reader_of_labels(source, label)
    if label and source.labelled:
        fields["label"] = kind
        used.append(f"label = '{','.join(label)}'")

    def convert(row: Row, index: int) -> Row:
        out: Row = {"text": _flat(row[text])}
        if text_b:
            out["text_b"] = _flat(row[text_b])
        if "label" in fields:
            out["label"] = value(row, index)
        return out

    return _Plan(fields, convert, ("columns: " + ", ".join(used),))


def _sides(source: Source) -> _Plan:
    """Plan of two texts that belong together; of one of them where it is to be embedded alone."""
    given, columns = source.job.data.columns, source.columns
    if source.labelled and given.text and not given.text_b:  # beside another kind of input
        pair: tuple[str, ...] = (str(source.pick("text")),)
    elif source.labelled:
        found = _pair(source)
        if found is None:
            raise names.missing(columns, "text_b", source.rows.source)
        pair = found
    else:
        pair = tuple(name for name in (given.text, given.text_b) if name in columns)
        pair = pair or names.guess_pair(columns) or (_one_text(source, ()),)
    used = dict(zip(("text", "text_b"), pair, strict=False))

    def convert(row: Row, index: int) -> Row:
        return {part: _flat(row[name]) for part, name in used.items()}

    told = ", ".join(f"{part} = '{name}'" for part, name in used.items())
    return _Plan(dict.fromkeys(used, store.TEXT), convert, (f"columns: {told}",))


def _flat(cell: Any) -> str | None:
    """A text; a list of words is put together."""
    return join_words(cell)[0] if isinstance(cell, list) else cell


def _pair(source: Source) -> tuple[str, str] | None:
    given = source.job.data.columns
    if given.text and given.text_b:
        return str(source.pick("text")), str(source.pick("text_b"))
    found = names.guess_pair(source.columns)
    if given.text_b:
        second = str(source.pick("text_b"))
        first = found[0] if found and found[1] == second else source.pick("text", taken=(second,))
        if first is None:
            raise names.missing(source.columns, "text", source.rows.source)
        return first, second
    if given.text:  # for `score` alone: one text is enough, and a second one must be asked for
        return (given.text, found[1]) if found and found[0] == given.text else None
    return found


def _one_text(source: Source, label: tuple[str, ...]) -> str:
    text = source.pick("text", taken=label)
    others = [c for c in source.columns if c not in label]
    if text is None and len(others) == 1:
        return others[0]
    if text is None:
        raise names.missing(source.columns, "text", source.rows.source)
    return text


def _tag(source: Source) -> _Plan:
    columns, given = source.columns, source.job.data.columns
    words = None if given.spans else source.pick("words")
    if words and not source.is_list(words):
        if given.words:
            raise InputError(f"data.columns.words: '{words}' of '{source.rows.source}' holds text, not a list of words")
        words = None
    if words:
        numbered = source.rows.format == "conll"  # there data.columns.tags is the number the reader used
        tags = "tags" if numbered and "tags" in columns else None if numbered else source.pick("tags")
        if tags is None and source.labelled:
            raise names.missing(columns, "tags", source.rows.source)
        return _tag_lists(source, words, tags)
    spans = source.pick("spans")
    if spans and not given.spans and not _holds_spans(source, spans):
        spans = None  # its name alone says too little
    if spans is None and source.labelled:
        raise InputError(
            f"'{source.rows.source}' has neither words with tags nor spans (columns: {', '.join(columns)}); "
            "name them with data.columns.words and data.columns.tags, or data.columns.text and data.columns.spans"
        )
    return _tag_spans(source, _one_text(source, (spans,) if spans else ()), spans)


def _holds_spans(source: Source, name: str) -> bool:
    cells = (row[name] for row in islice(source.rows, 200))
    return any(isinstance(cell, str) and parse(cell) is not None for cell in cells)


def _tag_lists(source: Source, words: str, tags: str | None) -> _Plan:
    fields = {"text": store.TEXT, "words": store.TEXTS, "starts": store.NUMBERS}
    scheme = Scheme()

    def tags_of(row: Row, index: int) -> list[str]:
        return stripped((row[tags] if tags else None) or [], lambda _: source.rows.where(index))

    if tags:
        fields["tags"] = store.TEXTS
        for index, row in enumerate(source.rows if source.rows.format != "conll" else ()):
            scheme.add(tags_of(row, index))
        scheme.must_be_names(source.rows.source)

    def convert(row: Row, index: int) -> Row:
        parts = row[words] or []
        text, starts = join_words(parts)
        out: Row = {"text": text, "words": parts, "starts": starts}
        if tags:
            if len(row[tags] or []) != len(parts):
                raise InputError(
                    f"{source.rows.where(index)}: {len(parts)} words in '{words}' "
                    f"and {len(row[tags] or [])} tags in '{tags}'; each word needs one tag"
                )
            out["tags"] = to_iob2(tags_of(row, index))
        return out

    return _Plan(fields, convert, (scheme.note,) if tags and source.rows.format != "conll" else ())


def _tag_spans(source: Source, text: str, spans: str | None) -> _Plan:
    fields = {"text": store.TEXT, "words": store.TEXTS, "starts": store.NUMBERS}
    if spans:
        fields |= {"tags": store.TEXTS, BAD_SPANS: store.NUMBER}

    def convert(row: Row, index: int) -> Row:
        content = row[text] or ""
        if spans is None:
            words, starts = split_words(content)
            return {"text": row[text], "words": words, "starts": starts}
        cell = row[spans]
        value = parse(cell if isinstance(cell, str) else json.dumps(cell))
        if cell and value is None:
            raise InputError(f"{source.rows.where(index)}: column '{spans}' holds no list of entities: {cell[:60]!r}")
        found = entities(content, value)
        fitting = [(e.start, e.end, e.label) for e in found if e.fits]
        words, starts, tags = tag_words(content, fitting)
        bad = len(found) - len(disjoint(fitting, len(content)))
        return {"text": row[text], "words": words, "starts": starts, "tags": tags, BAD_SPANS: bad}

    return _Plan(fields, convert, ("tags: IOB2, from character offsets",) if spans else ())
