"""Spoken digits and emotions of speakers that training has never heard: each speaker is left out in turn.

Accuracy on fsdd_en and unweighted recall (the mean of the classes' recalls) on emodb_de, beside the linear model that
stands in every report. Each fold is measured once, by the weights of the last step, and nothing is chosen on it: it has
no dev rows, and the settings are those of recipes/audio-fsdd.yaml and of EMOTION below. They were chosen on speakers of
the training side alone, as docs/audio.md says. One process a fold; folds are kept in --json FILE as they end, and those
that stand there are not repeated.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import measure

RECIPE = "recipes/audio-fsdd.yaml"
LINEAR = "linear"
EMOTION = ("tune.epochs=60", "tune.class_weights=balanced", "tune.metric=balanced_accuracy")
QUICK = ("tune.epochs=1",)


@dataclass(frozen=True)
class Set:
    """A set of sounds whose file names tell speaker and class.

    Attributes:
        told: (speaker, class) of a file's name.
        settings: options of the job, beside the recipe's.
    """

    folder: str
    told: Callable[[str], tuple[str, str]]
    settings: tuple[str, ...] = ()

    def files(self, data: Path) -> list[tuple[Path, str, str]]:
        found = sorted(path for path in (data / self.folder).iterdir() if path.suffix in (".wav", ".flac"))
        return [(path, *self.told(path.stem)) for path in found]


SETS = {
    "fsdd_en": Set("fsdd_en/recordings", lambda name: (name.split("_")[1], name.split("_")[0])),
    "emodb_de": Set("emodb_de/wav", lambda name: (name[:2], name[5]), EMOTION),
}


def run(which: Set, files: Iterable[tuple[Path, str, str]], out: str, options: list[str]) -> dict[str, Any]:
    """Train on all speakers but one, and measure on that one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows: dict[str, list[list[str]]] = {"train": [], "test": []}
        for path, speaker, label in files:
            shutil.copyfile(path, folder / path.name)  # sounds outside of the folder of the data are not read
            rows["test" if speaker == out else "train"].append([path.name, label, speaker])
        for side, found in rows.items():
            with (folder / f"{side}.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows([["file", "digit", "speaker"], *found])
        given = [f"data.train={folder / 'train.csv'}", f"data.test={folder / 'test.csv'}", f"out={folder / 'model'}"]
        given += ["data.split.by=random", "data.split.dev=0.0", "data.split.test=0.0", "data.columns.group=null"]
        given += ["report.bootstrap=0", "report.hardest=0", *which.settings, *options]
        child = measure.run([measure.BURNISH, "tune", RECIPE, *(part for one in given for part in ("--set", one))])
        manifest: dict[str, Any] = json.loads((folder / "model" / "burnish.json").read_text(encoding="utf-8"))
    (before,) = manifest["before"].values()
    found = {"accuracy": manifest["metrics"]["accuracy"], f"{LINEAR} accuracy": before["accuracy"]}
    found |= {"recall": manifest["metrics"]["balanced_accuracy"], f"{LINEAR} recall": before["balanced_accuracy"]}
    return found | {"train_seconds": manifest["training"]["seconds"], "wall_seconds": child.seconds}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", required=True, help="folder that holds fsdd_en and emodb_de")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), help="which of them")
    parser.add_argument("--only", type=int, help="stop after so many speakers of each set; 1 with --quick")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    args = parser.parse_args()
    options, only = [*(QUICK if args.quick else ()), *args.set], args.only or (1 if args.quick else None)
    runs: dict[str, dict[str, Any]] = measure.kept(args.json, "runs", {})
    of = measure.key(
        measure.ROOT / RECIPE, *measure.SOURCES, options=options, sets=[SETS[name].settings for name in SETS]
    )
    if measure.kept(args.json, "of", "") != of:
        runs = {}
    for name in args.sets:
        files = SETS[name].files(Path(args.data))
        for speaker in sorted({speaker for _, speaker, _ in files})[:only]:
            if f"{name} {speaker}" not in runs:
                runs[f"{name} {speaker}"] = run(SETS[name], files, speaker, options)
                measure.keep(args.json, {"runs": runs, "of": of})
            said = "  ".join(f"{k} {v:.3f}" for k, v in runs[f"{name} {speaker}"].items())
            print(f"{name} {speaker}: {said}", flush=True)
    measure.table(["fold", *COLUMNS], [[fold, *(one[k] for k in COLUMNS)] for fold, one in runs.items()])
    measure.finish(args, ratios(runs), {"runs": runs, "of": of})


COLUMNS = ("accuracy", f"{LINEAR} accuracy", "recall", f"{LINEAR} recall", "train_seconds")


def ratios(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The mean over the speakers of a set, by the figure that it is judged by."""
    found = {}
    for name, figure in (("fsdd_en", "accuracy"), ("emodb_de", "recall")):
        of = [one for fold, one in runs.items() if fold.startswith(name)]
        if of:
            found[f"{name}_{figure}"] = mean(one[figure] for one in of)
            found[f"{name}_{figure}_linear"] = mean(one[f"{LINEAR} {figure}"] for one in of)
    return found


if __name__ == "__main__":
    main()
