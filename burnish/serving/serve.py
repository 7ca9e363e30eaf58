"""`burnish serve`: models behind one port, until somebody stops it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from burnish import extras
from burnish.errors import BurnishError, InputError
from burnish.serving.keys import Keys

Say = Callable[[str], None]
_IDLE = 75  # seconds that a connection without requests stays open


@dataclass(frozen=True)
class Options:
    """Where to listen, to whom, and what to keep.

    Attributes:
        api_key_file: see `Keys.read`.
        insecure: answer everybody, also from other machines.
        models: folder with further versions that an administrator may load.
        store: where requests and corrections are kept; `none` keeps nothing.
        keep: of requests: none (lengths and classes alone), redacted or texts.
        days: that requests are kept.
        tls_cert, tls_key: files in PEM.
        patience: seconds for requests under way when it is stopped.
        guard: policy that inputs are held against.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key_file: str | None = None
    insecure: bool = False
    models: str | None = None
    store: str = ".burnish/serve.sqlite"
    keep: Literal["none", "redacted", "texts"] = "none"
    days: int = 30
    tls_cert: str | None = None
    tls_key: str | None = None
    patience: float = 20.0
    guard: str | None = None


def serve(folders: Sequence[str | Path], options: Options, limits: Any = None, say: Say = lambda line: None) -> None:
    """Serve model folders until SIGTERM or Ctrl-C.

    Args:
        limits: a `Limits`; its defaults when None.

    Raises:
        InputError: for a folder that is no model, keys or a port that cannot be used, and for another address than this
            machine's own without keys.
        MissingExtra: when the libraries of the extra `serve` are not installed.
    """
    for name in ("fastapi", "uvicorn", "httptools", "orjson", "prometheus_client"):
        extras.need(name, "serve")
    from burnish.serving.deployment import Limits
    from burnish.serving.guarding import Guarding
    from burnish.serving.keeper import Keeper
    from burnish.serving.registry import Registry
    from burnish.serving.service import Service
    from burnish.serving.stats import Stats

    places = _places(folders)
    keys = _keys(options, say)
    listener = _listener(options)
    stats = Stats()
    registry = Registry(limits or Limits(), Path(options.models) if options.models else None, stats.seen)
    stats.watch(registry)
    local = _own(options.host)
    service = Service(registry, stats, keys, registry.limits, local)
    service.guarding = Guarding(options.guard, registry.limits.timeout) if options.guard else None
    with _store(options) as store, _traces() as service.traces:
        service.keeper = Keeper(store) if store else None
        _run(service, places, options, listener, say)


def _run(service: Any, places: list[Path], options: Options, listener: socket.socket, say: Say) -> None:
    import uvicorn

    from burnish.serving.api import application
    from burnish.serving.protocol import Guarded

    failed: list[BaseException] = []
    opening: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        say(f"starting {', '.join(place.resolve().name for place in places)}")
        opening.append(asyncio.ensure_future(service.registry.open(places)))
        try:
            if service.guarding:
                await service.guarding.ready()
            await opening[0]
        except (BurnishError, asyncio.CancelledError) as error:
            failed.append(error)
            await service.registry.close(0)
            raise RuntimeError("it does not start") from error
        for served in service.registry.served.values():
            about, active = served.active.about, served.active
            say(f"  {served.name}: {about['task']}, variant {about['variant']}, batches of {active.budget:,} tokens")
        host = f"[{options.host}]" if ":" in options.host else options.host
        say(f"http{'s' if options.tls_cert else ''}://{host}:{listener.getsockname()[1]}  (Ctrl-C stops it)")
        yield
        await service.registry.close(options.patience)
        if service.guarding:
            service.guarding.close()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            self._captured_signals.clear()  # to have been stopped is no error
            if not self.started and opening:
                opening[0].get_loop().call_soon_threadsafe(opening[0].cancel)

    service.inner = application(service, life)
    config = uvicorn.Config(
        service,
        http=Guarded,
        ws="none",
        loop="uvloop" if extras.have("uvloop") else "asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=round(options.patience),
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what fails here is told by the service itself
    try:
        Server(config).run([listener])
    except SystemExit:
        if not failed:
            raise
    if failed and isinstance(failed[0], BurnishError):
        raise failed[0]
    say("stopped")


def _store(options: Options) -> AbstractContextManager[Any]:
    from burnish.monitoring.store import Store

    return nullcontext() if options.store == "none" else Store.open(options.store, keep=options.keep, days=options.days)


def _traces() -> AbstractContextManager[Any]:
    from burnish.serving.traces import Traces

    traces = Traces.of_environment()
    return closing(traces) if traces else nullcontext()


def _places(folders: Sequence[str | Path]) -> list[Path]:
    places = [Path(folder) for folder in folders]
    for place in places:
        if not (place / "burnish.json").is_file():
            raise InputError(f"'{place}' is no burnish model (it has no burnish.json); make one with: burnish tune JOB")
    names = [place.resolve().name for place in places]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of the folders have the name '{twice}'; a model is called by the name of its folder")
    return places


def _keys(options: Options, say: Say) -> Keys | None:
    keys = Keys.read(options.api_key_file) if options.api_key_file else None
    if keys is None and not options.insecure and not _own(options.host):
        raise InputError(
            f"--host {options.host} is open to other machines: give it --api-key-file FILE, or --insecure if "
            "everybody there may ask"
        )
    if keys and any(key.short for key in keys.keys):
        say("note: a key has fewer than 16 characters and could be guessed; make one with: openssl rand -hex 32")
    if options.api_key_file and os.name == "posix":
        mode = stat.S_IMODE(os.stat(options.api_key_file).st_mode)
        if mode & 0o077:
            say(f"note: others on this machine may read '{options.api_key_file}'; chmod 600 it")
    for name, path in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        if path and not Path(path).is_file():
            raise InputError(f"{name}: there is no file '{path}'")
    if bool(options.tls_cert) != bool(options.tls_key):
        raise InputError("TLS takes both --tls-cert and --tls-key")
    return keys


def _own(host: str) -> bool:
    """Whether nothing but this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listener(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"--host {options.host} --port {options.port}: cannot listen there: {error}") from None
    return listener
