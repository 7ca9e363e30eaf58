"""Models by name: which deployment answers a request, and how one takes the place of another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.errors import BurnishError, InputError, nearest
from burnish.serving.deployment import Deployment, Limits, Seen
from burnish.serving.errors import Problem
from burnish.serving.nursery import Nursery
from burnish.serving.request import Request

_DRAIN = 30.0  # seconds in which a deployment that was replaced answers what it has begun
_AGAIN = 30.0  # seconds until a variant that could not be opened is tried again


@dataclass
class Served:
    """A name and what answers for it.

    Attributes:
        active: what answers.
        canary, percent: what answers a share of the requests in its place.
        shadow: what is asked as well; its answers are counted and not given.
        previous: what a rollback brings back.
        others: further variants of the active one, started when first asked for.
    """

    name: str
    active: Deployment
    canary: Deployment | None = None
    percent: float = 0.0
    shadow: Deployment | None = None
    previous: Deployment | None = None
    others: dict[str, Deployment] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        found = {"name": self.name, **self.active.about, "state": self.active.state}
        if self.active.reason and self.active.state == "failed":
            found["reason"] = "the model could not be opened; the log says why"
        for role in ("canary", "shadow", "previous"):
            one: Deployment | None = getattr(self, role)
            if one:
                found[role] = {key: one.about.get(key) for key in ("version", "variant")} | {"state": one.state}
        return found | ({"percent": self.percent} if self.canary else {})

    def all(self) -> list[Deployment]:
        found = [self.active, self.canary, self.shadow, self.previous, *self.others.values()]
        return [one for one in found if one]


class Registry:
    """The models of a service.

    Args:
        root: the folder in which an administrator may name other versions of models.
        seen: is told of each batch of a model by its name.
    """

    def __init__(self, limits: Limits, root: Path | None, seen: Callable[[str], Seen]) -> None:
        self.limits, self.root = limits, root
        self.served: dict[str, Served] = {}
        self._seen, self._nursery, self._lock = seen, Nursery(limits.signed_by), asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self, folders: Sequence[Path]) -> None:
        """Start a deployment for each folder, named like it.

        Raises:
            BurnishError: when one of them cannot be opened.
        """
        for folder in folders:
            name = folder.resolve().name
            self.served[name] = Served(name, self._made(name, folder, None))
        await asyncio.gather(*(one.active.start() for one in self.served.values()))

    def ready(self) -> bool:
        return bool(self.served) and all(one.active.state == "ready" for one in self.served.values())

    def full(self) -> float:
        """Seconds until one of those that answer may take more, where all of them have too much; else 0."""
        waits = [
            one.full(self.limits.timeout)
            for served in self.served.values()
            for one in (served.active, served.canary, *served.others.values())
            if one
        ]
        return min(waits, default=0.0)

    def get(self, name: str | None) -> Served:
        """A model by name; the only one there is without.

        Raises:
            Problem: 404 for a name that is not served, 422 without a name where several are.
        """
        if name is None:
            if len(self.served) == 1:
                return next(iter(self.served.values()))
            raise Problem(422, f"'model' is missing; {nearest('', self.served)}")
        if name not in self.served:
            raise Problem(404, f"no model has the name '{str(name)[:100]}'; {nearest(str(name)[:100], self.served)}")
        return self.served[name]

    def pick(self, served: Served, variant: str | None) -> Deployment:
        """What answers this request; another variant than the one that serves is started when first asked for.

        Raises:
            Problem: 404 for a variant that the model does not have.
        """
        if variant is None:
            if served.canary and served.canary.state == "ready" and 100 * random.random() < served.percent:
                return served.canary
            return served.active
        if variant == served.active.about.get("variant"):
            return served.active
        variants = served.active.about.get("variants", [])
        if variant not in variants:
            told = nearest(str(variant)[:100], variants)
            raise Problem(404, f"'{served.name}' has no variant '{str(variant)[:100]}'; {told}")
        other = served.others.get(variant)
        if other and other.state == "failed" and asyncio.get_running_loop().time() - other.since > _AGAIN:
            self._leave(other)
            other = None
        if other is None:
            served.others[variant] = other = self._made(served.name, served.active.folder, variant)
            other.begin()
        return other

    def shadowed(self, served: Served, inputs: Sequence[Any], timeout: float) -> Request | None:
        """The same inputs for the shadow, unless it has enough to do."""
        shadow = served.shadow
        if shadow is None or shadow.state != "ready" or shadow.queue.tokens > shadow.budget:
            return None
        with suppress(Problem):
            return shadow.submit(inputs, timeout)
        return None

    async def load(self, name: str, folder: str | None, variant: str | None, role: str, percent: float) -> Served:
        """Start a version of a model and give it a role: active, canary or shadow. It takes it once it is ready; until
        then, and when it cannot be opened, all stays as it was.

        Args:
            folder: its name in the root; None for the folder that is served, which may have been written anew.

        Raises:
            Problem: for a folder that is not there, and for a model that cannot be opened or has another task or reads
                other inputs.
        """
        async with self._lock:
            served = self.served.get(name)
            if served is None and (folder is None or role != "active"):
                self.get(name)
            place = served.active.folder if served and folder is None else self._folder(str(folder))
            fresh = self._made(name, place, variant)
            try:
                await fresh.start()
            except BurnishError as error:
                await fresh.stop(0)
                raise Problem(409, f"the model cannot be opened: {type(error).__name__}; the log says why") from error
            if served is None:
                served = self.served[name] = Served(name, fresh)
            elif (here := _purpose(served.active)) != (this := _purpose(fresh)):
                await fresh.stop(0)
                raise Problem(409, f"'{name}' is for {here}, this is for {this}")
            elif role == "active":
                self._activate(served, fresh)
            else:
                self._leave(getattr(served, role))
                setattr(served, role, fresh)
                served.percent = percent if role == "canary" else served.percent
            return served

    async def turn(self, name: str, to: str) -> Served:
        """Make the canary, or else the shadow (promote), or the previous one (rollback) the active one, in one step.

        Raises:
            Problem: 409 when there is none, or it is not ready.
        """
        async with self._lock:
            served = self.get(name)
            for role in ("previous",) if to == "rollback" else ("canary", "shadow"):
                fresh: Deployment | None = getattr(served, role)
                if fresh is None:
                    continue
                if fresh.state != "ready":
                    raise Problem(409, f"the {role} version is not ready; try again")
                setattr(served, role, None)
                self._activate(served, fresh)
                return served
            raise Problem(409, f"'{name}' has nothing to {to}" + (" to" if to == "rollback" else ""))

    async def unload(self, name: str, role: str | None) -> None:
        """Let a model go, or what has a role beside it."""
        async with self._lock:
            served = self.get(name)
            if role:
                self._leave(getattr(served, role))
                setattr(served, role, None)
                return
            del self.served[name]
            for one in served.all():
                self._leave(one)

    async def close(self, patience: float) -> None:
        """Answer what is under way and let all processes go."""
        await asyncio.gather(*(one.stop(patience) for served in self.served.values() for one in served.all()))
        for task in self._leaving:
            task.cancel()
        self._nursery.close()

    def _activate(self, served: Served, fresh: Deployment) -> None:
        self._leave(served.previous)
        served.previous, served.active = served.active, fresh
        for one in served.others.values():
            self._leave(one)
        served.others = {}

    def _leave(self, one: Deployment | None) -> None:
        if one:
            task = asyncio.ensure_future(one.stop(_DRAIN))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _made(self, name: str, folder: Path, variant: str | None) -> Deployment:
        return Deployment(folder, variant, self._nursery, self.limits, self._seen(name))

    def _folder(self, name: str) -> Path:
        """A folder of the root, looked up among those that are there: no path is made of what a client sends."""
        if self.root is None:
            raise Problem(409, "no folder of models is open for this; start the service with --models FOLDER")
        try:
            there = {place.name: place for place in self.root.iterdir() if (place / "burnish.json").is_file()}
        except OSError as error:
            raise InputError(f"--models: '{self.root}' cannot be read: {error}") from None
        if name not in there:
            raise Problem(404, f"no model folder has the name '{name[:100]}'; {nearest(name[:100], there)}")
        return there[name]


def _purpose(one: Deployment) -> str:
    """What a model is for, which a name stands for as long as it is served."""
    return f"{one.about.get('task')} of inputs of the kind {one.about.get('inputs')}"
