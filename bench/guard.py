"""Personal data: burnish's guard against Presidio's recognizers and a spaCy tagger trained on the same rows.

Rows are those of presidio-research's synthetic set (in the folder --data), split by template, as the set repeats its
templates, in the way of `burnish guard init`: 60 % of them to train on, 20 % to choose on, 20 % to report. A span
counts as found when one of the same type shares half of the longer of the two with it, one to one. All types count but
TITLE, AGE and NRP. Every engine runs in a process of its own, in turns; texts a second are the best of its rounds.
With --negatives FILE texts of ordinary correspondence, one a line, are searched too, and findings per 1,000 of them
are counted.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import measure

from burnish.guards.forms import KINDS, kind_of
from burnish.guards.material import public

OUT = ("TITLE", "AGE", "NRP")
ENGINES = ["patterns", "burnish", "presidio", "spacy", "presidio+spacy"]
NEEDS_PEERS = ("presidio", "spacy", "presidio+spacy")
Span = tuple[int, int, str]


def rows_of(folder: Path, part: public.Split) -> list[dict[str, Any]]:
    """Rows as text and spans, with the kinds of the guard."""
    return [
        {
            "text": row["text"],
            "spans": [(s["start"], s["end"], kind_of(s["label"])) for s in row["spans"] if s["label"] not in OUT],
        }
        for row in public.presidio(folder, part)
    ]


def tally(rows: list[dict[str, Any]], found: list[list[Span]]) -> dict[str, Counter[str]]:
    """Spans that are there, that were found, and those of both, by type."""
    counts: dict[str, Counter[str]] = {"true": Counter(), "found": Counter(), "both": Counter()}
    for row, spans in zip(rows, found, strict=True):
        left = [span for span in spans if span[2] in KINDS]
        counts["found"].update(span[2] for span in left)
        for start, end, kind in row["spans"]:
            counts["true"][kind] += 1
            for span in left:
                shared = min(end, span[1]) - max(start, span[0])
                if span[2] == kind and 2 * shared >= max(end - start, span[1] - span[0]):
                    counts["both"][kind] += 1
                    left.remove(span)
                    break
    return counts


def figures(counts: dict[str, Counter[str]], kinds: list[str]) -> tuple[float, float, float]:
    true, found, both = (sum(counts[name][kind] for kind in kinds) for name in ("true", "found", "both"))
    return both / max(found, 1), both / max(true, 1), 2 * both / max(true + found, 1)


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of public sets")
    parser.add_argument("--part", default="test", choices=["dev", "test"], help="rows that are reported")
    parser.add_argument("--tagger", help="model folder of a tagger, such as models/personal of guard init")
    parser.add_argument("--negatives", nargs="*", default=[], help="files with an ordinary text a line")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, help="all, but burnish without --tagger")
    parser.add_argument("--peers-python", default=str(measure.ROOT / ".bench-env" / "bin" / "python"))
    parser.add_argument("--rounds", type=int, help="runs of each engine; 1 with --quick, else 3")
    args = parser.parse_args()
    rounds = args.rounds or (1 if args.quick else 3)
    names = args.engines or [name for name in ENGINES if name != "burnish" or args.tagger]
    train, rows = rows_of(args.data, "train"), rows_of(args.data, args.part)
    rows = rows[:100] if args.quick else rows
    print(f"{args.part}: {len(rows)} rows, {len(train)} to train on")

    spans: dict[str, list[list[Span]]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "folder": folder, "train": train, "test": [row["text"] for row in rows], "types": KINDS,
            "tagger": args.tagger and str(Path(args.tagger).resolve()), "threshold": 0.4, "rounds": 1,
            "epochs": 3 if args.quick else 20,
        }  # fmt: skip
        file = Path(folder) / "given.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        for _ in range(rounds):
            for name in names:
                python = args.peers_python if name in NEEDS_PEERS else measure.sys.executable
                child = measure.run(
                    [python, "bench/guard_peers.py", name, str(file)], {"PYTHONPATH": str(measure.ROOT)}
                )
                spans[name] = [[(a, b, kind) for a, b, kind in one] for one in child.result["spans"]]
                seconds[name].append(child.result["seconds"])
                print(f"  {name:16} {len(rows) / seconds[name][-1]:10,.1f} texts/s", flush=True)

    all_kinds = sorted({span[2] for row in rows for span in row["spans"]})
    counts = {name: tally(rows, spans[name]) for name in names}
    speed = {name: len(rows) / min(seconds[name]) for name in names}
    measure.table(
        ["engine", "precision", "recall", "f1", "texts/s"],
        [[name, *figures(counts[name], list(KINDS)), speed[name]] for name in names],
    )
    measure.table(
        ["f1 by type", "spans", *names],
        [[k, counts[names[0]]["true"][k], *(figures(counts[n], [k])[2] for n in names)] for k in all_kinds],
    )
    _ordinary(args.negatives)
    own = "burnish" if "burnish" in names else "patterns"
    ratios = {f"{own}_f1": figures(counts[own], list(KINDS))[2]} if own in names else {}
    for name in names:
        if name in NEEDS_PEERS and own in names:
            pairs = zip(seconds[name], seconds[own], strict=True)
            ratios[f"speed_over_{name}"] = median(other / mine for other, mine in pairs)
            ratios[f"f1_points_over_{name}"] = 100 * (ratios[f"{own}_f1"] - figures(counts[name], list(KINDS))[2])
    details = {"counts": {n: {k: dict(v) for k, v in c.items()} for n, c in counts.items()}, "texts_per_second": speed}
    measure.finish(args, ratios, details)


def _ordinary(files: list[str]) -> None:
    """Findings of the patterns in texts that have no personal data, or hardly any."""
    from burnish.guards import Guard

    guard = Guard.default()
    lines = []
    for path in files:
        texts = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
        counts = Counter(f"{f.check} {f.kind}" for verdict in guard.check_many(texts) for f in verdict.findings)
        lines += [[Path(path).name, len(texts), kind, 1000 * n / len(texts)] for kind, n in counts.most_common()]
    if lines:
        measure.table(["ordinary texts", "texts", "finding", "per 1,000"], lines)


if __name__ == "__main__":
    main()
