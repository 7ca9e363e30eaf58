"""Serving over HTTP, side by side: `burnish serve`, FastAPI with a pipeline of transformers, LitServe, ONNX Runtime.

All serve one tuned model on 127.0.0.1; LitServe runs the same variant as burnish, in burnish's engine or (`padded`) on
its own batches as they are. In each turn every service is
started, and each case then goes round them, so that they are measured seconds apart; those that have no turn stand
still (SIGSTOP). Cases: `single`, one text a request, 32 at a time; `batch`, 32 texts a request, 4 at a time; `half` of
the measured capacity and `overload`, five times of it, arriving at random. The load comes from a process of its own on
the same processor (bench/load.py), whose share of a core is told. Answers are good within --deadline of when they were
due; burnish and LitServe are given it as their timeout.
Ratios compare within a turn, medians over turns. Speeds above 1: burnish is faster; p99 and cpu below 1: it needs less.
Peers live in an environment of their own: make bench-env.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from statistics import median
from typing import Any

import measure
from services import Service, load, options, prepared, start

SERVICES = ["burnish", "litserve", "litserve_padded", "onnx", "pipeline"]
QUICK = ["burnish", "litserve", "pipeline"]
TOGETHER, BATCH, BATCHES = 32, 32, 4  # clients with a text; texts of a large request, and how many of these
CORES = len(os.sched_getaffinity(0))
CASES = {
    "single": {"connections": TOGETHER},
    "batch": {"connections": BATCHES, "inputs": BATCH},
    "half": {"connections": TOGETHER},  # this and the next measure the capacity so, and then take a share of it
    "overload": {"connections": TOGETHER},
}
CLIENTS = 2000  # connections at most where requests arrive at random
SHARES = {"half": 0.5, "overload": 5.0}  # of the capacity just before, asked for at random moments
COLUMNS = ("per_second", "p50_ms", "p99_ms", "cpu_us", "generator_cpu_share")

# What LitServe's documentation advises to try: batches as large as the load, a wait of milliseconds, on a CPU up to a
# worker for each core, ZeroMQ from a hundred requests a second on. The best here is taken; --quick takes the first.
LITSERVE: list[dict[str, Any]] = [
    {"max_batch_size": size, "batch_timeout": wait, "workers": workers, "fast_queue": fast}
    for size, wait, workers, fast in [
        (16, 0.005, CORES, False),
        (32, 0.005, 1, False),
        (32, 0.005, 1, True),
        (16, 0.005, 1, False),
        (32, 0.02, 1, False),
        (16, 0.005, CORES, True),
    ]
]


def around(services: list[Service], given: dict[str, Any], quick: bool) -> dict[str, dict[str, Any]]:
    """One turn: each case on each service, by the service's name; random arrivals on burnish alone if `quick`."""
    rows: dict[str, dict[str, Any]] = {service.name: {} for service in services}
    for case in CASES:
        if case == "batch":
            rows["engine"] = engine(given, quick)
        for service in services:
            if case in SHARES and quick and service.name != "burnish":
                continue
            service.send(signal.SIGCONT)
            put: dict[str, Any] = CASES[case]
            capacity = load(service, given, given["warm"], **put)["per_second"]
            if case in SHARES and capacity:
                put = {"connections": CLIENTS, "rate": SHARES[case] * capacity}
            found = rows[service.name][case] = load(service, given, given["seconds"], **put)
            found["capacity"] = capacity
            service.send(signal.SIGSTOP)
            told = (f"{k} {found[k]:,.2f}" for k in COLUMNS if k in found)
            print(f"  {case:9} {service.name:9}", *told, flush=True)
    return rows


def engine(given: dict[str, Any], quick: bool) -> dict[str, float]:
    """Texts a second and CPU microseconds a text of the model alone, called with as many texts as can be under way.

    It is the better, at large calls, of a process for each core and, but for `quick`, one process on all cores.
    """
    found: list[dict[str, float]] = []
    for processes in (CORES,) if quick else (CORES, 1):
        told = {**given, "sizes": [TOGETHER, BATCH * BATCHES], "seconds": given["seconds"] / 2, "processes": processes}
        child = [sys.executable, "bench/serve_peers.py", "engine", json.dumps(told)]
        found.append(measure.run(child, {"PYTHONPATH": str(measure.ROOT)}).result)
        told_of = (f"{name} {value:,.1f}" for name, value in found[-1].items())
        print(f"  alone     in {processes}     ", *told_of, flush=True)
    return max(found, key=lambda one: one[f"by_{BATCH * BATCHES}"])


def compared(turn: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Ratios and figures of burnish in one turn; none of a case without answers."""
    own, single, batch = turn["burnish"], turn["burnish"]["single"], turn["burnish"]["batch"]
    ratios: dict[str, float] = {}

    def put(name: str, above: float | None, below: float | None) -> None:
        if above is not None and below:
            ratios[name] = above / below

    for name in (one for one in SERVICES[1:] if one in turn):
        other = turn[name]["single"]
        put(f"vs_{name}", single["per_second"], other["per_second"])
        put(f"batch_vs_{name}", batch["per_second"], turn[name]["batch"]["per_second"])
        put(f"p99_vs_{name}", single.get("p99_ms"), other.get("p99_ms"))
        put(f"cpu_vs_{name}", single["cpu_us"], other["cpu_us"])
    put("engine_share", BATCH * batch["per_second"], turn["engine"][f"by_{BATCH * BATCHES}"])
    put("engine_share_at_singles", single["per_second"], turn["engine"][f"by_{TOGETHER}"])
    ratios["generator_cpu_share"] = batch["generator_cpu_share"]
    ratios["generator_cpu_share_at_singles"] = single["generator_cpu_share"]
    ratios["cpu_us_per_request"] = single["cpu_us"]
    ratios["cpu_us_per_text_of_engine"] = turn["engine"][f"cpu_us_by_{TOGETHER}"]
    if half := own.get("half"):
        put("p99_over_p50_at_half_load", half.get("p99_ms"), half.get("p50_ms"))
    for name in SERVICES:
        if over := turn.get(name, {}).get("overload"):
            end = "" if name == "burnish" else f"_of_{name}"
            rejected = sum(over["statuses"].get(status, 0) for status in ("429", "503"))
            put(f"goodput_at_overload{end}", over["good_per_second"], over["capacity"])
            put(f"answered_at_overload{end}", over["per_second"], over["capacity"])
            put(f"rejected_share{end}", rejected, over["sent"] + over["abandoned"])
            put(f"timed_out_share{end}", over["statuses"].get("504", 0), over["sent"] + over["abandoned"])
            if rejected:
                ratios[f"rejected_p99_ms{end}"] = over["rejected_p99_ms"]
    return ratios


def best_litserve(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings with the most requests a second at single texts."""
    speeds = []
    for settings in LITSERVE:
        service = start(name, given, **settings)
        try:
            service.ready()
            load(service, given, given["warm"])
            speeds.append(load(service, given, given["seconds"])["per_second"])
        finally:
            service.stop()
        print(f"  {name} {settings}: {speeds[-1]:,.1f} requests/s", flush=True)
    return LITSERVE[speeds.index(max(speeds))]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--services", nargs="+", choices=SERVICES, help="all of them, or some with --quick")
    parser.add_argument("--variant", help="what burnish and LitServe run; torch with --quick, else onnx")
    parser.add_argument("--repeats", type=int, help="turns; 1 with --quick, else 3")
    parser.add_argument("--litserve", type=json.loads, help="its settings as JSON; the best of some when unset")
    args = parser.parse_args()
    names = args.services or (QUICK if args.quick else SERVICES)
    args.variant = args.variant or ("torch" if args.quick else "onnx")
    turns: list[dict[str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as work:
        given = prepared(args, work, onnx="onnx" in (args.variant, *names))
        settings = {}
        for name in (one for one in names if one.startswith("litserve")):
            settings[name] = args.litserve or (LITSERVE[0] if args.quick else best_litserve(name, given))
        for number in range(args.repeats or (1 if args.quick else 3)):
            print(f"turn {number + 1}", flush=True)
            with ExitStack() as running:
                services = []
                for name in names:  # one after another, so that none starts beside another
                    services.append(start(name, given, **settings.get(name, {})))
                    running.callback(services[-1].stop)
                    try:
                        services[-1].ready()
                        services[-1].send(signal.SIGSTOP)
                    except SystemExit as error:  # one that cannot run here is said, and the others go on
                        print(f"  {error}", flush=True)
                        services.pop().stop()
                turns.append(around(services, given, args.quick))
            measure.keep(args.json, {"turns": turns})
    rows = [table_row(name, [turn[name] for turn in turns if name in turn]) for name in SERVICES if name in turns[0]]
    measure.table(["median", "requests/s", "p50 ms", "p99 ms", "CPU us", "texts/s by 32", "generator's CPU"], rows)
    found = [compared(turn) for turn in turns if "burnish" in turn]
    ratios = {k: median(one[k] for one in found if k in one) for k in (found[0] if found else ())}
    measure.finish(args, ratios, {"turns": turns, "litserve": settings, **given})


def table_row(name: str, turns: list[dict[str, Any]]) -> list[object]:
    single = [
        median(turn["single"].get(key, 0.0) for turn in turns) for key in ("per_second", "p50_ms", "p99_ms", "cpu_us")
    ]
    texts = median(BATCH * turn["batch"]["per_second"] for turn in turns)
    return [name, *single, texts, median(turn["batch"]["generator_cpu_share"] for turn in turns)]


if __name__ == "__main__":
    main()
