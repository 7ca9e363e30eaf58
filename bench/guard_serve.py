"""What a guard costs in `burnish serve`: requests a second with a policy against the same service without one.

The services run the same model and are loaded in turns; those that have no turn stand still. `patterns` is the policy
that needs no model; `--policy` adds one with models, such as `burnish guard init` writes. Ratios compare within a turn,
medians over turns.
"""

from __future__ import annotations

import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import measure
from services import load, options, prepared, start

import burnish

PATTERNS = Path(burnish.__file__).parent / "guards" / "patterns.yaml"
CASES = {"single": {"connections": 32}, "batch": {"connections": 4, "inputs": 32}}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--variant", default="torch", help="of the model")
    parser.add_argument("--policy", help="a policy with models; patterns alone when unset")
    parser.add_argument("--repeats", type=int, help="turns; 1 with --quick, else 5")
    args = parser.parse_args()
    policies: dict[str, str | None] = {"none": None, "patterns": str(PATTERNS)}
    policies |= {"models": str(Path(args.policy).resolve())} if args.policy else {}
    turns: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as work, ExitStack() as running:
        given = prepared(args, work, onnx=args.variant == "onnx")
        services = {}
        for name, policy in policies.items():
            services[name] = start("burnish", given, guard=policy)
            running.callback(services[name].stop)
            services[name].ready()
            load(services[name], given, given["warm"])
            services[name].send(signal.SIGSTOP)
        for number in range(args.repeats or (1 if args.quick else 5)):
            turns.append({case: {} for case in CASES})
            for case, put in CASES.items():
                for name in sorted(services, reverse=bool(number % 2)):
                    services[name].send(signal.SIGCONT)
                    found = load(services[name], given, given["seconds"], **put)
                    services[name].send(signal.SIGSTOP)
                    turns[-1][case][name] = found["per_second"]
                told = ", ".join(f"{name} {speed:,.1f}" for name, speed in turns[-1][case].items())
                print(f"turn {number + 1} {case}: {told} requests/s", flush=True)
    ratios = {
        f"{name}_share_of_{case}": median(turn[case][name] / turn[case]["none"] for turn in turns)
        for case in CASES
        for name in policies
        if name != "none"
    }
    measure.finish(args, ratios, {"turns": turns, **given})


if __name__ == "__main__":
    main()
