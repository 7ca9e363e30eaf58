"""Numbers, intervals and tests in words: the same in the page, the card and the terminal."""

from __future__ import annotations

import math
import re
from typing import Any

from burnish.compressed import CompressReport
from burnish.metrics import LOWER_IS_BETTER
from burnish.results import ClassRow, Comparison, Evaluation, TuneReport

AVERAGES = frozenset({"micro avg", "macro avg", "weighted avg", "samples avg", "accuracy"})
NOTHING = "–"
SIGNIFICANT = 0.05
_NOTHING = 1e-6
# Control characters, overrides of the writing direction and lone surrogates.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Put a mark in place of characters that would steer a terminal, turn a line round or not be writable as UTF-8."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def number(value: float | None) -> str:
    """Write a metric with three decimals, or a smaller one with three figures, down to what rounding in the network
    makes of 0; a dash stands for a missing or undefined one."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if abs(value) >= 0.0005:
        return f"{value:,.3f}"
    return f"{value:.3g}" if abs(value) >= _NOTHING else "0.000"


def signed(value: float | None) -> str:
    """Write a difference with its sign."""
    written = number(value)
    return (
        f"+{written}" if value is not None and value >= _NOTHING and written != NOTHING else written.replace("-", "−")
    )


def short(value: float) -> str:
    """Write a count in few characters: 22.7 M, 13.2 k, 950."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Write a time the way one says it: 42 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def interval(evaluation: Evaluation, metric: str) -> str:
    """Write the confidence interval of a metric, or nothing when there is none."""
    found = evaluation.intervals.get(metric)
    return f"{number(found.low)} to {number(found.high)}" if found else ""


def with_interval(evaluation: Evaluation, metric: str) -> str:
    """Write a metric with its 95 % confidence interval behind it."""
    value, around = number(evaluation.metrics.get(metric)), interval(evaluation, metric)
    return f"{value} ({around})" if around else value


def is_better(metric: str, new: float, old: float) -> bool:
    """Whether `new` beats `old`, knowing that an error should be small."""
    return new < old if metric in LOWER_IS_BETTER else new > old


def best_before(report: TuneReport) -> tuple[str, Evaluation] | None:
    """Return the strongest model the tuned one is measured against, on the metric of the tuned one."""
    metric = report.after.metric
    measured = [(n, e) for n, e in report.before.items() if math.isfinite(e.metrics.get(metric, math.nan))]
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    return max(measured, key=lambda pair: sign * pair[1].metrics[metric], default=None)


def metrics_in_order(evaluation: Evaluation) -> list[str]:
    """Names of the metrics: the chosen one first, then those with an interval, then the rest."""
    return sorted(evaluation.metrics, key=lambda m: (m != evaluation.metric, m not in evaluation.intervals))


def split_averages(rows: tuple[ClassRow, ...]) -> tuple[tuple[ClassRow, ...], tuple[ClassRow, ...]]:
    """Part the classes from the average rows at the end; a class that is called like one stays a class."""
    end = len(rows)
    while end and rows[end - 1].label in AVERAGES:
        end -= 1
    return rows[:end], rows[end:]


def p_value(value: float) -> str:
    """Write a p value; one that is smaller than the resamples can show is given as a bound."""
    if not math.isfinite(value):
        return "p unknown"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def verdict(comparison: Comparison) -> str:
    """Say what the paired test means: a gain, a loss, or nothing that can be told from chance."""
    if not comparison.p_value < SIGNIFICANT:
        return "the difference may well be chance"
    gained = is_better(comparison.metric, comparison.second_value, comparison.first_value)
    return f"the {'gain' if gained else 'loss'} is unlikely to be chance"


def comparison_words(comparison: Comparison) -> str:
    """Say in two sentences how two models compare on the same rows."""
    c = comparison
    return (
        f"{c.metric} {number(c.second_value)} ({c.second}) against {number(c.first_value)} ({c.first}) on the same "
        f"{c.rows:,} rows: {signed(c.second_value - c.first_value)}, 95 % confidence interval "
        f"{signed(c.difference.low)} to {signed(c.difference.high)}. "
        f"A paired bootstrap gives {p_value(c.p_value)}, so {verdict(c)}."
    )


def compression_words(report: CompressReport) -> str:
    """Say what a search has come to, and whether its variant is the one to be used."""
    pieces = f" ({report.shape} layers, heads and units, or stages, pitches and channels)" if report.shape else ""
    more = "sparing" if report.goal == "energy" else "fast"
    where = report.after.split
    if where == "train" and report.lost_there is not None:
        where = "the rows that judged in the search"
    said = (
        f"{report.form}{pieces}: {report.speedup:.1f} times as {more} and {100 * report.size_ratio:.1f} % of the size; "
        f"{report.lost:.4f} of {report.metric} lost on {where}, {report.budget:g} allowed; "
        f"{report.flips:,} of {report.decisions:,} decisions differ."
    )
    if not report.kept:
        return f"{said} That is more than the budget, so that it is used only where it is asked for by name."
    if not report.chosen:
        return (
            f"{said} It is not clearly better than the tuned model here, and used only where it is asked for by name."
        )
    if report.by_name:
        return f"{said} Another form of the model is faster, so that this one is used by name: --variant {report.goal}."
    return said


def transfer_words(report: TuneReport) -> str:
    """Say what it brought to start from an earlier artifact; nothing where the model started otherwise."""
    t = report.transfer
    if t is None:
        return ""
    start = f"Tuning started from the earlier model {t.source} ({t.task}), which was tuned from {t.base}."
    if t.comparison is None:
        return f"{start} The same job was not run from {t.base}, so the gain of the transfer is unknown: {t.missing}."
    return f"{start} The same job was also run from {t.base}. {comparison_words(t.comparison)}"


def calibration_words(report: TuneReport) -> str:
    """Say at which temperature probabilities are given and what it brings; nothing for tasks that have none."""
    c = report.calibration
    if c is None:
        return ""
    if c.missing:
        return f"Probabilities are given as the network has them, without a temperature: {c.missing}."
    return (
        f"Probabilities are given at a temperature of {c.temperature:.2f}, which changes no decision. It was fitted on "
        f"{c.rows:,} dev rows; on the halves of them that did not choose it, ECE goes from {number(c.ece_before)} to "
        f"{number(c.ece)} and NLL from {number(c.nll_before)} to {number(c.nll)}."
    )


def chosen_words(report: TuneReport) -> str:
    """Say what is measured over where that is not plain, and when the rows are no unseen ones."""
    return " ".join(part for part in (report.after.note, _chosen(report)) if part)


def _chosen(report: TuneReport) -> str:
    split = report.after.split
    if not report.trained_parameters:
        return "Where the model was tuned on these rows, the figures say nothing about new ones."
    if split == "train":
        return (
            "These are the training rows themselves, so the figures say nothing about new rows; give dev or test rows."
        )
    if split != "dev":
        return ""
    data = report.job.get("data", {})
    several = isinstance(data, dict) and data.get("multi_label")
    if report.privacy and not several:
        return ""
    fitted = "the best epoch was chosen"
    if several:
        fitted = "the thresholds were chosen" if report.privacy else "the best epoch and the thresholds were chosen"
    return f"On these dev rows {fitted} too, so the figures are a little too good; test rows would give unbiased ones."


def privacy_words(report: TuneReport) -> str:
    """Say what the weights may tell of a training row, and for what that does not hold; nothing without a bound."""
    if report.privacy is None:
        return ""
    p = report.privacy
    return (
        f"The head was trained by DP-SGD: epsilon {p.epsilon:.2f} at delta {p.delta:.2g} for one training row more or "
        f"less, by the accountant of Opacus (asked for: {p.asked:g}). Noise multiplier {p.noise_multiplier:.3f}, "
        f"sample rate {p.sample_rate:g}, gradients of rows cut to norm {p.clip:g}, {p.steps:,} steps. This holds for "
        "the weights. It does not hold for the names of the labels, the number of training rows and their fingerprint, "
        "nor for anything about dev and test rows. The data check's findings, the losses and models fitted to the rows "
        "are left out for the same reason. A person with several rows is protected less than one with a single row."
    )


def alone_words(report: TuneReport) -> str:
    """Say what plain transformers reaches with the folder, with and without what it cannot express."""
    if report.shares:
        named = ", ".join(f"{kind} {share:.0%}" for kind, share in report.shares.items())
        said = (
            "Each kind of input has a model in a folder of its name; their log-probabilities are added, with weights "
            "fitted on dev."
        )
        gained = sum(report.shares.values()) > 0  # over the frequencies of the classes alone
        return f"{said} Shares in the answers, by Shapley values: {named}." if gained else said
    if report.task == "embed" and report.inputs == "text":
        return (
            "Sentence-transformers loads this folder and gives the same vectors; plain transformers loads the encoder, "
            "without the projection behind it."
        )
    if report.task == "embed" and "+" in report.inputs:
        return "Each kind of input has a model of its own in a folder of its name, which gives its vectors alone, too."
    if report.own:
        return "The network is burnish's own: plain transformers does not load this folder."
    if report.alone is None:
        return "Plain transformers loads this folder and computes the same scores."
    metric = report.after.metric
    return (
        f"Plain transformers loads this folder without what only burnish reads, and reaches "
        f"{metric} {with_interval(report.alone, metric)} on {report.alone.split}; "
        f"with it, it is {with_interval(report.after, metric)} on {report.after.split}."
    )


def in_words(prediction: dict[str, Any]) -> str:
    """A prediction, as it is in JSON, in one line."""
    if "fault" in prediction:
        return f"(not read: {prediction['fault']})"
    if "boxes" in prediction:
        sure = [box for box in prediction["boxes"] if box["score"] >= prediction["threshold"]]
        edges = ("xmin", "ymin", "xmax", "ymax")
        found = [f"{b['label']} [{' '.join(f'{b[edge]:.0f}' for edge in edges)}] {b['score']:.2f}" for b in sure]
        return "  ".join(found) or "(nothing found)"
    if "entities" in prediction:
        found = [f"{e['text']} [{e['label']} {e['start']}-{e['end']} {e['score']:.2f}]" for e in prediction["entities"]]
        return "  ".join(found) or "(no entities)"
    if "embedding" in prediction:
        return " ".join(f"{number:.6f}" for number in prediction["embedding"])
    if "similarity" in prediction:
        chance = prediction["probability"]
        return f"{prediction['similarity']:.3f}" + (f"  (a pair: {chance:.3f})" if chance is not None else "")
    if "value" in prediction:
        return number(prediction["value"]).replace(",", "")
    if "probability" in prediction:
        return f"{prediction['text'] or '(nothing said)'}  ({prediction['probability']:.3f})"
    best = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])[:3]
    named = ", ".join(prediction["labels"]) or "(none)"
    return f"{named}  ({', '.join(f'{label} {p:.3f}' for label, p in best)})"


def verdict_in_words(verdict: dict[str, Any]) -> str:
    """What a guard says of a text, as it is in JSON, in one line: action, findings, and the text that may go on."""
    found = [
        f"{f['check']} {f['kind']} {f['start']}-{f['end']} {f['score']:.2f} {f['action']} (line {f['line']})"
        for f in verdict["findings"]
    ]
    said = f"{verdict['action']}  {'; '.join(found) or '(nothing found)'}"
    return said if verdict["action"] == "block" else f"{said}  {verdict['text']}"
