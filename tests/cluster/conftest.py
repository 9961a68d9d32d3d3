"""A gateway and worlds that can be killed, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from trio_mud import Hooks, Limits, MasterServer, Texts
from trio_mud.cluster.gateway import GatewayService
from trio_mud.cluster.shares import limits_of_gateway, limits_of_world, texts_of_gateway
from trio_mud.cluster.world import WorldService
from trio_mud.cluster.world_listener import WorldListener
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.server.server import ServerSettings
from trio_mud.storage import Executor, Stored, inline
from trio_mud.telnet import Option
from trio_mud.testing import Mud, Player
from trio_mud.testing.memory_cluster import MemoryCluster, MemoryGatewayEnd, MemoryWorldEnd
from trio_mud.testing.pipe import PipeListener
from trio_mud.testing.storage import MortalMemory
from trio_mud.testing.threads import settle
from trio_mud.world import Game


class RunningWorld:
    """A world that serves.

    Attributes:
        server: Its server.
        service: Its service.
        end: Its end of the cluster link; `end.kill()` kills it.
        failed: The error that its server has raised; None while it runs.
        memory: Its database.
        over: Set when it has ended, and its database is closed.
    """

    def __init__(
        self, server: MasterServer, service: WorldService, end: MemoryWorldEnd, memory: MortalMemory | None = None
    ) -> None:
        self.memory = memory or MortalMemory()
        self.scope = trio.CancelScope()
        self.over = trio.Event()
        self.server = server
        self.service = service
        self.end = end
        self.failed: BaseException | None = None

    def kill(self) -> None:
        """Kill it: nothing more is delivered or written."""
        self.end.kill()
        self.memory.is_dead = True
        self.scope.cancel()

    async def serve_game(
        self,
        game: Game,
        executor: Executor,
        interval: float,
        options: Sequence[object],
        *,
        task_status: trio.TaskStatus[MasterServer],
    ) -> None:
        """Serve a game with records."""
        clock = trio.current_time
        try:
            with self.scope:
                async with (
                    self.service.claimed() as journal,
                    game.open(
                        self.memory,
                        executor=executor,
                        interval=interval,
                        journal=journal,
                        wall_clock=clock,
                        options=options,
                    ) as opened,
                ):
                    self.server.hooks, self.server.world = opened
                    await self.server.serve([self.service.listener], task_status=task_status)
        except BaseException as error:
            self.failed = unwrap_single(error)
            if isinstance(error, trio.Cancelled):
                raise
        finally:
            self.over.set()

    async def serve(self, *, task_status: trio.TaskStatus[MasterServer]) -> None:
        try:
            await self.server.serve([self.service.listener], task_status=task_status)
        except BaseException as error:
            self.failed = unwrap_single(error)
            if isinstance(error, trio.Cancelled):
                raise


class RunningGateway:
    """A gateway that serves.

    Attributes:
        service: Its service.
        mud: Connects players to it; `mud.server` is its server.
        failed: The error that its server has raised; None while it runs.
    """

    def __init__(self, service: GatewayService, mud: Mud, listener: PipeListener) -> None:
        self.service = service
        self.mud = mud
        self.failed: BaseException | None = None
        self._listener = listener

    async def serve(self, *, task_status: trio.TaskStatus[MasterServer]) -> None:
        try:
            await self.mud.server.serve([self._listener], task_status=task_status)
        except BaseException as error:
            self.failed = unwrap_single(error)
            if isinstance(error, trio.Cancelled):
                raise


class SplitServer:
    """A gateway, and the worlds and further gateways that the test starts.

    Attributes:
        cluster: The cluster link.
        gateway: The service of the first gateway.
        mud: Connects players to it.
    """

    gateway: GatewayService
    mud: Mud

    def __init__(
        self,
        cluster: MemoryCluster,
        players: trio.Nursery,
        nursery: trio.Nursery,
        limits: Limits,
        options: Sequence[Option] | None,
    ) -> None:
        self.cluster = cluster
        self._players = players
        self._nursery = nursery
        self._limits = limits
        self._options = options

    async def start_world(
        self,
        hooks: Hooks,
        wall_clock: Callable[[], float] = trio.current_time,
        listener: WorldListener | None = None,
    ) -> RunningWorld:
        """Start a world, which takes over from an earlier one."""
        end = self.cluster.world_end()
        service = WorldService(end)
        service.listener = listener or service.listener
        server = MasterServer(hooks, limits=limits_of_world(self._limits), services=[service], wall_clock=wall_clock)
        world = RunningWorld(server, service, end)
        await self._nursery.start(world.serve)
        return world

    async def begin(self, hooks: Hooks, *lines: str) -> tuple[RunningWorld, Player]:
        """Start a world, and let a player come and type these lines; return when all is quiet."""
        world = await self.start_world(hooks)
        player = await self.mud.player()
        for line in lines:
            await player.type(line)
        await settle()
        return world, player

    async def start_gateway(self, name: str) -> RunningGateway:
        """Start a gateway."""
        service, listener = GatewayService(name, self.cluster.gateway_end(name)), PipeListener()
        settings = ServerSettings(
            limits=limits_of_gateway(self._limits), texts=texts_of_gateway(Texts()), services=[service]
        )
        if self._options is not None:
            settings["options"] = self._options
        server = MasterServer(service.hooks, **settings)
        gateway = RunningGateway(service, Mud(server, listener, self._players), listener)
        await self._nursery.start(gateway.serve)
        return gateway

    async def start_game(
        self,
        game: Game,
        stored: Stored,
        executor: Executor = inline,
        interval: float = 1.0,
        options: Sequence[object] = (),
    ) -> RunningWorld:
        """Start a world with a game that stores records; the database outlives it."""
        end = self.cluster.world_end()
        service = WorldService(end)
        server = MasterServer(
            Hooks(), limits=limits_of_world(self._limits), services=[service], wall_clock=trio.current_time
        )
        world = RunningWorld(server, service, end, MortalMemory(stored))
        await self._nursery.start(world.serve_game, game, executor, interval, options)
        return world


@asynccontextmanager
async def open_split(
    *, latency: float = 0.0, limits: Limits | None = None, options: Sequence[Option] | None = None
) -> AsyncGenerator[SplitServer]:
    """Serve a gateway for the length of the block; all servers are cut at its end."""
    try:
        async with trio.open_nursery() as players, trio.open_nursery() as nursery:
            split = SplitServer(MemoryCluster(latency), players, nursery, limits or Limits(), options)
            first = await split.start_gateway("gateway")
            split.gateway, split.mud = first.service, first.mud
            yield split
            nursery.cancel_scope.cancel()
            players.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None


def block(end: MemoryGatewayEnd | MemoryWorldEnd) -> Callable[[], None]:
    """Let an end of the cluster link deliver nothing until the returned function is called."""
    verb, gate = ("send" if isinstance(end, MemoryGatewayEnd) else "commit"), trio.Event()
    deliver = getattr(end, verb)

    async def wait_and_deliver(cargo: object) -> None:
        await gate.wait()
        await deliver(cargo)

    setattr(end, verb, wait_and_deliver)
    return gate.set


Play = Callable[[Hooks], None]
