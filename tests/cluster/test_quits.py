"""A player quits, and the world dies before it has done all that follows: the quit stands."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_mud import Admitted, Cause, Connection, Hooks, Input, SessionEnded, SessionRestored
from trio_mud.testing import Player
from trio_mud.testing.memory_cluster import MemoryGatewayEnd

from .conftest import RunningWorld, SplitServer, block, open_split


class Inn:
    """A game that any line enters, and "quit" leaves."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.guests: list[Connection] = []
        self.hooks = hooks = Hooks()
        hooks.on(Admitted)(lambda event: event.connection.write("Name?"))
        hooks.on(Input)(self.obey)
        hooks.on(SessionRestored)(lambda event: self.log.append(f"restored {event.session.key}"))
        hooks.on(SessionEnded)(lambda event: self.log.append(f"ended {event.session.key}"))

    def obey(self, event: Input) -> None:
        connection = event.connection
        if connection.session is None:
            connection.server.sessions.enter(event.line, connection)
            self.guests.append(connection)
            return
        self.log.append(event.line)
        match event.line:
            case "quit":
                connection.quit("Farewell.")
            case "quit in silence":
                connection.quit()
            case "quit slowly":
                connection.start_soon(clean_up)
                connection.quit("Farewell.")
            case "throw out the first":
                self.guests[0].quit("Out!")


async def clean_up() -> None:
    """Work of a game that takes its time once it is cancelled, so that its connection ends later than it quits."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)


async def type_and_commit(split: SplitServer, player: Player, *lines: str, commits: int = 1) -> None:
    """Let a player type, and wait for so many commits, for a second at most."""
    upto = split.cluster.commits + commits
    await player.type(*lines)
    with trio.move_on_after(1):
        while split.cluster.commits < upto:  # noqa: ASYNC110 - in virtual time
            await trio.sleep(0.001)


async def succeed(split: SplitServer, world: RunningWorld, player: Player, *lines: str, commits: int) -> Inn:
    """Let a player type, kill the world after so many commits, and start the next one; return its game."""
    await trio.sleep(1)
    await type_and_commit(split, player, *lines, commits=commits)
    world.end.kill()
    inn = Inn()
    await split.start_world(inn.hooks)
    return inn


@pytest.mark.parametrize("line", ["quit", "quit in silence"])
@pytest.mark.parametrize("commits", [0, 1, 2, 3])
async def test_a_player_who_has_quit_is_gone_whenever_the_world_dies(
    autojump_clock: MockClock, commits: int, line: str
) -> None:
    async with open_split(latency=0.01) as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        second = await succeed(split, world, ann, line, "never", commits=commits)
        await ann.sees_the_end()
        await trio.sleep(2)
        assert ann.screen.count("Name?") == 1
        assert ann.screen.count("Farewell.") == (line == "quit")
        handled_again = [line] if commits == 0 else []
        assert second.log in (["restored ann", *handled_again, "ended ann"], [])
        assert split.gateway._peers == {}


@pytest.mark.parametrize("commits", [1, 2, 3])
async def test_a_player_who_was_thrown_out_is_gone_whenever_the_world_dies(
    autojump_clock: MockClock, commits: int
) -> None:
    async with open_split(latency=0.01) as split:
        world, bob = await split.begin(Inn().hooks, "bob")
        await trio.sleep(1)
        ann = await split.mud.player()
        await ann.type("ann")
        second = await succeed(split, world, ann, "throw out the first", commits=commits)
        await bob.sees("Out!")
        await bob.sees_the_end()
        await trio.sleep(2)
        assert "ended ann" not in second.log
        assert second.log.count("ended bob") == second.log.count("restored bob")
        await ann.type("still here")
        await trio.sleep(1)
        assert second.log[-1] == "still here"


async def test_a_player_who_closes_the_window_after_the_last_words_has_quit(autojump_clock: MockClock) -> None:
    """The link dies while no world serves, after a commit with the last words."""
    async with open_split(latency=0.01) as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        await trio.sleep(1)
        await type_and_commit(split, ann, "quit")
        world.end.kill()
        await ann.sees("Farewell.")
        await ann.vanish()
        await trio.sleep(1)
        second = Inn()
        await split.start_world(second.hooks)
        await trio.sleep(2)
        assert second.log == ["restored ann", "ended ann"]


async def test_a_line_behind_a_quit_is_dropped_although_the_link_dies_first(autojump_clock: MockClock) -> None:
    """The world has committed the quit, and died before it could dismiss the connection."""
    async with open_split(latency=0.01) as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        await trio.sleep(1)
        world.end.kill()
        (peer,) = split.gateway._peers.values()
        peer.ending = Cause.ASKED  # as by `EndingDecided`
        await ann.type("never")
        await trio.sleep(1)
        await ann.vanish()
        await trio.sleep(1)
        second = Inn()
        await split.start_world(second.hooks)
        await trio.sleep(2)
        assert second.log == ["restored ann", "ended ann"]


async def test_a_quit_stands_although_the_cluster_link_has_lost_its_report(autojump_clock: MockClock) -> None:
    async with open_split(latency=0.02) as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        bob = await split.mud.player()
        await trio.sleep(1)
        await type_and_commit(split, ann, "quit slowly")
        split.cluster.forget()
        await trio.sleep(0.05)
        await bob.type("bob")
        for guest in world.server.connections:
            guest.write("a text whose commit shows the loss")
        await trio.sleep(1)
        world.end.kill()
        second = Inn()
        await split.start_world(second.hooks)
        await ann.type("never")
        await ann.sees_the_end()
        await trio.sleep(2)
        assert "never" not in second.log


async def test_a_player_who_has_quit_is_gone_when_a_gateway_that_was_given_up_returns(
    autojump_clock: MockClock,
) -> None:
    inn = Inn()
    async with open_split(latency=0.02) as split:
        world, ann = await split.begin(inn.hooks, "ann")
        await trio.sleep(1)
        end = split.gateway._end
        assert isinstance(end, MemoryGatewayEnd)
        end.cut(3.5)
        await trio.sleep(2.5)
        (guest,) = world.server.connections
        unblock = block(world.end)
        guest.write("a text whose commit blocks")
        await trio.sleep(0.1)
        guest.start_soon(clean_up)
        guest.quit("Farewell.")
        while not world.service._abandoned:  # noqa: ASYNC110 - in virtual time
            await trio.sleep(0.01)
        unblock()
        await ann.sees("Farewell.")
        await ann.sees_the_end()
        assert ann.screen.count("Name?") == 1
