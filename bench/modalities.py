"""From files of images and sounds to what a network is given: burnish's readers against datasets + transformers.

  python bench/modalities.py --data datasets

The same files in the same batches, float tensors at the end. The peer is a `datasets` table whose files are decoded in
a transform, in which transformers' own processor prepares them, behind torch's DataLoader in this process or with two
workers; or the same done once by `map`, in two processes, and read from its Arrow cache. The fastest of these counts.
Sounds are decoded with soundfile and soxr, as torchcodec needs the libraries of FFmpeg. A first pass begins with the
files, and burnish writes its cache in it; a later one begins with what the first has left. Each way runs in a process
of its own, in turns; medians. Some inputs of each way are compared before anything is reported.

Then one epoch of recipes/image-cifar10.yaml and of recipes/audio-fsdd.yaml on up to a thousand rows: the share of the
steps' time in which the network waits for a batch.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import measure

IMAGES = {"fashion": "fashion_products_image_text/images/*.jpg", "hymenoptera": "hymenoptera/train/*/*.jpg"}
SOUNDS = ("emodb_de/wav/*", "fsdd_en/recordings/*_0.wav", "librispeech_tiny_en/*/*/*.flac")
FORMS = {"waves": "Wav2Vec2FeatureExtractor", "ast": "ASTFeatureExtractor", "whisper": "WhisperFeatureExtractor"}
PATTERNS = {name: (pattern,) for name, pattern in IMAGES.items()} | dict.fromkeys(FORMS, SOUNDS)
SIDE, RATE, BATCH = 224, 16_000, {"image": 32, "audio": 16}
PEERS = ("transform 0", "transform 2", "map 2")
APART = {"image": 1e-6, "waves": 1e-4, "ast": 2e-3, "whisper": 2e-3}  # burnish keeps bands in half precision
COMPARED = 16


def document(form: str) -> dict[str, Any]:
    """The `preprocessor_config.json` of both sides."""
    if form == "image":
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        found = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).to_dict()
    else:
        import transformers

        found = getattr(transformers, FORMS[form])(**({"return_attention_mask": True} if form == "waves" else {}))
        found = found.to_dict() | {"feature_extractor_type": FORMS[form]}
    return dict(found)


def of_burnish(given: dict[str, Any], report: Callable[[], None]) -> Iterator[Any]:
    """Inputs batch by batch, for two passes; the look at every file, which a job begins with, is told apart."""
    import numpy as np

    from burnish.data import store
    from burnish.data.features import collate
    from burnish.data.pixels import Pixels
    from burnish.data.waves import Waves
    from burnish.data.workers import each
    from burnish.models.sound import Levelled
    from burnish.models.vision import Scaled

    kind, form = given["kind"], document(given["form"])
    reader: Any = Pixels(form) if kind == "image" else Waves({**form, "longest": 30.0})
    front: Any = Scaled.of(form) if kind == "image" else Levelled.of(form)
    report()
    assert not any(each(reader.fault, [Path(one) for one in given["files"]]))
    report()
    digests = each(store.digest, [Path(one) for one in given["files"]])
    rows = [{kind: one, "digest": digest} for one, digest in zip(given["files"], digests, strict=True)]
    features = reader.features(rows).kept()
    for _ in range(2):
        for start in range(0, len(rows), BATCH[kind]):
            batch = collate(features, np.arange(start, min(start + BATCH[kind], len(rows))), 0)
            if kind == "image":
                yield front(batch["pixels"])
            else:
                yield next(iter(front(batch["sound"], batch["frames"]).values()))
        report()


def of_transformers(given: dict[str, Any], report: Callable[[], None]) -> Iterator[Any]:
    """The same by datasets and transformers, as their documentation has it."""
    import datasets
    import soundfile
    import soxr
    import torch
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    datasets.disable_progress_bars()
    kind, form = given["kind"], given["form"]
    how, count = given["way"].split()
    given_document = document(form)
    made: Any = ViTImageProcessorPil if kind == "image" else getattr(transformers, FORMS[form])
    processor = made.from_dict(given_document)

    def heard(path: str) -> Any:
        samples, rate = soundfile.read(path, dtype="float32")
        return samples if rate == RATE else soxr.resample(samples, rate, RATE)

    def prepare(rows: Any) -> Any:
        tensors = "pt" if how == "transform" else None if form == "waves" else "np"
        if kind == "image":
            return dict(processor([one.convert("RGB") for one in rows["image"]], return_tensors=tensors))
        padding = {"padding": how == "transform"} if form == "waves" else {}
        sounds = [heard(one["path"]) for one in rows["audio"]]
        return dict(processor(sounds, sampling_rate=RATE, return_tensors=tensors, **padding))

    report()
    table = datasets.Dataset.from_dict({kind: given["files"]})
    table = table.cast_column(kind, datasets.Image() if kind == "image" else datasets.Audio(decode=False))
    if how == "transform":
        table = table.with_transform(prepare)
    else:
        cells = {"image": {"pixel_values": datasets.Array3D((3, SIDE, SIDE), "float32")}}.get(kind)
        table = table.map(
            prepare,
            batched=True,
            batch_size=BATCH[kind],
            remove_columns=[kind],
            num_proc=int(count),
            features=datasets.Features(cells) if cells else None,
        ).with_format("torch")
    workers = int(count) if how == "transform" else 0
    padded = how == "map" and form == "waves"  # batches of the two processes are others than the loader's
    loader: Any = torch.utils.data.DataLoader(
        table,
        batch_size=BATCH[kind],
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=(lambda rows: processor.pad(rows, padding=True, return_tensors="pt"))
        if padded
        else transformers.default_data_collator,
    )
    for _ in range(2):
        for batch in loader:
            yield next(batch[name] for name in ("pixel_values", "input_values", "input_features") if name in batch)
        report()


def child(given: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Seconds of both passes for each case, and of all processors together; some of the inputs in a file."""
    os.environ["BURNISH_CACHE"] = os.environ["HF_HOME"] = os.environ["HF_DATASETS_CACHE"] = given["folder"]
    import numpy as np
    import torch

    from burnish.device import freed_memory_kept

    torch.set_num_threads(1)  # as in workers of a DataLoader; burnish decodes with as many threads as it finds
    make = of_burnish if given["way"] == "burnish" else of_transformers
    found = {}
    for name, case in given["cases"].items():
        times: list[float] = []
        used: list[float] = []
        shown = None

        def report(times: list[float] = times, used: list[float] = used) -> None:
            times.append(time.perf_counter())
            used.append(sum(os.times()[:4]))

        with freed_memory_kept():
            for one in make({**given, **case}, report):
                shown = one[:COMPARED].numpy().copy() if shown is None else shown
        np.save(f"{given['folder']}/{name}.npy", shown)
        found[name] = {"first": times[-2] - times[-3], "later": times[-1] - times[-2]}
        found[name] |= {"look": times[1] - times[0]} if len(times) > 3 else {}
        found[name]["processors"] = sum(os.times()[:4]) - used[-3]  # the workers' counts once they have ended
    return found


def waiting(given: dict[str, Any]) -> dict[str, float]:
    """One epoch of a recipe: seconds of the steps, and how many of them a batch was waited for."""
    import yaml

    from burnish import job as flow
    from burnish.config import parse
    from burnish.data.features import Features
    from burnish.training import loop

    spent, ahead, kept, end = {"batches": 0.0, "decoding": 0.0}, loop.ahead, Features.kept, object()

    def timed(name: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = call()
        spent[name] += time.perf_counter() - started
        return found

    def waited(items: Iterator[Any]) -> Iterator[Any]:
        coming = ahead(items)
        try:
            while (part := timed("batches", lambda: next(coming, end))) is not end:
                yield part
        finally:
            coming.close()

    loop.ahead = waited
    Features.kept = lambda features: timed("decoding", lambda: kept(features))  # type: ignore[method-assign]
    job = yaml.safe_load((measure.ROOT / given["recipe"]).read_text(encoding="utf-8"))
    job["data"] = {"train": given["data"], "limit": given["rows"], "split": {"dev": 0.0, "test": 0.0}}
    job |= {"out": given["folder"] + "/model", "report": {"bootstrap": 0, "hardest": 0}}
    job["tune"]["epochs"] = 1
    os.environ["BURNISH_CACHE"] = given["folder"]
    artifact = flow.tune(parse(job)).artifact
    events = [json.loads(line) for line in (artifact.folder / "events.jsonl").read_text().splitlines()]
    return {"steps": [event["seconds"] for event in events if event["event"] == "step"][-1], **spent}


def by_class(recordings: Path, folder: Path) -> str:
    """Files whose names begin with their class and an underscore, in a folder for each class."""
    for file in sorted(recordings.iterdir()):
        place = folder / file.name.split("_")[0]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place / file.name)
    return str(folder)


def turn(cases: dict[str, Any], ways: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds of every case by every way, after a look at whether all ways give the same."""
    import numpy as np

    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in cases}
    shown: dict[str, Any] = {}
    for way in ways:
        with tempfile.TemporaryDirectory() as folder:
            for name, one in measure.ask(__file__, {"cases": cases, "way": way, "folder": folder}).items():
                found[name][way] = one
                made = np.load(f"{folder}/{name}.npy")
                apart = float(np.abs(made - shown.setdefault(name, made)).max())
                if apart > APART[cases[name]["form"]]:
                    raise SystemExit(f"{name}: '{way}' gives something else than '{ways[0]}', by {apart:.2g}")
                said = "  ".join(f"{key} {seconds:.2f}" for key, seconds in one.items())
                print(f"  {name:12} {way:12} {said}  apart {apart:.1e}", flush=True)
    return found


def ratios(name: str, middle: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times as fast burnish is as the fastest peer."""
    own, peers = middle["burnish"], [one for way, one in middle.items() if way != "burnish"]
    first, later = (min(one[key] for one in peers) for key in ("first", "later"))
    return {
        f"{name}": first / own["first"],
        f"{name}_with_look": first / (own["look"] + own["first"]),
        f"{name}_later": later / own["later"],
    }


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--data", type=Path, help="folder of fashion_products_image_text, hymenoptera, emodb_de, ...")
    parser.add_argument("--rounds", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--ways", nargs="+", default=list(PEERS), choices=PEERS, help="of the peer")
    parser.add_argument("--only", nargs="+", default=[*IMAGES, *FORMS, "waiting"], help="some of the comparisons")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        given = json.loads(Path(args.child).read_text(encoding="utf-8"))
        print(json.dumps(waiting(given) if "recipe" in given else child(given)))
        return
    if not args.data:
        parser.error("--data is missing")
    most, turns = (60 if args.quick else 1000), args.rounds or (1 if args.quick else 3)
    data, found, middles = args.data.resolve(), {}, {}
    cases: dict[str, Any] = {}
    for name in [one for one in (*IMAGES, *FORMS) if one in args.only]:
        files = sorted(str(file) for pattern in PATTERNS[name] for file in data.glob(pattern))
        files = files[:: -(-len(files) // most)]
        kind, form = ("image", "image") if name in IMAGES else ("audio", name)
        cases[name] = {"kind": kind, "form": form, "files": files}
        print(f"{name}: {len(files)} files", flush=True)
    ways, runs = ["burnish", *args.ways], []
    for number in range(turns if cases else 0):
        print(f"turn {number + 1} of {turns}", flush=True)
        runs.append(turn(cases, ways))
        measure.keep(args.json, {"runs": runs})
    for name in cases:
        middles[name] = {
            way: {key: median(run[name][way][key] for run in runs) for key in runs[0][name][way]} for way in ways
        }
        found |= ratios(name, middles[name])
    for side, names in (("images", IMAGES), ("audio", FORMS)):
        for ending in ("", "_with_look", "_later"):
            of = [found[name + ending] for name in names if name in args.only]
            found |= {f"{side}_vs_transformers{ending}": min(of)} if of else {}
    waits = {}
    if "waiting" in args.only:
        with tempfile.TemporaryDirectory() as folder:
            sounds = by_class(data / "fsdd_en/recordings", Path(folder, "digits"))
            cifar = str(data / "cifar10_subset/train")
            for side, recipe, train in (("image", "image-cifar10", cifar), ("audio", "audio-fsdd", sounds)):
                given = {"recipe": f"recipes/{recipe}.yaml", "data": train, "rows": most, "folder": folder}
                waits[side] = measure.ask(__file__, given)
                found[f"{side}_wait_share"] = waits[side]["batches"] / waits[side]["steps"]
    count = {name: len(case["files"]) for name, case in cases.items()}
    measure.finish(args, found, {"files": count, "medians": middles, "runs": runs, "waits": waits})


if __name__ == "__main__":
    main()
