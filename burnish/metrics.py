"""Names of the metrics of each task, which way they are good, and when a loss keeps to a budget."""

from __future__ import annotations

LOWER_IS_BETTER = frozenset({"loss", "mae", "mse", "rmse", "brier", "ece", "wer", "cer", "error"})
_ROUNDING = 1e-9  # by which a difference of two metrics may be off
_RANKS = ("mrr", "recall@1", "recall@5", "recall@10")
_ONE_CLASS = ("accuracy", "micro_f1", "macro_f1", "weighted_f1", "mcc", "balanced_accuracy")
_CLASSES = ("f1", "subset_accuracy", "micro_f1", "macro_f1", "weighted_f1")
_METRICS = {
    "classify": _ONE_CLASS,
    "pair": _ONE_CLASS,
    "score": ("pearson", "spearman", "mae", "rmse"),
    "tag": ("f1", "precision", "recall", "token_micro_f1", "token_macro_f1"),
    "transcribe": ("word_accuracy", "wer", "cer", "character_accuracy"),
    "embed": ("mrr", *(f"{way}_{rank}" for way in ("forward", "back") for rank in _RANKS)),
    "detect": ("map_50", "map"),
}


def within(lost: float, budget: float) -> bool:
    """Whether a loss keeps to a budget: one of just the budget does, and what is not a number does not."""
    return lost <= budget + _ROUNDING


def metrics_of(task: str, multi_label: bool = False) -> tuple[str, ...]:
    """Names of the metrics of a task; `transcribe` has those of words or of characters, as its rows are written."""
    return _CLASSES if multi_label else _METRICS[task]


def is_metric(name: str, task: str, multi_label: bool = False) -> bool:
    """Whether a task has a metric of this name; of a class alone, as `map_50 CLASS`, it is for the rows to say."""
    return name in metrics_of(task, multi_label) or (task == "detect" and name.startswith("map_50 "))
