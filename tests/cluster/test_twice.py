"""Frames that come twice, in either direction: each takes effect once."""

from __future__ import annotations

from trio.testing import MockClock

from trio_mud import Admitted, Connect, Hooks
from trio_mud.cluster.gateway import GatewayService
from trio_mud.cluster.world import WorldService
from trio_mud.testing.threads import settle

from .conftest import open_split
from .test_deaths import answers, echo


async def test_a_connection_that_arrives_twice_is_one(autojump_clock: MockClock) -> None:
    """The second frame comes when the connection has ended already, and another one must not take its place."""
    hooks, came = Hooks(), list[int]()
    hooks.on(Connect)(lambda event: came.append(event.connection.number))
    hooks.on(Connect)(lambda event: event.connection.refuse("No."))
    async with open_split() as split:
        world = await split.start_world(hooks)
        sent = list[bytes]()
        receive = WorldService._receive
        split.mud.connect()
        take = split.cluster._send_up
        split.cluster._send_up = lambda frames: (sent.extend(frames), take(frames))  # type: ignore[assignment, func-returns-value]
        await settle()
        assert sent
        receive(world.service, sent)
        await settle()
        assert came == [1]
        assert world.server.counters["frames that came twice"] == len(sent)


async def test_output_that_comes_twice_is_shown_once(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo("world"))
        down = list[bytes]()
        receive = GatewayService._receive
        put = split.cluster._down["gateway"].put
        split.cluster._down["gateway"].put = lambda frame, lag=0.0: (down.append(frame), put(frame, lag))  # type: ignore[assignment, func-returns-value]
        await ann.type("1")
        await settle()
        for frame in down:
            receive(split.gateway, frame)
        await settle()
        assert answers(ann) == ["1"]
        assert split.mud.server.counters["frames that came twice"] == len(down) > 0


async def test_a_gateway_that_starts_again_is_heard_although_its_numbers_begin_again(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(echo("world"))
        for line in "12345":
            await ann.type(line)
            await settle()
        await settle()
        world.service._lose_gateway("gateway")
        split.gateway._incarnation += 1
        split.gateway._numbers = iter(range(1, 100))  # type: ignore[assignment]
        await ann.type("still here")
        await settle()
        await ann.type("look")
        await ann.sees("world heard look")


async def test_what_was_written_before_the_data_was_lost_is_shown_first(autojump_clock: MockClock) -> None:
    """The lost data is noticed by a commit; more is written while the world claims again."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def count(event: Admitted) -> None:
        event.connection.write("0")
        for number in range(1, 30):
            event.connection.after(number * 0.05, lambda number=number: event.connection.write(f"{number}"))  # type: ignore[misc]

    async with open_split(latency=0.2) as split:
        _, ann = await split.begin(hooks)
        await ann.sees("3\n")
        split.cluster.forget()
        await split.mud.pass_time(10)
        shown = [int(line) for line in ann.screen.split()]
        assert shown == sorted(set(shown))
        assert shown[-1] == 29


async def test_a_listing_that_cannot_be_sent_costs_nothing_else(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        world.server.mssp.data["LUCK"] = None  # type: ignore[assignment]
        ann = await split.mud.player()
        await ann.type("hello")
        await ann.sees("world heard hello")
