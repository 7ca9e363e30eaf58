"""A variant of a model in use: its processes, what waits for them, and what they answer."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from burnish.device import processors
from burnish.errors import BurnishError
from burnish.serving import wire
from burnish.serving.batcher import Batcher, Item, estimate
from burnish.serving.errors import Problem
from burnish.serving.nursery import Nursery
from burnish.serving.request import Request

log = logging.getLogger("burnish.serving")

State = Literal["starting", "ready", "failed", "stopped"]
_AGAIN = (0.0, 0.0, 0.5, 2.0, 8.0, 30.0)  # seconds before each start, while none of them works
_TRIES = 3  # starts that may fail before a model has ever been ready
_SWEEP = 0.05  # seconds between looks for what is too late
_PATIENCE = 0.25  # of the time of a request, which it may wait; more than that is turned away at once
_LEARN = 0.1  # share of a new pace in what is known of it
FULL = "more waits than can be answered in time; send it again later"
_STARTING = "the model is starting; try again in a moment"
_UNABLE = "the model cannot be opened here; the log of the service says why"
_FULL = 2  # batches that have to wait before a busy process is given one more


@dataclass(frozen=True)
class Limits:
    """What is taken in.

    Attributes:
        max_concurrent_requests: in the service at a time, waiting or being answered.
        max_batch_tokens: of one batch; 0 has each model's processes find it out.
        max_inputs, max_bytes: of a request.
        max_characters: of an input.
        timeout: seconds until a request has to be answered.
        processes: of each model; 0 for as many as there are cores.
        signed_by: public key that model folders have to be signed with, in hexadecimal digits; empty for any folder.
    """

    max_concurrent_requests: int = 512
    max_batch_tokens: int = 0
    max_inputs: int = 1000
    max_bytes: int = 4_000_000
    max_characters: int = 100_000
    timeout: float = 30.0
    processes: int = 0
    signed_by: str = ""


Seen = Callable[[float, int, int, int], None]


class Worker(asyncio.Protocol):
    """The end of a model process in this one."""

    def __init__(self, owner: Deployment) -> None:
        self.owner, self.pid, self.busy_since = owner, 0, 0.0
        self.running: dict[int, list[Item]] = {}
        self._frames, self._number = wire.Frames(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def send(self, batch: list[Item], now: float) -> None:
        """Send a batch, but for inputs that are no Unicode text: those fail."""
        batch, content = _written(batch)
        if not batch:
            return
        self._number = self._number % ((1 << 32) - 1) + 1  # 0 is for what is no answer
        self.busy_since = self.busy_since if self.running else now
        for item in batch:
            if not item.owner.started:
                item.owner.started = now
        self.running[self._number] = batch
        self.transport.write(wire.frame(self._number, wire.BATCH, content))

    def left(self, now: float, pace: float) -> float:
        """Tokens that it still has to compute, about, at so many a second."""
        tokens = sum(item.tokens for batch in self.running.values() for item in batch)
        return max(0.0, tokens - pace * (now - self.busy_since)) if tokens else 0.0

    def data_received(self, data: bytes) -> None:
        for number, kind, content in self._frames.feed(data):
            if number:
                self._answered(self.running.pop(number), kind, content)
            elif kind == wire.HELLO:
                self.owner.born(self, json.loads(content))
            else:
                self.owner.unable(content.decode())
        self.owner.pump()

    def _answered(self, batch: list[Item], kind: int, content: bytes) -> None:
        if kind != wire.ANSWER:
            for item in batch:
                item.owner.fail(Problem(500, "the model failed on this request"))
            return
        self.busy_since = asyncio.get_running_loop().time()
        parts, milliseconds, tokens, padded = wire.parted(content)
        if tokens:  # explanations have none
            self.owner.took(batch, milliseconds)
            self.owner.seen(milliseconds, len(batch), tokens, padded)
        for item, part in zip(batch, parts, strict=True):
            item.owner.milliseconds = max(item.owner.milliseconds, milliseconds)
            item.owner.put(item.place, part)

    def connection_lost(self, error: Exception | None) -> None:
        lost = [item for batch in self.running.values() for item in batch]
        self.running.clear()
        for item in lost:
            item.owner.fail(Problem(503, "the process of the model died over this request; send it again", 1))
        self.owner.gone(self)


class Deployment:
    """Processes that serve one variant of a model folder.

    Attributes:
        about: what a client may know of the model, once one of its processes was ready: task, labels, version, variant
            and so on.
        since: when it came to the state that it has, on the clock of the event loop; 0 before the first change.
        asked: the variant by name; None has the fastest verified one for this machine.
        seen: is told of each batch: milliseconds, inputs, tokens, tokens with padding.
    """

    def __init__(self, folder: Path, variant: str | None, nursery: Nursery, limits: Limits, seen: Seen) -> None:
        self.folder, self.asked, self.limits, self.seen = folder.resolve(), variant, limits, seen
        self.about: dict[str, Any] = {}
        self.state: State = "starting"
        self.reason = ""
        self.workers: list[Worker] = []
        self.queue = Batcher()
        self.budget, self.worth, self.pace = limits.max_batch_tokens, 0, 0.0
        self._nursery, self._open = nursery, set[Request]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._hurry = False  # as a process that has died is missing
        self._wanted, self._coming = 1, 0  # processes, and those of them that are starting
        self.changed = asyncio.Event()
        self.since = 0.0

    def begin(self) -> None:
        """Start one process, which finds out how large a batch should be; the others follow it."""
        self._fill()
        self._keep(self._sweep())

    async def started(self) -> None:
        """Wait until the first process is ready, or none will be."""
        while self.state == "starting":
            self.changed.clear()
            await self.changed.wait()

    async def start(self) -> None:
        """Begin, and wait.

        Raises:
            BurnishError: when the model cannot be opened.
        """
        self.begin()
        await self.started()
        if self.state != "ready":
            raise BurnishError(self.reason or f"'{self.folder}' was stopped while it started")

    def submit(self, inputs: Sequence[Any], timeout: float) -> Request:
        """Queue inputs.

        Raises:
            Problem: when no process is there, or what waits already takes a good part of `timeout`.
        """
        if self.state != "ready":
            told = _STARTING if self.state == "starting" else _UNABLE
            raise Problem(503, told, None if self.state == "failed" else 1)
        now = asyncio.get_running_loop().time()
        if wait := self.full(timeout):
            raise Problem(429, FULL, wait)
        request = Request(len(inputs), now, timeout)
        self._open.add(request)
        request.answer.add_done_callback(lambda _: self._open.discard(request))
        each = int(self.about.get("tokens_each", 0))
        self.queue.add(Item(value, estimate(value, each), request, place) for place, value in enumerate(inputs))
        self.pump()
        return request

    def full(self, timeout: float) -> float:
        """Seconds that what waits will take, where that is a good part of `timeout`; else 0."""
        if self.state != "ready":
            return 0.0
        wait = self.queue.tokens / self.pace
        return wait if wait > _PATIENCE * timeout else 0.0

    def pump(self) -> None:
        """Give what waits to the processes that are free, so much that all should end at the same time."""
        if not self.queue.tokens:
            return
        now = asyncio.get_running_loop().time()
        free = [worker for worker in self.workers if not worker.running]
        own = self.pace / max(1, len(self.workers))
        share = self.queue.tokens + sum(worker.left(now, own) for worker in self.workers)
        share = int(share / max(1, len(self.workers)))
        share = share if share >= self.worth else 1  # one by one, where rows gain nothing from each other
        for worker in free:
            while not worker.running and (batch := self.queue.take(min(share, self.budget), now)):
                worker.send(batch, now)
        for worker in self.workers:  # those that are busy need not wait for the next one
            if len(worker.running) == 1 and self.queue.tokens >= _FULL * self.budget:
                worker.send(self.queue.take(self.budget, now), now)

    def born(self, worker: Worker, hello: dict[str, Any]) -> None:
        """A process is ready. One that has opened another version than the others, as the folder was written anew in
        the meantime, is let go, which counts as a start that failed."""
        worker.pid, about = int(hello["pid"]), hello["about"]
        if self.about and about["version"] != self.about["version"]:
            told = "'%s' holds version %s now and %s is served; a new process of it is let go until that one is loaded"
            log.warning(told, self.folder.name, about["version"], self.about["version"])
            worker.transport.abort()
            return
        self._failures = 0
        self._coming -= 1
        if self.state in ("stopped", "failed"):
            worker.transport.abort()
            return
        if not self.about:
            self.budget, self.worth = int(hello["budget"]), int(hello["worth"])
            self.pace = self._processes * float(hello["tokens_per_second"])
        self.about = about
        self.workers.append(worker)
        self._wanted = self._processes
        self._turn("ready")
        self._fill()

    def unable(self, reason: str) -> None:
        """A process could not open the model."""
        self.reason = reason
        log.warning("'%s' cannot be opened: %s", self.folder.name, reason)
        if not self.about:
            self._turn("failed")

    def gone(self, worker: Worker) -> None:
        """A process has died, or was let go."""
        if worker in self.workers:
            self.workers.remove(worker)
        else:
            self._coming -= 1
            self._failures += 1
        self._hurry = bool(self.about)
        if self.state in ("stopped", "failed"):
            return
        if not self.about and self._failures >= _TRIES:
            self.reason = self.reason or f"a process died whenever it opened '{self.folder}'"
            self._turn("failed")
            return
        log.warning("a process of '%s' has died (%d); another one starts", self.folder.name, worker.pid)
        if not self.workers:
            self._turn("starting")
        self._fill()

    def took(self, batch: list[Item], milliseconds: float) -> None:
        """Learn how fast it goes, from batches that are not small."""
        tokens = sum(item.tokens for item in batch)
        if 2 * tokens >= self.budget:
            pace = len(self.workers) * tokens / max(milliseconds / 1000, 1e-6)
            self.pace += _LEARN * (pace - self.pace)

    async def stop(self, patience: float) -> None:
        """Answer what is under way, for so many seconds, and let the processes go."""
        end = asyncio.get_running_loop().time() + patience
        while self._open and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        self._turn("stopped")
        for request in list(self._open):
            request.fail(Problem(503, "the service is stopping", 1))
        for task in self._tasks:
            task.cancel()
        for worker in list(self.workers):
            worker.transport.abort()

    @property
    def _processes(self) -> int:
        return self.limits.processes or processors()

    def _fill(self) -> None:
        """Start the processes that are missing, later with each that could not start."""
        while len(self.workers) + self._coming < self._wanted:
            self._coming += 1
            self._keep(self._started(_AGAIN[min(self._failures, len(_AGAIN) - 1)]))

    async def _started(self, after: float) -> None:
        await asyncio.sleep(after)
        own = max(1, processors() // self._processes)
        before = "" if self._hurry else "warm" if self.about else "measure"  # the first one measures for all
        variant = self.about.get("variant", self.asked)  # the first one chooses for all, too
        try:
            place = await self._nursery.bear(str(self.folder), variant, own, self.budget, before)
        except (BurnishError, TimeoutError) as error:
            self._failures += 1
            self._coming -= 1
            self.unable(str(error))
            if self.state not in ("failed", "stopped"):
                self._fill()
            return
        await asyncio.get_running_loop().create_connection(lambda: Worker(self), sock=place)

    async def _sweep(self) -> None:
        """Tell those whose time is over, and end a process that is at one batch for longer than a request may take."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP)
            now = loop.time()
            for request in [one for one in self._open if one.deadline < now]:
                request.fail(Problem(504, "it took longer than the request may take", 1))
            for worker in self.workers:
                if worker.running and now - worker.busy_since > self.limits.timeout:
                    log.warning("a process of '%s' hangs (%d)", self.folder.name, worker.pid)
                    worker.busy_since = now
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _turn(self, state: State) -> None:
        self.state, self.since = state, asyncio.get_running_loop().time()
        self.changed.set()


def _written(batch: list[Item]) -> tuple[list[Item], bytes]:
    """The inputs that can be sent, and their JSON."""
    try:
        return batch, json.dumps([item.value for item in batch], ensure_ascii=False).encode()
    except UnicodeEncodeError:
        if len(batch) > 1:
            return _written([item for item in batch if _written([item])[0]])
    batch[0].owner.fail(Problem(422, "an input holds half of a surrogate pair, which is no character"))
    return [], b""
