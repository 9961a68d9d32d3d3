"""A whole server in a test: no sockets, no waiting, players on pipes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Protocol, Unpack

import trio

from ..driver.core.guard import naming_forgotten_awaits, unwrap_single
from ..driver.core.hooks import Hooks
from ..driver.server.server import MasterServer, ServerSettings
from ..telnet import Option
from .failures import Failures
from .pipe import CAPACITY, Pipe, PipeListener
from .player import Player
from .terminal import Terminal
from .threads import settle, watch_threads

MILLENNIUM = 946_728_000.0  # noon of 1 January 2000 in UTC, in seconds since 1970


class Mud:
    """The server under test.

    Attributes:
        server: The `MasterServer`, serving.
        listener: Its only door; `listener.fail(OSError(...))` makes an accept fail.
        nursery: For the test's own tasks; they end with the server.
        errors: What hooks, dialogs, timers and other work of the game have raised so far; of the same failure,
            repeated within `limits.log_interval`, only the first.
    """

    def __init__(
        self, server: MasterServer, listener: PipeListener, nursery: trio.Nursery, errors: Sequence[BaseException] = ()
    ) -> None:
        self.server = server
        self.listener = listener
        self.nursery = nursery
        self.errors = errors
        self._players = 0

    def connect(self, *, address: str = "", capacity: int = CAPACITY, latency: float = 0.0) -> Pipe:
        """A bare connection, for peers that do as they like: use `pipe.client`.

        Args:
            address: Where it says it is; by default every connection is somewhere else.
            capacity: Bytes each way before a sender must wait.
            latency: Seconds, of virtual time, from sent to received.
        """
        self._players += 1
        here = self._players
        pipe = Pipe(
            capacity=capacity,
            latency=latency,
            address=address or f"10.{here >> 16 & 255}.{here >> 8 & 255}.{here & 255}",
        )
        self.listener.connect(pipe)
        return pipe

    async def player(
        self,
        *,
        address: str = "",
        columns: int | None = None,
        rows: int | None = None,
        terminal: tuple[str, ...] = (),
        gmcp: Sequence[str] = (),
        options: Sequence[Option] = (),
        capacity: int = CAPACITY,
        latency: float = 0.0,
    ) -> Player:
        """A player at the door; returns when every task waits, so the connect hook has usually run.

        Args:
            address: Where it says it is; by default every player is somewhere else.
            columns: The width of its window; without it and `rows` the client does not tell.
            rows: The height.
            terminal: What its program answers to TTYPE, in order, such as `("MUDLET", "XTERM-256COLOR", "MTTS 13")`.
            gmcp: The packages of GMCP it takes, such as `("Room", "Comm.Channel")`.
            options: Whatever else of telnet its program speaks; seen from its side, `theirs` is the server's.
            capacity: Bytes each way before a sender must wait.
            latency: Seconds, of virtual time, from sent to received.
        """
        pipe = self.connect(address=address, capacity=capacity, latency=latency)
        program = Terminal(columns, rows, terminal, gmcp=gmcp, more=options)
        again = partial(
            self.player,
            address=pipe.server.address,
            columns=columns,
            rows=rows,
            terminal=terminal,
            gmcp=gmcp,
            options=options,
            capacity=capacity,
            latency=latency,
        )
        player = Player(pipe, program, self.nursery, f"player {self._players}", again)
        await settle()
        return player

    async def pass_time(self, seconds: float) -> None:
        """Let so much virtual time pass, and everything happen that happens in it."""
        await trio.sleep(seconds)
        await settle()

    async def race(self, *steps: Callable[[], Awaitable[object]]) -> None:
        """Let several things be done at the same moment, in whatever order the scheduler takes them, and settle.

        Args:
            steps: Such as `ann.vanish` or `partial(bob.type, "quit")`.
        """
        async with trio.open_nursery() as nursery:
            for step in steps:
                nursery.start_soon(step)
        await settle()


@asynccontextmanager
async def open_mud(
    hooks: Hooks,
    *,
    allow_errors: bool = False,
    **settings: Unpack[ServerSettings],
) -> AsyncGenerator[Mud, None]:
    """Serve these hooks for the length of the block; then shut the server down in order, and wait for it.

    Its wall clock goes with the clock of the test, from noon of 1 January 2000 in UTC.
    A failed expectation in the block comes out as itself, not inside an exception group.
    If the code of the game raised, the block raises that at its end, with its traceback.

    Args:
        hooks: The game.
        allow_errors: True if the game may fail; `Mud.errors` holds what was raised.
        settings: Those of `MasterServer`, such as `limits=` and `world=`.
    """
    __tracebackhide__ = True
    settings.setdefault("wall_clock", lambda: MILLENNIUM + trio.current_time())
    server = MasterServer(hooks, **settings)
    listener = PipeListener()
    failures = Failures()
    failure: BaseException | None = None
    watch_threads()
    try:
        with naming_forgotten_awaits(), failures.listening():
            async with trio.open_nursery() as players, trio.open_nursery() as nursery:
                await nursery.start(server.serve, [listener])
                try:
                    yield Mud(server, listener, players, failures.errors)
                except BaseException as error:
                    failure = error
                    raise
                await settle()  # what has been typed is handled, and may fail
                server.shutdown()
                await server.closed.wait()
                players.cancel_scope.cancel(reason="the block is over")
    except BaseException as error:  # noqa: BLE001  raised again, only without its groups
        if failure is not None and not isinstance(failure, trio.Cancelled):
            if failures.errors and not allow_errors:
                failure.add_note(failures.told())
            raise failure from failure.__cause__
        raise unwrap_single(error) from None
    if failures.errors and not allow_errors:
        raise failures.sole()


class OpenMud(Protocol):
    """The type of the fixture `mud`, for annotations: that of `open_mud`."""

    def __call__(
        self,
        hooks: Hooks,
        *,
        allow_errors: bool = False,
        **settings: Unpack[ServerSettings],
    ) -> AbstractAsyncContextManager[Mud]:
        """Serve these hooks for the length of the block."""
        ...
