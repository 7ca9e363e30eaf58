"""Feedback as training data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from burnish.errors import InputError
from burnish.monitoring.records import Feedback, text_of


def write(records: Iterable[Feedback], path: Path, multi_label: bool) -> int:
    """Write feedback as JSONL, in place of a file that is there, and return the number of rows.

    Raises:
        InputError: see `Store.export`.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    task, count = "", 0
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            for record in records:
                task = task or record.task
                if record.task != task:
                    raise InputError(
                        f"the feedback is on two tasks, {task} and {record.task}; choose one with since and until"
                    )
                file.write(json.dumps(_row(record, multi_label), ensure_ascii=False) + "\n")
                count += 1
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}; name another file") from None
    finally:
        with suppress(OSError):
            draft.unlink()
    return count


def _row(record: Feedback, multi_label: bool) -> dict[str, Any]:
    about = {"id": record.id, "time": datetime.fromtimestamp(record.time, UTC).isoformat()}
    if record.task == "tag":
        return {"text": text_of(record), "entities": record.label, **about}
    text, *second = [record.input] if isinstance(record.input, str) else record.input
    return {"text": text, **({"text_b": second[0]} if second else {}), "label": _label(record, multi_label), **about}


def _label(record: Feedback, multi_label: bool) -> Any:
    label = record.label
    if record.task == "score":
        return label
    several = label if isinstance(label, list) else [label]
    if multi_label:
        return several
    if len(several) != 1:
        raise InputError(
            f"the feedback {record.id} gives {len(several)} classes where one is wanted; "
            "export with several classes (multi_label), or delete it"
        )
    return several[0]
