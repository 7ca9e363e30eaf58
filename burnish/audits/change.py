"""What became of groups of rows when a model was compressed: an average may hold while a group falls."""

from __future__ import annotations

import numpy as np

from burnish.audited import Section, Table
from burnish.audits.groups import groups_of, word_groups
from burnish.audits.loss import differing, losses
from burnish.audits.permute import worst_subsets
from burnish.audits.slices import SIGNIFICANT
from burnish.audits.subject import LEAST, Subject

_ORDERS = (200, 500)
_WORDS = 40
_SHOWN = 12
_FIGURES = (("slices", "worst_gap"), ("calibration", "ece"), ("bias", "shift"), ("bias", "flips"))


def change(before: Subject, after: Subject, sections: dict[str, tuple[Section, ...]]) -> Section:
    """Compare a variant with the tuned model on the same rows.

    Args:
        sections: what the audits found out about each, by form.
    """
    first, second = losses(before), losses(after)
    flips, decisions = differing(before.engine.task, before.predictions, after.predictions)
    groups = [g for g in groups_of(before) + word_groups(before.given, _WORDS) if len(g) >= LEAST]
    figures = {"flips": float(flips.sum() / max(1, decisions.sum())), "lost": first.value() - second.value()}
    if not first.rising:
        figures["lost"] = -figures["lost"]
    tables, findings = [], []
    if groups:
        members = np.stack([group.rows for group in groups])
        more = second.residuals - first.residuals
        _, p = worst_subsets(members, more, _ORDERS[not before.quick], before.seed)
        lost = np.array([(first.value(g.rows) - second.value(g.rows)) * (1 if first.rising else -1) for g in groups])
        certain = (p < SIGNIFICANT) & (lost > 0)
        order = np.lexsort((-lost, ~certain))  # those that lost by more than chance first
        rows = [
            (str(groups[i]), len(groups[i]), first.value(groups[i].rows), second.value(groups[i].rows), float(p[i]))
            for i in order[:_SHOWN]
        ]
        note = f"same rows; p: whether it lost more than the rest did, corrected for all {len(groups):,} groups (maxT)"
        tables.append(
            Table("Groups that lost most", ("group", "rows", before.form, after.form, "p"), tuple(rows), note)
        )
        figures["worst_group"] = float(lost[certain].max(initial=0.0))
        findings = [
            f"{groups[i]}: {first.name} went from {first.value(groups[i].rows):.3f} to "
            f"{second.value(groups[i].rows):.3f}"
            for i in order[: min(3, certain.sum())]
        ]
    named = {form: {one.name: one.figures for one in found} for form, found in sections.items()}
    pairs = [
        (f"{name}.{figure}", named[before.form][name].get(figure), named[after.form][name].get(figure))
        for name, figure in _figures(named[before.form])
        if name in named[before.form] and name in named[after.form]
    ]
    tables.insert(0, Table("Before and after", ("figure", before.form, after.form), tuple(pairs)))
    found = "a group" if figures.get("worst_group") else "no group"
    summary = (
        f"{figures['flips']:.2%} of the decisions differ from the tuned model's; {found} lost more than the rest by "
        "more than chance"
    )
    return Section("change", summary, figures, tuple(tables), tuple(findings))


def _figures(found: dict[str, dict[str, float]]) -> list[tuple[str, str]]:
    """Those that are held side by side."""
    drops = [("robustness", name) for name in found.get("robustness", {}) if name.endswith(("_drop", "_success"))]
    return [*_FIGURES, *drops]
