"""Text, image and sound together against each pair of them, on rows made of three public sets that are joined by label.

  python bench/three_ways.py --data datasets

No public set here has all three. Row by row, class k of ten is a request of the k-th of banking77's ten most frequent
intents, a photograph of the k-th kind of cifar10_subset and the digit k of fsdd_en: given the class, they have nothing
to do with each other. Each is spoilt, so that none suffices: words are lost, images blurred and noisy, sounds more
noise than speech. Each seed draws rows anew, none twice; speakers of the test rows are heard in training, too.
Dev rows choose the epoch of each model and fit the weights of the pool. Seeds that are in --json are kept.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

import measure

COUNTS = {"train": 80, "dev": 20, "test": 50}  # rows of a class
LOST = 0.7  # of the words
NOISE, BLUR = 0.1, 0.03  # of the range of a pixel, and of the side of an image
DECIBELS = -6.0  # of the noise below a sound
SMALL = {
    "learning_rate": 3e-3,
    "head_learning_rate": 3e-3,
    "layer_decay": 1.0,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
}
JOB: dict[str, Any] = {
    "task": "classify",
    "model": "minilm",
    "tune": {"freeze": "head", "max_tokens": 32, "bigrams": True},
    "parts": {
        "image": {
            "model": "scratch",
            "tune": {**SMALL, "epochs": 20, "tokens_per_batch": 256, "scratch": {"layers": 3, "hidden": 64}},
        },
        "audio": {
            "model": "scratch",
            "tune": {**SMALL, "epochs": 20, "tokens_per_batch": 512, "scratch": {"layers": 4, "hidden": 64}},
        },
    },
}


def drawn(data: Path, folder: Path, seed: int, share: float) -> dict[str, str]:
    """Write the rows of each side, and what they name; return the tables by side."""
    import numpy as np
    import soundfile
    from PIL import Image

    from burnish.data import acoustics, corrupt
    from burnish.data.sounds import decode

    chance = np.random.default_rng(seed)
    with (data / "banking77_en" / "train.csv").open(encoding="utf-8", newline="") as stream:
        requests = [(row["category"], row["text"]) for row in csv.DictReader(stream)]
    intents = [name for name, _ in Counter(name for name, _ in requests).most_common(10)]
    kinds = sorted(path for path in (data / "cifar10_subset" / "train").iterdir() if path.is_dir())
    (folder / "files").mkdir()
    rows: dict[str, list[list[str]]] = {side: [] for side in COUNTS}
    for number, (intent, kind) in enumerate(zip(intents, kinds, strict=True)):
        texts = [text for name, text in requests if name == intent]
        images = sorted(kind.iterdir())
        sounds = sorted((data / "fsdd_en" / "recordings").glob(f"{number}_*"))
        wanted = [side for side, count in COUNTS.items() for _ in range(max(1, round(share * count)))]
        picks = [chance.permutation(len(some))[: len(wanted)] for some in (texts, images, sounds)]
        for place, (side, t, i, s) in enumerate(zip(wanted, *picks, strict=True)):
            name = f"files/{number}_{place}"
            words = [word for word in texts[t].split() if chance.random() >= LOST]
            pixels = np.asarray(Image.open(images[i]).convert("RGB"))
            pixels = corrupt.noise(corrupt.blur(pixels, BLUR, chance), NOISE, chance)
            Image.fromarray(pixels).save(folder / f"{name}.png")
            wave = acoustics.noise(decode(sounds[s], 8000), 8000, DECIBELS, chance)
            soundfile.write(folder / f"{name}.wav", wave / max(1.0, float(abs(wave).max())), 8000)
            rows[side].append([" ".join(words) or "...", f"{name}.png", f"{name}.wav", str(number)])
    tables = {side: str(folder / f"{side}.csv") for side in rows}
    for side, found in rows.items():
        with Path(tables[side]).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["text", "image", "audio", "label"], *found])
    return tables


def linear(parts: Any) -> float:
    """Accuracy on test of logistic regression on what linear models read of each kind, side by side."""
    import numpy as np
    from scipy.sparse import csr_array, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from burnish.config import Tune
    from burnish.data.pixels import Pixels
    from burnish.data.waves import Waves

    sides = [parts[side] for side in ("train", "test")]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    read = [
        [words.fit_transform([row["text"] for row in sides[0]]), words.transform([row["text"] for row in sides[1]])]
    ]
    for kind in (Pixels, Waves):
        reader, scale = kind.start("", Tune(), sides[0]), StandardScaler()
        numbers = [reader.numbers(list(side)) for side in sides]
        width = np.sqrt(numbers[0].shape[1])  # so that a kind counts as much as the words, whose rows have length one
        read.append(
            [csr_array(scale.fit_transform(numbers[0]) / width), csr_array(scale.transform(numbers[1]) / width)]
        )
    train, test = (hstack(some) for some in zip(*read, strict=True))
    truth = [[row["label"] for row in side] for side in sides]
    return float(LogisticRegression(C=4, max_iter=1000).fit(train, truth[0]).score(test, truth[1]))


def child(given: dict[str, Any]) -> dict[str, float]:
    from burnish import job as flow
    from burnish.config import load
    from burnish.data.load import load as rows_of

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = drawn(Path(given["data"]), folder, given["seed"], given["share"])
        columns = {"text": "text", "image": "image", "audio": "audio", "label": "label"}
        document = {
            **JOB,
            "out": str(folder / "model"),
            "seed": given["seed"],
            "data": {**tables, "columns": columns},
            "report": {"bootstrap": 0, "hardest": 0},
        }
        (folder / "job.yaml").write_text(json.dumps(document), encoding="utf-8")
        job = load(folder / "job.yaml", tuple(given["set"]))
        simple, report = linear(rows_of(job)), flow.tune(job).report
    found = {name: one.metrics["accuracy"] for name, one in report.before.items()}
    found |= {name: one.metrics["accuracy"] for name, one in report.further.items() if name != "dev"}
    return {"all three": report.after.metrics["accuracy"], **found, "linear, all three": simple}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", help="folder that holds banking77_en, cifar10_subset and fsdd_en")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    if not args.data:
        parser.error("--data is missing")
    quick = ["parts.image.tune.epochs=1", "parts.audio.tune.epochs=1"] if args.quick else []
    asked = {"data": args.data, "share": 0.2 if args.quick else 1.0, "set": [*quick, *args.set]}
    of = measure.key(__file__, *measure.SOURCES, **{**asked, "data": ""})
    found: dict[str, dict[str, float]] = measure.kept(args.json, "seeds", {})
    if measure.kept(args.json, "of", "") != of:
        found = {}
    for seed in map(str, args.seeds[: 1 if args.quick else None]):
        if seed not in found:
            found[seed] = measure.ask(__file__, {**asked, "seed": int(seed)})
            measure.keep(args.json, {"seeds": found, "of": of})
        print(f"  seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in found[seed].items()), flush=True)
    names = list(next(iter(found.values())))
    measure.table(
        ["accuracy on test", "mean", *(f"seed {seed}" for seed in found)],
        [[name, mean(one[name] for one in found.values()), *(one[name] for one in found.values())] for name in names],
    )
    pairs = [name for name in names if name.startswith("without")]
    ratios = {
        f"points_over_{name.replace(' ', '_')}": 100 * mean(one["all three"] - one[name] for one in found.values())
        for name in pairs
    }
    measure.finish(args, ratios, {"seeds": found, "of": of})


if __name__ == "__main__":
    main()
