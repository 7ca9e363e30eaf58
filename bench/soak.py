"""`burnish serve` for a long time: memory of all of its processes, errors and latency under random arrivals.

The load is a share of what was measured as capacity just before. With --kill, model processes are killed at random
moments meanwhile. Every request has to get exactly one answer, of status 200, or 429, 503 or 504 from a service that
says that it cannot; anything else ends in an error. `first_200_ms` is from a kill to the first answer of 200 to a
request that came after it, `restored_seconds` until as many model processes run as before, which may still be loading.
With --swap, the model is loaded anew and takes over meanwhile, in turns with a return to the one before; no request may
fail over it. `swap_seconds` is what one takes.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import measure
from load import percentiles
from services import HOST, Process, Service, load, options, prepared, start

ALLOWED = {"200", "429", "503", "504"}
CLIENTS = 2000  # connections at most
OFTEN = 0.02  # seconds between looks for processes after a kill


@dataclass
class Kill:
    """When (of time.monotonic) how many processes were killed, and seconds until as many ran again."""

    moment: float
    killed: int
    restored: float | None = None


def model_processes(service: Service) -> list[Process]:
    """Those whose parent is of `burnish.serving` or a fork server as they are themselves, which a fork leaves alike."""
    found = service.processes()
    named = {p.pid: p for p in found if "burnish.serving" in p.command or "forkserver" in p.command}
    return [process for process in named.values() if process.parent in named]


class Watch:
    """Samples memory each second and kills at the given moments, while the load runs in a thread."""

    def __init__(self, service: Service, moments: list[float], swaps: list[float], everything: bool, seed: int) -> None:
        self.service, self.everything, self._random = service, everything, random.Random(seed)
        self._moments, self._swaps, self._before = moments, swaps, 0
        self.swapped: list[float] = []  # seconds of each
        self.memory: list[tuple[float, float, int]] = []  # moment, MB, processes
        self.kills: list[Kill] = []

    def run(self, thread: threading.Thread) -> None:
        sample = time.monotonic()
        while thread.is_alive():
            now = time.monotonic()
            if now >= sample:
                processes = self.service.processes()
                self.memory.append((now, sum(process.memory_mb for process in processes), len(processes)))
                sample += 1
            if self.kills and self.kills[-1].restored is None:
                if len(model_processes(self.service)) >= self._before:
                    self.kills[-1].restored = now - self.kills[-1].moment
            elif self._moments and now >= self._moments[0]:
                self._moments.pop(0)
                self._kill()
            elif self._swaps and now >= self._swaps[0]:
                self._swaps.pop(0)
                self._swap()
            thread.join(OFTEN if self._moments or self._swaps or self.kills else max(0.0, sample - time.monotonic()))

    def _swap(self) -> None:
        """Load the model anew, or, every other time, go back."""
        path = "/rollback" if len(self.swapped) % 2 else ""
        url = f"http://{HOST}:{self.service.port}/v1/models/model{path}"
        asked = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        begin = time.monotonic()
        with urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()
        self.swapped.append(time.monotonic() - begin)

    def _kill(self) -> None:
        alive = model_processes(self.service)
        victims = alive if self.everything else self._random.sample(alive, min(1, len(alive)))
        self._before = len(alive)
        self.kills.append(Kill(time.monotonic(), len(victims)))
        for process in victims:
            self.service.send(signal.SIGKILL, [process])


def by_minute(log: list[tuple[float, str, float]]) -> list[dict[str, float]]:
    """Requests, those without a 200, and latencies of the others, of each minute since the first answer."""
    found = []
    for minute, lines in groupby(log, key=lambda line: int((line[0] - log[0][0]) // 60)):
        part = list(lines)
        right = [milliseconds / 1000 for _, status, milliseconds in part if status == "200"]
        found.append({"minute": minute, "requests": len(part), "errors": len(part) - len(right), **percentiles(right)})
    return found


def first_200(log: list[tuple[float, str, float]], kill: Kill) -> float:
    """Milliseconds from a kill to the first answer of 200 to a request that came after it."""
    after = (moment for moment, status, late in log if status == "200" and moment - late / 1000 > kill.moment)
    return 1000 * (next(after, float("inf")) - kill.moment)


def main() -> None:
    parser = options(__doc__)
    parser.set_defaults(deadline=30.0)
    parser.add_argument("--variant", help="form of the model; what the service chooses when unset")
    parser.add_argument("--minutes", type=float, help="0.5 with --quick, else 60")
    parser.add_argument("--share", type=float, default=0.8, help="of the capacity that is asked for")
    parser.add_argument("--kill", type=int, default=0, help="how often to kill a model process")
    parser.add_argument("--swap", type=int, default=0, help="how often to change the version that serves")
    parser.add_argument("--all", action="store_true", help="kill all model processes at a time")
    args = parser.parse_args()
    seconds = 60 * (args.minutes or (0.5 if args.quick else 60))
    with tempfile.TemporaryDirectory() as work:
        given = prepared(args, work, onnx=args.variant == "onnx")
        service = start("burnish", given)
        try:
            service.ready()
            load(service, given, given["warm"])
            capacity = load(service, given, given["seconds"])["per_second"]
            print(f"capacity: {capacity:,.1f} requests/s at single texts", flush=True)
            log = Path(work) / "log"
            put = {"rate": args.share * capacity, "connections": CLIENTS, "log": str(log), "patience": 60.0}
            told: list[dict[str, Any]] = []
            thread = threading.Thread(target=lambda: told.append(load(service, given, seconds, **put)), daemon=True)
            begin, chosen = time.monotonic(), random.Random(args.seed)
            moments, swaps = (
                sorted(begin + seconds * chosen.uniform(0.05, 0.9) for _ in range(count))
                for count in (args.kill, args.swap)
            )
            watch = Watch(service, moments, swaps, args.all, args.seed)
            thread.start()
            watch.run(thread)
        finally:
            service.stop()
        if not told:
            raise SystemExit("the load ended without a result")
        split = (line.split() for line in log.read_text(encoding="utf-8").splitlines())
        answers = [(float(moment), status, float(late)) for moment, status, late in split]
    report(args, told[0], answers, watch, capacity)


def report(args: Any, told: dict[str, Any], log: list[tuple[float, str, float]], watch: Watch, capacity: float) -> None:
    """Print tables and ratios; SystemExit when a request had no answer, or one that it may not have."""
    minutes = by_minute(log)
    columns = ["minute", "requests", "errors", "p50_ms", "p99_ms", "max_ms"]
    measure.table(columns, [[row.get(name, 0.0) for name in columns] for row in minutes])
    counts = told["statuses"]
    odd = sum(count for status, count in counts.items() if status not in ALLOWED)
    memory = [mb for _, mb, _ in watch.memory]
    tenth = max(1, len(memory) // 10)
    ratios = {
        "answered": told["answered"] / max(told["sent"], 1),
        "answered_200": counts.get("200", 0) / max(told["sent"], 1),
        "memory_mb": median(memory[tenth : 2 * tenth] or memory),
        "memory_peak_mb": max(memory),
        "memory_last_tenth_vs_second": median(memory[-tenth:]) / median(memory[tenth : 2 * tenth] or memory),
        "p99_ms": told.get("p99_ms", 0.0),
    }
    if watch.kills:
        waits = [first_200(log, kill) for kill in watch.kills]
        restored = [kill.restored for kill in watch.kills if kill.restored is not None]
        ratios |= {"kills": len(watch.kills), "first_200_ms": median(waits), "first_200_longest_ms": max(waits)}
        ratios |= {
            "restored": len(restored) / len(watch.kills),
            "requests_503_a_kill": counts.get("503", 0) / len(waits),
        }
        if restored:
            ratios |= {"restored_seconds": median(restored), "restored_longest_seconds": max(restored)}
    if watch.swapped:
        ratios |= {"swaps": len(watch.swapped), "swap_seconds": median(watch.swapped)}
    details = {"load": told, "minutes": minutes, "memory": watch.memory, "capacity": capacity}
    measure.finish(args, ratios, {**details, "kills": [vars(kill) for kill in watch.kills]})
    lost = told["sent"] - told["answered"]
    if args.swap and not args.kill and told["answered"] > counts.get("200", 0):
        sys.exit(f"requests failed while the version changed: {counts}")
    if lost or odd or told["broken"]:
        sys.exit(f"of {told['sent']:,} requests {lost:,} got no answer, {odd:,} one they may not get: {counts}")


if __name__ == "__main__":
    main()
