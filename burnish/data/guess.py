"""What the rows of an unknown file are for: the task, and which column plays which part."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from burnish.config import Data
from burnish.data import files, names
from burnish.data.cells import as_text
from burnish.data.rows import Rows
from burnish.data.spans import looks_like_spans, parse
from burnish.errors import InputError

_SEEN = 2000  # rows looked at, spread over the file
_AMOUNTS = {"score", "similarity", "similarity_score", "rating", "stars", "grade", "value"}
_SEPARATORS = "|;,"
_TEXT = 20  # characters: shorter cells are names of things and not texts, on average


@dataclass(frozen=True)
class Guess:
    """Task, the `data` keys it needs beside `train`, and why."""

    task: str
    data: dict[str, Any] = field(default_factory=dict)
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sample:
    """Values of the columns of text in some rows; empty ones left out."""

    values: dict[str, list[str]]
    rows: int

    def length(self, name: str) -> float:
        return sum(map(len, self.values[name])) / len(self.values[name])

    def kinds(self, name: str) -> int:
        return len(set(self.values[name]))

    def repeats(self, name: str) -> bool:
        """Whether a column has at least two values, most of them in several rows."""
        return 2 <= self.kinds(name) <= max(2, len(self.values[name]) // 3)


def guess(rows: Rows) -> Guess:
    """Guess from the values and the names of the columns.

    Raises:
        InputError: when no column looks like a label or none like text; names the columns there are.
    """
    return _files(rows) or _tagged(rows) or _table(rows)


def _files(rows: Rows) -> Guess | None:
    """A guess for rows that name a file each, an image or a sound, or are the files of a folder."""
    if rows.format == files.FOLDER:
        held = next(kind for kind in files.KINDS if kind in rows.columns)
        if len({row[files.LABEL] for row in rows}) < 2:
            raise InputError(
                f"'{rows.source}' holds {held} files, and not in two sub-folders or more; put those of each class in a "
                "sub-folder with its name"
            )
        return Guess("classify", {}, (f"{held} files in a sub-folder for each class: task classify",))
    sample = _values(_spread(rows), [n for n in rows.columns if not n.startswith("_")])
    for name, values in sample.values.items():
        (kind, count), *_ = Counter(map(files.kind_of_name, values)).most_common()
        if kind and count > 0.9 * len(values):
            label = _label(sample, {name})
            if label is None:
                raise _none(rows, sample, "a label")
            why = f"'{name}' names {kind} files, '{label}' has {sample.kinds(label)} values: task classify"
            return Guess("classify", {"columns": {kind: name, "label": label}}, (why,))
    return None


def is_headless(rows: Rows) -> bool:
    """Whether the first line of a table, taken for its names, is a row: it holds a number, a date, or a
    class that comes again below."""
    if rows.format not in ("csv", "tsv"):
        return False
    header = [name for name in rows.columns if not name.startswith("_")]
    if any(_numeric([name]) or _date(name) for name in header):
        return True
    sample = _spread(rows)
    again = sum(any(row[name] == name for row in sample) for name in header)
    return 0 < again < len(header)  # all of them: tables were put together with their headers


def _spread(rows: Rows) -> list[dict[str, Any]]:
    """Rows drawn by a fixed seed: a file is often sorted by its label, or repeats its labels in turn."""
    return list(rows.select(sorted(random.Random(0).sample(range(len(rows)), min(len(rows), _SEEN)))))


def _values(rows: list[dict[str, Any]], columns: list[str]) -> _Sample:
    found = {name: [as_text(row[name]) for row in rows if row[name] not in (None, "")] for name in columns}
    return _Sample({name: values for name, values in found.items() if values}, len(rows))


def _tagged(rows: Rows) -> Guess | None:
    """A guess for rows whose words, or characters, are tagged."""
    if rows.format == "conll" and "tags" not in rows.columns:
        raise InputError(f"'{rows.source}' has words in one column and no tags; `tag` needs a tag beside each word")
    if rows.format == "conll":
        return Guess("tag", {}, ("a word a line with its tag: task tag",))
    sample = _spread(rows)
    lists = [name for name in rows.columns if any(isinstance(row[name], list) for row in sample)]
    words = names.guess(lists, "words", rows.source)
    tags = names.guess([name for name in lists if name != words], "tags", rows.source)
    if words and tags and all(len(row[words] or ()) == len(row[tags] or ()) for row in sample):
        why = f"'{tags}' holds a tag for each of '{words}': task tag"
        return Guess("tag", {"columns": {"words": words, "tags": tags}}, (why,))
    cells = _values(sample, [name for name in rows.columns if name not in lists and not name.startswith("_")])
    for name, found in cells.values.items():
        if any(looks_like_spans(parse(cell)) for cell in found):
            text = _text([n for n in cells.values if n != name], cells)
            if text is None:
                raise _none(rows, cells, "text")
            why = f"'{name}' holds entities with character offsets: task tag"
            return Guess("tag", {"columns": {"text": text, "spans": name}}, (_says(text), why))
    return None


def _table(rows: Rows) -> Guess:
    rows_seen = _spread(rows)
    if len(rows) < 3 and any(len(str(row[name])) > 2000 for row in rows_seen for name in rows.columns):
        raise InputError(
            f"'{rows.source}' holds {len(rows)} row with everything inside it; "
            "write it as JSON lines, an object a row with a text and its label"
        )
    lists = [n for n in rows.columns if any(isinstance(row[n], list) for row in rows_seen)]
    sample = _values(rows_seen, [n for n in rows.columns if n not in lists and not n.startswith("_")])
    classes = _wide(sample) or _classes_of(rows_seen, sample, lists)
    text = _text([name for name in sample.values if name not in classes], sample)
    if text is None or not _long(text, sample):
        return _columns(rows, sample)
    pair = _pair([name for name in sample.values if name not in classes])
    if len(classes) > 1:
        why = f"'{classes[0]}' and {len(classes) - 1} more columns hold 0 or 1: several classes, one column each"
        columns = {"text": text, "label": ",".join(classes)}
        return Guess("classify", {"columns": columns, "multi_label": True}, (_says(text), why))
    if classes and not pair:
        return _several(rows_seen, text, classes[0])
    label = _label(sample, {text, *(pair or ())})
    if label is None:
        raise _none(rows, sample, "a label")
    return _single(sample, text, pair, label)


def _long(text: str, sample: _Sample) -> bool:
    """Whether a column holds texts and not the names of things: called like one, or longer than names are."""
    return sample.length(text) >= _TEXT or any(text.lower().strip() in tier for tier in names.tiers("text"))


def _columns(rows: Rows, sample: _Sample) -> Guess:
    """A guess for a table of numbers and categories, without a text."""
    label = _number_to_predict(sample) or _label(sample, set())
    if label is None:
        raise _none(rows, sample, "a label")
    left = [name for name in sample.values if name != label]
    plain = [name for name in left if _numeric(sample.values[name]) and not _identifies(name)]
    numbers = [name for name in plain if not _counts_up(sample.values[name])]
    categories = [name for name in left if name not in plain and sample.repeats(name)]
    if not numbers + categories:
        raise _none(rows, sample, "text, and none of numbers or categories beside the label")
    found = _single(sample, "", None, label)
    held = {"number": numbers, "category": categories, "label": label}
    other = [name for name in left if name not in numbers + categories]
    why = [f"no column of texts: {len(numbers)} columns of numbers and {len(categories)} of categories"]
    why += [f"left out, as they name rows or times: {', '.join(other)}"] if other else []
    columns = {name: value for name, value in held.items() if value}
    return Guess(found.task, {"columns": columns}, (*why, found.why[-1]))


def _number_to_predict(sample: _Sample) -> str | None:
    """A column of many numbers with the name of a label."""
    tiers = (*names.tiers("label"), *names.tiers("score"))
    called = (name for tier in tiers for name in sample.values if name.lower().strip() in tier)
    return next((name for name in called if _numeric(sample.values[name]) and sample.kinds(name) > 1), None)


def _identifies(name: str) -> bool:
    """Whether the numbers of a column are names of things, by its own name."""
    return name.lower().strip().endswith(("id", "code", "zip", "编号", "代码"))


def _counts_up(values: list[str]) -> bool:
    """Whether these are numbers of rows: whole, and each larger than the one before."""
    if not all(value.strip().isdecimal() for value in values):
        return False
    found = list(map(int, values))
    return found == sorted(set(found))


def _single(sample: _Sample, text: str, pair: tuple[str, str] | None, label: str) -> Guess:
    """A guess for one label a row: a class or a number."""
    columns, why = {"text": text, "label": label}, (_says(text),)
    if pair:
        columns = {"text": pair[0], "text_b": pair[1], "label": label}
        why = (f"'{pair[0]}' and '{pair[1]}' are two texts",)
    values, kinds = sample.values[label], sample.kinds(label)
    task = "pair" if pair else "classify"
    amounts = label.lower().strip() in _AMOUNTS or kinds > 20 or any("." in value.rstrip("0.") for value in values)
    if kinds > 2 and amounts and _numeric(values):
        said = f"'{label}' holds {kinds} numbers: task score; if they stand for classes, set task: {task}"
        return Guess("score", {"columns": columns}, (*why, said))
    return Guess(task, {"columns": columns}, (*why, f"'{label}' has {kinds} values: task {task}"))


def _several(rows: list[dict[str, Any]], text: str, label: str) -> Guess:
    cells = [row[label] for row in rows if isinstance(row[label], str)]
    used = next((mark for mark in _SEPARATORS if any(mark in cell for cell in cells)), "")
    data: dict[str, Any] = {"columns": {"text": text, "label": label}, "multi_label": True}
    if used and used != Data.model_fields["separator"].default:
        data["separator"] = used
    why = f"'{label}' holds {f'several classes with {used!r} between' if used else 'a list of classes'}: multi-label"
    return Guess("classify", data, (_says(text), why))


def _says(text: str) -> str:
    return f"'{text}' holds mostly different values: text"


def _text(columns: list[str], sample: _Sample) -> str | None:
    """The column with the name of a text, if it is not far shorter than the longest one; else the longest."""
    texts = [name for name in columns if not _numeric(sample.values[name]) and not _date(sample.values[name][0])]
    texts = [n for n in texts if sample.kinds(n) > 0.5 * len(sample.values[n]) and sample.length(n) >= 8] or texts
    longest = max(texts, key=sample.length, default=None)
    for tier in names.tiers("text"):
        for name in texts:
            if longest and name.lower().strip() in tier and sample.length(name) > 0.3 * sample.length(longest):
                return name
    return longest


def _label(sample: _Sample, taken: set[str]) -> str | None:
    """The column with the name of a label and values that come again; else that with the fewest values."""
    left = [n for n in sample.values if n not in taken]
    for tier in (*names.tiers("label"), *names.tiers("score")):
        for name in left:
            amount = name.lower().strip() in _AMOUNTS and _numeric(sample.values[name]) and sample.kinds(name) > 1
            if name.lower().strip() in tier and (sample.repeats(name) or amount):
                return name
    few = [name for name in left if sample.repeats(name) and not _date(sample.values[name][0])]
    parts = [name for name in left if _numeric(sample.values[name]) and any("." in v for v in sample.values[name])]
    return min(few or parts, key=sample.kinds, default=None)


def _pair(columns: list[str]) -> tuple[str, str] | None:
    """Two columns with the usual names of two texts, or names that differ in their last part alone."""
    if found := names.guess_pair(columns):
        return found
    stems: dict[str, list[str]] = {}
    for name in columns:
        stem, mark, _ = name.rpartition("_")
        if mark and stem.lower() in _STEMS:
            stems.setdefault(stem, []).append(name)
    return next(((two[0], two[1]) for two in stems.values() if len(two) == 2), None)


_STEMS = {"sent", "sentence", "text", "question", "query", "title", "句子", "文本"}


def _wide(sample: _Sample) -> list[str]:
    """Columns of zeros and ones, if there are several: a class each."""
    found = [
        name
        for name, values in sample.values.items()
        if len(values) == sample.rows and set(values) <= {"0", "1"} and not _numeric([name])
    ]
    return found if len(found) > 2 and not any(name.lower().strip() in _LABELS for name in found) else []


def _classes_of(rows: list[dict[str, Any]], sample: _Sample, lists: list[str]) -> list[str]:
    """The column, if any, whose cells hold several classes: a list, or parts that come again in other cells."""
    for name in lists:
        counts = Counter(part for row in rows for part in row[name] or ())
        if name.lower().strip() in _LABELS and counts and len(counts) <= counts.total() // 3:
            return [name]
    labels = [name for name in sample.values if name.lower().strip() in _LABELS and sample.kinds(name) > 1]
    for name in labels or sample.values:
        values = sample.values[name]
        for mark in _SEPARATORS:
            several = sum(mark in value for value in values)
            counts = Counter(part.strip() for value in values for part in value.split(mark))
            longest = max(map(len, counts), default=0)
            repeated = 2 < len(counts) <= counts.total() // 5
            if repeated and several > 0.1 * len(values) and longest < 40 and not _numeric(list(counts)):
                return [name]
    return []


def _none(rows: Rows, sample: _Sample, what: str) -> InputError:
    columns = ", ".join([name[:40] for name in rows.columns if not name.startswith("_")][:30])
    constant = next((name for name in sample.values if sample.kinds(name) == 1 and name.lower() in _LABELS), None)
    said = f" ('{constant}' has a single value)" if constant and what != "text" else ""
    return InputError(
        f"'{rows.source}' has no column that looks like {what}{said} (columns: {columns}); a label has at least two "
        "values and comes in several rows; write the job by hand and name the columns with data.columns"
    )


_LABELS = {name for tier in names.tiers("label") for name in tier}


def _numeric(values: list[str]) -> bool:
    try:
        [float(value) for value in values]
    except ValueError:
        return False
    return True


def _date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
