"""`burnish init`: look at a file, guess task and columns, say why, and write a job file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from burnish.config import parse
from burnish.data.read import read
from burnish.data.rows import Rows
from burnish.errors import InputError

_SEEN = 2000  # rows looked at


@dataclass(frozen=True)
class Start:
    """A guessed job: its YAML, its task, and the reasons for each guess."""

    text: str
    task: str
    reasons: tuple[str, ...]


def guess(data: str) -> Start:
    """Guess a job from a file of labelled rows.

    Raises:
        InputError: when no column looks like a label or none like text; names the columns there are.
    """
    probe = parse({"task": "tag", "data": {"train": data, "limit": _SEEN}})
    rows = read(data, probe.data)
    columns: dict[str, str] = {}
    reasons = [f"read as {rows.format}{f' in {rows.encoding}' if rows.encoding else ''}", *rows.notes]
    if rows.format in ("conll", "spans"):
        task = "tag"
        reasons.append("words or spans carry tags: task tag")
    else:
        task, columns, why = _table(rows, data)
        reasons += why
    section: dict[str, Any] = {"train": data} | ({"columns": columns} if columns else {})
    document: dict[str, Any] = {
        "task": task,
        "model": _model(rows, reasons),
        "out": f"runs/{Path(data).stem}",
        "data": section,
    }
    parse(document)
    head = "".join(f"# {reason}\n" for reason in reasons)
    return Start(head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True), task, tuple(reasons))


def _table(rows: Rows, data: str) -> tuple[str, dict[str, str], list[str]]:
    sample = [rows[i] for i in range(min(len(rows), _SEEN))]
    values = {name: [str(row[name]) for row in sample if row[name] not in (None, "")] for name in rows.columns}
    values = {name: found for name, found in values.items() if found and not name.startswith("_")}
    length = {name: sum(map(len, found)) / len(found) for name, found in values.items()}
    distinct = {name: len(set(found)) / len(found) for name, found in values.items()}
    texts = [name for name in values if length[name] >= 8 and distinct[name] > 0.5 and not _numeric(values[name])]
    texts.sort(key=lambda name: -length[name])
    named = [name for name in values if name.lower() in _LABELS and name not in texts[:1]]
    few = [name for name in values if name not in texts and len(set(values[name])) <= max(2, len(values[name]) // 4)]
    labels = named or sorted(few, key=lambda name: len(set(values[name])))
    if not texts or not labels:
        raise InputError(
            f"'{data}' has no column that looks like {'text' if not texts else 'a label'} "
            f"(columns: {', '.join(rows.columns)}); write the job by hand and set data.columns"
        )
    label = labels[0]
    score = _numeric(values[label]) and (len(set(values[label])) > 20 or any("." in v for v in values[label]))
    second = [name for name in texts[1:] if length[name] > 0.4 * length[texts[0]]]
    columns = {"text": texts[0], "label": label}
    why = [f"'{texts[0]}' holds long, mostly different values: text"]
    if second and not score:
        first, other = sorted([texts[0], second[0]], key=list(values).index)
        columns = {"text": first, "text_b": other, "label": label}
        why = [f"'{first}' and '{other}' both hold text: two texts"]
        return "pair", columns, [*why, f"'{label}' has {len(set(values[label]))} values: task pair"]
    kinds = f"{len(set(values[label]))} values"
    return (
        ("score" if score else "classify"),
        columns,
        [*why, f"'{label}' has {kinds}: task {'score' if score else 'classify'}"],
    )


_LABELS = {"label", "labels", "category", "class", "target", "intent", "sentiment", "score", "rating", "y", "topic"}


def _numeric(values: list[str]) -> bool:
    try:
        [float(value) for value in values]
    except ValueError:
        return False
    return True


def _model(rows: Rows, reasons: list[str]) -> str:
    sample = "".join(str(rows[i]) for i in range(min(len(rows), 200)))
    han = sum("\u4e00" <= c <= "\u9fff" for c in sample)
    if han > 0.05 * len(sample):
        reasons.append(
            "the text is Chinese, which the bundled English model does not know: model scratch; "
            "name the folder of a Chinese model if you have one"
        )
        return "scratch"
    return "minilm"
