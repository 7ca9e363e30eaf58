"""What becomes of the decisions of a model when its inputs are disturbed, by chance and on purpose."""

from __future__ import annotations

from burnish.audited import Cell, Section, Table
from burnish.audits.attack import attacked
from burnish.audits.loss import differing
from burnish.audits.noise import WAYS, disturbed
from burnish.audits.subject import LEAST, Subject, tallies
from burnish.data.reader import Reader

_SHARE = 0.25  # of the time
_MOST = (200, 1000)  # rows that are disturbed: quick, and else
_SELDOM = 0.1  # a way that changes no larger share of the rows is judged by all of them


def robustness(subject: Subject) -> Section:
    """The metric before and after each way of disturbing an input, the share of decisions that change, and an attack on
    texts."""
    if subject.reader:
        return _corrupted(subject, subject.reader)
    engine, task = subject.engine, subject.engine.task
    count = min(_MOST[not subject.quick], max(2 * LEAST, subject.affordable(_SHARE, len(WAYS))))
    chosen = subject.sample(count, salt=1)
    figures: dict[str, float] = {}
    rows: list[tuple[Cell, ...]] = []
    small: list[str] = []
    seldom: list[str] = []
    for way, (_, rate) in WAYS.items():
        changed = {
            int(i): new for i in chosen if (new := disturbed(given := subject.given[i], way, subject.seed)) != given
        }
        kept = list(changed)
        if len(kept) < LEAST:
            if len(chosen) < LEAST or len(kept) > _SELDOM * len(chosen):
                small.append(f"robustness.{way}: {len(kept)} of {len(chosen):,} rows have words that it could change")
                continue
            seldom.append(f"{way.replace('_', ' ')} {len(kept)}")
            kept = chosen.tolist()
        before = float(subject.metric(subject.tallies[kept].sum(0)))
        answers = dict(zip(changed, engine.predict_rows(list(changed.values())), strict=True))
        said = [answers.get(i, subject.predictions[i]) for i in kept]
        now = [changed.get(i, subject.given[i]) for i in kept]
        after = float(subject.metric(tallies(engine, said, now).sum(0)))
        flips, decisions = differing(task, [subject.predictions[i] for i in kept], said)
        share = float(flips.sum() / max(1, decisions.sum()))
        figures[f"{way}_flips"] = share
        if way == "negation":  # what is right may have changed
            rows.append((way, rate, len(kept), before, None, None, share))
            continue
        figures[f"{way}_drop"] = before - after
        rows.append((way, rate, len(kept), before, after, before - after, share))
    note = (
        "rate: share of the words that are tried, with a fixed seed; decisions are "
        + ("words" if task.name == "tag" else "texts")
        + "; a negation may well change what is right"
    )
    if seldom:
        note += f"; so few of {len(chosen):,} rows were changed that all of these are counted: {', '.join(seldom)}"
    columns = ("way", "rate", "rows", f"{task.metric} before", "after", "drop", "decisions changed")
    tables = [Table("Disturbed texts", columns, tuple(rows), note)]
    drops = {name.removesuffix("_drop"): value for name, value in figures.items() if name.endswith("_drop")}
    worst = max(drops, key=lambda way: drops[way], default="")
    findings = [
        f"{way.replace('_', ' ')} cost {drop:.3f} of {task.metric}"
        for way, drop in sorted(drops.items(), key=lambda one: -one[1])
        if drop > 0.1
    ]
    if not subject.quick and task.name != "score":
        found = attacked(subject)
        if found is None:
            small.append("robustness.attack: no row is both right and has words to change")
        else:
            figures["attack_success"], figures["attack_queries"] = found.success, found.queries
            tables.append(found.table)
            findings.append(
                f"a search that misspells at most {found.budget:.0%} of the words turns {found.success:.0%} of the "
                f"decisions that were right, with {found.queries:.0f} questions to the model in the median"
            )
    elif subject.quick:
        small.append("robustness.attack: takes more time than --quick has")
    summary = f"{worst} cost most: {drops[worst]:.3f} of {task.metric}" if worst else "nothing could be disturbed"
    return Section("robustness", summary, figures, tuple(tables), tuple(findings), tuple(small))


def _corrupted(subject: Subject, reader: Reader) -> Section:
    """The same for what is no text: every way at each of its strengths. A figure is the worst of a way."""
    engine, task = subject.engine, subject.engine.task
    passes = sum(map(len, reader.ways.values()))
    chosen = subject.sample(min(_MOST[not subject.quick], max(LEAST, subject.affordable(_SHARE, passes))), salt=1)
    if len(chosen) < LEAST:
        return Section("robustness", "not measured", impossible=(f"robustness: {len(chosen)} rows, under {LEAST}",))
    given, before = [subject.given[i] for i in chosen], float(subject.metric(subject.tallies[chosen].sum(0)))
    figures: dict[str, float] = {}
    rows: list[tuple[Cell, ...]] = []
    for way, strengths in reader.ways.items():
        for strength in strengths:
            worse = [reader.corrupted(row, way, strength, subject.seed) for row in given]
            if all(new is old for new, old in zip(worse, given, strict=True)):
                continue
            said = engine.predict_rows(worse)
            after = float(subject.metric(tallies(engine, said, given).sum(0)))
            flips, decisions = differing(task, [subject.predictions[i] for i in chosen], said)
            share = float(flips.sum() / max(1, decisions.sum()))
            rows.append((way, strength, len(given), before, after, before - after, share))
            figures[f"{way}_drop"] = max(before - after, figures.get(f"{way}_drop", -1.0))
            figures[f"{way}_flips"] = max(share, figures.get(f"{way}_flips", 0.0))
    columns = ("way", "strength", "rows", f"{task.metric} before", "after", "drop", "decisions changed")
    note = "what a strength means is said in the documentation; the same rows in all, with a fixed seed"
    drops = {way: figures[f"{way}_drop"] for way in reader.ways if f"{way}_drop" in figures}
    worst = max(drops, key=lambda way: drops[way], default="")
    findings = tuple(
        f"{way} cost up to {drop:.3f} of {task.metric}"
        for way, drop in sorted(drops.items(), key=lambda one: -one[1])
        if drop > 0.1
    )
    table = Table("Disturbed inputs", columns, tuple(rows), note)
    summary = f"{worst} cost most: {drops[worst]:.3f} of {task.metric}" if worst else "nothing could be disturbed"
    small = [
        f"robustness.{way}: these rows have nothing that it could change" for way in reader.ways if way not in drops
    ]
    small.append("robustness.attack: a search for misspellings is for texts")
    return Section("robustness", summary, figures, (table,), findings, tuple(small))
