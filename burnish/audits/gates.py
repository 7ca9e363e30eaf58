"""What an audit may find at most, or has to find at least: every default, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from burnish.audited import Gate, Section
from burnish.data.mixed import Mixed
from burnish.data.readers import READERS
from burnish.errors import ConfigError, nearest

_TEXTS = frozenset({"classify", "pair", "tag"})
_CLASSES = frozenset({"classify", "pair"})
_ALL = _TEXTS | {"score"}


@dataclass(frozen=True)
class Limit:
    """A limit on a figure.

    Attributes:
        value: None where there is a limit only if the job states one.
        least: whether it is the least that the figure may be.
        tasks: whose audits have the figure.
        quick: whether `--quick` finds it out too.
        texts: whether only audits of models of texts have it.
    """

    value: float | None = None
    least: bool = False
    tasks: frozenset[str] = _ALL
    quick: bool = True
    texts: bool = False


GATES: dict[str, Limit] = {
    "slices.worst_gap": Limit(0.2),
    "slices.leaked": Limit(0.01),
    "bias.shift": Limit(0.05, texts=True),
    "bias.flips": Limit(0.1, texts=True),
    "bias.group_gap": Limit(),
    "bias.parity_gap": Limit(),
    "robustness.typos_drop": Limit(0.1, texts=True),
    "robustness.keyboard_drop": Limit(0.1, texts=True),
    "robustness.homoglyphs_drop": Limit(),
    "robustness.casing_drop": Limit(0.1, texts=True),
    "robustness.whitespace_drop": Limit(0.02, tasks=_ALL - {"tag"}, texts=True),
    "robustness.full_width_drop": Limit(),
    "robustness.synonyms_drop": Limit(),
    "robustness.attack_success": Limit(tasks=_TEXTS, quick=False),
    "calibration.ece": Limit(0.1, tasks=_TEXTS),
    "calibration.brier": Limit(tasks=_TEXTS),
    "calibration.coverage_5": Limit(least=True, tasks=_TEXTS),
    "calibration.error_95": Limit(tasks=frozenset({"score"})),
    "scope.auroc": Limit(least=True, tasks=_CLASSES),
    "scope.false_alarms_95": Limit(tasks=_CLASSES),
    "scope.missed_5": Limit(tasks=_CLASSES),
    "scope.alarms": Limit(tasks=_CLASSES),
    "change.flips": Limit(0.05),
    "change.lost": Limit(0.02),
    "change.worst_group": Limit(0.05),
    "privacy.membership_auc": Limit(tasks=_TEXTS),
    "privacy.membership_tpr": Limit(tasks=_TEXTS),
    "privacy.personal_rows": Limit(),
    "privacy.near_duplicates": Limit(),
    "security.faults": Limit(0.0),
    "security.unexpected": Limit(),
    "security.signed": Limit(least=True),
    "security.licensed": Limit(least=True),
    "security.triggers": Limit(quick=False),
    **{f"robustness.{way}_drop": Limit() for reader in READERS.values() for way in reader.ways},
    **{f"robustness.{way}_drop": Limit() for way in Mixed.ways},
}


def must_be_known(stated: Mapping[str, float]) -> None:
    """Refuse a gate on what no audit finds out.

    Raises:
        ConfigError: naming the nearest figure.
    """
    for name in stated:
        if name not in GATES:
            raise ConfigError(f"audit.gates: no audit finds out '{name}'; {nearest(name, GATES)}")


def judged(
    forms: Mapping[str, Sequence[Section]],
    task: str,
    stated: Mapping[str, float],
    *,
    quick: bool,
    tuned: str,
    texts: bool = True,
) -> tuple[Gate, ...]:
    """Every gate on every form; that of a variant is called `section.figure@variant`.

    What a section that ran could not find out fails, as does a figure that the job has a limit for.
    """
    found = []
    for form, sections in forms.items():
        figures = {f"{one.name}.{name}": value for one in sections for name, value in one.figures.items()}
        ran = {one.name for one in sections}
        for name, limit in GATES.items():
            bound = stated.get(name, limit.value)
            due = name in stated or (task in limit.tasks and (limit.quick or not quick) and (texts or not limit.texts))
            if bound is None or not due or name.split(".")[0] not in ran:
                continue
            value = figures.get(name)
            if value is not None and not math.isfinite(value):
                value = None
            passed = value is not None and (value >= bound if limit.least else value <= bound)
            found.append(Gate(name if form == tuned else f"{name}@{form}", value, float(bound), passed, limit.least))
    return tuple(found)
