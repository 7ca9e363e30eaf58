"""Imports go downward only, no file is a drawer for everything, and the public names are the ones promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import burnish

ROOT = Path(burnish.__file__).parent
LEVELS = {
    "errors": 0, "extras": 0, "config": 0, "clashes": 0, "defaults": 0, "mistakes": 0, "device": 0, "results": 0,
    "metrics": 0, "compressed": 0, "explained": 0, "audited": 0, "lock": 0,
    "data": 1, "models": 1, "reporting": 1,
    "tasks": 2, "artifact": 2, "variant": 2, "signature": 2,
    "engine": 3, "training": 3.5,
    "audits": 4, "compression": 4, "explanation": 4, "guards": 4, "monitoring": 4,
    "serving": 5,
    "auditing": 6, "batch": 6, "doctor": 6, "guarding": 6, "job": 6, "predicting": 6, "starter": 6, "verbs": 6,
    "cli": 7, "__main__": 7,
}  # fmt: skip
APART = {"data", "models", "reporting"}  # never each other, though on one level
# Word shape is a fact of data (how an id is computed) and of the model (how many there are).
ALLOWED = {("models/net.py", "data")}


def place(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("burnish"):
            parts = node.module.split(".")
            found.update([parts[1]] if len(parts) > 1 else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("burnish."))
    return found


def test_imports_go_downward() -> None:
    wrong = []
    for path in ROOT.rglob("*.py"):
        here = place(path)
        if here == "__init__":
            continue
        for other in imported(path):
            name = str(path.relative_to(ROOT))
            if other == here or other not in LEVELS or (name, other) in ALLOWED:
                continue
            if LEVELS[other] > LEVELS[here] or (here in APART and other in APART):
                wrong.append(f"{name} imports {other}")
    assert not wrong
    assert {place(p) for p in ROOT.rglob("*.py")} - {"__init__"} == set(LEVELS)


def test_public_names_exist() -> None:
    assert all(getattr(burnish, name) is not None for name in burnish.__all__)


def test_import_is_light() -> None:
    code = "import sys, burnish.cli; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'datasets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_runs_as_a_module_and_says_its_version() -> None:
    said = subprocess.run([sys.executable, "-m", "burnish", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"burnish {version('burnish')}\n"
