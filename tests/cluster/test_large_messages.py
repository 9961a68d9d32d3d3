"""Rolls, commits and held states of any size: over a Unix socket they cross in pieces, and end neither side."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_mud.cluster import unix_channel
from trio_mud.cluster.unix_channel import CommitSent, StillAlive
from trio_mud.cluster.unix_link import LOADING
from trio_mud.testing.threads import settle

from .test_unix_link import World, joined, send_in_two_parts, start_both

LARGE = b"x" * 900  # several times the greatest piece


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_channel, "MAX_PIECE", 250)


async def test_a_roll_larger_than_a_piece_arrives_whole_and_in_order(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        roll = [LARGE, b"", b"end", LARGE]
        await gateway.end.send(roll)
        await gateway.end.send([b"the next"])
        await settle()
        assert world.received == [*roll, b"the next"]
        assert world.failed is None


async def test_a_commit_larger_than_a_piece_is_delivered_and_held(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        await world.commit(LARGE, b"and", record=LARGE, other=b"1")
        await world.commit(b"later", other=None)
        assert gateway.received == [LARGE, b"and", b"later"]
        assert gateway.end._held.all() == {b"record": LARGE}


async def test_a_held_state_larger_than_a_piece_reaches_the_next_world(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        _, first = await start_both(nursery, place)
        second = World(place, waits=True)
        nursery.start_soon(second.serve)
        held = {f"r{number}": LARGE for number in range(5)}
        for key, value in held.items():
            await first.commit(**{key: value})
        first.scope.cancel()
        await settle()
        assert second.left == {key.encode(): value for key, value in held.items()}
        await second.commit(b"by the second")


async def test_a_large_commit_whose_connection_ends_is_delivered_once(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        assert gateway.end._world is not None
        await gateway.end._world.channel.aclose()
        await world.commit(LARGE, record=LARGE)
        assert gateway.received == [LARGE]


async def test_a_world_that_sends_a_commit_for_long_is_alive(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, slow = await start_both(nursery, place)
        assert slow.end._channel is not None
        spare = World(place, waits=True)
        nursery.start_soon(spare.serve)
        await settle()
        async with slow.end._channel._turn:  # as a commit does that is being sent
            for _ in range(int(LOADING)):
                await slow.end._channel._stream.send_all(b"\x80\0\0\1x")
                await trio.sleep(1)
        assert spare.end.epoch == 0
        assert gateway.received == []


async def test_pieces_are_joined_wherever_the_stream_is_split(autojump_clock: MockClock) -> None:
    await send_in_two_parts([StillAlive(), CommitSent(1, [b"a" * 600, b""], {b"k": None}), StillAlive()])
