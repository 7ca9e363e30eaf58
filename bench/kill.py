"""Kill a tuning with SIGKILL at random moments, start it again each time, and compare its weights with a quiet run's.

Every finished run is compared by the SHA-256 of its safetensors files; the kills go on with a new run until all are
done. Precision is given and not measured, because two runs may measure differently; `--precision auto` tests that too.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import measure


def job_file(folder: Path, rows: int, epochs: int, precision: str) -> Path:
    path = folder / "job.yaml"
    job = {
        "task": "tag",
        "data": {
            "train": str(measure.DATA / "ner.train.conll"),
            "dev": str(measure.DATA / "ner.dev.conll"),
            "limit": rows,
        },
        "model": "minilm",
        "tune": {"epochs": epochs, "precision": precision, "checkpoint_seconds": 1.0, "evaluations": 2},
        "report": {"bootstrap": 20},
    }
    path.write_text(json.dumps(job, indent=2), encoding="utf-8")  # JSON is YAML
    return path


def weights(folder: Path) -> dict[str, str]:
    """SHA-256 of each safetensors file of a finished model."""
    files = sorted(p for p in folder.rglob("*.safetensors") if "checkpoint" not in str(p.relative_to(folder)))
    if not files:
        raise SystemExit(f"no safetensors file in {folder}")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def resumes(folder: Path) -> int:
    """How often the run went on from a checkpoint, as its events tell; a kill before the first one starts anew."""
    events = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return sum('"event": "resumed"' in event for event in events)


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        env = {**os.environ, **measure.OFFLINE}
        return subprocess.Popen(command, stdout=file, stderr=file, env=env, cwd=measure.ROOT, start_new_session=True)


def killed(process: subprocess.Popen[bytes], delay: float) -> bool:
    """Wait `delay` seconds and kill the whole process group; False when it had finished by itself."""
    try:
        process.wait(delay)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--kills", type=int, help="2 with --quick, else 3")
    parser.add_argument("--rows", type=int, help="sentences to train on; 100 with --quick, else 400")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "auto"])
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    kills = args.kills or (2 if args.quick else 3)
    choose = random.Random(args.seed)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = args.rows or (100 if args.quick else 400)
        tune = [measure.BURNISH, "tune", str(job_file(folder, rows, args.epochs, args.precision))]
        quiet = measure.run([*tune, "--set", f"out={folder / 'quiet'}"])
        expected = weights(folder / "quiet")
        print(f"uninterrupted: {quiet.seconds:.1f} s, {len(expected)} weight file(s)", flush=True)

        moments: list[float] = []
        runs = same = resumed = 0
        begin = time.perf_counter()
        while len(moments) < kills:
            out, log = folder / f"killed-{runs}", folder / f"killed-{runs}.log"
            while True:
                process = start([*tune, "--set", f"out={out}"], log)
                delay = choose.uniform(0.2, quiet.seconds) if len(moments) < kills else 10 * quiet.seconds + 60
                if not killed(process, delay):
                    break
                if len(moments) == kills:
                    raise SystemExit(f"the resumed run hangs; its log ends:\n{log.read_text()[-2000:]}")
                moments.append(delay)
                print(f"kill {len(moments)} of {kills} after {delay:.1f} s", flush=True)
            if process.returncode:
                raise SystemExit(f"exit code {process.returncode} after a kill:\n{log.read_text()[-3000:]}")
            runs += 1
            equal = weights(out) == expected
            same += equal
            resumed += resumes(out)
            print(f"run {runs} finished: weights {'identical' if equal else 'DIFFER'}", flush=True)
        seconds = time.perf_counter() - begin

    ratios = {"identical_runs": same / runs, "resumed_a_kill": resumed / kills}
    ratios |= {"seconds_a_kill_vs_quiet_run": (seconds / quiet.seconds - runs) / kills}
    measure.finish(args, ratios, {"kills": kills, "runs": runs, "moments": moments, "quiet_seconds": quiet.seconds})
    if same < runs:
        raise SystemExit(f"{runs - same} of {runs} resumed runs ended with other weights")


if __name__ == "__main__":
    main()
