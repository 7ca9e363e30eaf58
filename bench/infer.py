"""Predicting: rows a second from words to tags, and the time of one row, side by side.

Every way runs in a process of its own, in turns, with the tokenizer and the decoding in its time; medians over the
repeats. The reference loop pads fp32 batches of 16 to 128 tokens, on the first --reference-rows alone. The other peers
are given burnish's batches and tokenizer, and differ in the runtime and its precision. A first pass over the rows warms
each process up.
Peers live in an environment of their own: make bench-env.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import measure

PEERS = [
    "reference",
    "torch",
    "torch_bf16",
    "torch_compile_bf16",
    "torchao_int8",
    "onnx_f32",
    "onnx_int8",
    "openvino_f32",
    "openvino_bf16",
    "openvino_int8",
    "openvino_int8_controlled",
]
QUICK = ["reference", "torch", "onnx_int8", "openvino_bf16"]


def tuned(work: str) -> str:
    recipe, model = str(measure.ROOT / "recipes" / "ner-conll2003.yaml"), str(Path(work) / "model")
    measure.run([measure.BURNISH, "tune", recipe, "--set", f"out={model}"])
    return model


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", help="a model folder; the demo's names, tuned on the spot, when unset")
    parser.add_argument("--data", default=str(measure.DATA / "ner.dev.conll"), help="labelled rows to predict")
    parser.add_argument("--variants", nargs="+", default=["torch"], help="forms of the model in its folder")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="all of them, or some with --quick")
    parser.add_argument("--rows", type=int, help="rows to predict; 500 with --quick, else all")
    parser.add_argument("--reference-rows", type=int, default=320, help="rows of the reference loop, for its time")
    parser.add_argument("--singles", type=int, help="rows predicted one by one; 50 with --quick, else 500")
    parser.add_argument("--repeats", type=int, help="1 with --quick, else 3")
    args = parser.parse_args()
    peers = args.peers or (QUICK if args.quick else PEERS)
    own = [f"burnish:{name}" for name in args.variants]
    given: dict[str, Any] = {
        "data": str(Path(args.data).resolve()),
        "rows": args.rows or (500 if args.quick else None),
        "reference_rows": args.reference_rows,
        "singles": args.singles or (50 if args.quick else 500),
    }
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as work:
        given |= {"work": work, "model": str(Path(args.model).resolve()) if args.model else tuned(work)}
        for turn in range(args.repeats or (1 if args.quick else 3)):
            print(f"turn {turn + 1}", flush=True)
            for name in (*peers, *own):
                if turn and name not in found:
                    continue
                child = [sys.executable, "bench/infer_peers.py", name, json.dumps(given)]
                try:
                    result = measure.run(child, {"PYTHONPATH": str(measure.ROOT)}).result
                except SystemExit as error:  # a peer that cannot run here is said, and the others go on
                    print(f"  {name}: {str(error).strip().splitlines()[-1]}", flush=True)
                    continue
                print("  " + name.ljust(22) + "  ".join(f"{k} {v:,.3f}" for k, v in result.items()), flush=True)
                found.setdefault(name, []).append(result)
                measure.keep(args.json, {"runs": found})
    middle = {name: {k: median(run[k] for run in runs) for k in runs[0]} for name, runs in found.items()}
    columns = ["rows_per_second", "p50_ms", "p95_ms", "p99_ms", "score", "size_mb"]
    measure.table(["median", *columns], [[name, *(row[k] for k in columns)] for name, row in middle.items()])

    best = max((middle[n] for n in own if n in middle), key=lambda row: row["rows_per_second"])
    others = [row["rows_per_second"] for name, row in middle.items() if name in peers and name != "reference"]
    ratios: dict[str, float] = {}
    if "reference" in middle:
        ratios["vs_reference_loop"] = best["rows_per_second"] / middle["reference"]["rows_per_second"]
    if others:
        ratios["vs_best_peer"] = best["rows_per_second"] / max(others)
    if "torch" in middle:
        quickest = min((middle[n] for n in own if n in middle), key=lambda row: row["p50_ms"])
        ratios |= {f"latency_{p}": middle["torch"][f"{p}_ms"] / quickest[f"{p}_ms"] for p in ("p50", "p99")}
        peak = min((middle[n] for n in peers if n in middle), key=lambda row: row["p50_ms"])
        ratios["latency_p50_vs_best_peer"] = peak["p50_ms"] / quickest["p50_ms"]
        ratios["size"] = best["size_mb"] / middle["torch"]["size_mb"]
    measure.finish(args, ratios, {"runs": found, **given})


if __name__ == "__main__":
    main()
