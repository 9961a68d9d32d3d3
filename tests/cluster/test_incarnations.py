"""A gateway that starts again under its name is another one: its connections are not those of the earlier process."""

from __future__ import annotations

from trio.testing import MockClock

from trio_mud import Cause, Disconnect, Hooks, Input
from trio_mud.cluster.ends import Fenced
from trio_mud.cluster.frames import encode_down
from trio_mud.cluster.wire import Dismissed, ProbeAnswered
from trio_mud.testing.simulation.inside import remote_link
from trio_mud.testing.threads import settle

from .conftest import block, open_split


def echo(ended: list[Disconnect] | None = None) -> Hooks:
    """A game that answers each line, and collects the endings."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    if ended is not None:
        hooks.on(Disconnect)(ended.append)
    return hooks


async def test_the_players_of_the_earlier_process_get_one_link_death_each(autojump_clock: MockClock) -> None:
    ended: list[Disconnect] = []
    async with open_split() as split:
        world = await split.start_world(echo(ended))
        for _ in range(3):
            await split.mud.player()
        again = await split.start_gateway("gateway")
        await settle()
        assert [event.cause for event in ended] == [Cause.RESET] * 3
        ann = await again.mud.player()
        await ann.type("look")
        await ann.sees("heard look")
        assert len(world.server.connections) == 1


async def test_a_text_for_the_earlier_process_reaches_no_connection_of_the_same_number(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        await split.mud.player()
        unblock = block(world.end)
        (before,) = world.server.connections
        before.write("for the earlier one")  # is committed as the new process connects
        await settle()
        again = await split.start_gateway("gateway")
        ann = await again.mud.player()
        unblock()
        await ann.type("look")
        await ann.sees("heard look")
        assert "for the earlier one" not in ann.screen
        assert again.mud.server.counters["frames of another incarnation"] == 1
        assert again.failed is None


async def test_the_input_of_a_connection_with_the_same_number_is_not_dropped_for_the_earlier_process(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        await split.mud.player()
        unblock = block(world.end)
        (before,) = world.server.connections
        link = remote_link(before)
        before.write("a text whose commit blocks")
        await settle()
        link.discard_input()
        # It is to be dismissed once its last input was taken, so the world has not forgotten it.
        link._dismissal = Dismissed(link.number, Cause.RESET.name, "")
        again = await split.start_gateway("gateway")
        ann = await again.mud.player()
        assert again.service._peers.keys() == {link.number}
        unblock()
        await settle()
        await ann.type("look")
        await ann.sees("heard look")
        assert again.service._peers[link.number].forwarder._obeyed == 0


async def test_frames_that_the_earlier_process_has_left_are_not_applied(autojump_clock: MockClock) -> None:
    ended: list[Disconnect] = []
    async with open_split() as split:
        world = await split.start_world(echo(ended))
        ann = await split.mud.player()
        again = await split.start_gateway("gateway")
        bob = await again.mud.player()
        ended.clear()
        await ann.type("I am still here")
        await bob.type("look")
        await settle()
        assert "heard look" in bob.screen
        assert ann.screen == ""
        assert ended == []
        assert world.server.counters["frames of an earlier gateway"] == 1


async def test_a_gateway_that_starts_after_its_name_was_greeted_is_greeted(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        split.cluster.gateway_end("g1").kill()  # has died before its first frame
        await split.start_world(echo())
        await settle()
        again = await split.start_gateway("g1")
        ann = await again.mud.player()
        await ann.type("look")
        await ann.sees("heard look")


async def test_a_gateway_whose_name_another_process_takes_stops(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        ann = await split.mud.player()
        first = await split.start_gateway("g1")
        bob = await first.mud.player()
        second = await split.start_gateway("g1")
        await settle()
        for frame in encode_down(world.end.epoch, [ProbeAnswered()], second.service._incarnation):
            first.service._receive(frame)  # both read what is sent to their name
        await bob.sees_the_end()
        await split.mud.pass_time(10)
        assert isinstance(first.failed, Fenced)
        assert "another gateway g1 has started" in str(first.failed)
        assert second.failed is None
        await ann.type("look")
        await ann.sees("heard look")


async def test_a_gateway_that_starts_ignores_what_an_earlier_process_has_not_read(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        second = await split.start_gateway("g1")
        for frame in encode_down(world.end.epoch, [ProbeAnswered()], 7):
            second.service._is_known = False  # the frame was there before
            second.service._receive(frame)
        ann = await second.mud.player()
        await ann.type("look")
        await ann.sees("heard look")
        assert second.failed is None
