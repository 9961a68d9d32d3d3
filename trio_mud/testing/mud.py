"""A complete server in a test: no sockets, no waiting, players on pipes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Final, Protocol, Unpack

import trio

from ..cluster.gateway import GatewayService
from ..cluster.shares import limits_of_gateway, limits_of_world
from ..cluster.world import WorldService
from ..coroutines import naming_forgotten_awaits
from ..driver.core.guard import unwrap_single
from ..driver.core.hooks import Hooks
from ..driver.server.events import Reloaded
from ..driver.server.operator import ConsoleOperator
from ..driver.server.server import MasterServer, ServerSettings
from ..limits import Limits
from ..program.reload import GameReload
from ..storage import Store, Stored, inline
from ..storage.journal import ChangeJournal
from ..storage.rows import FENCE
from ..telnet import Option
from ..transports.site import Site
from ..transports.streams import StreamListener
from ..transports.websocket import WebListener
from ..web import SUBPROTOCOLS
from ..world import Game, World
from .failures import Failures
from .gmcp import Return
from .memory_cluster import MemoryCluster
from .pipe import CAPACITY, Pipe, PipeListener
from .player import Player
from .storage import MortalMemory
from .terminal import Terminal
from .threads import settle, watch_threads
from .web_player import WebPlayer
from .web_wire import PAGE, WebWire

PAGE_TERMINAL: Final = ("TRIO_MUD PAGE", "XTERM-TRUECOLOR", "MTTS 269")
PAGE_PACKAGES: Final = ("Char", "Room", "Comm.Channel", "Client.Media", "Session")
MILLENNIUM = 946_728_000.0  # noon of 1 January 2000 in UTC, in seconds since 1970


class Mud:
    """The server under test.

    Attributes:
        server: The running `MasterServer`.
        front: The server that has the players' links: `server`, or with `split=True` the gateway's.
        listener: The listener of its telnet port; `listener.fail(OSError(...))` makes an accept fail.
        web_listener: The listener of its web port.
        nursery: For the test's own tasks; they are cancelled when the server ends.
        errors: The exceptions raised so far by hooks, dialogs, timers and other work of the game; of the same failure,
            repeated within `limits.log_interval`, only the first.
        storage: The stored records of a `Game`, as a database would have them now. Pass it to the next
            `mud(game, storage=…)`, which is the same game after a restart.
    """

    def __init__(
        self,
        server: MasterServer,
        listener: PipeListener,
        nursery: trio.Nursery,
        errors: Sequence[BaseException] = (),
        memory: MortalMemory | None = None,
        web_listener: PipeListener | None = None,
        front: MasterServer | None = None,
    ) -> None:
        self.server = server
        self.front = front or server
        self.listener = listener
        self.web_listener = web_listener or PipeListener()
        self.nursery = nursery
        self.errors = errors
        self._memory = memory or MortalMemory()
        self.storage: Stored = self._memory.stored
        self._players = 0

    @property
    def store(self) -> Store:
        """The open store of a `Game`.

        Raises:
            TypeError: The server serves hooks alone.
        """
        return World.of(self.server).store

    def connect(self, *, address: str = "", capacity: int = CAPACITY, latency: float = 0.0) -> Pipe:
        """Open a connection without a player, for peers with their own behaviour: use `pipe.client`.

        Args:
            address: The client's address; by default every connection has another one.
            capacity: Bytes in each direction before a sender must wait.
            latency: Seconds of virtual time from sending to receiving.
        """
        pipe = self._pipe(address, capacity, latency)
        self.listener.connect(pipe)
        return pipe

    def _pipe(self, address: str, capacity: int, latency: float) -> Pipe:
        self._players += 1
        here = self._players
        return Pipe(
            capacity=capacity,
            latency=latency,
            address=address or f"10.{here >> 16 & 255}.{here >> 8 & 255}.{here & 255}",
        )

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
        returns: Return | None = None,
    ) -> Player:
        """Connect a player; return when every task waits, so the connect hook has usually run.

        Args:
            address: The client's address; by default every player has another one.
            columns: The width of its window; without it and `rows` the client does not send its size.
            rows: The height of its window.
            terminal: The answers of its program to TTYPE, in order, such as `("MUDLET", "XTERM-256COLOR", "MTTS 13")`.
            gmcp: The GMCP packages it supports, such as `("Room", "Comm.Channel")`.
            options: Further telnet options of its program; seen from its side, `theirs` is the server's.
            capacity: Bytes in each direction before a sender must wait.
            latency: Seconds of virtual time from sending to receiving.
            returns: `Player.returns` of an earlier player, which its program presents; it must take `Session`.
        """
        pipe = self.connect(address=address, capacity=capacity, latency=latency)
        program = Terminal(columns, rows, terminal, gmcp=gmcp, returns=returns, more=options)
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

    async def web_player(
        self,
        subprotocol: str = PAGE,
        *,
        headers: Sequence[tuple[str, str]] = (),
        address: str = "",
        columns: int | None = 80,
        rows: int | None = 24,
        terminal: tuple[str, ...] = PAGE_TERMINAL,
        gmcp: Sequence[str] = PAGE_PACKAGES,
        capacity: int = CAPACITY,
        latency: float = 0.0,
        returns: Return | None = None,
    ) -> WebPlayer:
        """Connect a player by the web port, by default one who plays in the page of this package.

        A client of a subprotocol without telnet sends only what it can express: lines, and GMCP where it has GMCP.

        Args:
            subprotocol: One of `trio_mud.web.SUBPROTOCOLS`; "" to name none, as some programs do.
            headers: Further headers of its request, such as `("Origin", "https://mud.example")`.
            address: As for `player`; so are the others.
            columns: The width of its window.
            rows: The height of its window.
            terminal: The answers of its program to TTYPE.
            gmcp: The GMCP packages it supports; with "Session" it keeps a token for its return.
            capacity: Bytes in each direction before a sender must wait.
            latency: Seconds of virtual time from sending to receiving.
            returns: `Player.returns` of an earlier player, which it presents.
        """
        wire = WebWire(subprotocol, headers=headers)
        pipe = self._pipe(address, capacity, latency)
        self.web_listener.connect(pipe)
        again = partial(
            self.web_player,
            subprotocol,
            headers=headers,
            address=pipe.server.address,
            columns=columns,
            rows=rows,
            terminal=terminal,
            gmcp=gmcp,
            capacity=capacity,
            latency=latency,
        )
        program = Terminal(columns, rows, terminal, gmcp=gmcp, returns=returns)
        player = WebPlayer(pipe, program, self.nursery, f"web player {self._players}", again, wire)
        await settle()
        return player

    async def pass_time(self, seconds: float) -> None:
        """Advance virtual time by this many seconds, and handle every event in them."""
        await trio.sleep(seconds)
        await settle()

    async def reload(self, name: str) -> Reloaded:
        """Reload the game as `MasterServer.reload` does, from the files as they are now.

        Args:
            name: The name of the game, `MODULE:NAME`, by which the test has imported it.

        Raises:
            ReloadFailed: The new code cannot take over, and nothing has changed.
        """
        return await GameReload(self.server, name, execute=inline, longest=0).run()

    async def admin(self, command: str) -> str:
        """Give one command of the game as an operator does by `trio-mud admin`, and return the answer."""
        assert self.server.operator_commands is not None, "the game has set server.operator_commands"
        operator = ConsoleOperator()
        answer = self.server.operator_commands(operator, command)
        if answer is not None:
            await answer
        return operator.answer

    async def kill(self) -> None:
        """End the server as `kill -9` ends a process: no function of the game runs after it, and nothing is saved.

        `storage` then holds the records as they were last saved.
        """
        self._memory.is_dead = True
        self.server.hooks = Hooks()
        self.server.abort(within=0)
        await self.server.closed.wait()

    async def race(self, *steps: Callable[[], Awaitable[object]]) -> None:
        """Run several steps at the same moment, in the order chosen by the scheduler, and settle.

        Args:
            steps: Such as `ann.vanish` or `partial(bob.type, "quit")`.
        """
        async with trio.open_nursery() as nursery:
            for step in steps:
                nursery.start_soon(step)
        await settle()


@asynccontextmanager
async def open_mud(
    game: Hooks | Game,
    *,
    storage: Stored | None = None,
    allow_errors: bool = False,
    split: bool = False,
    **settings: Unpack[ServerSettings],
) -> AsyncGenerator[Mud, None]:
    """Serve this game for the length of the block; then shut the server down in order, and wait for it.

    Its wall clock follows the virtual clock, starting at noon of 1 January 2000 in UTC. A failed expectation in the
    block is raised as itself, not inside an exception group. If the code of the game raised, the block raises that
    exception at its end, with its traceback.

    The records of a `Game` are stored in memory. At the end of the block they are saved; then a list, dict or set of a
    record that was changed in place raises `ChangedInPlace`, which says what to write.

    Args:
        game: The hooks, or the `Game`.
        storage: The stored records of an earlier run, `Mud.storage`; None for a new game.
        allow_errors: True if the game may fail; `Mud.errors` contains the exceptions.
        split: True to serve the players at a gateway, which is joined to the game by a cluster link in memory.
        settings: Those of `MasterServer`, such as `limits=` and `world=`.
    """
    __tracebackhide__ = True
    settings.setdefault("wall_clock", lambda: MILLENNIUM + trio.current_time())
    memory = MortalMemory(storage)
    listener, web_listener = PipeListener(), PipeListener()
    failures = Failures()
    failure: BaseException | None = None
    watch_threads()
    try:
        with naming_forgotten_awaits(), failures.listening():
            cluster = MemoryCluster() if split else None
            world = WorldService(cluster.world_end()) if cluster is not None else None
            async with (
                world.claimed() if world is not None else nullcontext() as journal,
                _opened(game, memory, settings, journal, strict=not allow_errors) as hooks,
                trio.open_nursery() as players,
                trio.open_nursery() as nursery,
            ):
                async with _serving(hooks, listener, web_listener, nursery, settings, cluster, world) as (
                    server,
                    front,
                ):
                    try:
                        yield Mud(server, listener, players, failures.errors, memory, web_listener, front)
                    except BaseException as error:
                        failure = error
                        raise
                    await settle()  # typed lines are handled, and may fail
                    server.shutdown()
                    await server.closed.wait()
                players.cancel_scope.cancel(reason="the block is over")
    except BaseException as error:  # noqa: BLE001  raised again, only without its groups
        if failure is not None and not isinstance(failure, trio.Cancelled):
            if failures.errors and not allow_errors:
                failure.add_note(failures.as_text())
            raise failure from failure.__cause__
        raise unwrap_single(error) from None
    if failures.errors and not allow_errors:
        raise failures.sole()


@asynccontextmanager
async def _serving(
    hooks: Hooks,
    listener: PipeListener,
    web_listener: PipeListener,
    nursery: trio.Nursery,
    settings: ServerSettings,
    cluster: MemoryCluster | None,
    world: WorldService | None,
) -> AsyncGenerator[tuple[MasterServer, MasterServer]]:
    """Yield the server with the game, and the one that accepts the listeners' peers: the same one, or a gateway."""
    limits = settings.get("limits") or Limits()
    listeners = [listener, WebListener(StreamListener(web_listener), Site(SUBPROTOCOLS, limits=limits))]
    if cluster is None or world is None:
        server = MasterServer(hooks, **settings)
        await nursery.start(server.serve, listeners)
        yield server, server
        return
    services = settings.get("services", ())
    at_world = settings | ServerSettings(limits=limits_of_world(limits), services=(world, *services))
    server = MasterServer(hooks, **at_world)
    await nursery.start(server.serve, [world.listener])
    gateway = GatewayService("gateway", cluster.gateway_end("gateway"))
    at_gateway = settings | ServerSettings(limits=limits_of_gateway(limits), services=(gateway,), world=None)
    front = MasterServer(gateway.hooks, **at_gateway)
    await nursery.start(front.serve, listeners)
    yield server, front
    await settle()
    front.shutdown()
    await front.closed.wait()


@asynccontextmanager
async def _opened(
    game: Hooks | Game, memory: MortalMemory, settings: ServerSettings, journal: ChangeJournal | None, *, strict: bool
) -> AsyncGenerator[Hooks]:
    """Open the store of a `Game`, put its world into the settings, and yield the hooks of any game."""
    if not isinstance(game, Game):
        if memory.stored != Stored():
            raise TypeError("mud(…, storage=…) needs a Game: hooks alone store nothing")
        yield game
        return
    if "world" in settings:
        raise TypeError("mud(game, world=…): a Game has a world of its own, which is server.world; leave world= out")
    memory.stored.values.pop(FENCE, None)  # of an earlier split server, whose cluster link is gone
    clock = settings["wall_clock"]
    async with game.open(memory, executor=inline, strict=strict, journal=journal, wall_clock=clock) as opened:
        settings["world"] = opened.world
        yield opened.hooks


class OpenMud(Protocol):
    """The type of the fixture `mud`, for annotations; it has the signature of `open_mud`."""

    def __call__(
        self,
        game: Hooks | Game,
        *,
        storage: Stored | None = None,
        allow_errors: bool = False,
        split: bool = False,
        **settings: Unpack[ServerSettings],
    ) -> AbstractAsyncContextManager[Mud]:
        """Serve this game for the length of the block."""
        ...
