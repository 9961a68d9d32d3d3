"""Gateways and worlds over the Unix link, on streams in memory: what players notice when one of them ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from trio_mud import Disconnect, Hooks, Input, MasterServer
from trio_mud.cluster.ends import Fenced
from trio_mud.cluster.gateway import GatewayService
from trio_mud.cluster.unix_link import UnixGatewayEnd, UnixWorldEnd
from trio_mud.cluster.world import WorldService
from trio_mud.driver.server.acceptor import AnyListener
from trio_mud.testing import Mud
from trio_mud.testing.pipe import PipeListener
from trio_mud.testing.threads import settle

from .test_deaths import answers, echo
from .test_unix_link import Place


class Joined:
    """The gateways and worlds of one place, which the test starts and ends."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.place = Place()
        self.fenced: list[str] = []
        self._nursery = nursery
        self._incarnation = 0

    async def start_gateway(self) -> tuple[Mud, trio.CancelScope]:
        """Start a gateway; return its players' door, and the scope that ends it."""
        self._incarnation += 1
        end = UnixGatewayEnd(self.place, "g", incarnation=self._incarnation, wall_clock=trio.current_time)
        gateway, listener = GatewayService("g", end, incarnation=self._incarnation), PipeListener()
        server = MasterServer(gateway.hooks, services=[gateway])
        scope = trio.CancelScope()
        await self._nursery.start(self._serve, scope, server, listener)
        return Mud(server, listener, self._nursery), scope

    async def start_world(self, name: str, hooks: Hooks | None = None, *, waits: bool = False) -> WorldService:
        """Start a world, and return once it serves or waits."""
        end = UnixWorldEnd(self.place.connect, "/run/inn.link", waits=waits)
        world = WorldService(end, fenced=lambda: self.fenced.append(name))
        server = MasterServer(hooks or echo(name), services=[world])
        self._nursery.start_soon(self._serve, trio.CancelScope(), server, world.listener)
        await settle()
        return world

    async def _serve(
        self,
        scope: trio.CancelScope,
        server: MasterServer,
        listener: AnyListener,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with scope:
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(server.serve, [listener])
                    task_status.started()
            except* Fenced:
                pass


@asynccontextmanager
async def joined() -> AsyncGenerator[Joined]:
    """Cut all of them at the end of the block."""
    async with trio.open_nursery() as nursery:
        joined = Joined(nursery)
        yield joined
        nursery.cancel_scope.cancel()
    for stream in joined.place.streams:
        await trio.aclose_forcefully(stream)


async def test_a_world_hands_over_and_no_player_notices(autojump_clock: MockClock) -> None:
    hooks, left = echo("first"), list[Disconnect]()
    hooks.on(Disconnect)(left.append)

    @hooks.on(Input)
    async def think(event: Input) -> None:
        await trio.sleep(0.5)
        event.connection.write(f"first has thought about {event.line}")

    async with joined() as those:
        mud, _ = await those.start_gateway()
        first = await those.start_world("first", hooks)
        await those.start_world("second", waits=True)
        ann = await mud.player()
        for number in range(3):
            await ann.type(str(number))
        await settle()
        await first.hand_over()
        await first._end.release()  # as its process does by its end
        await ann.type("3")
        await trio.sleep(5)
        assert answers(ann) == ["0", "1", "2", "3"]
        assert "second heard 3" in ann.screen
        assert left == []
        assert len(mud.server.connections) == 1


async def test_a_hook_that_takes_too_long_does_not_hold_up_a_hand_over(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def brood(event: Input) -> None:
        await trio.sleep(4)

    async with joined() as those:
        mud, _ = await those.start_gateway()
        first = await those.start_world("first", hooks)
        ann = await mud.player()
        await ann.type("hm")
        await settle()
        began = trio.current_time()
        await first.hand_over()
        assert trio.current_time() == began + mud.server.limits.hand_over_timeout


async def test_the_world_serves_on_at_a_gateway_that_was_started_again(autojump_clock: MockClock) -> None:
    hooks, left = echo("world"), list[Disconnect]()
    hooks.on(Disconnect)(left.append)
    async with joined() as those:
        mud, scope = await those.start_gateway()
        await those.start_world("world", hooks)
        await those.start_world("spare", waits=True)
        ann = await mud.player()
        await ann.type("1")
        await ann.sees("world heard 1")
        scope.cancel()
        await trio.sleep(10)
        again, _ = await those.start_gateway()
        await trio.sleep(1)
        assert len(left) == 1
        bob = await again.player()
        await bob.type("2")
        await bob.sees("world heard 2")
        assert those.fenced == []


async def test_a_world_that_was_replaced_is_notified_even_if_it_has_nothing_to_commit(
    autojump_clock: MockClock,
) -> None:
    async with joined() as those:
        mud, _ = await those.start_gateway()
        await those.start_world("first")
        ann = await mud.player()
        await those.start_world("second", waits=True)
        (gateway,) = mud.server._tree._services
        assert isinstance(gateway, GatewayService)
        assert isinstance(gateway._end, UnixGatewayEnd)
        assert gateway._end._world is not None
        await gateway._end._world.channel.aclose()
        await trio.sleep(1)
        assert those.fenced == ["first"]
        await ann.type("1")
        await ann.sees("second heard 1")
