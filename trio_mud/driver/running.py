"""A server from nothing: open the listeners, serve, and for a whole program mind the signals too."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Self

import trio

from ..limits import Limits
from ..texts import Texts
from ..transports.tcp import open_tcp_listeners
from .hooks import Hooks
from .server import AnyListener, MasterServer

logger = logging.getLogger("trio_mud")

EXIT_CRASHED: Final = 1
EXIT_INTERRUPTED: Final = 130  # as a shell reports a program ended by SIGINT
PATIENCE: Final = 2.0  # seconds past all deadlines before the process is ended from outside the event loop

OnOpen = Callable[[MasterServer, Sequence[tuple[str, int]]], None]


async def serve(
    hooks: Hooks,
    *,
    host: str | None = "localhost",
    port: int = 4000,
    listeners: Sequence[AnyListener] | None = None,
    limits: Limits | None = None,
    texts: Texts | None = None,
    world: object = None,
    task_status: trio.TaskStatus[MasterServer] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a game until it shuts down or this is cancelled; either way every connection gets its disconnect event.

    `server = await nursery.start(partial(serve, hooks, port=4000))` goes on once it accepts.

    Args:
        hooks: The game.
        host: Where to listen: a name, an address, or None for every interface.
        port: 0 lets the system choose.
        listeners: Listen on these instead; they are taken over.
        limits: Every bound and deadline.
        texts: Every sentence the driver itself says.
        world: The game's own object, for its functions as `server.world`.

    Raises:
        OSError: The port cannot be bound.
    """
    server = MasterServer(hooks, limits=limits, texts=texts, world=world)
    if listeners is None:
        listeners = await open_tcp_listeners(port, host=host, dead_peer=server.limits.dead_peer)
    await server.serve(listeners, task_status=task_status)


def run(
    hooks: Hooks,
    *,
    host: str | None = "localhost",
    port: int = 4000,
    limits: Limits | None = None,
    texts: Texts | None = None,
    world: object = None,
    on_open: OnOpen | None = None,
) -> None:
    """Run a game as a whole program, until SIGINT or SIGTERM.

    The first signal shuts down: players are told, what was written is flushed, the disconnect hooks run.
    A second one ends at once.

    Args:
        on_open: Told of the server and the addresses it listens on; without it they are printed.

    The others are those of `serve`.

    Raises:
        OSError: The port cannot be bound.
        SystemExit: With 130 after a second signal; with 1 if code of the game will not end.
    """
    server = MasterServer(hooks, limits=limits, texts=texts, world=world)
    trio.run(_serve_with_signals, server, host, port, on_open or _print_addresses)


async def _serve_with_signals(server: MasterServer, host: str | None, port: int, on_open: OnOpen) -> None:
    listeners = await open_tcp_listeners(port, host=host, dead_peer=server.limits.dead_peer)
    with _Signals(server) as signals:
        async with trio.open_nursery() as program:
            watch = await program.start(_watch_the_end, server, signals)
            await program.start(server.serve, listeners)
            on_open(server, [listener.address for listener in listeners])
            await server.closed.wait()
            watch.cancel(reason="the server has ended")
    if signals.count > 1:
        raise SystemExit(EXIT_INTERRUPTED)


async def _watch_the_end(
    server: MasterServer, signals: _Signals, *, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    """Once the hard path is taken the program ends, even if code of the game swallows its cancellation."""
    with trio.CancelScope(shield=True) as scope:
        task_status.started(scope)
        await server.aborting.wait()
        signals.exit_after(server.limits.cleanup + PATIENCE, EXIT_CRASHED)
        await trio.sleep_forever()


class _Signals:
    """SIGINT and SIGTERM: the first shuts down, the second ends at once.

    The handlers do not need the event loop to listen: a game that spins without a checkpoint cannot keep the program.
    """

    def __init__(self, server: MasterServer) -> None:
        self._server = server
        self._token = trio.lowlevel.current_trio_token()
        self._forced: threading.Timer | None = None
        self.count = 0

    def __enter__(self) -> Self:
        self._old = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        if self._forced is not None:
            self._forced.cancel()

    def exit_after(self, seconds: float, status: int) -> None:
        """End the process then, whatever it is doing, unless it has ended by itself."""
        if self._forced is not None:
            self._forced.cancel()
        self._forced = threading.Timer(seconds, self._exit, (status,))
        self._forced.daemon = True
        self._forced.start()

    def _hear(self, number: int, frame: object) -> None:
        self.count += 1
        limits = self._server.limits
        if self.count == 1:
            logger.info("%s: shutting down; once more ends at once", signal.Signals(number).name)
            self._token.run_sync_soon(self._server.shutdown)
            self.exit_after(limits.drain + limits.cleanup + PATIENCE, EXIT_CRASHED)
        elif self.count == 2:
            logger.warning("%s again: ending at once", signal.Signals(number).name)
            self._token.run_sync_soon(partial(self._server.abort, within=0))
            self.exit_after(PATIENCE, EXIT_INTERRUPTED)

    @staticmethod
    def _exit(status: int) -> None:
        logger.critical("code of the game does not end: the process is ended as it stands")
        os._exit(status)


def _print_addresses(server: MasterServer, addresses: Sequence[tuple[str, int]]) -> None:
    for host, port in addresses:
        print(f"Listening on {host} port {port}", flush=True)
