"""Where model processes come from: one process that has imported what they need, and forks one for each order."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import suppress

from burnish.errors import BurnishError

_PATIENCE = 120.0  # seconds until the imports have to be done: a cold disk is slow


class Nursery:
    """Start model processes. It is started again when it has died; the processes live on without it.

    Args:
        signed_by: public key that a folder has to be signed with to be opened; empty for any folder.
    """

    def __init__(self, signed_by: str = "") -> None:
        self._signed_by = signed_by
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()

    async def bear(self, folder: str, asked: str | None, threads: int, budget: int, before: str) -> socket.socket:
        """Start a process for a variant of a model; the socket is the way to talk to it.

        Args:
            asked: the variant; None for the fastest verified one.
            threads: that it computes with.
            budget: tokens of a batch; 0 has it find out.
            before: what it does before it is ready: `measure` (batches of which size are fast), `warm` (up on rows of
                all lengths), or nothing.

        Raises:
            BurnishError: when no process can be started.
        """
        wanted = {"folder": folder, "asked": asked, "threads": threads, "budget": budget, "before": before}
        order = json.dumps(wanted | {"signed_by": self._signed_by}).encode()
        async with self._lock:
            for _ in range(2):
                try:
                    await self._ready()
                    ours, theirs = socket.socketpair()
                    with theirs:
                        assert self._control
                        socket.send_fds(self._control, [order], [theirs.fileno()])
                    ours.setblocking(False)
                    return ours
                except OSError:
                    self.close()
        raise BurnishError("a model process could not be started")

    async def _ready(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "burnish.serving.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
            )
        self._control = ours
        ours.setblocking(False)
        async with asyncio.timeout(_PATIENCE):
            if await asyncio.get_running_loop().sock_recv(ours, 1) != b"+":
                raise OSError("it died while importing")
        ours.setblocking(True)

    def close(self) -> None:
        if self._control:
            self._control.close()
        if self._process:
            with suppress(OSError):
                self._process.kill()
            self._process.wait()
        self._process = self._control = None
