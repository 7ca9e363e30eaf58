"""Tasks by name."""

from __future__ import annotations

from burnish.errors import ConfigError, nearest
from burnish.tasks.base import Task
from burnish.tasks.classify import Classify
from burnish.tasks.detect import Detect
from burnish.tasks.embed import Embed
from burnish.tasks.pair import Pair
from burnish.tasks.score import Score
from burnish.tasks.tag import Tag
from burnish.tasks.transcribe import Transcribe

__all__ = ["TASKS", "Task", "task_named"]

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
    "pair": Pair,
    "score": Score,
    "tag": Tag,
    "detect": Detect,
    "transcribe": Transcribe,
    "embed": Embed,
}


def task_named(name: str) -> type[Task]:
    """Look a task up; an unknown name lists the valid ones."""
    if name not in TASKS:
        raise ConfigError(f"unknown task '{name}'; {nearest(name, TASKS)}")
    return TASKS[name]
