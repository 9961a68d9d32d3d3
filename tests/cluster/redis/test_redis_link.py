"""Both ends of the cluster link over a real server: frames, the fence, the lease, and what is held."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
import trio
from coredis import Redis

from trio_mud.cluster import redis_delivery, redis_link
from trio_mud.cluster.ends import Commit, Fenced, Forgotten, LinkUnavailable
from trio_mud.cluster.frames import encode_up
from trio_mud.cluster.redis_link import RedisGatewayEnd, RedisWorldEnd
from trio_mud.cluster.redis_scripts import COMMIT, Script
from trio_mud.cluster.wire import LineTyped

from .conftest import StartRedis
from .server import AOF, RedisServer


def frame(gateway: str, number: int) -> bytes:
    """A frame of a gateway, which names it."""
    (encoded,) = encode_up(gateway, 1, number, 0, [])
    return encoded


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for a condition."""
    with trio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - of another process
            await trio.sleep(0.005)


class Gateway:
    """A gateway's end that runs, and the frames that it has received."""

    def __init__(self, redis: RedisServer, name: str = "g1", **options: float) -> None:
        self.name = name
        self.end = RedisGatewayEnd(redis.access(), "w1", name, **options)
        self.received: list[bytes] = []
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            await self.end.run(self.received.append)

    async def send(self, *numbers: int) -> None:
        await self.end.send([frame(self.name, number) for number in numbers])


class World:
    """A world's end that has claimed and runs.

    Attributes:
        received: Each frame once; after trouble one may come twice.
        count: The number of all frames.
    """

    def __init__(self, redis: RedisServer, **options: float) -> None:
        self.end = RedisWorldEnd(redis.access(), "w1", **options)  # type: ignore[arg-type]  # of numbers only
        self.received: list[bytes] = []
        self.count = 0
        self.lost: list[str] = []
        self.scope = trio.CancelScope()
        self.claimed = trio.Event()
        self.held: dict[bytes, bytes] = {}
        self._number = 0

    def receive(self, frames: Sequence[bytes]) -> None:
        self.count += len(frames)
        self.received = list(dict.fromkeys([*self.received, *frames]))

    async def run(self) -> None:
        with self.scope:
            self.held = dict(await self.end.claim())
            self.claimed.set()
            await self.end.run(self.receive, self.lost.append)

    async def commit(
        self, *frames: bytes, to: str = "g1", held: dict[bytes, bytes | None] | None = None, number: int = 0
    ) -> None:
        self._number = number or self._number + 1
        await self.end.commit(Commit(self._number, {to: list(frames)} if frames else {}, held or {}))


@asynccontextmanager
async def running(*parts: Gateway | World) -> AsyncGenerator[trio.Nursery]:
    """Run ends for the length of the block, and wait until the worlds have claimed."""
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for part in parts:
                nursery.start_soon(part.run)
            for part in parts:
                if isinstance(part, World):
                    await part.claimed.wait()
            yield nursery
            nursery.cancel_scope.cancel()


async def test_frames_arrive_in_order_in_both_directions(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        for number in range(50):
            await gateway.send(number, 1000 + number)
            await world.commit(b"down %d" % number, b"and %d" % number)
        await until(lambda: len(world.received) == 100 and len(gateway.received) == 100)
    assert world.received == [frame("g1", n + extra) for n in range(50) for extra in (0, 1000)]
    assert gateway.received == [b"%s %d" % (word, n) for n in range(50) for word in (b"down", b"and")]


async def test_each_gateway_receives_its_own_frames_only(redis: RedisServer) -> None:
    first, second, world = Gateway(redis), Gateway(redis, "g2"), World(redis)
    async with running(first, second, world):
        await first.send(1)
        await second.send(2)
        await until(lambda: len(world.received) == 2)
        await world.commit(b"for the second", to="g2")
        await world.commit(b"for the first", to="g1")
        await until(lambda: bool(first.received and second.received))
    assert (first.received, second.received) == ([b"for the first"], [b"for the second"])


async def test_a_commit_that_is_repeated_delivers_nothing(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        await world.commit(b"once", held={b"key": b"1"})
        await world.commit(b"once", held={b"key": b"2"}, number=1)
        await world.commit(b"then")
        await until(lambda: b"then" in gateway.received)
        assert gateway.received == [b"once", b"then"]
        assert redis.ask("hget", "tm:{w1}:held", "key") == "1"


async def test_a_world_that_takes_over_fences_the_one_that_serves(redis: RedisServer) -> None:
    gateway, first, second = Gateway(redis), World(redis), World(redis)
    async with running(gateway, first) as nursery:
        second.end.take_over()
        nursery.start_soon(second.run)
        await second.claimed.wait()
        assert second.end.epoch > first.end.epoch
        with pytest.raises(Fenced):
            await first.commit(b"late", held={b"late": b"1"})
        await second.commit(b"new")
        await until(lambda: bool(gateway.received))
        assert gateway.received == [b"new"]
        assert redis.ask("hgetall", "tm:{w1}:held") == ""


async def test_a_standby_waits_while_commits_renew_the_lease(redis: RedisServer) -> None:
    first, standby = World(redis, lease=0.4), World(redis, lease=0.4)
    async with running(first) as nursery:
        nursery.start_soon(standby.run)
        for _ in range(10):
            await first.commit()
            await trio.sleep(first.end.heartbeat)
        assert not standby.claimed.is_set()
        stopped = trio.current_time()
        await standby.claimed.wait()
        assert trio.current_time() - stopped < 5
        with pytest.raises(Fenced):
            await first.commit()


async def test_a_standby_claims_at_once_when_the_lease_is_released(redis: RedisServer) -> None:
    first, standby = World(redis, lease=600), World(redis)
    async with running(first) as nursery:
        nursery.start_soon(standby.run)
        await first.commit(held={b"a": b"1", b"b": b"2"})
        await first.commit(held={b"a": None, b"c": b"3"})
        await trio.sleep(0.2)
        assert not standby.claimed.is_set()
        await first.end.release()
        await until(standby.claimed.is_set)
        assert standby.held == {b"b": b"2", b"c": b"3"}


async def test_a_world_that_does_not_wait_is_refused_while_another_serves(redis: RedisServer) -> None:
    world = World(redis)
    async with running(world):
        with pytest.raises(LinkUnavailable, match=r"another world serves.*wait for it with --standby"):
            await RedisWorldEnd(redis.access(), "w1", waits=False).claim()
        await world.end.release()
        await RedisWorldEnd(redis.access(), "w1", waits=False).claim()


async def test_a_world_does_not_read_what_was_sent_to_an_earlier_one(redis: RedisServer) -> None:
    gateway, first, second = Gateway(redis), World(redis), World(redis)
    async with running(gateway, first) as nursery:
        await gateway.send(1)
        await until(lambda: bool(first.received))
        first.scope.cancel()
        await gateway.send(2, 3)
        second.end.take_over()
        nursery.start_soon(second.run)
        await second.claimed.wait()
        assert await second.end.gateways() == ["g1"]
        await gateway.send(4)
        await until(lambda: bool(second.received))
    assert second.received == [frame("g1", 4)]


async def test_a_gateway_that_starts_again_does_not_read_what_was_for_the_earlier_process(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world) as nursery:
        gateway.scope.cancel()
        await trio.sleep(0.1)
        await world.commit(b"for the dead one")
        again = Gateway(redis)
        nursery.start_soon(again.run)
        await again.send(1)
        await world.commit(b"for the new one")
        await until(lambda: bool(again.received))
        assert again.received == [b"for the new one"]


async def test_the_streams_are_trimmed_to_what_was_not_read(redis: RedisServer) -> None:
    gateway, world = Gateway(redis, alive=0.3), World(redis, alive=0.3)
    async with running(gateway, world):
        for number in range(300):
            await gateway.send(number)
            await world.commit(b"down")
        await until(lambda: len(world.received) == 300 and len(gateway.received) == 300)
        await world.commit()
        await trio.sleep(0.5)
        assert int(redis.ask("xlen", "tm:{w1}:in:g1")) <= 1
        assert int(redis.ask("xlen", "tm:{w1}:out:g1")) <= 1


async def test_a_gateway_waits_while_too_much_is_unread(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "MOST_UNREAD", 200_000)
    gateway = Gateway(redis, alive=0.3)
    async with running(gateway) as nursery:
        with trio.move_on_after(2) as pause:
            while True:
                await gateway.end.send([frame("g1", 1) + b"\0" * 20_000])
        assert pause.cancelled_caught
        assert int(redis.ask("memory", "usage", "tm:{w1}:in:g1")) < 100_000_000
        world = World(redis)
        nursery.start_soon(world.run)
        await world.claimed.wait()  # no later world reads it
        with trio.fail_after(5):
            await gateway.send(2)


async def test_a_gateway_without_a_sign_is_given_up_and_leaves_nothing(redis: RedisServer) -> None:
    first, second, world = Gateway(redis, alive=0.6), Gateway(redis, "g2", alive=0.6), World(redis, alive=0.6)
    async with running(first, second, world):
        await first.send(1)
        await second.send(1)
        await until(lambda: len(world.received) == 2)
        await world.commit(b"x")
        first.scope.cancel()
        await until(lambda: world.lost == ["g1"])
        await trio.sleep(1)
        assert world.lost == ["g1"]
        assert redis.ask("keys", "*g1*") == ""
        assert redis.ask("smembers", "tm:{w1}:gateways") == "g2"


async def test_a_gateway_that_was_given_up_and_is_alive_announces_itself_again(redis: RedisServer) -> None:
    gateway, world = Gateway(redis, alive=0.6), World(redis, alive=0.6)
    async with running(gateway, world):
        await gateway.send(1, 2)
        await until(lambda: len(world.received) == 2)
        redis.ask("del", "tm:{w1}:alive:g1", "tm:{w1}:in:g1")
        redis.ask("srem", "tm:{w1}:gateways", "g1")
        before = world.count
        await until(lambda: world.count > before)
        assert world.received == [frame("g1", 1), frame("g1", 2)]


async def test_a_frame_that_names_another_gateway_is_dropped(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        await gateway.end.send([frame("g1", 1), frame("g2", 2), b"\xc1junk", frame("g1", 3)])
        await until(lambda: len(world.received) == 3)
    assert world.received == [frame("g1", 1), b"\xc1junk", frame("g1", 3)]  # junk is counted by the world's service
    assert "gateway g1 sent a frame as gateway 'g2'" in caplog.text


async def test_a_stream_that_has_lost_entries_makes_the_next_commit_fail(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        await gateway.send(1)
        await until(lambda: bool(world.received))
        redis.ask("xadd", "tm:{w1}:in:g1", "*", "n", "7", "m", "junk")
        await until(lambda: len(world.received) == 2)
        with pytest.raises(Forgotten):
            await world.commit(b"down")
        before = world.end.epoch
        await world.end.claim()
        assert world.end.epoch > before
        await world.commit(b"then", number=1)
        await until(lambda: bool(gateway.received))
        assert gateway.received == [b"then"]


async def test_a_server_that_has_lost_its_data_is_repaired(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world) as nursery:
        await gateway.send(1)
        await until(lambda: bool(world.received))
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        redis.kill()
        redis.restart()
        with pytest.raises(Forgotten) as caught:
            await world.commit(b"in doubt")
        before = world.end.epoch
        await world.end.claim()
        assert world.end.epoch > before
        assert await world.end.gateways() == ["g1"]
        await world.commit(b"after", number=1)
        await gateway.send(2)
        await until(lambda: gateway.received[-1] == b"after" and world.received[-1] == frame("g1", 2))
        assert gateway.received == [b"before", *[b"in doubt"] * caught.value.is_kept, b"after"]
        # Another world that starts after another loss finds the gateway by its own announcement.
        world.scope.cancel()
        redis.kill()
        redis.restart()
        second = World(redis)
        nursery.start_soon(second.run)
        await until(lambda: bool(second.received))
        assert second.received[0] == frame("g1", 1)


async def test_a_commit_whose_reply_is_lost_with_the_data_is_delivered_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = COMMIT

    class Losing:
        """Runs the commit, but its reply and then all data are lost."""

        async def run(
            self, client: Redis[bytes], keys: Sequence[str], arguments: Sequence[str | bytes | int]
        ) -> object:
            monkeypatch.setattr(redis_link, "COMMIT", script)
            await script.run(client, keys, arguments)
            await until(lambda: len(first.received) == 2)
            redis.ask("flushall")
            raise OSError("the reply is lost")

    first, second, world = Gateway(redis), Gateway(redis, "g2"), World(redis)
    async with running(first, second, world):
        second.scope.cancel()  # it is away, and does not read
        monkeypatch.setattr(redis_link, "COMMIT", Losing())
        with pytest.raises(Forgotten) as caught:
            await world.end.commit(Commit(1, {"g1": [b"first", b"second"], "g2": [b"for it"]}))
        assert caught.value.is_kept
        await world.end.claim()
        await world.end.commit(Commit(1, {"g1": [b"third"]}))
        await until(lambda: b"third" in first.received)
        assert first.received == [b"first", b"second", b"third"]
        assert redis.ask("xlen", "tm:{w1}:out:g2") == "1"


@contextmanager
def losing(command: str) -> Generator[None]:
    """Let each commit of the block lose something on the server at once, before any reader sees it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_link, "COMMIT", Script(COMMIT.text.replace("return 1\n", f"{command}\nreturn 1\n")))
        yield


LOSE_OUTPUT = "redis.call('DEL', 'tm:{w1}:out:g1')"
LOSE_ALL = "redis.call('FLUSHALL')"


async def go_on_after_a_loss(gateway: Gateway, world: World) -> None:
    """The world notices that the server has lost its data, claims again, and the gateway hears it."""
    with pytest.raises(Forgotten):
        await world.commit()
    await world.end.claim()
    await world.commit(b"after", number=1)
    await until(lambda: b"after" in gateway.received)


async def test_frames_that_were_lost_before_a_gateway_has_read_them_are_written_again(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        with losing(LOSE_ALL):
            await world.commit(b"lost", b"with the data")
        await go_on_after_a_loss(gateway, world)
    assert gateway.received == [b"before", b"lost", b"with the data", b"after"]


@pytest.mark.parametrize("follows", [True, False], ids=["in the midst", "at the end"])
async def test_an_output_stream_that_is_lost_is_noticed_and_written_again(redis: RedisServer, follows: bool) -> None:
    gateway, world = Gateway(redis, alive=1.0), World(redis)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        with losing(LOSE_OUTPUT):
            await world.commit(b"lost", b"with its stream")
        if follows:
            await world.commit(b"after")

        async def commit() -> None:
            while True:
                await trio.sleep(0.1)
                await world.commit()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await until(lambda: gateway.received == [b"before", b"lost", b"with its stream", *[b"after"] * follows])
            nursery.cancel_scope.cancel()


async def test_a_gateway_reads_from_a_server_whose_clock_is_behind(redis: RedisServer) -> None:
    gateway, world = Gateway(redis, alive=0.6), World(redis)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        gateway.end._last = b"9999999999999-0"  # the clock of the server was so much ahead
        redis.ask("flushall")
        await go_on_after_a_loss(gateway, world)
    assert gateway.received == [b"before", b"after"]


async def commit_until_forgotten(world: World, frame: bytes) -> None:
    with trio.fail_after(10), suppress(Forgotten):
        while True:
            await trio.sleep(0.1)
            await world.commit(frame)


async def test_more_lost_frames_than_are_kept_make_a_commit_fail(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_delivery, "MOST_KEPT", 10)
    gateway, world = Gateway(redis, alive=0.6), World(redis)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        with losing(LOSE_OUTPUT):
            await world.commit(*[b"number %d" % number for number in range(5)])
        await commit_until_forgotten(world, b"after")
        await world.end.claim()
        await world.commit(b"then", number=1)
        await until(lambda: gateway.received[-1:] == [b"then"])


async def test_a_standby_leaves_lost_data_to_the_world_that_serves(redis: RedisServer) -> None:
    world, standby = World(redis, lease=1.0), World(redis, lease=1.0)
    async with running(world) as nursery:
        nursery.start_soon(standby.run)
        await world.commit()
        await trio.sleep(0.3)
        redis.kill()
        redis.restart()
        with pytest.raises(Forgotten):
            await world.commit()
        await trio.sleep(0.3)
        await world.end.claim()
        await world.commit(number=1)
        assert not standby.claimed.is_set()
        world.scope.cancel()
        redis.ask("flushall")
        await until(standby.claimed.is_set)


async def test_a_world_that_lost_the_race_after_a_loss_is_fenced(redis: RedisServer) -> None:
    world, other = World(redis), World(redis)
    async with running(world) as nursery:
        redis.ask("flushall")
        with pytest.raises(Forgotten):
            await world.commit()
        nursery.start_soon(other.run)
        await other.claimed.wait()
        with pytest.raises(Fenced):
            await world.end.claim()


async def test_nothing_is_lost_when_the_server_is_killed_and_has_written_all(start_redis: StartRedis) -> None:
    redis = start_redis(*AOF)
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world) as nursery:

        async def send() -> None:
            for number in range(300):
                await gateway.send(number)
                await trio.sleep(0.005)

        async def commit() -> None:
            for number in range(300):
                await world.commit(b"down %d" % number)
                await trio.sleep(0.005)

        nursery.start_soon(send)
        nursery.start_soon(commit)
        await trio.sleep(0.5)
        for _ in range(3):
            redis.kill()
            await trio.sleep(0.3)
            redis.restart()
            await trio.sleep(0.7)
        await until(lambda: gateway.received[-1:] == [b"down 299"] and world.received[-1:] == [frame("g1", 299)], 30)
    assert gateway.received == [b"down %d" % number for number in range(300)]
    assert world.received == [frame("g1", number) for number in range(300)]
    assert world.count <= 320


async def test_both_ends_wait_while_the_server_does_not_answer(redis: RedisServer) -> None:
    gateway, world = Gateway(redis, alive=0.6), World(redis, alive=0.6)
    async with running(gateway, world) as nursery:
        await gateway.send(1)
        await until(lambda: bool(world.received))
        redis.sleep()
        nursery.start_soon(gateway.send, 2)
        nursery.start_soon(world.commit, b"down")
        await trio.sleep(3)
        assert (gateway.received, len(world.received)) == ([], 1)
        redis.wake()
        await until(lambda: gateway.received == [b"down"] and world.received[-1] == frame("g1", 2))
        await trio.sleep(1)
        assert world.lost == []  # its sign expired meanwhile


async def test_a_hundred_broken_connections_cost_nothing(redis: RedisServer) -> None:
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        for number in range(100):
            redis.ask("client", "kill", "type", "normal")
            await gateway.send(number)
            await world.commit(b"%d" % number)
        await until(lambda: gateway.received[-1:] == [b"99"] and world.received[-1:] == [frame("g1", 99)], 30)
    assert gateway.received == [b"%d" % number for number in range(100)]
    assert world.received == [frame("g1", number) for number in range(100)]


async def test_a_server_that_has_lost_the_last_commits_makes_the_next_one_fail(redis: RedisServer) -> None:
    """Another server has taken its place, or it has restarted: it holds an old value that the database has replaced."""
    gateway, world = Gateway(redis), World(redis)
    async with running(gateway, world):
        await world.commit(b"1", held={b"coins": b"5"})
        await world.commit(b"2", held={b"coins": None})
        await world.commit(b"3")
        redis.ask("hset", "tm:{w1}:state", "n", "1")
        redis.ask("hset", "tm:{w1}:held", "coins", "5")
        with pytest.raises(Forgotten):
            await world.commit(b"4")
        assert await world.end.claim() == {b"coins": b"5"}  # so the next commit drops it
        await world.commit(b"then", held={b"coins": None}, number=1)
        await until(lambda: b"then" in gateway.received)
        assert gateway.received == [b"1", b"2", b"3", b"then"]


async def test_a_server_that_has_lost_the_last_claim_gives_it_to_the_later_world_again(redis: RedisServer) -> None:
    gateway, first, second = Gateway(redis), World(redis, lease=60), World(redis, lease=60)
    async with running(gateway, first) as nursery:
        holder, epoch = redis.ask("get", "tm:{w1}:lease"), redis.ask("hget", "tm:{w1}:state", "epoch")
        second.end.take_over()
        nursery.start_soon(second.run)
        await second.claimed.wait()
        second.end._takes_over = trio.Event()
        await second.commit(b"before")
        redis.ask("hset", "tm:{w1}:state", "epoch", epoch, "n", "0")
        redis.ask("set", "tm:{w1}:lease", holder, "px", "60000")
        with pytest.raises(Forgotten):
            await second.commit(b"lost")
        await second.end.claim()
        with pytest.raises(Fenced):
            await first.commit(b"of the earlier world")
        await second.commit(b"after", number=1)
        await until(lambda: b"after" in gateway.received)
        assert gateway.received == [b"before", b"after"]


@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_was_read_is_removed_from_a_server_that_is_full(redis: RedisServer, way: str) -> None:
    gateway, world = Gateway(redis, alive=0.6), World(redis, alive=0.6)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        redis.ask("config", "set", "maxmemory-policy", "noeviction")
        used = int(redis.ask("info", "memory").partition("used_memory:")[2].split()[0])
        if way == "down":
            await world.commit(*[b"%d" % number + 300_000 * b"." for number in range(20)])
        else:
            await gateway.end.send(
                [encode_up("g1", 1, number, 0, [LineTyped(1, 1, 60_000 * ".")])[0] for number in range(100)]
            )
        redis.ask("config", "set", "maxmemory", str(used + 2_000_000))
        await world.commit(b"then")
        await until(lambda: b"then" in gateway.received)
        await gateway.send(3)
        await until(lambda: frame("g1", 3) in world.received)
        await world.commit()
    assert world.lost == []


async def test_a_gateway_that_was_away_with_its_server_reads_from_one_whose_clock_is_behind(redis: RedisServer) -> None:
    gateway, world = Gateway(redis, alive=0.3), World(redis)
    async with running(gateway, world):
        await world.commit(b"before")
        await until(lambda: bool(gateway.received))
        redis.kill()
        await trio.sleep(1)  # each of its commands has failed
        gateway.end._last = b"9999999999999-0"
        redis.restart()
        await go_on_after_a_loss(gateway, world)
    assert gateway.received == [b"before", b"after"]
