"""The cluster link in memory: its faults, and that both sides bear them."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from trio_mud.cluster.ends import Commit, Fenced, Forgotten
from trio_mud.testing.memory_cluster import ALIVE, RETRY, MemoryCluster, MemoryWorldEnd


class Listener:
    """A world's end that listens.

    Attributes:
        heard: The frames that have come.
        lost: The gateways that were given up, and when.
    """

    def __init__(self, end: MemoryWorldEnd) -> None:
        self.end = end
        self.heard: list[bytes] = []
        self.lost: list[tuple[str, float]] = []

    async def run(self) -> None:
        await self.end.claim()
        await self.end.run(self.heard.extend, lambda name: self.lost.append((name, trio.current_time())))


async def test_a_commit_whose_reply_is_lost_takes_effect_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    cluster = MemoryCluster()
    gateway, world = cluster.gateway_end("g"), cluster.world_end()
    heard: list[bytes] = []
    nursery.start_soon(gateway.run, heard.append)
    await world.claim()
    cluster.lose_replies()
    began = trio.current_time()
    await world.commit(Commit(1, {"g": [b"a", b"b"]}))
    assert trio.current_time() == began + RETRY
    await trio.sleep(1)
    assert heard == [b"a", b"b"]


async def test_frames_whose_reply_is_lost_come_twice(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    cluster = MemoryCluster()
    gateway, listener = cluster.gateway_end("g"), Listener(cluster.world_end())
    nursery.start_soon(listener.run)
    await trio.sleep(0.1)
    cluster.lose_replies()
    await gateway.send([b"a", b"b"])
    await trio.sleep(0.1)
    assert listener.heard == [b"a", b"b", b"a", b"b"]


@pytest.mark.parametrize("is_sent", [True, False])
async def test_a_commit_under_way_at_a_kill_takes_effect_or_not(autojump_clock: MockClock, is_sent: bool) -> None:
    cluster = MemoryCluster(latency=1.0)
    cluster.gateway_end("g")
    world = cluster.world_end()
    await world.claim()
    with trio.move_on_after(0.3):
        await world.commit(Commit(1, {"g": [b"a"]}))
    world.kill(is_sent=is_sent)
    assert cluster.commits == is_sent


async def test_a_world_that_finds_the_data_lost_claims_again_unless_another_one_has(autojump_clock: MockClock) -> None:
    cluster = MemoryCluster()
    first, second = cluster.world_end(), cluster.world_end()
    await first.claim()
    await first.commit(Commit(1, {}, {b"a": b"1"}))
    cluster.forget()
    with pytest.raises(Forgotten):
        await first.commit(Commit(2, {}))
    assert await first.claim() == {}
    assert first.epoch == 2
    cluster.forget()
    await second.claim()
    with pytest.raises(Fenced):
        await first.claim()


@pytest.mark.parametrize(("seconds", "lost"), [(ALIVE - 0.5, []), (ALIVE + 2, [("g", 1 + ALIVE)])])
async def test_a_gateway_is_given_up_when_it_was_cut_off_for_long(
    autojump_clock: MockClock, nursery: trio.Nursery, seconds: float, lost: list[tuple[str, float]]
) -> None:
    cluster = MemoryCluster()
    gateway, listener = cluster.gateway_end("g"), Listener(cluster.world_end())
    nursery.start_soon(listener.run)
    await trio.sleep(1)
    gateway.cut(seconds)
    nursery.start_soon(gateway.send, [b"late"])
    await trio.sleep(ALIVE + 1)
    assert listener.lost == lost
    await trio.sleep(5)
    assert set(listener.heard) == {b"late"}  # it has sent its first frame once more
    assert list(await listener.end.gateways()) == ["g"]


async def test_a_gateway_that_was_killed_is_given_up_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    cluster = MemoryCluster()
    gateway, listener = cluster.gateway_end("g"), Listener(cluster.world_end())
    nursery.start_soon(listener.run)
    await trio.sleep(1)
    gateway.kill()
    nursery.start_soon(gateway.send, [b"never"])
    await trio.sleep(100)
    assert listener.lost == [("g", 1 + ALIVE)]
    assert listener.heard == []
    assert list(await listener.end.gateways()) == []
    cluster.gateway_end("g")
    assert list(await listener.end.gateways()) == ["g"]


async def test_a_silent_cluster_link_delays_everything_and_loses_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cluster = MemoryCluster()
    gateway, world = cluster.gateway_end("g"), cluster.world_end()
    heard: list[tuple[bytes, float]] = []
    nursery.start_soon(gateway.run, lambda frame: heard.append((frame, trio.current_time())))
    await world.claim()
    cluster.be_silent(4)
    await world.commit(Commit(1, {"g": [b"a"]}))
    await trio.sleep(0.1)
    assert heard == [(b"a", 4.0)]
    assert world.heartbeat == math.inf


async def test_a_delivered_commit_is_not_refused_when_reply_and_data_are_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cluster = MemoryCluster()
    world = cluster.world_end()
    await world.claim()
    cluster.lose_replies()
    nursery.start_soon(world.commit, Commit(1, {}))
    await trio.sleep(RETRY / 2)
    assert cluster.commits == 1
    cluster.forget()
    await trio.sleep(RETRY)
    with pytest.raises(Forgotten):
        await world.commit(Commit(2, {}))
