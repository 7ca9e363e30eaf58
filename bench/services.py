"""What measurements of services share: a model and texts, services as processes, and a load on them."""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import measure

HOST, PATH = "127.0.0.1", "/v1/predict"
DEMO = str(measure.DATA / "ner.dev.conll")
SMALL = ["data.train=recipes/data/ner.dev.conll", "data.limit=60", "report.bootstrap=20"]
SMALL += ["tune.epochs=1", "tune.r_drop=0", "tune.precision=fp32"]
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 180.0  # seconds for a service to start
REST = 0.3  # CPU seconds a second of a service that has nothing to do; LitServe looks for work all the time
TEXTS = ["Anna went to Rome .", "b", "c"]  # a first request


@dataclass(frozen=True)
class Process:
    """A running process: seconds of CPU time so far, its command line."""

    pid: int
    parent: int
    cpu: float
    command: str

    @property
    def memory_mb(self) -> float:
        """Its share of the memory: pages that it shares count in part."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) / 1024
        return 0.0


class Service:
    """A service in a session of its own, by which all of its processes are known.

    Attributes:
        body: what the body of a request to it has besides its inputs.
        log: what its processes print.
    """

    def __init__(self, name: str, command: list[str], port: int, work: Path, body: dict[str, Any]) -> None:
        self.name, self.port, self.body, self.log = name, port, body, work / f"{name}.log"
        env = {**os.environ, **measure.OFFLINE, "PYTHONPATH": str(measure.ROOT)}
        with self.log.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdout=file, stderr=file, cwd=work, env=env, start_new_session=True
            )

    def ready(self) -> None:
        """Wait until it answers and its processes are at rest; SystemExit with its last words when it does not."""
        data, end = json.dumps({"inputs": TEXTS, **self.body}).encode(), time.monotonic() + PATIENCE
        request = urllib.request.Request(f"http://{HOST}:{self.port}{PATH}", data, {"Content-Type": "application/json"})
        told = ""
        while self._process.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found = json.load(answer)["predictions"]
                if len(found) != len(TEXTS):
                    raise SystemExit(f"{self.name} answers {len(TEXTS)} texts with {len(found)} predictions")
                return self._settle()
            except urllib.error.HTTPError as error:
                told = error.read().decode()
                if error.code != 503:
                    break
            except OSError as error:
                told = str(error)
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not start: {told}\n{self.log.read_text(errors='replace')[-3000:]}")

    def _settle(self) -> None:
        """Wait, at most for half a minute, for what goes on starting after the first answer."""
        before = self.cpu
        for _ in range(60):
            time.sleep(0.5)
            now = self.cpu
            if now - before < REST * 0.5:
                return
            before = now

    def processes(self) -> list[Process]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it may have ended
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self._process.pid and fields[0] != "Z":
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    used = (int(fields[11]) + int(fields[12])) / TICKS
                    found.append(Process(int(folder.name), int(fields[1]), used, command))
        return found

    @property
    def cpu(self) -> float:
        """CPU seconds of all of its processes so far."""
        return sum(process.cpu for process in self.processes())

    def send(self, number: signal.Signals, processes: list[Process] | None = None) -> None:
        """Send a signal to some of its processes, by default to all."""
        for process in self.processes() if processes is None else processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def stop(self) -> None:
        self.send(signal.SIGCONT)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self.send(signal.SIGKILL)
        self._process.wait()


def free_port() -> int:
    with socket.socket() as place:
        place.bind((HOST, 0))
        return int(place.getsockname()[1])


def start(name: str, given: dict[str, Any], **settings: Any) -> Service:
    """Start a service; burnish is asked for a variant in each request, peers open one.

    Args:
        settings: of a peer; for burnish `guard`, a policy.
    """
    port, body = free_port(), {}
    if name == "burnish":
        command = [measure.BURNISH, "serve", given["model"], "--host", HOST, "--port", str(port)]
        command += ["--timeout", str(given["deadline"])]
        command += ["--guard", str(settings["guard"])] if settings.get("guard") else []
        body = {"variant": given["variant"]} if given["variant"] else {}
    else:
        told = {key: given[key] for key in ("model", "variant", "deadline")} | {"port": port, **settings}
        command = [sys.executable, str(measure.ROOT / "bench" / "serve_peers.py"), name, json.dumps(told)]
    return Service(name, command, port, Path(given["work"]), body)


def load(service: Service, given: dict[str, Any], seconds: float, **options: Any) -> dict[str, Any]:
    """Put a load on a service; adds the CPU seconds of the service to what the generator tells."""
    told = {"port": service.port, "texts": given["texts"], "seconds": seconds, "deadline": given["deadline"]}
    told |= {"body": service.body, "seed": given["seed"], **options}
    before = service.cpu
    found = measure.run([sys.executable, "bench/load.py", json.dumps(told)]).result
    found["cpu_us"] = 1e6 * (service.cpu - before) / max(found["answered"], 1)
    found["generator_cpu_share"] = found["generator_cpu_seconds"] / seconds
    return found


def texts_of(path: Path, column: str | None) -> list[str]:
    """Texts of a file, in order: words of a .conll file joined, a column of .csv, .tsv or .jsonl, or else lines."""
    raw = path.read_text(encoding="utf-8-sig")
    if path.suffix in (".csv", ".tsv"):
        rows = list(csv.DictReader(raw.splitlines(keepends=True), delimiter="\t" if path.suffix == ".tsv" else ","))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in raw.splitlines() if line.strip()]
    elif path.suffix in (".txt", ".text"):
        return [line for line in raw.splitlines() if line.strip()]
    else:
        sentences = groupby((line.split() for line in raw.splitlines()), key=bool)
        words = ([fields[0] for fields in lines] for full, lines in sentences if full)
        return [" ".join(one) for one in words if one[0] != "-DOCSTART-"]
    names = [column] if column else ["text", "sentence", "review", "title", *rows[0]]
    name = next((one for one in names if one in rows[0]), None)
    if name is None:
        raise SystemExit(f"'{path}' has no column '{column}'; it has {', '.join(rows[0])}")
    return [row[name] for row in rows if row[name]]


def tuned(model: str | None, work: Path, quick: bool, onnx: bool) -> str:
    """A copy of a model folder, or a model tuned on the demo's names; with an export for ONNX Runtime if asked for."""
    folder = work / "model"
    if model:
        shutil.copytree(model, folder)
    else:
        settings = [f"out={folder}", *(SMALL if quick else ())]
        command = [measure.BURNISH, "tune", "recipes/ner-conll2003.yaml"]
        measure.run([*command, *(part for setting in settings for part in ("--set", setting))])
    if onnx and not (folder / "variants" / "onnx").exists():
        measure.run([measure.BURNISH, "export", str(folder), "--to", "onnx"])
    return str(folder)


def prepared(args: argparse.Namespace, work: str, onnx: bool) -> dict[str, Any]:
    """Model, texts and options, as the other processes take them."""
    texts = texts_of(Path(args.data), args.column)[: args.rows]
    (Path(work) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    return {
        "work": work,
        "model": tuned(args.model, Path(work), args.quick, onnx),
        "texts": str(Path(work) / "texts.json"),
        "variant": args.variant,
        "seed": args.seed,
        "deadline": args.deadline,
        "seconds": args.seconds or (1.5 if args.quick else 10.0),
        "warm": 1.0 if args.quick else 3.0,
    }


def options(about: str | None) -> argparse.ArgumentParser:
    """Options that all of them have."""
    parser = measure.options(about)
    parser.add_argument("--model", help="a model folder; the demo's names, tuned on the spot, when unset")
    parser.add_argument("--data", default=DEMO, help="texts: .conll, .csv, .tsv, .jsonl or .txt")
    parser.add_argument("--column", help="of the texts in --data")
    parser.add_argument("--rows", type=int, help="texts at most; all when unset")
    parser.add_argument("--seconds", type=float, help="of a case; 1.5 with --quick, else 10")
    parser.add_argument("--deadline", type=float, default=5.0, help="seconds within which an answer is good")
    parser.add_argument("--seed", type=int, default=0, help="of the order of texts and of the arrivals")
    return parser
