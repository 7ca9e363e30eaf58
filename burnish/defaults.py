"""What takes the place of the job file's defaults, by method and by kind of input."""

from __future__ import annotations

from typing import Any

TABLE = "table"
_COLUMNS, _OTHERS = (
    ("number", "category"),
    ("text", "text_b", "image", "audio", "video"),
)  # of it, and of other kinds of input
# A first choice, from one draw of train rows of banking77.
_FEW_SHOT = {"epochs": 16}
# Chosen on dev rows of banking77.
_PRIVATE = {"freeze": "head", "epochs": 30, "head_learning_rate": 0.03}
# Of a network for numbers and categories; chosen on train and dev rows, see docs/tables.md.
_TABLE: dict[str, Any] = {
    "epochs": 40,
    "patience": 10,
    "learning_rate": 2e-3,
    "head_learning_rate": 2e-3,
    "layer_decay": 1.0,
    "weight_decay": 0.03,
    "tokens_per_batch": 256,
    "scratch": {"layers": 3, "hidden": 192},
}


def of_method(tune: dict[str, Any]) -> dict[str, Any]:
    """The keys of `tune` with what its method puts in place of the usual defaults."""
    return (_PRIVATE if tune.get("privacy") else _FEW_SHOT if tune.get("method") == "few-shot" else {}) | tune


def of_kinds(job: dict[str, Any]) -> dict[str, Any]:
    """The keys of a job with what rows of a table put in place of the usual defaults."""
    data = job.get("data")
    columns = data.get("columns") if isinstance(data, dict) else getattr(data, "columns", None)
    named = columns.get if isinstance(columns, dict) else lambda key: getattr(columns, key, None)
    if not any(map(named, _COLUMNS)):
        return job
    if not any(map(named, _OTHERS)):
        return {"model": "scratch", **job, "tune": _of_a_table(job.get("tune"), job.get("task") == "score")}
    parts = job.get("parts") or {}
    own = (parts.get(TABLE) or {}) if isinstance(parts, dict) else None
    if not isinstance(own, dict):
        return job  # what is wrong is said later
    return {**job, "parts": {**parts, TABLE: {**own, "tune": _of_a_table(own.get("tune"))}}}


def _of_a_table(tune: Any, number: bool = False) -> Any:
    """The keys of `tune`; for a number the epoch is chosen by how far off it is, as a correlation knows no scale."""
    if not isinstance(tune, dict | None):
        return tune
    given = tune or {}
    scratch = given.get("scratch")
    return (
        _TABLE
        | ({"metric": "rmse"} if number else {})
        | given
        | ({"scratch": _TABLE["scratch"] | scratch} if isinstance(scratch, dict) else {})
    )
