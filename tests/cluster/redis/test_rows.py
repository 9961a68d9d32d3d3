"""Every row of the failure table: processes are killed or stopped while players count.

Rows with SIGKILL have ten kills. The silences are bounded here with room for a busy machine; `drills.py` measures them.
"""

from __future__ import annotations

import signal

import pytest
import trio

from .conftest import StartRedis
from .money import pay_over_kills
from .processes import now
from .server import AOF, RedisServer
from .stage import Stage, judge, on_stage

PLAYERS = 40
SLACK = 3.0  # seconds that a busy machine may add to a silence
KILLS = 10


async def assert_each_line_once(stage: Stage, *, world_lives: bool = False) -> None:
    """Let the players stop: each line was answered once, no player has lost its connection, and a world agrees."""
    await stage.crowd.settled()
    result = judge(stage.crowd)
    assert result["sent"] > PLAYERS
    assert result == {**result, "answered": result["sent"], "lost": 0, "doubled": 0}
    assert stage.crowd.total("connects") == PLAYERS
    assert [line for player in stage.crowd.players for line in player.strange] == []
    if world_lives:
        assert (await stage.crowd.stats())[1:] == (0, 0)


async def test_a_world_is_killed_and_a_spare_is_told(start_redis: StartRedis) -> None:
    async with on_stage(start_redis(*AOF)) as stage:
        for _ in range(KILLS):
            spare = stage.start_world()
            await spare.reported("loaded")
            await trio.sleep(0.2)
            assert await stage.kill_world(spare, is_told=True) < 0.4 + SLACK
        await assert_each_line_once(stage)


async def test_a_world_is_killed_and_a_standby_waits_for_the_lease(start_redis: StartRedis) -> None:
    async with on_stage(start_redis(*AOF)) as stage:
        for _ in range(KILLS):
            standby = stage.start_world()
            await standby.reported("loaded")
            await trio.sleep(0.2)
            assert await stage.kill_world(standby, is_told=False) < 1.5 + 0.3 + SLACK
        await assert_each_line_once(stage)


async def test_money_is_conserved_while_worlds_are_killed(start_redis: StartRedis) -> None:
    result = await pay_over_kills(start_redis(*AOF), 5)
    assert result == {**result, "answered": result["sent"], "lost": 0, "doubled": 0}
    assert result["between commit and database"] > 0


async def test_a_world_hands_over_to_a_standby(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        for _ in range(KILLS):
            standby = stage.start_world()
            await standby.reported("loaded")
            await trio.sleep(0.3)
            assert await stage.hand_over(standby) < 0.4 + SLACK
        await assert_each_line_once(stage)


async def test_a_world_that_was_stopped_is_fenced_by_its_standby(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        standby = stage.start_world()
        await standby.reported("loaded")
        await trio.sleep(0.5)
        stage.world.send(signal.SIGSTOP)
        await standby.reported("serving")
        await stage.crowd.heard_since(now())
        stage.world.send(signal.SIGCONT)
        assert await stage.world.ended() == 3
        stage.world = standby
        await trio.sleep(0.5)
        await assert_each_line_once(stage)


async def test_a_world_that_was_stopped_without_a_standby_goes_on(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        await trio.sleep(0.5)
        stage.world.send(signal.SIGSTOP)
        await trio.sleep(4)
        stage.world.send(signal.SIGCONT)
        await stage.crowd.heard_since(now())
        await assert_each_line_once(stage, world_lives=True)


async def test_another_world_takes_over_while_the_first_is_at_work(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        for _ in range(5):
            other = stage.start_world()
            await other.reported("loaded")
            other.send(signal.SIGUSR1)
            await other.reported("serving")
            assert await stage.world.ended() == 3
            stage.world = other
            await trio.sleep(0.2)
        await assert_each_line_once(stage)


async def test_redis_is_killed_and_has_written_all(start_redis: StartRedis) -> None:
    redis = start_redis(*AOF)
    async with on_stage(redis) as stage:
        for _ in range(KILLS):
            await trio.sleep(0.4)
            redis.kill()
            await trio.sleep(0.3)
            redis.restart()
            await stage.crowd.heard_since(now())
        await assert_each_line_once(stage, world_lives=True)


async def test_redis_is_killed_and_has_written_nothing(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        for _ in range(KILLS):
            await trio.sleep(0.4)
            redis.kill()
            await trio.sleep(0.3)
            redis.restart()
            await stage.crowd.heard_since(now())
        await assert_each_line_once(stage, world_lives=True)  # it and the gateways write again what was lost


async def test_redis_does_not_answer_for_five_seconds(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        await trio.sleep(0.5)
        redis.sleep()
        await trio.sleep(5)
        redis.wake()
        await stage.crowd.heard_since(now())
        await trio.sleep(1)
        await assert_each_line_once(stage, world_lives=True)


async def test_a_gateway_that_is_stopped_for_two_seconds_keeps_its_players(redis: RedisServer) -> None:
    async with on_stage(redis, gateways=2) as stage:
        await trio.sleep(0.5)
        stage.gateways[0].send(signal.SIGSTOP)
        stopped = now()
        while now() < stopped + 1.5:
            assert await stage.crowd.heard_since(now()) < SLACK  # by the players of the other one
        stage.gateways[0].send(signal.SIGCONT)
        await trio.sleep(0.5)
        await assert_each_line_once(stage, world_lives=True)


async def test_a_gateway_that_is_given_up_and_wakes_keeps_its_sockets(redis: RedisServer) -> None:
    async with on_stage(redis, gateways=2) as stage:
        await trio.sleep(0.5)
        stage.gateways[0].send(signal.SIGSTOP)
        with trio.fail_after(20):
            while "gateway g1 is given up" not in stage.world.log():  # noqa: ASYNC110 - of another process
                await trio.sleep(0.05)
        stage.gateways[0].send(signal.SIGCONT)
        await trio.sleep(1)
        await assert_each_line_once(stage)


async def test_gateways_are_killed_and_their_players_return_by_the_other_one(redis: RedisServer) -> None:
    async with on_stage(redis, gateways=2) as stage:
        for kill in range(KILLS):
            await trio.sleep(0.5)
            stage.gateways[kill % 2].kill()
            await stage.crowd.heard_since(now())
            await stage.start_gateway(kill % 2).reported("serving")
        await trio.sleep(0.5)
        await stage.crowd.settled(within=5)
        result = judge(stage.crowd)
        assert result["doubled"] == 0
        assert stage.crowd.total("unexplained") == 0  # the others are what the dying gateways held
        assert result["answered"] > result["sent"] / 2


async def test_a_gateway_that_is_killed_for_good_is_noticed(redis: RedisServer) -> None:
    async with on_stage(redis, gateways=2) as stage:
        await trio.sleep(0.5)
        killed = now()
        stage.gateways[0].kill()
        with trio.fail_after(20):
            while "gateway g1 is given up" not in stage.world.log():  # noqa: ASYNC110 - of another process
                await trio.sleep(0.05)
        assert now() - killed < 4 + SLACK
        assert redis.ask("keys", "*g1*") == ""


@pytest.mark.parametrize("stream", ["in", "out"])
async def test_a_stream_that_an_operator_deletes_is_repaired(redis: RedisServer, stream: str) -> None:
    async with on_stage(redis) as stage:
        for _ in range(20):
            await trio.sleep(0.1)
            redis.ask("del", f"tm:{{w1}}:{stream}:g1")
        await assert_each_line_once(stage, world_lives=True)


async def test_the_streams_stay_short_under_load(redis: RedisServer) -> None:
    async with on_stage(redis, every=0.05) as stage:
        await trio.sleep(1)
        lengths = []
        for _ in range(10):
            await trio.sleep(0.2)
            lengths.append(max(int(redis.ask("xlen", f"tm:{{w1}}:{name}:g1")) for name in ("in", "out")))
        assert max(lengths) < 1000
        await assert_each_line_once(stage)


async def test_without_redis_a_process_ends_with_a_sentence(redis: RedisServer) -> None:
    async with on_stage(redis) as stage:
        redis.kill()
        world = stage.start_world()
        assert await world.ended() == 75
        (report,) = (report for report in world.reports() if "error" in report)
        assert "start Redis or Valkey there" in report["error"]
        redis.restart()
        await stage.crowd.heard_since(now())
