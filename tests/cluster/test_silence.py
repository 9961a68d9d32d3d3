"""The silence of a world: players whose input waits read of it, and of its end."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from trio_mud import Dialog, Hooks, Input, Limits, Texts
from trio_mud.testing.memory_cluster import MemoryCluster
from trio_mud.testing.threads import settle

from .conftest import block, open_split

SILENT, BACK, RESTARTED = Texts().world_silent, Texts().world_back, Texts().world_restarted


def echo() -> Hooks:
    """A game that answers each line."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    return hooks


async def test_a_player_whose_line_waits_reads_of_the_silence_and_of_its_end(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(world_silence_timeout=4)) as split:
        first = await split.start_world(echo())
        ann, bob = await split.mud.player(), await split.mud.player()
        first.end.kill()
        await ann.type("one")
        await split.mud.pass_time(3.9)
        assert ann.screen == ""
        await split.mud.pass_time(0.2)
        assert ann.screen == f"{SILENT}\n"
        await ann.type("two")
        await split.mud.pass_time(60)
        assert ann.screen == f"{SILENT}\n"  # once

        await split.start_world(echo())
        await settle()
        assert ann.screen == f"{SILENT}\n{BACK}\n{RESTARTED}\nheard one\nheard two\n"
        assert bob.screen == f"{RESTARTED}\n"  # he has not typed
        assert split.mud.server.counters["silences of the world"] == 1


async def test_a_player_who_types_into_a_silence_reads_of_it_at_once(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first = await split.start_world(echo())
        ann, bob = await split.mud.player(), await split.mud.player()
        first.end.kill()
        await ann.type("one")
        await split.mud.pass_time(4)
        await bob.type("look")
        await settle()
        assert bob.screen == f"{SILENT}\n"


async def test_a_takeover_within_two_seconds_is_no_silence(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(echo())
        first.end.kill()
        await ann.type("one")
        await split.mud.pass_time(2)
        await split.start_world(echo())
        await split.mud.pass_time(10)
        assert ann.screen == f"{RESTARTED}\nheard one\n"


async def test_a_dialog_that_takes_its_time_is_no_silence(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    async def sleep(dialog: Dialog) -> None:
        await trio.sleep(600)

    @hooks.on(Input)
    def begin(event: Input) -> None:
        event.connection.start_dialog(sleep)

    async with open_split() as split:
        _, ann = await split.begin(hooks)
        for line in ("sleep", "one", "two"):
            await ann.type(line)
        await split.mud.pass_time(300)
        (peer,) = split.gateway._peers.values()
        assert len(peer.forwarder.unacknowledged) == 2
        assert ann.screen == ""


async def test_a_cluster_link_that_blocks_is_a_silence(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo())
        unblock = block(split.gateway._end)  # type: ignore[arg-type]
        await ann.type("one")
        await split.mud.pass_time(5)
        assert ann.screen == f"{SILENT}\n"
        unblock()
        await settle()
        assert ann.screen == f"{SILENT}\n{BACK}\nheard one\n"


async def test_a_gateway_probes_no_world_that_owes_it_nothing(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(echo(), "one")
        await split.mud.pass_time(10)
        commits = split.cluster.commits
        await split.mud.pass_time(3600)
        assert split.cluster.commits == commits
        assert world.failed is None
        assert ann.screen == "heard one\n"


async def test_the_notices_can_be_switched_off(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(world_silence_timeout=None)) as split:
        first, ann = await split.begin(echo())
        first.end.kill()
        await ann.type("one")
        await split.mud.pass_time(600)
        assert ann.screen == ""
        assert isinstance(split.cluster, MemoryCluster)
