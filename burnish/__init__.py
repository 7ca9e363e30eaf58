"""burnish: from a pretrained model and your labelled data to a small, measured, documented model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from burnish.artifact import Artifact
    from burnish.config import Job
    from burnish.engine import Engine
    from burnish.engine.rank import rank
    from burnish.errors import BurnishError
    from burnish.explanation import explain
    from burnish.guards import Guard
    from burnish.job import check, tune
    from burnish.serving.client import AsyncClient, Client
    from burnish.verbs import compare, compress, evaluate

__all__ = [
    "Artifact",
    "AsyncClient",
    "BurnishError",
    "Client",
    "Engine",
    "Guard",
    "Job",
    "check",
    "compare",
    "compress",
    "evaluate",
    "explain",
    "rank",
    "tune",
]

_HOMES = {
    "Artifact": "artifact",
    "AsyncClient": "serving.client",
    "BurnishError": "errors",
    "Client": "serving.client",
    "Engine": "engine",
    "Guard": "guards",
    "Job": "config",
    "check": "job",
    "compare": "verbs",
    "compress": "verbs",
    "evaluate": "verbs",
    "explain": "explanation",
    "rank": "engine.rank",
    "tune": "job",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'burnish' has no attribute '{name}'")
    return getattr(importlib.import_module(f"burnish.{_HOMES[name]}"), name)
