"""Explaining: how far scores say what the model does, and the time of one explanation, beside Captum.

Every way explains the same rows of a tuned text classifier, and one measure judges all of them: comprehensiveness and
sufficiency (DeYoung et al. 2020), averaged over the best 1, 5, 10, 20 and 50 % of the words, which are taken out of
the text. Captum's LayerIntegratedGradients takes 50 steps from padding, in batches of 16. Times are of one text of 64
tokens on 2 threads, each way in turns, medians over the repeats. Captum lives in an environment of its own: make
bench-env.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import measure

WAYS = ["random", "captum", "gradients", "rollout", "occlusion"]
QUICK = ["random", "captum", "occlusion"]


def tuned(work: str) -> str:
    recipe, model = str(measure.ROOT / "recipes" / "intents.yaml"), str(Path(work) / "model")
    measure.run([measure.BURNISH, "tune", recipe, "--set", f"out={model}", "--set", "tune.epochs=3"])
    return model


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", help="a model folder; the demo's intents, tuned on the spot, when unset")
    parser.add_argument("--data", default=str(measure.DATA / "intents.csv"), help="rows to explain")
    parser.add_argument("--variant", default="torch", help="form of the model for occlusion")
    parser.add_argument("--ways", nargs="+", choices=WAYS, help="all of them, or some with --quick")
    parser.add_argument("--rows", type=int, help="rows to explain; 10 with --quick, else 100")
    parser.add_argument("--repeats", type=int, help="of the timed text; 2 with --quick, else 5")
    args = parser.parse_args()
    ways = args.ways or (QUICK if args.quick else WAYS)
    given = {
        "data": str(Path(args.data).resolve()),
        "variant": args.variant,
        "ways": ways,
        "rows": args.rows or (10 if args.quick else 100),
        "repeats": args.repeats or (2 if args.quick else 5),
    }
    with tempfile.TemporaryDirectory() as work:
        given["model"] = str(Path(args.model).resolve()) if args.model else tuned(work)
        child = [sys.executable, "bench/explain_peers.py", json.dumps(given)]
        # Beside burnish, whatever the caller has on the path: the peer may live in a folder of its own.
        path = ":".join([str(measure.ROOT), *filter(None, sys.path[1:])])
        found = measure.run(child, {"PYTHONPATH": path, "OMP_NUM_THREADS": "2"}).result
    columns = ["comprehensiveness", "sufficiency", "ms"]
    measure.table(["way", *columns], [[way, *(found[way][column] for column in columns)] for way in found])
    best = found["occlusion"]
    ratios = {"ms_for_64_tokens": best["ms"]}
    for peer in ("random", "captum"):
        if peer in found:
            ratios[f"comprehensiveness_vs_{peer}"] = best["comprehensiveness"] / found[peer]["comprehensiveness"]
    if "captum" in found:
        ratios["times_as_fast_as_captum"] = found["captum"]["ms"] / best["ms"]
    measure.finish(args, ratios, {"ways": found, **given})


if __name__ == "__main__":
    main()
