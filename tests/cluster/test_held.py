"""What a cluster link holds for the next world: everything that was committed, and nothing else."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from trio_mud.cluster.ends import Commit, Fenced
from trio_mud.testing.memory_cluster import MemoryCluster


async def test_the_next_world_is_given_what_was_committed(autojump_clock: MockClock) -> None:
    cluster = MemoryCluster()
    first = cluster.world_end()
    assert await first.claim() == {}
    await first.commit(Commit(1, {}, {b"ann": b"3 coins", b"bob": b"1 coin"}))
    await first.commit(Commit(2, {}, {b"ann": b"2 coins", b"bob": None, b"cid": None}))
    first.kill()
    assert await cluster.world_end().claim() == {b"ann": b"2 coins"}


async def test_a_fenced_world_leaves_nothing(autojump_clock: MockClock) -> None:
    cluster = MemoryCluster()
    first, second = cluster.world_end(), cluster.world_end()
    await first.claim()
    await second.claim()
    with pytest.raises(Fenced):
        await first.commit(Commit(1, {}, {b"ann": b"3 coins"}))
    assert await cluster.world_end().claim() == {}
