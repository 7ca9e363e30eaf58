"""Kill a search with SIGKILL at random moments and start it again each time: no step is lost, and a variant that is
there can be opened at every moment.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from pathlib import Path

import measure
from kill import job_file, killed, start


def steps(journal: Path) -> dict[str, tuple[str, float]]:
    """Finished steps with their values and seconds."""
    if not journal.exists():
        return {}
    with sqlite3.connect(journal) as base:
        try:
            return {name: (value, seconds) for name, value, seconds in base.execute("SELECT * FROM steps")}
        except sqlite3.OperationalError:  # killed before the table was made
            return {}


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--kills", type=int, help="2 with --quick, else 10")
    parser.add_argument("--minutes", type=float, default=1.0, help="of the search")
    parser.add_argument("--longest", type=float, default=90.0, help="seconds after which a run is killed, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    kills = args.kills or (2 if args.quick else 10)
    choose = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, log = folder / "model", folder / "log"
        measure.run([measure.BURNISH, "tune", str(job_file(folder, 400, 2, "auto")), "--set", f"out={model}"])
        search = [measure.BURNISH, "compress", str(model), "--minutes", str(args.minutes), "--budget", "0.2", "--json"]
        journal = folder / ".model.throughput.work" / "search.sqlite"
        moments: list[float] = []
        seen: dict[str, tuple[str, float]] = {}
        lost = opened = finished = most = 0
        while True:
            process = start(search, log)
            delay = choose.uniform(5, args.longest) if len(moments) < kills else 3600
            if not killed(process, delay):
                if process.returncode not in (0, 1):
                    raise SystemExit(f"exit code {process.returncode}:\n{log.read_text()[-3000:]}")
                finished += 1
                seen = {}
                if len(moments) >= kills:
                    break
                continue
            moments.append(delay)
            found = steps(journal)
            lost += sum(found.get(step) != value for step, value in seen.items())
            seen, most = found, max(most, len(found))
            if (model / "variants" / "throughput" / "variant.json").exists():
                given = ["predict", str(model), "Anna lives in Paris .", "--variant", "throughput", "--json"]
                measure.run([measure.BURNISH, *given])
                opened += 1
            print(f"kill {len(moments)} of {kills} after {delay:.0f} s: {len(found)} steps kept", flush=True)
        last = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    ratios = {"steps_lost": float(lost), "variants_opened": float(opened), "searches_finished": float(finished)}
    measure.finish(args, ratios, {"kills": kills, "moments": moments, "most_steps": most, "last": last})
    if lost:
        raise SystemExit(f"{lost} finished steps were lost or made again")


if __name__ == "__main__":
    main()
