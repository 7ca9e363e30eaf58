"""How the states of a text's tokens become one vector, and the file of sentence-transformers that says so."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

Pooling = Literal["cls", "mean", "first"]
"""`cls` is a model's own way to its own head; burnish's head reads the `mean` of the last states, or the `first`."""

_log = logging.getLogger(__name__)
_FILE = Path("1_Pooling", "config.json")
_FIRST = "pooling_mode_cls_token"


def declared(place: str) -> Pooling:
    """What a model of a folder or hub says that its text vectors are; `mean` where nothing that is known here."""
    path = str(Path(place) / _FILE)
    if not Path(place).is_dir():
        from transformers.utils.hub import cached_file

        try:
            path = cached_file(place, _FILE.as_posix(), _raise_exceptions_for_missing_entries=False) or ""
        except (OSError, ValueError):
            _log.warning("the hub cannot be asked how '%s' makes vectors of texts: taken to be means", place)
            return "mean"
    with suppress(OSError, ValueError):
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            on = {name for name, value in found.items() if value is True} - {"include_prompt"}
            return "first" if found.get("pooling_mode", on) in ("cls", ["cls"], {_FIRST}) else "mean"
    return "mean"


def declare(folder: Path, pooling: Pooling, width: int) -> None:
    """Write into a model's folder what its text vectors are, of the `mean` and the `first` state."""
    path = folder / _FILE
    path.parent.mkdir(exist_ok=True)
    modes: dict[str, Any] = {"pooling_mode_mean_tokens": pooling == "mean", _FIRST: pooling == "first"}
    path.write_text(json.dumps({"word_embedding_dimension": width, **modes}, indent=1) + "\n", encoding="utf-8")
