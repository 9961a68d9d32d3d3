"""Runs a server: opens the listeners and serves; for a whole program, handles the signals as well."""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, Self, Unpack

import trio

from ...coroutines import naming_forgotten_awaits
from ...errors import ConfigurationError
from ...transports.inherited import take_inherited
from ...transports.proxy import Network
from ...transports.tcp import check_address, open_tcp_listeners
from ...transports.tls import Certificate
from ..core.checks import article
from ..core.guard import unwrap_single
from ..core.hooks import Hooks
from .acceptor import AnyListener
from .console import CannotOpenConsole, Console
from .log_lines import LineFormatter
from .log_queue import QueuedHandler, reopen_log
from .places import CannotListen, Place, Places
from .server import MasterServer, ServerSettings
from .task_report import report_tasks
from .watchdog import Watchdog, end_process

logger = logging.getLogger("trio_mud")

EXIT_CRASHED: Final = 1
EXIT_INTERRUPTED: Final = 130  # as a shell reports a program ended by SIGINT
PATIENCE: Final = 2.0  # seconds past all deadlines until the process is ended from outside the event loop

OnOpen = Callable[[MasterServer, Sequence[Place]], None]
Lifespan = Callable[[MasterServer], AbstractAsyncContextManager[object]]


async def serve(
    hooks: Hooks,
    *,
    host: str | None = "localhost",
    port: int = 4000,
    listeners: Sequence[AnyListener] | None = None,
    task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED,
    **settings: Unpack[ServerSettings],
) -> None:
    """Serve a game until it shuts down or the call is cancelled; in both cases all disconnect events are handled.

    `server = await nursery.start(partial(serve, hooks, port=4000))` returns once the server accepts.

    Args:
        hooks: The game.
        host: The interface to listen on: a name, an address, or None for all interfaces.
        port: The port; 0 lets the system choose.
        listeners: Used in place of `host` and `port`; the server takes ownership.
        task_status: For `nursery.start`.
        settings: The arguments of `MasterServer`, such as `limits=` and `texts=`.

    Raises:
        OSError: The port cannot be bound.
        TypeError, ValueError: An argument is invalid.
        Exception: A function on `Started` raised it; no connection was accepted.
    """
    check_address(host, port)
    server = MasterServer(hooks, **settings)
    if listeners is None:
        listeners = await open_tcp_listeners(port, host=host, dead_peer=server.limits.dead_peer_timeout)
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
    console: Path | None = None,
    lifespan: Lifespan | None = None,
    **settings: Unpack[ServerSettings],
) -> None:
    """Run a game as a whole program, until SIGINT or SIGTERM.

    The first signal shuts down: players receive the last words, output is flushed, the disconnect hooks run.
    A second signal ends the program at once. SIGHUP reloads the certificate, and the game if it can be reloaded.
    SIGUSR2 logs all tasks.
    A function that blocks the event loop is logged, see `limits.watchdog_timeout`.

    Sockets that systemd passes by LISTEN_FDS are used in place of `host` and `port`, and one that is called `tls` in
    place of `tls_port`.

    Args:
        hooks: As for `serve`.
        host: As for `serve`.
        port: As for `serve`.
        tls_port: A second port, for TLS; 0 lets the system choose.
        certificate: The certificate for TLS; without it there is no TLS.
        proxy_from: The networks of proxies; connections from there must begin with a PROXY protocol header.
        on_open: Called with the server and the addresses it listens on; by default they are printed.
        record: A folder for recordings of all connections; see `MasterServer.record`.
        console: The socket of the console, for `trio-mud admin` of the same user; None for none.
        lifespan: Called with the server, returns an async context manager. It is entered before a port is bound, and
            left after the last event; a database can be opened and closed there.
        settings: As for `serve`.

    Unless the program has configured logging, events from INFO up are written to standard error, as by `trio-mud run`.
    They pass through a queue, so that a blocked stream never stops the server.

    Raises:
        OSError: The folder for recordings cannot be created.
        TypeError, ValueError: An argument is invalid, or only one of `tls_port` and `certificate` is given.
        ConfigurationError: The sockets of LISTEN_FDS cannot be used.
        RuntimeError: A module calls it while it is imported.
        SystemExit: With status 75 if a port or the console cannot be bound and 2 if the host is unknown, after a
            sentence on standard error; 130 after a second signal; 1 if code of the game does not end; or the status of
            a `sys.exit` in a function of the game.
        Exception: A function on `Started` raised it, or the server crashed.
    """
    _refuse_import(sys._getframe(1))
    places = Places(host, port, tls_port, certificate, proxy_from)
    server = MasterServer(hooks, **settings)
    try:
        serve_places(server, places, on_open=on_open, record=record, console=console, lifespan=lifespan)
    except CannotOpenConsole as error:
        if sys.stderr is not None:
            print(f"{error}; choose another with console=", file=sys.stderr)
        raise SystemExit(error.status) from None
    except CannotListen as error:
        if sys.stderr is not None:
            print(f"{error}; choose another with {error.parameter}=", file=sys.stderr)
        raise SystemExit(error.status) from None


def _refuse_import(caller: FrameType) -> None:
    """Raise if a module calls `run` while `trio-mud run`, a test or another module imports it."""
    name = caller.f_globals.get("__name__")
    if caller.f_code.co_name == "<module>" and name != "__main__" and caller.f_globals.get("__spec__") is not None:
        raise RuntimeError(
            f'run() was called while the module {name} is imported: write it below `if __name__ == "__main__":`'
        )


def serve_places(
    server: MasterServer,
    places: Places,
    *,
    on_open: OnOpen | None = None,
    record: Path | None = None,
    console: Path | None = None,
    needs_console: bool = True,
    lifespan: Lifespan | None = None,
) -> None:
    """Do the work of `run`, but raise `CannotListen` and `CannotOpenConsole` to the caller.

    Args:
        needs_console: False to serve without a console if its socket cannot be created; an error is logged.

    Raises:
        CannotListen: A port cannot be bound, or the host is unknown.
        CannotOpenConsole: The console is needed and cannot be opened, or it belongs to another server.
        ConfigurationError: The sockets of LISTEN_FDS cannot be used.
    """
    if on_open is not None and not callable(on_open):
        raise TypeError(f"run(on_open=) takes a function of the server and its places, not {article(on_open)}")
    if record is not None:
        server.record(record)
    _occupy_standard_descriptors()
    fatal: BaseException | None = None
    with _collecting_seldom(), naming_forgotten_awaits(), _logging(server):
        places = replace(places, inherited=take_inherited(os.environ, os.getpid()))
        try:
            trio.run(
                _serve_within,
                lifespan,
                partial(_console_at, console, needs_console),
                server,
                places,
                on_open or _print_places,
            )
        except BaseExceptionGroup as group:
            fatal = unwrap_single(group)
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
    if isinstance(fatal, KeyboardInterrupt):  # raised by a function of the game
        raise SystemExit(EXIT_INTERRUPTED)
    if fatal is not None:
        raise fatal  # out of its groups, and with the cause that the game gave it


def _occupy_standard_descriptors() -> None:
    """Open standard descriptors that are closed, as by `2>&-`; a player's socket would otherwise get their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # POSIX assigns the lowest free number


@contextmanager
def _logging(server: MasterServer) -> Iterator[None]:
    """Write the log to standard error through a queue, unless the program has configured logging."""
    root, own = logging.getLogger(), None  # the root, because a game has loggers of its own
    level = root.level
    if not logger.hasHandlers():
        own = QueuedHandler(sys.stderr, server.limits.max_log)
        own.setFormatter(LineFormatter())
        root.addHandler(own)
        root.setLevel(logging.INFO)
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
            root.setLevel(level)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Run the cyclic garbage collector less often, since a server keeps most of its objects.

    With Python's default thresholds it takes a fifth of the cost of admitting a connection. A connection that has
    ended is cyclic garbage, so collection must not be too rare.
    """
    thresholds = gc.get_threshold()
    gc.freeze()  # excludes the objects that exist already
    gc.set_threshold(10_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def _serve_within(
    lifespan: Lifespan | None,
    open_console: Callable[[MasterServer], AbstractContextManager[object]],
    server: MasterServer,
    wanted: Places,
    on_open: OnOpen,
) -> None:
    """Serve within the lifespan. Outside the handling of signals, whose deadline would cut its end short."""
    async with lifespan(server) if lifespan is not None else nullcontext():
        with open_console(server):
            await _serve_with_signals(server, wanted, on_open)


@contextmanager
def _console_at(path: Path | None, is_needed: bool, server: MasterServer) -> Iterator[None]:
    """Open the console, if there is to be one."""
    with ExitStack() as stack:
        if path is not None:
            try:
                stack.enter_context(Console(server, path))
                logger.info("the console is at %s", path)
            except CannotOpenConsole as error:
                if is_needed or error.is_in_use:
                    raise
                logger.error("%s; there is no console", error)  # noqa: TRY400 - not a bug
        yield


async def _serve_with_signals(server: MasterServer, wanted: Places, on_open: OnOpen) -> None:
    listeners, places = await wanted.open(server.limits.dead_peer_timeout)
    with _Signals(server, wanted.certificate) as signals, Watchdog(server):
        async with trio.open_nursery() as program:
            watch = await program.start(_watch_the_end, server, signals)
            try:
                await program.start(server.serve, listeners)
                on_open(server, places)
                if server.hooks.is_empty:
                    logger.warning("the game has no hooks, so players receive no text: register some by @hooks.on")
                await server.closed.wait()
            finally:
                watch.cancel(reason="the server has ended")
    if signals.count > 1:
        raise SystemExit(EXIT_INTERRUPTED)


async def _watch_the_end(
    server: MasterServer, signals: _Signals, *, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    """End the process if code of the game swallows its cancellation and so keeps the server from ending.

    The time counts from the beginning of the hard path, or from when all events are handled in a shutdown.
    """
    with trio.CancelScope(shield=True) as scope:
        task_status.started(scope)
        async with trio.open_nursery() as nursery:
            for event in (server._aborting, server._handled):
                nursery.start_soon(_exit_after, event, server, signals)


async def _exit_after(event: trio.Event, server: MasterServer, signals: _Signals) -> None:
    await event.wait()
    signals.exit_after(server.limits.cleanup_timeout + PATIENCE, EXIT_CRASHED)
    await trio.sleep_forever()


class _Signals:
    """Handles SIGINT and SIGTERM (the first shuts down, the second ends at once), SIGHUP and SIGUSR2.

    SIGHUP reloads the certificate and the game and reopens the file of the log, and SIGUSR2 logs all tasks.
    The handlers work without the event loop, so that a game in an endless loop cannot keep the program running.
    """

    def __init__(self, server: MasterServer, certificate: Certificate | None) -> None:
        self._server = server
        self._certificate = certificate
        self._token = trio.lowlevel.current_trio_token()
        self._root = trio.lowlevel.current_root_task()
        self._forced: threading.Timer | None = None
        self._forced_at = math.inf
        self.count = 0

    def __enter__(self) -> Self:
        self._old = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        self._old[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hear_hangup)
        self._old[signal.SIGUSR2] = signal.signal(signal.SIGUSR2, self._report_tasks)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        if self._forced is not None:
            self._forced.cancel()

    def exit_after(self, seconds: float, status: int) -> None:
        """End the process after these seconds unless it ends by itself. A later call cannot postpone that."""
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
            self.exit_after(limits.shutdown_timeout + limits.cleanup_timeout + PATIENCE, EXIT_CRASHED)
            # Last, since it may wait for the stream.
            logger.info("%s received: shutting down; a second one ends at once", signal.Signals(number).name)
        elif self.count == 2:
            self._token.run_sync_soon(partial(self._server.abort, within=0))
            self.exit_after(PATIENCE, EXIT_INTERRUPTED)
            logger.warning("%s received again: ending at once", signal.Signals(number).name)

    def _hear_hangup(self, number: int, frame: object) -> None:
        self._token.run_sync_soon(self._reload, idempotent=True)

    def _report_tasks(self, number: int, frame: object) -> None:
        for line in report_tasks(self._root):
            logger.info("%s", line)

    def _reload(self) -> None:
        """Reload the certificate and the code of the game; each of them may fail by itself."""
        reopen_log()
        if self._certificate is None and self._server._reload is None:
            logger.info("SIGHUP received: there is no certificate and no game to reload")
        if self._certificate is not None:
            try:
                self._certificate.reload()
            except ConfigurationError as error:
                logger.error("SIGHUP received: the old certificate is kept: %s", error)  # noqa: TRY400 - not a bug
            else:
                logger.info("SIGHUP received: the certificate was reloaded from %s", self._certificate.path)
        if self._server._reload is not None:
            logger.info("SIGHUP received: the game is reloaded")
            with suppress(RuntimeError):  # the server does not serve yet, or no longer
                self._server.start_soon(self._server._try_reload, name="reload")

    @staticmethod
    def _exit(status: int) -> None:
        end_process(status, "code of the game does not end: the process is ended without saving")


def _print_places(server: MasterServer, places: Sequence[Place]) -> None:
    for place in places:
        more = (", with WebSocket" if place.protocol == "websocket" else "") + (", with TLS" if place.is_secure else "")
        print(f"Listening on {place.host} port {place.port}{more}", flush=True)
