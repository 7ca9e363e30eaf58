"""The demo rows: written again byte for byte, and no text of one split in another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

from burnish.config import load, parse
from burnish.data.check import check
from burnish.data.columns import canonical
from burnish.data.load import load as load_rows
from burnish.data.near import normal
from burnish.data.read import read

DATA = Path(__file__).parent.parent / "recipes" / "data"


def test_the_rows_are_what_make_writes(tmp_path: Path) -> None:
    shutil.copytree(DATA / "parts", tmp_path / "parts")
    shutil.copy(DATA / "make.py", tmp_path)
    subprocess.run([sys.executable, str(tmp_path / "make.py")], check=True)
    written = sorted(p for p in tmp_path.iterdir() if p.is_file() and p.name != "make.py")
    assert [p.name for p in written] == sorted(p.name for p in DATA.iterdir() if p.suffix not in (".md", ".py", ""))
    for path in written:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name


def test_splits_of_the_demo_are_disjoint() -> None:
    texts = []
    for split in ("train", "dev", "test"):
        source = str(DATA / f"ner.{split}.conll")
        job = parse({"task": "tag", "data": {"train": source}})
        texts.append({normal(row["text"]) for row in canonical(read(source, job.data), job)})
    assert all(not a & b for a, b in combinations(texts, 2))


def test_the_check_has_nothing_against_the_demo() -> None:
    job = load(DATA.parent / "demo.yaml", tuple(f"data.{s}={DATA}/ner.{s}.conll" for s in ("train", "dev", "test")))
    found = {finding.name: finding.verdict for finding in check(load_rows(job), job, None)}
    assert "warn" not in found.values()
    assert found["leak_exact"] == found["leak_near"] == "ok"
