"""The guard in front of the models: inputs are held against a policy before any model sees them.

Short texts are checked by patterns where they are, which takes a fraction of a millisecond. All else, and everything
once the policy names a model, goes to a process of its own (`python -P -m burnish.serving.guarding FD POLICY`), so that
the service goes on answering meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from burnish.data.words import join_words
from burnish.errors import BurnishError
from burnish.guards import Guard, policy
from burnish.guards.verdict import SEVERITY
from burnish.serving import wire
from burnish.serving.errors import Problem

_INLINE = 2_000  # characters of a request that patterns read in about the time of a small batch
_PATIENCE = 120.0  # seconds until the models of a policy have to be open
_SILENCE = 30.0  # seconds without any answer after which the process is taken to hang

Told = dict[str, Any]  # a verdict, as it is in JSON


@dataclass
class Admitted:
    """What becomes of the inputs of a request.

    Attributes:
        inputs: those a model may see, redacted where the policy says so.
        blocked: an error for each of the others, by its place.
        told: what was found in those that pass, by their place; never the text.
    """

    inputs: list[Any] = field(default_factory=list)
    blocked: dict[int, bytes] = field(default_factory=dict)
    told: dict[int, Told] = field(default_factory=dict)

    def parts(self, answered: Sequence[bytes]) -> list[bytes]:
        """The answers of the inputs that were seen and the errors of the others, in order."""
        rest = iter(answered)
        return [self.blocked.get(i) or next(rest) for i in range(len(self.inputs) + len(self.blocked))]

    def about(self) -> list[Told]:
        """What a client is told, an entry for each input that passed with findings."""
        return [{"input": place, **told} for place, told in sorted(self.told.items())]


class Guarding:
    """A guard, for the service.

    Raises:
        ConfigError: for a policy with mistakes; those of its models are told by `start`.
    """

    def __init__(self, path: str | Path, timeout: float) -> None:
        self.path, self.timeout = path, timeout
        found, _ = policy.load(path)
        reads = {getattr(check, "model", None) for check in found.checks}
        engines = {getattr(check, "engine", "burnish") for check in found.checks}
        self._inline = Guard.load(path) if reads == {None} and engines == {"burnish"} else None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[list[Told]]] = {}
        self._numbers = itertools.count()
        self._quiet: float | None = None  # moment since which a request waits and none is answered
        self._lock = asyncio.Lock()

    async def admit(self, inputs: Sequence[Any], task: str) -> Admitted:
        """Check the texts of inputs that a model of `task` is asked for.

        Raises:
            Problem: 503 when the process of the guard has died, and 504 when it takes too long: nothing passes
                unchecked.
        """
        texts, owners = [], []
        for place, one in enumerate(inputs):
            for text in _texts(one, task):
                texts.append(text)
                owners.append(place)
        of: dict[int, list[Told]] = {}
        for place, verdict in zip(owners, await self._verdicts(texts), strict=True):
            of.setdefault(place, []).append(verdict)
        found = Admitted()
        for place, one in enumerate(inputs):
            mine = of.get(place, [])
            if worst := next((verdict for verdict in mine if verdict["action"] == "block"), None):
                found.blocked[place] = b"-" + orjson.dumps({"status": 422, "detail": _why(worst)})
                continue
            clean = [verdict["text"] for verdict in mine]
            if clean == list(_texts(one, task)):
                found.inputs.append(one)
            else:
                found.inputs.append(clean if len(clean) > 1 else clean[0])
            hits = [{"text": n, **hit} for n, verdict in enumerate(mine) for hit in verdict["findings"]]
            if hits:
                action = max((verdict["action"] for verdict in mine), key=SEVERITY.index)
                found.told[place] = {"action": action, "findings": hits}
        return found

    async def pass_whole(self, given: Any, task: str) -> None:
        """See that an input may be looked at as it is.

        Raises:
            Problem: 422 where the policy blocks it, or takes something out of it; see `admit` for others.
        """
        found = await self.admit([given], task)
        for error in found.blocked.values():
            raise Problem(**orjson.loads(error[1:]))
        if found.inputs != [given]:
            raise Problem(422, "the guard takes something out of this; send it without")

    async def _verdicts(self, texts: list[str]) -> list[Told]:
        if self._inline and sum(map(len, texts)) <= _INLINE:
            return [asdict(verdict) for verdict in self._inline.check_many(texts)]
        try:
            async with asyncio.timeout(self.timeout):
                await self._started()
                number, self._quiet = next(self._numbers), self._quiet or time.monotonic()
                answer: asyncio.Future[list[Told]] = asyncio.get_running_loop().create_future()
                self._waiting[number] = answer
                try:
                    await self._send(wire.frame(number, wire.BATCH, orjson.dumps(texts)))
                    return await answer
                finally:
                    self._waiting.pop(number, None)
        except TimeoutError:
            if self._process and self._quiet and time.monotonic() - self._quiet > _SILENCE:
                self._process.kill()  # it hangs; the next request starts another
            raise Problem(504, "the guard took too long over this request") from None
        except (OSError, BurnishError):
            raise Problem(503, "the guard is not there; try again in a moment", 2) from None

    async def _started(self) -> None:
        """As `start`, which goes on when the one who waits for it no longer does."""
        if not self._running():
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self.start())
            await asyncio.shield(self._starting)

    async def _send(self, frame: bytes) -> None:
        """Send a frame whole once it has begun: after a part of one nothing more would be understood."""
        await asyncio.shield(asyncio.ensure_future(self._sent(frame)))

    async def _sent(self, frame: bytes) -> None:
        async with self._lock:
            if self._socket is None:
                raise OSError("the guard has gone")
            await asyncio.get_running_loop().sock_sendall(self._socket, frame)

    def _running(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def ready(self) -> None:
        """Start what the policy needs.

        Raises:
            BurnishError: with what is wrong with a model of the policy.
        """
        if self._inline is None:
            try:
                await self.start()
            except (OSError, TimeoutError) as error:
                raise BurnishError(f"the guard of '{self.path}' does not start: {error}") from None

    async def start(self) -> None:
        """Start the process, where the policy needs one and it does not run.

        Raises:
            BurnishError: with what is wrong with a model of the policy.
        """
        async with self._lock:
            if self._running():
                return
            self.close()
            ours, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-P", "-m", "burnish.serving.guarding", str(theirs.fileno()), str(self.path)]
                self._process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
                )
            ours.setblocking(False)
            self._socket = ours
            frames = wire.Frames()
            async with asyncio.timeout(_PATIENCE):
                while not (first := list(frames.feed(await self._received(ours)))):
                    pass
            _, kind, content = first[0]
            if kind == wire.FAILED:
                raise BurnishError(content.decode())
            self._quiet = None
            self._reader = asyncio.create_task(self._read(ours, frames))

    async def _received(self, place: socket.socket) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(place, 1 << 16)
        if not data:
            raise OSError("the guard has died")
        return data

    async def _read(self, place: socket.socket, frames: wire.Frames) -> None:
        try:
            while True:
                for number, kind, content in frames.feed(await self._received(place)):
                    self._quiet = None
                    answer = self._waiting.get(number)
                    if answer and not answer.done():
                        if kind == wire.ANSWER:
                            answer.set_result(orjson.loads(content))
                        else:
                            answer.set_exception(OSError("the guard failed on this request"))
        except OSError as error:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(error)

    def close(self) -> None:
        if self._reader:
            self._reader.cancel()
        if self._socket:
            self._socket.close()
        if self._process:
            with suppress(OSError):
                self._process.kill()
            self._process.wait()
        self._reader = self._socket = self._process = None


def _texts(one: Any, task: str) -> Sequence[str]:
    """The texts of an input: one, the two of a pair, or the words of a row of `tag` as one."""
    if isinstance(one, str):
        return (one,)
    if not isinstance(one, list) or not all(isinstance(text, str) for text in one):
        return ()  # the model says what is wrong with it
    return (join_words(one)[0],) if task == "tag" else one


def _why(verdict: Told) -> str:
    """The checks that block and where they found something, and nothing of the text."""
    found = [
        f"{one['check']} ({one['kind']}) at {one['start']}-{one['end']}, line {one['line']} of the policy"
        for one in verdict["findings"]
        if one["action"] == "block"
    ]
    return f"the guard blocks this: {'; '.join(found)}"


def main() -> None:
    """Answer lists of texts that come over a socket until the other side is gone."""
    place = socket.socket(fileno=int(sys.argv[1]))
    try:
        guard = Guard.load(sys.argv[2])
    except BurnishError as error:
        place.sendall(wire.frame(0, wire.FAILED, str(error).encode()))
        return
    place.sendall(wire.frame(0, wire.HELLO, b""))
    while (found := wire.read(place)) is not None:
        number, _, content = found
        try:
            verdicts = guard.check_many(json.loads(content))
            answer = wire.frame(number, wire.ANSWER, orjson.dumps([asdict(verdict) for verdict in verdicts]))
        except Exception as error:  # it has to be told over there, whatever it is; the text is no part of it
            answer = wire.frame(number, wire.FAILED, type(error).__name__.encode())
        with suppress(OSError):
            place.sendall(answer)


if __name__ == "__main__":
    main()
