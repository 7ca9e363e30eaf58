"""Strings of spoken digits, written down by a model that has never heard their speaker: WER and CER.

The strings are made here, always the same from one seed: three to six digits of fsdd_en, all clips of one speaker, with
silence between them. Those of training have one to three, and come from the other speakers. The left-out speaker is
measured once, by the weights of the last step, and nothing is chosen on it: there are no dev rows, and the settings are
those of recipes/transcribe-fsdd.yaml. They were looked for with --without george, so that he was in none of those runs;
docs/audio.md says how far. Beside it stands what every report has: the transcript of the nearest training row. The
result is printed as JSON, on the last line.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import measure
import numpy as np
import soundfile
from numpy.typing import NDArray

RECIPE = "recipes/transcribe-fsdd.yaml"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HEARD, MEASURED = (1, 3), (3, 6)  # digits of a string: CTC finds its way sooner in short ones
SILENCE = (0.05, 0.25)  # seconds between two of them, and at both ends
RATE = 8000  # of fsdd_en
SEED = 0
QUICK = ("tune.epochs=1",)
COLUMNS = ("file", "transcript", "speaker")

Clips = Mapping[str, list[tuple[str, NDArray[np.float32]]]]
"""By speaker: digits in words, and their waves."""


def clips(folder: Path) -> Clips:
    found: dict[str, list[tuple[str, NDArray[np.float32]]]] = defaultdict(list)
    for path in sorted((folder / "fsdd_en" / "recordings").glob("*.wav")):
        digit, speaker, _ = path.stem.split("_")
        wave, rate = soundfile.read(path, dtype="float32")
        if rate != RATE:
            raise SystemExit(f"'{path}' has {rate} samples a second, not {RATE}")
        found[speaker].append((DIGITS[int(digit)], wave))
    if not found:
        raise SystemExit(f"'{folder}' holds no fsdd_en/recordings")
    return found


def strings(
    own: Clips, count: int, digits: tuple[int, int], seed: int
) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """`count` strings of each speaker, of so many digits: speaker, transcript and wave."""
    for place, speaker in enumerate(sorted(own)):
        chance = np.random.default_rng([seed, place])
        for _ in range(count):
            chosen = [
                own[speaker][i]
                for i in chance.integers(len(own[speaker]), size=chance.integers(*digits, endpoint=True))
            ]
            parts = [_silence(chance)]
            for _, wave in chosen:
                parts += [wave, _silence(chance)]
            yield speaker, " ".join(word for word, _ in chosen), np.concatenate(parts)


def _silence(chance: np.random.Generator) -> NDArray[np.float32]:
    return np.zeros(round(chance.uniform(*SILENCE) * RATE), np.float32)


def write(folder: Path, side: str, own: Clips, count: int, digits: tuple[int, int], seed: int) -> tuple[Path, float]:
    """The table of these strings, their files beside it, and the minutes of sound in them."""
    (folder / side).mkdir(parents=True, exist_ok=True)
    rows, samples = [], 0
    for number, (speaker, transcript, wave) in enumerate(strings(own, count, digits, seed)):
        name = f"{side}/{number:05}.wav"
        soundfile.write(folder / name, wave, RATE)
        rows.append((name, transcript, speaker))
        samples += len(wave)
    table = folder / f"{side}.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    return table, samples / RATE / 60


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", required=True, help="folder that holds fsdd_en")
    parser.add_argument("--speaker", default="george", help="who is left out of training and measured")
    parser.add_argument("--without", nargs="*", default=[], help="speakers that are not used at all")
    parser.add_argument("--strings", type=int, default=600, help="for training, of each speaker")
    parser.add_argument("--measured", type=int, default=400, help="strings of the speaker who is left out")
    parser.add_argument("--work", help="folder for strings and model, which stay there; a temporary one by default")
    parser.add_argument("--set", action="append", default=[], help="option of the job, as burnish takes it")
    args = parser.parse_args()
    every = {name: own for name, own in clips(Path(args.data)).items() if name not in args.without}
    if args.speaker not in every or len(every) < 2:
        raise SystemExit(f"--speaker: there are {', '.join(every)}")
    count, measured = (20, 20) if args.quick else (args.strings, args.measured)
    heard = {name: own for name, own in every.items() if name != args.speaker}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(args.work or name).resolve()
        train, minutes = write(folder, "train", heard, count, HEARD, SEED)
        test, _ = write(folder, "test", {args.speaker: every[args.speaker]}, measured, MEASURED, SEED + 1)
        given = [f"data.train={train}", f"data.test={test}", f"out={folder / 'model'}", "report.hardest=5"]
        given += ["data.split.by=random", "data.split.dev=0.0", "data.split.test=0.0", "data.columns.group=null"]
        given += [*(QUICK if args.quick else ()), *args.set]
        child = measure.run([measure.BURNISH, "tune", RECIPE, *(part for one in given for part in ("--set", one))])
        manifest: dict[str, Any] = json.loads((folder / "model" / "burnish.json").read_text(encoding="utf-8"))
    ((nearest, before),) = manifest["before"].items()
    after = manifest["metrics"]
    found = {"wer": after["wer"], "cer": after["cer"], "nearest_wer": before["wer"], "nearest_cer": before["cer"]}
    about = {
        "speaker": args.speaker, "heard": sorted(heard), "strings": count * len(heard), "minutes": minutes,
        "measured": measured, "baseline": nearest, "options": args.set, "tune": manifest["job"]["tune"],
        "train_seconds": manifest["training"]["seconds"], "wall_seconds": child.seconds,
    }  # fmt: skip
    measure.finish(args, found, about)
    print(json.dumps(found | about))


if __name__ == "__main__":
    main()
