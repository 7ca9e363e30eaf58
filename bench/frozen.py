"""A head on an encoder at rest: epochs on vectors that were made once against epochs that ask the encoder every time.

  python bench/frozen.py --texts datasets/banking77_en/train.csv --label category
      --images datasets/hymenoptera/train --sounds datasets/fsdd_en/recordings

The same job twice in alternating turns, each in a process of its own: same rows, batches, seed and steps, dropout and
augmentation off. Texts are read by the bundled encoder, images by a ViT and sounds by a Wav2Vec2 of transformers with
random weights, written on the spot: neither the time nor the agreement asks what weights mean. Reported are the seconds
of all steps together, the making of the vectors being told apart, and the largest difference between probabilities of
the two models on 200 rows.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import measure
from modalities import by_class


def tower(kind: str, folder: str) -> str:
    """A model folder of transformers with random weights; empty for texts, whose encoder is bundled."""
    import torch
    import transformers as hub

    torch.manual_seed(0)
    if kind == "image":
        shape = {"hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 3, "intermediate_size": 768}
        hub.ViTForImageClassification(hub.ViTConfig(**shape)).save_pretrained(folder)
        hub.ViTImageProcessor().save_pretrained(folder)
    elif kind == "audio":
        shape = {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 3, "intermediate_size": 768}
        config = hub.Wav2Vec2Config(**shape, conv_dim=[128] * 7, feat_extract_norm="layer", do_stable_layer_norm=True)
        hub.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
        hub.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder if kind != "text" else ""


def child(given: dict[str, Any]) -> dict[str, Any]:
    import torch

    from burnish import job as flow
    from burnish.config import parse
    from burnish.data.load import load_file
    from burnish.engine import Engine
    from burnish.training import fit

    making = [0.0]
    original = fit.vectors

    def vectors(*some: Any) -> Any:
        started = time.perf_counter()
        found = original(*some)
        making[0] += time.perf_counter() - started
        return found

    fit.vectors = vectors
    if not given["kept"]:
        fit.rests = lambda *_: False
    if place := tower(given["kind"], given["job"]["out"] + "-tower"):
        given["job"]["model"] = place
    torch.set_num_threads(given["threads"])
    artifact = flow.tune(parse(given["job"])).artifact
    if given["kept"] and not making[0]:
        raise SystemExit("the encoder did not rest")
    events = [json.loads(line) for line in (artifact.folder / "events.jsonl").read_text().splitlines()]
    steps = [event["seconds"] for event in events if event["event"] == "step"]
    rows = [row[given["kind"]] for row in load_file(given["job"]["data"]["train"], parse(given["job"]))]
    said = [
        list(one.probabilities.values()) for one in Engine.open(artifact.folder).predict(rows[:: len(rows) // 200 or 1])
    ]
    return {"seconds": steps[-1], "making": making[0], "said": said}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--texts", help="CSV of texts and labels")
    parser.add_argument("--label", default="label", help="its column of the labels")
    parser.add_argument("--images", help="folder of images, a sub-folder for each class")
    parser.add_argument(
        "--sounds", type=Path, help="folder of sounds whose names begin with their class and an underscore"
    )
    parser.add_argument("--rows", type=int, help="rows that are read; 3000, or 120 with --quick")
    parser.add_argument("--epochs", type=int, default=3, help="passes over them")
    parser.add_argument("--rounds", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--child", help="for the processes that this one starts")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(json.loads(Path(args.child).read_text(encoding="utf-8")))))
        return
    ratios: dict[str, float] = {}
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sounds = by_class(args.sounds, Path(folder, "sounds")) if args.sounds else None
        for kind, data in (("text", args.texts), ("image", args.images), ("audio", sounds)):
            if not data:
                continue
            times: dict[str, list[float]] = {"kept": [], "every": []}
            found: dict[str, Any] = {}
            for turn in range(args.rounds or (1 if args.quick else 3)):
                for name in times:
                    job = {
                        "task": "classify",
                        "out": f"{folder}/{kind}-{name}{turn}",
                        "data": {
                            "train": str(Path(data).resolve()),
                            "columns": {"label": args.label} if kind == "text" else {},
                            "limit": args.rows or (120 if args.quick else 3000),
                            "split": {"dev": 0.0},
                        },
                        "tune": {"freeze": "head", "epochs": args.epochs, "dropout": 0.0, "precision": "fp32"}
                        | ({} if kind == "text" else {"vary": "none"}),
                        "report": {"bootstrap": 0},
                    }
                    given = {"job": job, "kept": name == "kept", "kind": kind, "threads": args.threads}
                    found[name] = measure.ask(__file__, given)
                    times[name].append(found[name]["seconds"])
                    said = f"{times[name][-1]:8.2f} s, vectors {found[name]['making']:.2f} s"
                    print(f"  {kind:6} {name:6} {said}", flush=True)
            pairs = zip(found["kept"]["said"], found["every"]["said"], strict=True)
            apart = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
            print(f"{kind}: largest difference of a probability {apart:.2e}", flush=True)
            ratios[f"{kind}_epochs_vs_recomputed"] = median(
                b / a for a, b in zip(times["kept"], times["every"], strict=True)
            )
            ratios[f"{kind}_largest_difference"] = apart
            details[kind] = {"seconds": times, "making": found["kept"]["making"]}
    measure.finish(args, ratios, details)


if __name__ == "__main__":
    main()
