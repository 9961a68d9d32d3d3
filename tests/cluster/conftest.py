"""A gateway and worlds that can be killed, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from trio_mud import Hooks, Limits, MasterServer
from trio_mud.cluster.gateway import GatewayService
from trio_mud.cluster.shares import limits_of_gateway, limits_of_world
from trio_mud.cluster.world import WorldService
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.testing import Mud
from trio_mud.testing.memory_cluster import MemoryCluster, MemoryWorldEnd
from trio_mud.testing.pipe import PipeListener


class RunningWorld:
    """A world that serves.

    Attributes:
        server: Its server.
        service: Its service.
        end: Its end of the cluster link; `end.kill()` kills it.
        failed: The error that its server has raised; None while it runs.
    """

    def __init__(self, server: MasterServer, service: WorldService, end: MemoryWorldEnd) -> None:
        self.server = server
        self.service = service
        self.end = end
        self.failed: BaseException | None = None

    async def serve(self, *, task_status: trio.TaskStatus[MasterServer]) -> None:
        try:
            await self.server.serve([self.service.listener], task_status=task_status)
        except BaseException as error:
            self.failed = unwrap_single(error)
            if isinstance(error, trio.Cancelled):
                raise


class SplitServer:
    """One gateway, whose players the `mud` connects, and the worlds that the test starts.

    Attributes:
        cluster: The cluster link.
        gateway: The gateway's service.
        mud: Connects players to the gateway.
    """

    def __init__(
        self, cluster: MemoryCluster, gateway: GatewayService, mud: Mud, nursery: trio.Nursery, limits: Limits
    ) -> None:
        self.cluster = cluster
        self.gateway = gateway
        self.mud = mud
        self._nursery = nursery
        self._limits = limits

    async def start_world(self, hooks: Hooks) -> RunningWorld:
        """Start a world, which takes over from an earlier one."""
        end = self.cluster.world_end()
        service = WorldService(end)
        server = MasterServer(hooks, limits=limits_of_world(self._limits), services=[service])
        world = RunningWorld(server, service, end)
        await self._nursery.start(world.serve)
        return world


@asynccontextmanager
async def open_split(*, latency: float = 0.0, limits: Limits | None = None) -> AsyncGenerator[SplitServer]:
    """Serve a gateway for the length of the block; all worlds are cut at its end."""
    limits = limits or Limits()
    cluster, listener = MemoryCluster(latency), PipeListener()
    gateway = GatewayService("gateway", cluster.gateway_end("gateway"))
    server = MasterServer(gateway.hooks, limits=limits_of_gateway(limits), services=[gateway])
    try:
        async with trio.open_nursery() as players, trio.open_nursery() as nursery:
            await nursery.start(server.serve, [listener])
            yield SplitServer(cluster, gateway, Mud(server, listener, players), nursery, limits)
            nursery.cancel_scope.cancel()
            players.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None


Play = Callable[[Hooks], None]
