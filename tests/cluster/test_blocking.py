"""A cluster link that blocks: what waits for it is bounded, and nothing is lost or repeated when it goes on."""

from __future__ import annotations

from trio.testing import MockClock

from trio_mud import Admitted, Connect, Disconnect, Hooks, Input, Limits, WindowSize
from trio_mud.cluster import pending
from trio_mud.cluster.wire import DiscardInput, Preferred, RollOver, Signalled
from trio_mud.testing.threads import settle

from .conftest import block, open_split


def echo() -> Hooks:
    """A game that answers each line."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    return hooks


async def test_a_window_that_is_resized_without_end_waits_as_one_signal(autojump_clock: MockClock) -> None:
    hooks, sizes = echo(), list[int]()
    hooks.on(WindowSize)(lambda event: sizes.append(event.columns))
    async with open_split(limits=Limits(protocol_rate=None)) as split:
        world = await split.start_world(hooks)
        ann = await split.mud.player(columns=80, rows=24)
        sizes.clear()
        unblock = block(split.gateway._end)  # type: ignore[arg-type]
        await ann.type("look")
        await settle()  # this batch blocks
        for columns in range(81, 281):
            await ann.resize(columns, 30)
            await settle()
        (peer,) = split.gateway._pending
        assert [type(message) for message in peer._signals.values()] == [Signalled]
        assert peer._queue == []
        unblock()
        await settle()
        assert sizes == [280]
        (connection,) = world.server.connections
        assert connection.client.size is not None
        assert connection.client.size.columns == 280


async def test_visitors_who_give_up_leave_nothing_behind(autojump_clock: MockClock) -> None:
    events: list[str] = []
    hooks = echo()
    hooks.on(Connect)(lambda event: events.append("connect"))
    async with open_split(limits=Limits(world_timeout=5, accept_rate=None)) as split:
        await split.start_world(hooks)
        ann = await split.mud.player()
        unblock = block(split.gateway._end)  # type: ignore[arg-type]
        await ann.type("look")
        await settle()
        events.clear()
        for _ in range(100):
            split.mud.connect()
        await split.mud.pass_time(6)
        assert len(split.gateway._peers) == 1
        assert len(split.gateway._pending) == 0
        unblock()
        await ann.sees("heard look")
        assert events == []


async def test_a_first_world_hears_only_of_those_who_still_wait(autojump_clock: MockClock) -> None:
    events: list[str] = []
    hooks = echo()
    hooks.on(Admitted)(lambda event: events.append("admitted"))
    async with open_split(limits=Limits(world_timeout=5, accept_rate=None)) as split:
        for _ in range(20):
            split.mud.connect()
        await split.mud.pass_time(6)
        assert not split.gateway._pending
        split.mud.connect()
        await settle()
        await split.start_world(hooks)
        await settle()
        assert events == ["admitted"]


async def test_a_world_that_cannot_commit_ignores_new_visitors(autojump_clock: MockClock) -> None:
    ended: list[Disconnect] = []
    hooks = echo()
    hooks.on(Disconnect)(ended.append)
    async with open_split(limits=Limits(world_timeout=5, accept_rate=None, max_per_address=None)) as split:
        world = await split.start_world(hooks)
        ann = await split.mud.player()
        unblock = block(world.end)
        room = pending.MOST_PENDING
        try:
            pending.MOST_PENDING = 10_000  # type: ignore[misc]
            for _ in range(500):
                split.mud.connect()
                await split.mud.pass_time(0.02)
            await split.mud.pass_time(10)
            waiting = sum(map(len, world.service.output._queued.values()))
            assert waiting < 3 * 10_000 / pending.MESSAGE_SIZE
            assert world.server.counters["arrivals ignored"] > 0
        finally:
            pending.MOST_PENDING = room  # type: ignore[misc]
        unblock()
        await ann.type("look")
        await ann.sees("heard look")
        await split.mud.pass_time(10)
        assert len(world.service._links) == 1
        assert world.service.output.size == 0


async def test_preferences_that_change_without_end_wait_as_one(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        await split.mud.player()
        (connection,) = world.server.connections
        unblock = block(world.end)
        connection.write("a commit")
        await settle()
        world.service.output.size = pending.MOST_PENDING
        for number in range(1000):
            connection.client.prefer(colours=(16, 256)[number % 2])
            await settle()
        link = connection._link._link  # type: ignore[attr-defined]
        assert [type(item) for item in link._items] == [Preferred]
        unblock()
        await settle()
        world.service.output.make_room(world.service.output.size)
        await settle()
        (peer,) = split.gateway._peers.values()
        assert peer.connection.client.colours == 256


async def test_text_that_is_dropped_without_end_leaves_one_notice(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        ann = await split.mud.player()
        (connection,) = world.server.connections
        unblock = block(world.end)
        connection.write("a commit")
        await settle()
        world.service.output.size = pending.MOST_PENDING
        while connection.write("x" * 10_000):
            pass
        link = connection._link._link  # type: ignore[attr-defined]
        await settle()
        waits = len(link._items)
        for _ in range(1000):
            connection.write("y" * 10_000)
            await settle()
        assert len(link._items) == waits
        assert len(world.service.output._waiting) == 1
        unblock()
        await settle()
        world.service.output.make_room(world.service.output.size)
        await settle()
        assert ann.screen.count(world.server.texts.output_dropped) == 1


async def test_input_that_is_hidden_and_shown_without_end_waits_as_two(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        await split.mud.player()
        (connection,) = world.server.connections
        unblock = block(world.end)
        connection.write("a commit")
        await settle()
        world.service.output.size = pending.MOST_PENDING
        link = connection._link._link  # type: ignore[attr-defined]
        for number in range(1001):
            link.hide_input(not number % 2, marks=True)
            await settle()
        assert len(link._items) <= 2
        unblock()
        await settle()
        world.service.output.make_room(world.service.output.size)
        await settle()
        (peer,) = split.gateway._peers.values()
        assert link.hides_input
        assert peer.connection._link.hides_input


async def test_input_that_is_discarded_without_end_is_one_request(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        ann = await split.mud.player()
        (connection,) = world.server.connections
        unblock = block(world.end)
        connection.write("a commit")
        await settle()
        for _ in range(1000):
            connection._link.discard_input()
        await ann.type("typed before the gateway knows")
        await settle()
        unblock()
        await settle()
        requests = [message for messages in world.service.output._queued.values() for message in messages]
        assert not any(isinstance(message, DiscardInput) for message in requests)
        (peer,) = split.gateway._peers.values()
        assert peer.forwarder.unacknowledged.number == 2  # the line and one marker
        await ann.type("later")
        await ann.sees("heard later")
        assert "before" not in ann.screen


async def test_input_before_a_second_discard_is_dropped_although_the_first_was_answered(
    autojump_clock: MockClock,
) -> None:
    async with open_split(latency=0.2) as split:
        world = await split.start_world(echo())
        ann = await split.mud.player()
        await split.mud.pass_time(5)
        (connection,) = world.server.connections
        connection._link.discard_input()
        await split.mud.pass_time(0.3)  # the gateway has answered, and the answer is on its way
        await ann.type("one")
        connection._link.discard_input()
        await split.mud.pass_time(5)
        await ann.type("two")
        await split.mud.pass_time(5)
        assert ann.screen == "heard two\n"


async def test_the_roll_ends_after_all_that_it_brings(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first = await split.start_world(echo())
        players = [await split.mud.player() for _ in range(3)]
        first.end.kill()
        for player in players:
            await player.type("look")
        await settle()
        split.gateway._call_the_roll(7, 1)
        messages = split.gateway._take_messages()
        assert [type(message).__name__ for message in messages] == ["Arrived", "LineTyped"] * 3 + ["RollOver"]
        assert isinstance(messages[-1], RollOver)
