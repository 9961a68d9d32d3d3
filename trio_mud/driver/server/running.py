"""A server from nothing: open the listeners, serve, and for a whole program mind the signals too."""

from __future__ import annotations

import errno
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple, Self, Unpack

import trio

from ...errors import ConfigurationError, TrioMudError
from ...transports.proxy import Network, ProxyListener
from ...transports.tcp import check_address, open_tcp_listeners
from ...transports.tls import Certificate, open_tls_listeners
from ..core.checks import article
from ..core.guard import naming_forgotten_awaits, unwrap_single
from ..core.hooks import Hooks
from .acceptor import AnyListener
from .log_queue import QueuedHandler
from .server import MasterServer, ServerSettings
from .watchdog import Watchdog, end_process

logger = logging.getLogger("trio_mud")

EXIT_CRASHED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 75  # EX_TEMPFAIL of sysexits.h: it may work later
EXIT_INTERRUPTED: Final = 130  # as a shell reports a program ended by SIGINT
PATIENCE: Final = 2.0  # seconds past all deadlines before the process is ended from outside the event loop


class CannotListen(TrioMudError):
    """No listener could be opened; the message says where and why.

    Attributes:
        status: The exit status of a program that ends by it.
        parameter: The argument of `run` to change: "port", "tls_port" or "host".
    """

    def __init__(self, host: str | None, port: int, parameter: str, error: OSError) -> None:
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            super().__init__(f"host {host!r} is no name or address known here")
            self.status = EXIT_USAGE
        else:
            where = error.filename or f"{host} port {port}"
            super().__init__(f"cannot listen at {where}: {error.strerror or error}")
            self.status = EXIT_UNAVAILABLE
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        self.parameter = "host" if is_host else parameter


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int
    is_secure: bool = False


OnOpen = Callable[[MasterServer, Sequence[Place]], None]


async def serve(
    hooks: Hooks,
    *,
    host: str | None = "localhost",
    port: int = 4000,
    listeners: Sequence[AnyListener] | None = None,
    task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED,
    **settings: Unpack[ServerSettings],
) -> None:
    """Serve a game until it shuts down or this is cancelled; either way every connection gets its disconnect event.

    `server = await nursery.start(partial(serve, hooks, port=4000))` goes on once it accepts.

    Args:
        hooks: The game.
        host: Where to listen: a name, an address, or None for every interface.
        port: 0 lets the system choose.
        listeners: Listen on these instead; they are taken over.
        settings: Those of `MasterServer`, such as `limits=` and `texts=`.

    Raises:
        OSError: The port cannot be bound.
        TypeError, ValueError: An argument is not what it should be.
        Exception: A function on `Started` raised it: nobody was accepted.
    """
    check_address(host, port)
    server = MasterServer(hooks, **settings)
    if listeners is None:
        listeners = await open_tcp_listeners(port, host=host, dead_peer=server.limits.dead_peer)
    await server.serve(listeners, task_status=task_status)


def run(
    hooks: Hooks,
    *,
    host: str | None = "localhost",
    port: int = 4000,
    tls_port: int | None = None,
    certificate: Certificate | None = None,
    proxy_from: Sequence[Network] = (),
    on_open: OnOpen | None = None,
    record: Path | None = None,
    **settings: Unpack[ServerSettings],
) -> None:
    """Run a game as a whole program, until SIGINT or SIGTERM.

    The first signal shuts down: players are told, what was written is flushed, the disconnect hooks run.
    A second one ends at once. SIGHUP loads the certificate anew, and ends nothing.
    A function that holds everybody up is told of in the log, see `limits.watchdog`.

    Args:
        tls_port: Listen there too, to peers that speak TLS; 0 lets the system choose.
        certificate: For those; without it there is no TLS.
        proxy_from: Networks of proxies: who connects from there must say by the PROXY protocol where its peer is.
        on_open: Told of the server and the places where it listens; without it they are printed.
        record: A folder for recordings of all connections; see `MasterServer.record`.

    The others are those of `serve`.

    Unless the program has configured logging, warnings and errors go to standard error meanwhile, through a queue, so
    that a stream that takes nothing never stops the server.

    Raises:
        OSError: The folder for recordings cannot be made.
        TypeError, ValueError: An argument is not what it should be, or there is a port for TLS and no certificate.
        RuntimeError: A module calls it while it is imported.
        SystemExit: With 75 if a port cannot be bound, and 2 if the host is unknown, after a sentence that says so; with
            130 after a second signal; with 1 if code of the game will not end; with its own status if a function of the
            game called `sys.exit`.
        Exception: A function on `Started` raised it, or the server crashed.
    """
    _refuse_import(sys._getframe(1))
    places = Places(host, port, tls_port, certificate, proxy_from)
    server = MasterServer(hooks, **settings)
    try:
        serve_places(server, places, on_open=on_open, record=record)
    except CannotListen as error:
        if sys.stderr is not None:
            print(f"{error}; choose another with {error.parameter}=", file=sys.stderr)
        raise SystemExit(error.status) from None


def _refuse_import(caller: FrameType) -> None:
    """Raise if a module calls `run` while it is imported, by `trio-mud run`, by a test or by another module."""
    name = caller.f_globals.get("__name__")
    if caller.f_code.co_name == "<module>" and name != "__main__" and caller.f_globals.get("__spec__") is not None:
        raise RuntimeError(
            f'run() was called while the module {name} is imported: write it below `if __name__ == "__main__":`'
        )


def serve_places(
    server: MasterServer, places: Places, *, on_open: OnOpen | None = None, record: Path | None = None
) -> None:
    """Do what `run` does, for a program that says itself why it cannot listen.

    Raises:
        CannotListen: A port cannot be bound, or the host is unknown.
    """
    if on_open is not None and not callable(on_open):
        raise TypeError(f"run(on_open=) takes a function of the server and its places, not {article(on_open)}")
    if record is not None:
        server.record(record)
    _occupy_standard_descriptors()
    fatal: BaseException | None = None
    with _collecting_seldom(), naming_forgotten_awaits(), _logging(server):
        try:
            trio.run(_serve_with_signals, server, places, on_open or _print_places)
        except BaseExceptionGroup as group:
            fatal = unwrap_single(group)
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
    if isinstance(fatal, KeyboardInterrupt):  # raised by a function of the game
        raise SystemExit(EXIT_INTERRUPTED)
    if fatal is not None:
        raise fatal  # out of its groups, and with the cause that the game gave it


def _occupy_standard_descriptors() -> None:
    """Open what was closed at the start, as `2>&-` does: else a player's socket would be what crash reports go to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


@contextmanager
def _logging(server: MasterServer) -> Iterator[None]:
    """Show what is logged, unless the program has configured that, and never wait for the stream."""
    root, own = logging.getLogger(), None
    if not logger.hasHandlers():
        own = QueuedHandler(sys.stderr, server.limits.max_log)
        own.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        root.addHandler(own)
    queued = [handler for handler in root.handlers if isinstance(handler, QueuedHandler)]
    for handler in queued:
        handler.counters = server.counters
    try:
        yield
    finally:
        for handler in queued:
            handler.flush()
        if own is not None:
            root.removeHandler(own)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for cyclic garbage less often: a server keeps most of what it makes, so Python looks through it in vain.

    As it is set by default that takes a fifth of what it costs to let somebody in. A connection that has ended is
    such garbage, so it must not be too seldom.
    """
    thresholds = gc.get_threshold()
    gc.freeze()  # nor through what was there before
    gc.set_threshold(10_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen, and to whom; the arguments of `run`.

    Raises:
        TypeError, ValueError: There can be no such host or port, or only half of what TLS needs is there.
    """

    host: str | None
    port: int
    tls_port: int | None
    certificate: Certificate | None
    proxy_from: Sequence[Network]

    def __post_init__(self) -> None:
        check_address(self.host, self.port)
        if self.tls_port is not None:
            check_address(self.host, self.tls_port, "tls_port")
        if (self.tls_port is None) != (self.certificate is None):
            raise ValueError("TLS needs both: tls_port= says where, certificate= who we are")

    async def open(self, dead_peer: float | None) -> tuple[list[AnyListener], list[Place]]:
        """Open all or, if one cannot be opened, none.

        Raises:
            CannotListen: One cannot be opened.
        """
        try:
            plain = await open_tcp_listeners(self.port, host=self.host, dead_peer=dead_peer)
        except OSError as error:
            raise CannotListen(self.host, self.port, "port", error) from error
        listeners: list[AnyListener] = [
            ProxyListener(listener, self.proxy_from) if self.proxy_from else listener for listener in plain
        ]
        places = [Place(*listener.address) for listener in plain]
        if self.tls_port is None or self.certificate is None:
            return listeners, places
        try:
            secure = await open_tls_listeners(
                self.tls_port,
                host=self.host,
                certificate=self.certificate,
                dead_peer=dead_peer,
                proxy_from=self.proxy_from,
            )
        except OSError as error:
            for listener in plain:
                await listener.aclose()
            raise CannotListen(self.host, self.tls_port, "tls_port", error) from error
        return [*listeners, *secure], [*places, *(Place(*listener.address, is_secure=True) for listener in secure)]


async def _serve_with_signals(server: MasterServer, wanted: Places, on_open: OnOpen) -> None:
    listeners, places = await wanted.open(server.limits.dead_peer)
    with _Signals(server, wanted.certificate) as signals, Watchdog(server):
        async with trio.open_nursery() as program:
            watch = await program.start(_watch_the_end, server, signals)
            try:
                await program.start(server.serve, listeners)
                on_open(server, places)
                if server.hooks.is_empty:
                    logger.warning("this game has no functions, so nobody reads anything: register some by @hooks.on")
                await server.closed.wait()
            finally:
                watch.cancel(reason="the server has ended")
    if signals.count > 1:
        raise SystemExit(EXIT_INTERRUPTED)


async def _watch_the_end(
    server: MasterServer, signals: _Signals, *, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    """Once nothing is left to wait for the program ends, even if code of the game swallows its cancellation.

    That is on the hard path, and when all events are handled at the end of a shutdown.
    """
    with trio.CancelScope(shield=True) as scope:
        task_status.started(scope)
        async with trio.open_nursery() as nursery:
            for event in (server.aborting, server.handled):
                nursery.start_soon(_exit_after, event, server, signals)


async def _exit_after(event: trio.Event, server: MasterServer, signals: _Signals) -> None:
    await event.wait()
    signals.exit_after(server.limits.cleanup + PATIENCE, EXIT_CRASHED)
    await trio.sleep_forever()


class _Signals:
    """SIGINT and SIGTERM: the first shuts down, the second ends at once. SIGHUP: the certificate is loaded anew.

    The handlers do not need the event loop to listen: a game that spins without a checkpoint cannot keep the program.
    """

    def __init__(self, server: MasterServer, certificate: Certificate | None) -> None:
        self._server = server
        self._certificate = certificate
        self._token = trio.lowlevel.current_trio_token()
        self._forced: threading.Timer | None = None
        self._forced_at = math.inf
        self.count = 0

    def __enter__(self) -> Self:
        self._old = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        self._old[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hear_hangup)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        if self._forced is not None:
            self._forced.cancel()

    def exit_after(self, seconds: float, status: int) -> None:
        """End the process then, whatever it is doing, unless it ends by itself; a later call postpones nothing."""
        now = time.monotonic()
        if self._forced is not None:
            if self._forced_at <= now + seconds:
                return
            self._forced.cancel()
        self._forced_at = now + seconds
        self._forced = threading.Timer(seconds, self._exit, (status,))
        self._forced.daemon = True
        self._forced.start()

    def _hear(self, number: int, frame: object) -> None:
        self.count += 1
        limits = self._server.limits
        if self.count == 1:
            self._token.run_sync_soon(self._server.shutdown)
            self.exit_after(limits.drain + limits.cleanup + PATIENCE, EXIT_CRASHED)
            logger.info("%s: shutting down; once more ends at once", signal.Signals(number).name)  # last: it may wait
        elif self.count == 2:
            self._token.run_sync_soon(partial(self._server.abort, within=0))
            self.exit_after(PATIENCE, EXIT_INTERRUPTED)
            logger.warning("%s again: ending at once", signal.Signals(number).name)

    def _hear_hangup(self, number: int, frame: object) -> None:
        self._token.run_sync_soon(self._reload, idempotent=True)

    def _reload(self) -> None:
        if self._certificate is None:
            logger.info("SIGHUP: there is no certificate to load anew")
            return
        try:
            self._certificate.reload()
        except ConfigurationError as error:
            logger.error("SIGHUP: the certificate stays the old one: %s", error)  # noqa: TRY400 - no bug of ours
        else:
            logger.info("SIGHUP: from now on the certificate is what %s holds now", self._certificate.path)

    @staticmethod
    def _exit(status: int) -> None:
        end_process(status, "code of the game does not end: the process is ended as it stands")


def _print_places(server: MasterServer, places: Sequence[Place]) -> None:
    for place in places:
        print(f"Listening on {place.host} port {place.port}{', with TLS' if place.is_secure else ''}", flush=True)
