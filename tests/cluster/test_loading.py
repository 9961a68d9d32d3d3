"""A world that loads its game: what happens to the cluster link between its claim and its first event."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from trio_mud.cluster.ends import Commit, Fenced
from trio_mud.cluster.world import WorldService
from trio_mud.errors import NotSaved, Superseded
from trio_mud.storage import Stored, inline
from trio_mud.testing.memory_cluster import MemoryCluster, MemoryWorldEnd

from .bank import BANK, audit
from .conftest import open_split

T = TypeVar("T")
Args = TypeVarTuple("Args")

HEARTBEAT = 0.4  # seconds


class Disk:
    """A disk that may be full, and stalls while it is not ready."""

    def __init__(self, *, is_ready: bool = True) -> None:
        self.is_full = False
        self.ready = trio.Event()
        if is_ready:
            self.ready.set()

    async def __call__(self, function: Callable[[*Args], T], *args: *Args) -> T:
        await self.ready.wait()
        if self.is_full:
            raise OSError("the disk is full")
        return await inline(function, *args)


@pytest.fixture(autouse=True)
def heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryWorldEnd, "heartbeat", HEARTBEAT)


async def test_records_that_a_world_was_given_outlast_a_cluster_link_that_forgets_meanwhile(
    autojump_clock: MockClock,
) -> None:
    stored, disk, stalling = Stored(), Disk(), Disk(is_ready=False)
    async with open_split() as split:
        world = await split.start_game(BANK, stored, executor=disk, interval=0.1)
        ann = await split.mud.player()
        await trio.sleep(1)
        disk.is_full = True
        await ann.type("ann 0 0 3 5")
        await ann.sees("ok 0")
        world.kill()
        assert ("ledger", "ann") not in stored.rows

        async def forget() -> None:
            await trio.sleep(0.1)
            split.cluster.forget()
            await trio.sleep(3 * HEARTBEAT)
            stalling.ready.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forget)
            world = await split.start_game(BANK, stored, executor=stalling)
        assert world.failed is None
        audit(stored.rows.values(), {"ann": [0]})


async def test_a_world_that_is_replaced_while_it_loads_is_fenced_whatever_its_database_says(
    autojump_clock: MockClock,
) -> None:
    cluster = MemoryCluster()

    async def load() -> None:
        async with WorldService(cluster.world_end()).claimed():
            await cluster.world_end().claim()
            try:
                await trio.sleep_forever()
            finally:
                raise Superseded("another server has taken over the database")

    with pytest.raises(Fenced, match="while this one loaded its game"):
        await load()


async def test_a_loss_at_the_end_of_a_cancelled_world_comes_alone(autojump_clock: MockClock) -> None:
    async def lose(scope: trio.CancelScope) -> None:
        async with WorldService(MemoryCluster().world_end()).claimed():
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                raise NotSaved("one record")

    with trio.CancelScope() as scope, pytest.raises(NotSaved, match="one record"):
        await lose(scope)


async def test_keeping_the_claim_takes_no_number_of_a_commit(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis server that has not got a number takes that for a loss of its last writes."""
    numbers: list[int] = []
    commit = MemoryWorldEnd.commit

    async def note(end: MemoryWorldEnd, one: Commit) -> None:
        numbers.append(one.number)
        await commit(end, one)

    monkeypatch.setattr(MemoryWorldEnd, "commit", note)
    async with WorldService(MemoryCluster().world_end()).claimed():
        await trio.sleep(4.5 * HEARTBEAT)
    assert numbers == [0] * 4
